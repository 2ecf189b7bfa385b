/**
 * The state of a store in memory, and what one transaction writes. No I/O. `frontier` is the greatest reading of each
 * origin that was ever taken.
 */
import { HashMap, Struct } from "effect"
import * as Cut from "../../core/replica/Cut.ts"
import * as Digest from "../../core/replica/Digest.ts"
import * as Feed from "../../core/replica/Feed.ts"
import type * as History from "../../core/replica/History.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Kind from "../../core/replica/Kind.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Replica from "../../core/replica/Replica.ts"
import type { Quarantined } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Purge from "../../core/replica/Purge.ts"
import type { Counts } from "./Store.ts"
import * as Opaque from "./Opaque.ts"

/** The state of a store, but for its rows. */
export interface State {
  readonly vectorClock: VectorClock.VectorClock
  readonly frontier: VectorClock.VectorClock
  readonly digest: Digest.Digest
  readonly holdings: Replica.Holdings
  readonly counts: Counts
  /** What rows of kinds that this node has no use for take. */
  readonly opaque: Opaque.Usage
  readonly declared: Opaque.Declared
  /** How many operations of kinds of applications are held. */
  readonly ofApplications: number
  /** The purges. */
  readonly purges: Purge.Purges
  /** The digest without tombstones. */
  readonly live: Digest.Digest
  /** Up to where tombstones may be dropped. */
  readonly cut: Cut.Cut
  /** The numbers of its rows in commit order. */
  readonly feed: Feed.Feed
}

/** The state of a fresh store. */
export const empty: State = {
  vectorClock: VectorClock.empty,
  frontier: VectorClock.empty,
  digest: Digest.empty,
  holdings: Replica.noHoldings,
  counts: { ...Struct.Record(Kind.countNames, 0), quarantine: 0 },
  opaque: Opaque.nothing,
  declared: Opaque.noKinds,
  ofApplications: 0,
  purges: Purge.none,
  live: Digest.empty,
  cut: Cut.none,
  feed: Feed.empty
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
  /** The origins whose entry in `clock`, `frontier` or `holdings` changed, and those that have none any more. */
  readonly moved: ReadonlySet<NodeId>
  readonly forgotten: ReadonlySet<NodeId>
  readonly quarantined: ReadonlyArray<Quarantined>
  /** Versions for the local history, and since when they are kept (ms). */
  readonly superseded?: { readonly versions: ReadonlyArray<History.Superseded>; readonly at: number } | undefined
  readonly supersessions: Merge.Supersessions
  readonly conflicts: number
  readonly conflicting: ReadonlySet<NodeId>
  readonly ignored: number
  /** The first operation of each origin that was left out because the quota is used up. */
  readonly overQuota: VectorClock.VectorClock
  /** Tombstones that were left out: they are collected, and their slots are empty. */
  readonly late?: number
}

/** The operations held in some slots. */
export type Current = ReadonlyMap<Merge.Slot, Operation>
export const noneCurrent: Current = new Map()

export const noNodes: ReadonlySet<NodeId> = new Set()

/** A commit that changes no row. */
export const withoutRows: Omit<Commit, "state"> = {
  writes: [],
  replaced: [],
  moved: noNodes,
  forgotten: noNodes,
  quarantined: [],
  supersessions: new Map(),
  conflicts: 0,
  conflicting: noNodes,
  ignored: 0,
  overQuota: VectorClock.empty
}

/** How many of some operations are of kinds of applications. */
export const ofApplications = (operations: Iterable<Operation>): number => {
  let count = 0
  for (const { table } of operations) if (Kind.parseName(table) !== undefined) count++
  return count
}

/**
 * The state of a node that declares other application kinds than before. `used` is the bytes of the rows of newly
 * declared kinds, `unused` those of kinds that are no longer declared.
 */
export const declare = (
  before: State,
  declared: Opaque.Declared,
  used: Opaque.Usage,
  unused: Opaque.Usage = Opaque.nothing
): Commit => {
  let { opaque } = before
  for (const [node, bytes] of used.origins) opaque = Opaque.withBytes(opaque, node, -bytes)
  for (const [node, bytes] of unused.origins) opaque = Opaque.withBytes(opaque, node, bytes)
  return {
    ...withoutRows,
    state: withoutOutdated({ ...before, declared, opaque }),
    moved: new Set([
      ...HashMap.keys(used.origins),
      ...HashMap.keys(unused.origins),
      ...Purge.toList(before.purges).map(({ origin }) => origin)
    ])
  }
}

/**
 * The state of a node that now declares kinds which it purged earlier, when they were unknown. Their rows are requested
 * again, because all replicas have to agree on the rows of a kind that is used.
 */
export const withoutOutdated = (before: State): State => {
  const list = Purge.toList(before.purges)
  const outdated = list.filter(({ kind }) => kind !== undefined && !Opaque.isOpaque({ table: kind }, before.declared))
  if (outdated.length === 0) return before
  let { vectorClock: clock } = before
  for (const { origin } of outdated) clock = HashMap.remove(clock, origin)
  return { ...before, vectorClock: clock, purges: Purge.fromList(list.filter((purge) => !outdated.includes(purge))) }
}

/** Whether a commit changes anything that has to be kept. */
export const isLasting = ({ writes, moved, forgotten, quarantined }: Commit): boolean =>
  writes.length + moved.size + forgotten.size + quarantined.length > 0

/** The greatest timestamp that a state knows of: every timestamp ever issued or taken is at or below it. */
export const highWater = ({ vectorClock: clock, frontier }: State): Hlc.Timestamp => {
  let high = Hlc.zero
  for (const timestamp of HashMap.values(clock)) high = Hlc.latest(high, timestamp)
  for (const timestamp of HashMap.values(frontier)) high = Hlc.latest(high, timestamp)
  return high
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
    const name = Kind.countOf(operation)
    if (name !== undefined) counts[name] += by
  }
  for (const operation of writes) count(operation, 1)
  for (const operation of replaced) count(operation, -1)
  return counts
}
