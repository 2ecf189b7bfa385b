/**
 * How a batch changes the state of a store. No I/O.
 *
 * Guarantee: the rows after any batches are the same function of their operations as those of the model in
 * `core/replica/Merge.ts`, however they are split and ordered.
 */
import { HashMap } from "effect"
import * as Cut from "../../core/replica/Cut.ts"
import * as Digest from "../../core/replica/Digest.ts"
import * as Feed from "../../core/replica/Feed.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Replica from "../../core/replica/Replica.ts"
import type { Batch, Quarantined } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Opaque from "./Opaque.ts"
import { evident, excess, forget } from "./RowlessOrigins.ts"
import { type Commit, type Current, ofApplications, quarantineLimits, recount, type State } from "./StoreState.ts"

/**
 * What committing `batch` does to the store of `self` in the state `before`, which holds `current` in the slots of its
 * operations. Without a quota it is what the owner writes: all of it is taken.
 */
export const plan = (before: State, current: Current, batch: Batch, self: NodeId, quota?: Opaque.Quota): Commit => {
  const { quarantined } = batch
  const {
    operations: sieved,
    overQuota,
    ...sifted
  } = Opaque.sift(batch, { usage: before.opaque, purges: before.purges, current, quota, declared: before.declared })
  const operations = withoutLate(before.cut, current, sieved)
  const through = evident(before, { operations, coverage: sifted.coverage }, self)
  const merged = Merge.mergeBatch((slot) => current.get(slot), operations)
  const { writes, digest, live, holdings, supersessions, conflicts, conflicting, ignored } = merged
  const ahead = VectorClock.difference(through, before.vectorClock)
  const higher = VectorClock.difference(greatest(operations), before.frontier)
  const kept = quarantined.slice(-quarantineLimits.rows).map(cut)
  const replaced: Array<Operation> = []
  for (const slot of writes.keys()) {
    const operation = current.get(slot)
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

/**
 * Without the tombstones that are collected already: nothing is in their slots, and nothing of the batch comes there.
 */
const withoutLate = (
  { collected }: Cut.Cut,
  current: Current,
  operations: ReadonlyArray<Operation>
): ReadonlyArray<Operation> => {
  if (HashMap.isEmpty(collected)) return operations
  const isCollected = (operation: Operation) => Cut.isCollected(collected, operation)
  if (!operations.some(isCollected)) return operations
  const slots = new Set(operations.filter((operation) => !isCollected(operation)).map(Merge.slotOf))
  return operations.filter((operation) => {
    if (!isCollected(operation)) return true
    const slot = Merge.slotOf(operation)
    return current.has(slot) || slots.has(slot)
  })
}

/** Whether operations leave it true that all rows are of this node itself, and not older than it says. */
const isOwn = ({ since }: Cut.Cut, operations: Iterable<Operation>, self: NodeId): boolean => {
  if (since === undefined) return true
  for (const { hlc } of operations) if (hlc.node !== self || hlc.wall < since) return false
  return true
}

/** The greatest timestamp of each origin. */
const greatest = (operations: ReadonlyArray<Operation>): VectorClock.VectorClock => {
  const timestamps = new Map<NodeId, Hlc.Timestamp>()
  for (const { hlc } of operations) {
    const before = timestamps.get(hlc.node)
    if (before === undefined || Hlc.isAfter(hlc, before)) {
      timestamps.set(hlc.node, { wall: hlc.wall, counter: hlc.counter })
    }
  }
  return VectorClock.fromEntries(timestamps)
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
