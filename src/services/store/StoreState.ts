/**
 * The state of a store in memory, and how a batch changes it. No I/O.
 *
 * Guarantee: the rows after any batches are the same function of their operations as those of the model in `core/replica/Merge.ts`,
 * however they are split and ordered. `frontier` is the greatest reading of each origin that was ever taken.
 *
 * An origin is known from the first operation of it that is taken: coverage alone names none, for ids cost nothing. Of origins
 * whose rows have all lost to others the latest are remembered, and the others forgotten (`core/sync/Coverage.ts` says why
 * that is safe). Our own origin is never forgotten, nor the greatest reading of all: no reading is issued below it.
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
import type { Batch, Quarantined } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Purge from "../../core/replica/Purge.ts"
import type { Counts } from "./Store.ts"
import { sizeOf } from "./Sizes.ts"
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

/** Origins without rows: once there are more than `most` of them, the latest are remembered. */
export const rowless = { most: 1_000, kept: 500 } as const

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

/** The coverage of a batch that counts: of this node itself, and of origins of which an operation was taken. */
export const evident = (
  { frontier }: Pick<State, "frontier">,
  { operations, coverage: through }: Pick<Batch, "operations" | "coverage">,
  self: NodeId
): VectorClock.VectorClock => {
  const fresh = HashMap.filter(through, (_, node) => node !== self && !HashMap.has(frontier, node))
  if (HashMap.isEmpty(fresh)) return through
  const named = new Set(operations.map(({ hlc }) => hlc.node))
  return HashMap.filter(through, (_, node) => !HashMap.has(fresh, node) || named.has(node))
}

/** Without some origins. */
export const forget = (state: State, origins: ReadonlySet<NodeId>): State =>
  origins.size === 0
    ? state
    : {
        ...state,
        vectorClock: HashMap.removeMany(state.vectorClock, origins),
        frontier: HashMap.removeMany(state.frontier, origins)
      }

/** Whether an origin has to be remembered: it has rows, or had some that were removed by hand. */
export const isNeeded = ({ holdings, purges }: State, node: NodeId): boolean =>
  HashMap.has(holdings, node) || HashMap.has(purges, node)

/** The origins without rows that can be forgotten, the one with the greatest timestamp first, without our own. */
export const rowlessOf = (state: State, self: NodeId): ReadonlyArray<NodeId> =>
  [...HashMap.entries(VectorClock.merge(state.vectorClock, state.frontier))]
    .filter(([node]) => node !== self && !isNeeded(state, node))
    .sort(([, a], [, b]) => Hlc.TimestampOrder(b, a))
    .map(([node]) => node)

/** The origins without rows that are too many. */
const excess = (state: State, self: NodeId): ReadonlySet<NodeId> => {
  const { frontier, holdings, purges } = state
  return HashMap.size(frontier) - HashMap.size(holdings) - HashMap.size(purges) <= rowless.most
    ? noNodes
    : new Set(rowlessOf(state, self).slice(rowless.kept))
}

/**
 * What a file may say of origins and no state should: it was written while coverage alone named an origin, and may hold thousands
 * that never were.
 */
export const unfounded = (state: State, self: NodeId): ReadonlySet<NodeId> =>
  new Set(rowlessOf(state, self).filter((node, index) => !HashMap.has(state.frontier, node) || index >= rowless.most))

/**
 * What committing `batch` does to the store of `self` in the state `before`, which holds `held` in the slots of its operations.
 * Without a quota it is what the owner writes: all of it is taken.
 */
export const plan = (before: State, held: Current, batch: Batch, self: NodeId, quota?: Opaque.Quota): Commit => {
  const { quarantined } = batch
  const {
    operations: sieved,
    overQuota,
    ...sifted
  } = Opaque.sift(before.opaque, before.purges, held, batch, quota, before.declared)
  const operations = withoutLate(before.cut, held, sieved)
  const through = evident(before, { operations, coverage: sifted.coverage }, self)
  const merged = Merge.mergeBatch((slot) => held.get(slot), operations)
  const { writes, digest, live, holdings, supersessions, conflicts, conflicting, ignored } = merged
  const ahead = VectorClock.difference(through, before.vectorClock)
  const higher = VectorClock.difference(greatest(operations), before.frontier)
  const kept = quarantined.slice(-quarantineLimits.rows).map(cut)
  const replaced: Array<Operation> = []
  for (const slot of writes.keys()) {
    const operation = held.get(slot)
    if (operation !== undefined) replaced.push(operation)
  }
  const after: State = {
    vectorClock: VectorClock.merge(before.vectorClock, ahead),
    frontier: VectorClock.merge(before.frontier, higher),
    digest: Digest.add(before.digest, digest),
    holdings: Replica.addHoldings(before.holdings, holdings),
    counts: recount(before.counts, writes.values(), replaced, kept.length),
    opaque: Opaque.recount(before.opaque, writes.values(), replaced, before.declared),
    declared: before.declared,
    ofApplications: before.ofApplications + ofApplications(writes.values()) - ofApplications(replaced),
    purges: before.purges,
    live: Digest.add(before.live, live),
    cut: isOwn(before.cut, writes.values(), self) ? before.cut : { ...before.cut, since: undefined },
    feed: Feed.advance(before.feed, writes.size)
  }
  const forgotten = excess(after, self)
  const moved = new Set([...HashMap.keys(ahead), ...HashMap.keys(higher), ...holdings.keys()])
  for (const node of forgotten) moved.delete(node)
  return {
    state: forget(after, forgotten),
    writes: Array.from(writes.values()),
    replaced,
    moved,
    forgotten,
    quarantined: kept,
    supersessions,
    conflicts,
    conflicting,
    ignored,
    overQuota,
    late: sieved.length - operations.length
  }
}

