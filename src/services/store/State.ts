/**
 * What a store knows without looking at its rows, and how a batch changes it. No I/O.
 *
 * Guarantee: the state after any batches is the same function of their operations and claims as that of the model in
 * `core/Merge.ts`, however they are split and ordered. `tops` is the greatest reading of each origin that was ever taken.
 */
import { HashMap } from "effect"
import * as Digest from "../../core/Digest.ts"
import * as Hlc from "../../core/Hlc.ts"
import * as Merge from "../../core/Merge.ts"
import type { NodeId } from "../../core/NodeId.ts"
import type { Operation } from "../../core/Operation.ts"
import * as Replica from "../../core/Replica.ts"
import type { Batch, Quarantined } from "../../core/Replica.ts"
import * as VectorClock from "../../core/VectorClock.ts"
import type { Counts } from "../Store.ts"

/** The state of a store, but for its rows. */
export interface State {
  readonly clock: VectorClock.VectorClock
  readonly tops: VectorClock.VectorClock
  readonly digest: Digest.Digest
  readonly holdings: Replica.Holdings
  readonly counts: Counts
}

/** The state of a fresh store. */
export const empty: State = {
  clock: VectorClock.empty,
  tops: VectorClock.empty,
  digest: Digest.empty,
  holdings: Replica.noHoldings,
  counts: { notes: 0, knowledge: 0, episodes: 0, execution_log: 0, tombstones: 0, quarantine: 0 }
}

/** How much a quarantine holds: the newest `rows`, each text cut to `bytes`. */
export const quarantineLimits = { rows: 1_000, bytes: 4_096 } as const

/** Everything that one transaction writes. */
export interface Commit {
  /** The state after it. */
  readonly state: State
  /** The operations that take their slots, in commit order, and those that leave them. */
  readonly writes: ReadonlyArray<Operation>
  readonly replaced: ReadonlyArray<Operation>
  /** The origins whose entry in `clock`, `tops` or `holdings` changed. */
  readonly moved: ReadonlySet<NodeId>
  readonly quarantined: ReadonlyArray<Quarantined>
  readonly wins: Merge.Wins
  readonly conflicts: number
  readonly conflicting: ReadonlySet<NodeId>
  readonly ignored: number
}

/** What is counted by looking at rows. */
export const countNames = ["notes", "knowledge", "episodes", "execution_log", "tombstones"] as const

/** The operations held in some slots. */
export type Held = ReadonlyMap<Merge.Slot, Operation>
export const nothingHeld: Held = new Map()

/** What committing `batch` does to a store in the state `before`, which holds `held` in the slots of its operations. */
export const plan = (before: State, held: Held, { operations, through, quarantined }: Batch): Commit => {
  const merged = Merge.mergeBatch((slot) => held.get(slot), operations)
  const { writes, digest, holdings, wins, conflicts, conflicting, ignored } = merged
  const ahead = VectorClock.difference(through, before.clock)
  const higher = VectorClock.difference(greatest(operations), before.tops)
  const kept = quarantined.slice(-quarantineLimits.rows).map(cut)
  const replaced: Array<Operation> = []
  for (const slot of writes.keys()) {
    const operation = held.get(slot)
    if (operation !== undefined) replaced.push(operation)
  }
  return {
    state: {
      clock: VectorClock.merge(before.clock, ahead),
      tops: VectorClock.merge(before.tops, higher),
      digest: Digest.add(before.digest, digest),
      holdings: Replica.addHoldings(before.holdings, holdings),
      counts: recount(before.counts, writes.values(), replaced, kept.length)
    },
    writes: Array.from(writes.values()),
    replaced,
    moved: new Set([...HashMap.keys(ahead), ...HashMap.keys(higher), ...holdings.keys()]),
    quarantined: kept,
    wins,
    conflicts,
    conflicting,
    ignored
  }
}

/** Whether a commit changes anything that has to be kept. */
export const isLasting = ({ writes, moved, quarantined }: Commit): boolean =>
  writes.length + moved.size + quarantined.length > 0

/** The greatest reading that a state knows of: every reading ever issued or taken is at or below it. */
export const highWater = ({ clock, tops }: State): Hlc.Reading => {
  let high = Hlc.zero
  for (const reading of HashMap.values(clock)) high = Hlc.latest(high, reading)
  for (const reading of HashMap.values(tops)) high = Hlc.latest(high, reading)
  return high
}

/** The greatest reading of each origin. */
const greatest = (operations: ReadonlyArray<Operation>): VectorClock.VectorClock => {
  const readings = new Map<NodeId, Hlc.Reading>()
  for (const { hlc } of operations) {
    const before = readings.get(hlc.node)
    if (before === undefined || Hlc.isAfter(hlc, before)) {
      readings.set(hlc.node, { wall: hlc.wall, counter: hlc.counter })
    }
  }
  return VectorClock.fromEntries(readings)
}

/** The counts after some rows came and some left. */
export const recount = (
  before: Counts,
  writes: Iterable<Operation>,
  replaced: ReadonlyArray<Operation>,
  quarantined: number
): Counts => {
  const counts = { ...before, quarantine: Math.min(before.quarantine + quarantined, quarantineLimits.rows) }
  const count = (operation: Operation, by: number) => {
    const kind = Merge.kinds.find((kind) => kind === operation.table)
    if (kind !== undefined) counts[operation.op_type === "delete" ? "tombstones" : kind] += by
  }
  for (const operation of writes) count(operation, 1)
  for (const operation of replaced) count(operation, -1)
  return counts
}

const cut = ({ peer, reason, text }: Quarantined): Quarantined => ({
  peer,
  reason: cutText(reason),
  text: cutText(text)
})

/** At most the first `quarantineLimits.bytes` bytes of UTF-8, ending with a whole character. */
const cutText = (text: string): string => {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(quarantineLimits.bytes))
  return text.slice(0, read).toWellFormed()
}
