/**
 * What we remember of an existing FERAL node from one exchange to the next, and what we ask it with.
 *
 * - **A node is asked for what is new.** When it has sent all that it had, its clock at that moment is kept. Where its
 *   clock has moved since then, it is asked from there on; where it has not moved, it is asked for nothing.
 * - **A node is asked for everything** when it is met for the first time, and when its own history went backwards. The
 *   same holds when its clock has shrunk (it was restarted), or shows a scope for the first time (one was granted).
 * - **What no clock shows comes as well.** A row that was withheld and then granted, or relayed late, moves no clock.
 *   So a node is asked for everything again from time to time: as often as this costs `upkeep` at most, however large
 *   its history is.
 */
import { HashMap } from "effect"
import * as Hlc from "../../replica/Hlc.ts"
import type { Slot } from "../../replica/Merge.ts"
import type { NodeId } from "../../replica/NodeId.ts"
import type { Operation } from "../../replica/Operation.ts"
import * as VectorClock from "../../replica/VectorClock.ts"

/** A row that was not sent, for the node could not take it. */
export interface TooLarge {
  readonly table: string
  readonly row_id: string
  readonly bytes: number
  /** The largest frame that the node accepts. */
  readonly limit: number
}

export interface Memory {
  /** Its clock, as it last reported it. */
  readonly clock: VectorClock.VectorClock
  /** Its clock when it had last sent all that it then had. */
  readonly complete: VectorClock.VectorClock
  /** The greatest timestamp of each origin that it sent, in exchanges that were complete. */
  readonly received: VectorClock.VectorClock
  /** All that it has ever shown to have. */
  readonly shown: VectorClock.VectorClock
  /** Whether it has shown that it is of the newest generation. */
  readonly isNewest: boolean
  /** What it was sent last time and had never shown to have, by origin; empty while we did not know how to label it. */
  readonly sent: VectorClock.VectorClock
  /** Whether it took nothing of that: no scope is granted to us. From then on one operation is offered at a time. */
  readonly takesNothing: boolean
  /** The scopes that it has used, and whether one of them was new last time. */
  readonly scopes: ReadonlySet<string>
  readonly hasNewScope: boolean
  /** When it was last asked for everything (ms), and how much came (characters). */
  readonly wholeAt: number
  readonly wholeSize: number
  /** Rows that it cannot take. */
  readonly tooLarge: ReadonlyMap<Slot, TooLarge>
  /** Operations to be sent back: it holds an older one of ours in their place. */
  readonly returns: ReadonlyArray<Operation>
  /** The operations that it was sent in an exchange that was not complete. */
  readonly sentRows: ReadonlyMap<Slot, Operation>
  /** What was set aside of what it sent: it comes again whenever everything is asked for. */
  readonly quarantined: ReadonlySet<string>
}

/** Of a node that was not met before. */
export const none: Memory = {
  clock: VectorClock.empty,
  complete: VectorClock.empty,
  received: VectorClock.empty,
  shown: VectorClock.empty,
  isNewest: false,
  sent: VectorClock.empty,
  takesNothing: false,
  scopes: new Set(),
  hasNewScope: false,
  wholeAt: -Infinity,
  wholeSize: 0,
  tooLarge: new Map(),
  returns: [],
  sentRows: new Map(),
  quarantined: new Set()
}

/** How many of each are remembered of one node. */
export const kept = { tooLarge: 100, quarantined: 1_000, scopes: 64 } as const

/** What asking for everything may cost: characters for each ms, and the least time between two times (ms). */
export const upkeep = { rate: (32 * 1024) / 60_000, least: 20_000 } as const

/** The clock that a node is asked with. */
export interface Question {
  /** The clock to report. */
  readonly clock: VectorClock.VectorClock
  readonly isWhole: boolean
}

/** The two clocks that a question is made of, and whose they are. */
export interface Clocks {
  /** What we claim. */
  readonly ours: VectorClock.VectorClock
  /** What the other node reports. */
  readonly theirs: VectorClock.VectorClock
  readonly peer: NodeId
  readonly self: NodeId
}

/** What to ask a node with of which `memory` is remembered. */
export const ask = (memory: Memory | undefined, clocks: Clocks, now: number): Question => {
  const { ours, theirs, peer, self } = clocks
  if (memory === undefined || isWholeDue(memory, theirs, peer, now)) {
    // Its word about other origins proves nothing: what it may have sent of them is asked for again as well.
    const { received } = memory ?? none
    const clock = HashMap.filter(ours, (_, node) => node === self || (node !== peer && !HashMap.has(received, node)))
    return { clock, isWhole: true }
  }
  if (memory.isNewest) {
    const clock = VectorClock.merge(ours, memory.received)
    return { clock: VectorClock.withEntry(clock, peer, VectorClock.get(memory.received, peer)), isWhole: false }
  }
  return { clock: VectorClock.withEntry(ours, peer, markFor(memory, clocks)), isWhole: false }
}

const isWholeDue = (memory: Memory, theirs: VectorClock.VectorClock, peer: NodeId, now: number): boolean => {
  const { clock, complete, received, isNewest, hasNewScope, wholeAt, wholeSize } = memory
  if (hasNewScope || !VectorClock.includes(theirs, clock)) return true
  const own = VectorClock.get(theirs, peer)
  const isBackwards =
    Hlc.isAfter(own, VectorClock.get(complete, peer)) && !Hlc.isAfter(own, VectorClock.get(received, peer))
  return (isNewest && isBackwards) || now - wholeAt >= Math.max(upkeep.least, wholeSize / upkeep.rate)
}

/**
 * The mark for an early node, which uses the one for its own id for all origins: the lowest of what we have of those
 * where its clock has moved. Where none has, a mark that is after all that it has.
 */
const markFor = ({ complete, received }: Memory, { ours, theirs, peer, self }: Clocks): Hlc.Timestamp => {
  let lowest: Hlc.Timestamp | undefined
  for (const [node, timestamp] of HashMap.entries(theirs)) {
    const sent = VectorClock.get(complete, node)
    const mark =
      node === peer ? sent : Hlc.latest(Hlc.latest(sent, VectorClock.get(received, node)), VectorClock.get(ours, node))
    if (node === self || !Hlc.isAfter(timestamp, mark)) continue
    if (lowest === undefined || Hlc.isAfter(lowest, mark)) lowest = mark
  }
  return lowest ?? [theirs, received, complete].map(top).reduce(Hlc.latest)
}

const top = (clock: VectorClock.VectorClock): Hlc.Timestamp => {
  let greatest = Hlc.zero
  for (const timestamp of HashMap.values(clock)) greatest = Hlc.latest(greatest, timestamp)
  return greatest
}

/**
 * Whether a node, by the clock that it reports now, took nothing of what it was sent last time. A clock that has shrunk
 * does not tell.
 */
export const tookNothing = ({ sent, clock, takesNothing }: Memory, reported: VectorClock.VectorClock): boolean =>
  HashMap.isEmpty(sent) || !VectorClock.includes(reported, clock)
    ? takesNothing
    : HashMap.every(sent, (_, node) => !Hlc.isAfter(VectorClock.get(reported, node), VectorClock.get(clock, node)))
