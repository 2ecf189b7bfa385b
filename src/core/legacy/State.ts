/**
 * The state of an exchange with an existing FERAL node (`Exchange.ts`): what it knows of the other side, what it remembers of it
 * from one exchange to the next, and which mark to ask it with.
 */
import { HashMap, Option, type Redacted } from "effect"
import type { SessionFailure } from "../Failure.ts"
import type { Role } from "../Handshake.ts"
import * as Hlc from "../Hlc.ts"
import type { NodeId } from "../NodeId.ts"
import type { DeltaRequest, Snapshot } from "../Replica.ts"
import type { Action, View } from "../session/State.ts"
import * as VectorClock from "../VectorClock.ts"

/** What we remember of an old node from one exchange to the next. */
export interface Memory {
  /** Its clock, as it last reported it. */
  readonly clock: VectorClock.VectorClock
  /** Whether it has shown that it is of the newest generation. */
  readonly isNewest: boolean
  /** What it was sent last time, by origin; empty while we did not know how to label it. */
  readonly sent: VectorClock.VectorClock
  /** Whether it took nothing of that: no scope is granted to us. From then on one operation is offered at a time. */
  readonly takesNothing: boolean
}

export interface Options {
  readonly role: Role
  readonly self: NodeId
  readonly passphrase: Redacted.Redacted<string>
  /** How the peer is called before its id is known. */
  readonly remote: string
  /** Who is expected to answer, where that is known. */
  readonly expected: NodeId | undefined
  readonly memories: ReadonlyMap<NodeId, Memory>
  /** The scope that operations for the newest nodes are labelled with. */
  readonly scope: string | undefined
  readonly maxFrameBytes: number
  readonly maxDriftMs: number
}

/** How long we wait for a message (ms). An old node writes what it got, slowly, before it answers. */
const patience = { greeting: 10_000, data: 120_000 } as const

export interface Exchange {
  readonly options: Options
  /** What we wait for, or what we do. */
  readonly phase: "greeting" | "receiving" | "sending" | "closed"
  readonly since: number
  readonly peer: NodeId | undefined
  readonly local: Snapshot
  /** The peer's clock as it reported it, and with all that it sent or was sent. */
  readonly reported: VectorClock.VectorClock
  readonly known: VectorClock.VectorClock
  /** The mark that we reported for the peer's own id, and the one that we should have. */
  readonly asked: Hlc.Reading
  readonly needed: Hlc.Reading
  readonly isNewest: boolean
  readonly takesNothing: boolean
  /** Whether what was sent was sent in the way that the newest understand. */
  readonly isLabelled: boolean
  readonly held: HashMap.HashMap<NodeId, Hlc.Reading>
  /** The greatest reading of the peer's own that it sent. */
  readonly ownTop: Hlc.Reading
  /** Frames that are being committed. The last one ends what the peer sends. */
  readonly committing: ReadonlyArray<{ readonly last: boolean }>
  readonly reading: DeltaRequest | undefined
  readonly cursors: ReadonlyArray<readonly [NodeId, Hlc.Reading]>
  readonly seq: number
  readonly sent: number
  readonly received: number
  /** Frames in a row that carried nothing. */
  readonly empties: number
  /** Whether something is left for another exchange. */
  readonly isLeft: boolean
}

export type Step = readonly [Exchange, ReadonlyArray<Action>]

/** An exchange before anything happened. */
export const initial = (options: Options, local: Snapshot, now: number): Exchange => ({
  options,
  phase: "greeting",
  since: now,
  peer: undefined,
  local,
  reported: VectorClock.empty,
  known: VectorClock.empty,
  asked: Hlc.zero,
  needed: Hlc.zero,
  isNewest: false,
  takesNothing: false,
  isLabelled: false,
  held: HashMap.empty(),
  ownTop: Hlc.zero,
  committing: [],
  reading: undefined,
  cursors: [],
  seq: 0,
  sent: 0,
  received: 0,
  empties: 0,
  isLeft: false
})

/**
 * The mark to report to a node for its own id: the lowest of our marks over the origins where it is ahead of us; its own mark
 * where it is ahead nowhere.
 */
export const markFor = (
  ours: VectorClock.VectorClock,
  theirs: VectorClock.VectorClock,
  peer: NodeId,
  self: NodeId
): Hlc.Reading => {
  let lowest: Hlc.Reading | undefined
  for (const [node, reading] of HashMap.entries(theirs)) {
    const mark = VectorClock.get(ours, node)
    if (node === self || !Hlc.isAfter(reading, mark)) continue
    if (lowest === undefined || Hlc.isAfter(lowest, mark)) lowest = mark
  }
  return lowest ?? VectorClock.get(theirs, peer)
}

/** When a `Tick` is wanted at the latest (ms). */
export const deadline = ({ phase, since }: Exchange): number =>
  phase === "closed" ? Infinity : since + (phase === "greeting" ? patience.greeting : patience.data)

/** What may be claimed when the peer has sent everything after the mark that it was asked with: its own history. */
export const claim = ({ peer, asked, local, reported, ownTop, held }: Exchange): VectorClock.VectorClock => {
  if (peer === undefined || !HashMap.isEmpty(held)) return VectorClock.empty
  if (Hlc.isAfter(asked, VectorClock.get(local.clock, peer))) return VectorClock.empty
  const { wall, counter } = Hlc.latest(VectorClock.get(reported, peer), ownTop)
  return VectorClock.fromEntries([[peer, { wall, counter }]])
}

/** Whether a node, by the clock that it reports now, took nothing of what it was sent last time. */
export const tookNothing = ({ sent, clock, takesNothing }: Memory, reported: VectorClock.VectorClock): boolean =>
  HashMap.isEmpty(sent)
    ? takesNothing
    : HashMap.every(sent, (_, node) => !Hlc.isAfter(VectorClock.get(reported, node), VectorClock.get(clock, node)))

/** What to remember of the peer; none when it was not met. */
export const remember = (exchange: Exchange): Option.Option<readonly [NodeId, Memory]> => {
  const { peer, reported, isNewest, isLabelled, takesNothing, known } = exchange
  if (peer === undefined) return Option.none()
  const sent = isLabelled ? VectorClock.difference(known, reported) : VectorClock.empty
  return Option.some([peer, { clock: reported, isNewest, takesNothing, sent }])
}

/** Whether to go on at once: something is left to send, or we asked with too high a mark. */
export const isUnfinished = ({ isLeft, asked, needed }: Exchange): boolean => isLeft || Hlc.isAfter(asked, needed)

/** How an exchange is, for `status`. */
export const view = ({ phase, peer, since, held }: Exchange): View => ({
  peer,
  state: phase === "greeting" ? "connecting" : "syncing",
  lag: undefined,
  offset: undefined,
  lastSyncAt: phase === "closed" ? since : undefined,
  held,
  diverged: false,
  repair: undefined
})

/** The end, in good order: what was learned is kept for the next time. */
export const done = (exchange: Exchange): Step => [
  { ...exchange, phase: "closed" },
  [{ _tag: "Close", code: 1000, reason: "", failure: undefined }]
]

export const end = (exchange: Exchange, failure: SessionFailure, text?: string): Step => [
  { ...exchange, phase: "closed" },
  [...(text === undefined ? [] : [send(text)]), { _tag: "Close", code: 1008, reason: "", failure }]
]

export const send = (text: string): Action => ({ _tag: "Send", text, operations: 0 })
