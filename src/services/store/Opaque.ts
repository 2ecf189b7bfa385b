/**
 * The rows of kinds that this version does not know: how many bytes they take, and how many they may take.
 *
 * A newer version writes kinds that an older one only keeps and passes on. So does a member that wants to fill the disk. A quota
 * bounds both: by origin, and in all. What exceeds it is left out, and the coverage of its origin ends before it, so that peers send
 * it again when there is room. Rows of known kinds are taken all the same: an operation of an unknown kind replaces no other row, so
 * nothing that comes after it depends on it.
 */
import { HashMap, Option } from "effect"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Purge from "../../core/replica/Purge.ts"
import type { Batch } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { sizeOf } from "./Sizes.ts"

/** Bytes that rows of unknown kinds may take: those of one origin, and all of them. */
export interface Quota {
  readonly origin: number
  readonly total: number
}

export const unlimited: Quota = { origin: Infinity, total: Infinity }

/** Bytes that they take, in all and by origin. */
export interface Usage {
  readonly total: number
  readonly origins: HashMap.HashMap<NodeId, number>
}

export const nothing: Usage = { total: 0, origins: HashMap.empty() }

export const isOpaque = ({ table }: Operation): boolean => Merge.ruleOf(table) === "opaque"

export const bytesOf = ({ origins }: Usage, node: NodeId): number =>
  Option.getOrElse(HashMap.get(origins, node), () => 0)

export const withBytes = ({ total, origins }: Usage, node: NodeId, bytes: number): Usage => {
  const after = Math.max(0, bytesOf({ total, origins }, node) + bytes)
  return {
    total: Math.max(0, total + bytes),
    origins: after === 0 ? HashMap.remove(origins, node) : HashMap.set(origins, node, after)
  }
}

/** After some rows came and some left. */
export const recount = (before: Usage, writes: Iterable<Operation>, replaced: Iterable<Operation>): Usage => {
  const changes = new Map<NodeId, number>()
  const count = (operation: Operation, by: number) => {
    if (!isOpaque(operation)) return
    const { node } = operation.hlc
    changes.set(node, (changes.get(node) ?? 0) + by * sizeOf(operation))
  }
  for (const operation of writes) count(operation, 1)
  for (const operation of replaced) count(operation, -1)
  let usage = before
  for (const [node, bytes] of changes) usage = withBytes(usage, node, bytes)
  return usage
}

/** What of a batch is taken. */
export interface Sifted extends Pick<Batch, "operations" | "coverage"> {
  /** The first operation of each origin that is left out because the quota is used up. */
  readonly overQuota: VectorClock.VectorClock
}

/** Leaves out what was purged and what exceeds the quota; nothing without a quota. `held` is what the slots of the operations hold. */
export const sift = (
  before: Usage,
  purges: Purge.Purges,
  held: ReadonlyMap<Merge.Slot, Operation>,
  { operations, coverage: through }: Pick<Batch, "operations" | "coverage">,
  quota: Quota | undefined
): Sifted => {
  if (quota === undefined || (HashMap.isEmpty(purges) && !operations.some(isOpaque))) {
    return { operations, coverage: through, overQuota: VectorClock.empty }
  }
  let usage = before
  let overQuota = VectorClock.empty
  const slots = new Set<Merge.Slot>()
  const taken = operations.filter((operation) => {
    if (Purge.covers(purges, operation)) return false
    if (!isOpaque(operation)) return true
    const slot = Merge.slotOf(operation)
    if (held.has(slot) || slots.has(slot)) return true
    const { node } = operation.hlc
    const bytes = sizeOf(operation)
    if (bytesOf(usage, node) + bytes > quota.origin || usage.total + bytes > quota.total) {
      overQuota = VectorClock.withEarliest(overQuota, node, operation.hlc)
      return false
    }
    slots.add(slot)
    usage = withBytes(usage, node, bytes)
    return true
  })
  return { operations: taken, coverage: VectorClock.before(through, overQuota), overQuota }
}
