/**
 * The rows of kinds that this node has no use for: how many bytes they take, and how many they may take.
 *
 * They are of kinds of newer versions, or of applications of other nodes: this node only keeps them and passes them on.
 * A member that wants to fill the disk can write such rows as well. A quota bounds them: by origin, and in all. What
 * exceeds it is left out, and the coverage of its origin ends before it, so that peers send it again when there is
 * room. Rows of other kinds are taken all the same: no operation changes a row of another kind.
 */
import { HashMap, Option } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Purge from "../../core/replica/Purge.ts"
import type { Batch } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { sizeOf } from "./Sizes.ts"

/** Bytes that such rows may take: those of one origin, and all of them. */
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

/**
 * The kinds that applications have declared on this node, by their names on the wire: each with the columns of its
 * rows.
 */
export type Declared = ReadonlyMap<string, ReadonlyArray<string>>

export const noKinds: Declared = new Map()

/** Whether this node has no use for an operation: its kind is neither built in nor declared. */
export const isOpaque = ({ table }: { readonly table: string }, declared: Declared): boolean =>
  Kind.find(table) === undefined && !declared.has(table)

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
export const recount = (
  before: Usage,
  writes: Iterable<Operation>,
  replaced: Iterable<Operation>,
  declared: Declared = noKinds
): Usage => {
  const changes = new Map<NodeId, number>()
  const count = (operation: Operation, by: number) => {
    if (!isOpaque(operation, declared)) return
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

/** What a batch is measured by. */
export interface Limits {
  readonly usage: Usage
  readonly purges: Purge.Purges
  /** What the slots of the operations hold. */
  readonly current: ReadonlyMap<Merge.Slot, Operation>
  readonly quota: Quota | undefined
  readonly declared?: Declared
}

/** Leaves out what was purged and what exceeds the quota; nothing without a quota. */
export const sift = (
  { operations, coverage: through }: Pick<Batch, "operations" | "coverage">,
  { usage: before, purges, current, quota, declared = noKinds }: Limits
): Sifted => {
  const isUnused = (operation: Operation) => isOpaque(operation, declared)
  if (quota === undefined || (HashMap.isEmpty(purges) && !operations.some(isUnused))) {
    return { operations, coverage: through, overQuota: VectorClock.empty }
  }
  let usage = before
  let overQuota = VectorClock.empty
  const slots = new Map<Merge.Slot, Operation>()
  const taken = operations.filter((operation) => {
    if (Purge.covers(purges, operation)) return false
    if (!isUnused(operation)) return true
    const slot = Merge.slotOf(operation)
    const replaced = slots.get(slot) ?? current.get(slot)
    if (Merge.resolve(replaced, operation) !== "applied") return true
    const { node } = operation.hlc
    const without = replaced === undefined ? usage : withBytes(usage, replaced.hlc.node, -sizeOf(replaced))
    const after = withBytes(without, node, sizeOf(operation))
    // What takes no more room than before is taken, also where there is too little.
    const isMore = bytesOf(after, node) > bytesOf(usage, node) || after.total > usage.total
    if (isMore && (bytesOf(after, node) > quota.origin || after.total > quota.total)) {
      overQuota = VectorClock.withEarliest(overQuota, node, operation.hlc)
      return false
    }
    slots.set(slot, operation)
    usage = after
    return true
  })
  return { operations: taken, coverage: VectorClock.before(through, overQuota), overQuota }
}