/** Without the tombstones that are collected already: nothing is in their slots, and nothing of the batch comes there. */
const withoutLate = (
  { collected }: Cut.Cut,
  held: Current,
  operations: ReadonlyArray<Operation>
): ReadonlyArray<Operation> => {
  if (HashMap.isEmpty(collected)) return operations
  const isCollected = (operation: Operation) => Cut.isCollected(collected, operation)
  if (!operations.some(isCollected)) return operations
  const slots = new Set(operations.filter((operation) => !isCollected(operation)).map(Merge.slotOf))
  return operations.filter((operation) => {
    if (!isCollected(operation)) return true
    const slot = Merge.slotOf(operation)
    return held.has(slot) || slots.has(slot)
  })
}

/** Whether operations leave it true that all rows are of this node itself, and not older than it says. */
const isOwn = ({ since }: Cut.Cut, operations: Iterable<Operation>, self: NodeId): boolean => {
  if (since === undefined) return true
  for (const { hlc } of operations) if (hlc.node !== self || hlc.wall < since) return false
  return true
}

/** What dropping tombstones does to a store. `greatest` is the greatest of their numbers in the feed. */
export const collect = (before: State, removed: ReadonlyArray<Operation>, greatest: number): Commit => {
  const commit = remove(before, removed)
  const cut = { ...before.cut, count: before.cut.count + removed.length }
  const feed = removed.length === 0 ? before.feed : Feed.withRemoval(before.feed, greatest)
  return { ...commit, state: { ...commit.state, cut, feed } }
}

/** What it does to a store that rows leave it without a winner. */
const remove = (before: State, removed: ReadonlyArray<Operation>): Commit => {
  let { digest, live } = before
  const holdings: Array<readonly [NodeId, Replica.Holding]> = []
  for (const operation of removed) {
    const fingerprint = Digest.ofOperation(operation)
    digest = Digest.subtract(digest, fingerprint)
    if (!Merge.isTombstone(operation)) live = Digest.subtract(live, fingerprint)
    holdings.push([operation.hlc.node, { rows: -1, digest: Digest.subtract(Digest.empty, fingerprint) }])
  }
  return {
    state: {
      ...before,
      digest,
      live,
      holdings: Replica.addHoldings(before.holdings, holdings),
      counts: recount(before.counts, [], removed, 0),
      opaque: Opaque.recount(before.opaque, [], removed, before.declared),
      ofApplications: before.ofApplications - ofApplications(removed)
    },
    ...withoutRows,
    replaced: removed,
    moved: new Set(removed.map(({ hlc: { node } }) => node))
  }
}

/** What removing rows by hand does to a store in the state `before`, as one more part of the purge `run`. */
export const purge = (before: State, run: number, scope: Purge.Scope, removed: ReadonlyArray<Operation>): Commit => {
  const kind = "kind" in scope ? scope.kind : undefined
  let { purges } = before
  if ("origin" in scope) {
    // Also what arrives beyond the clock, or is still on its way.
    const part = Purge.partOf(purges, run, kind, scope.origin)
    const through = Hlc.latest(
      VectorClock.get(before.vectorClock, scope.origin),
      VectorClock.get(before.frontier, scope.origin)
    )
    purges = Purge.withPurge(purges, { ...part, through: Hlc.latest(part.through, through) })
  }
  for (const operation of removed) {
    const { node, wall, counter } = operation.hlc
    const part = Purge.partOf(purges, run, kind, node)
    purges = Purge.withPurge(purges, {
      ...part,
      through: Hlc.latest(part.through, { wall, counter }),
      rows: part.rows + 1,
      bytes: part.bytes + sizeOf(operation),
      digest: Digest.add(part.digest, Digest.ofOperation(operation))
    })
  }
  const commit = remove(before, removed)
  const feed = removed.length === 0 ? before.feed : Feed.withPurge(before.feed)
  return { ...commit, state: { ...commit.state, purges, feed } }
}

/** How many of some operations are of kinds of applications. */
export const ofApplications = (operations: Iterable<Operation>): number => {
  let count = 0
  for (const { table } of operations) if (Kind.parseName(table) !== undefined) count++
  return count
}

/**
 * The state of a node that has a use for other kinds of applications from now on: `used` are the bytes of the rows of those that come
 * to them, `unused` those of the ones that leave.
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
 * The state of a node that has a use for kinds which were purged when it had none: their rows are asked for again, for all replicas
 * have to agree on the rows of a kind that is used.
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

/** The greatest reading that a state knows of: every reading ever issued or taken is at or below it. */
export const highWater = ({ vectorClock: clock, frontier }: State): Hlc.Timestamp => {
  let high = Hlc.zero
  for (const reading of HashMap.values(clock)) high = Hlc.latest(high, reading)
  for (const reading of HashMap.values(frontier)) high = Hlc.latest(high, reading)
  return high
}

/** The greatest reading of each origin. */
const greatest = (operations: ReadonlyArray<Operation>): VectorClock.VectorClock => {
  const readings = new Map<NodeId, Hlc.Timestamp>()
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
    const name = Kind.countOf(operation)
    if (name !== undefined) counts[name] += by
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
