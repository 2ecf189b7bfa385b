/**
 * The merge of a batch of operations into what a node holds, by the conflict rule of each kind (`Kind.ts`, `Rule.ts`).
 *
 * A state holds at most one operation for each slot. The rule says what a slot is: a row, a part of a row, or the
 * operation itself for kinds whose rule this version does not know. Those are kept whole, so that a later version can
 * apply the rule that it knows.
 *
 * Guarantees: for each slot the outcome is the extremum of all operations seen, under a total order. Merging is
 * therefore commutative, associative and idempotent, for operations as for batches in any split, order and repetition.
 */
import * as Digest from "./Digest.ts"
import * as Hlc from "./Hlc.ts"
import { withDoubles } from "./Json.ts"
import * as Kind from "./Kind.ts"
import type { NodeId } from "./NodeId.ts"
import { type Operation } from "./Operation.ts"
import * as Rule from "./Rule.ts"

/** The kinds that this version materialises. */
export const kinds = Kind.names

/** The rule of a kind. */
export const ruleOf = Kind.ruleOf

/**
 * Whether an operation says that its row is deleted, and nothing more. Those of kinds of applications are kept like
 * rows.
 */
export const isTombstone = ({ table, op_type }: Pick<Operation, "table" | "op_type">): boolean =>
  op_type === "delete" && Kind.find(table)?.rule === "lww"

/** Where an operation is kept: kind, row, and the part of the row. */
export type Slot = string

/**
 * What distinguishes operations on one row that are kept side by side: empty where one of them wins in the whole row.
 */
export const variantOf = (operation: Operation): string => Rule.rules[ruleOf(operation.table)].slotOf(operation)

/** The slot of an operation. */
export const slotOf = (operation: Operation): Slot => `${operation.table}\0${operation.row_id}\0${variantOf(operation)}`

/** What becomes of an operation that meets the one in its slot. */
export type Outcome =
  /** It is kept, in place of the old operation. */
  | "applied"
  /** It was there already. */
  | "known"
  /** The operation in the slot wins over it. */
  | "superseded"
  /** It has no effect by its rule: a delete in a log. */
  | "ignored"

/** The outcome of `incoming` meeting `current` in its slot. */
export const resolve = (current: Operation | undefined, incoming: Operation): Outcome => {
  const rule = Rule.rules[ruleOf(incoming.table)]
  if (rule.ignores(incoming)) return "ignored"
  if (current === undefined) return "applied"
  const order = rule.order(incoming, current)
  if (order === 0) return isMoreExact(incoming, current) ? "applied" : "known"
  return order > 0 ? "applied" : "superseded"
}

/**
 * Whether the numbers of `incoming` have digits that an older version took from those of `current`, where the two are
 * the same operation otherwise. Their fingerprints are equal, so which of them is held shows in no digest.
 */
const isMoreExact = ({ data: incoming }: Operation, { data: current }: Operation): boolean =>
  incoming !== current &&
  (current === withDoubles(current) || (incoming !== withDoubles(incoming) && incoming < current))

/** Whether two operations claim one HLC with different contents. */
export const isConflict = (current: Operation | undefined, incoming: Operation): boolean =>
  current !== undefined &&
  Hlc.HlcOrder(current.hlc, incoming.hlc) === 0 &&
  Digest.content(current) !== Digest.content(incoming)

/** The changes of a batch. */
export interface Merged {
  /** The operations to write, by slot. */
  readonly writes: ReadonlyMap<Slot, Operation>
  /** The difference of the digest. */
  readonly digest: Digest.Digest
  /** The same without tombstones. */
  readonly live: Digest.Digest
  /** The same for each origin that lost or gained rows, with the change of their number. */
  readonly holdings: ReadonlyMap<NodeId, { readonly rows: number; readonly digest: Digest.Digest }>
  /** How many operations claimed an HLC that another content had, and which origins issued it. */
  readonly conflicts: number
  readonly conflicting: ReadonlySet<NodeId>
  /** How many have no effect by their rule, whatever their slots hold. */
  readonly ignored: number
  /** Whose operations won over whose in this batch: winning origin to losing ones, where they differ. */
  readonly supersessions: Supersessions
}

/** Origins whose operations won over those of others. */
export type Supersessions = ReadonlyMap<NodeId, ReadonlySet<NodeId>>

/** Merges `operations` into a state that holds `currentIn(slot)`. */
export const mergeBatch = (
  currentIn: (slot: Slot) => Operation | undefined,
  operations: Iterable<Operation>
): Merged => {
  const writes = new Map<Slot, Operation>()
  const holdings = new Map<NodeId, { rows: number; digest: Digest.Digest }>()
  let digest = Digest.empty
  let live = Digest.empty
  let conflicts = 0
  const conflicting = new Set<NodeId>()
  let ignored = 0
  const supersessions = new Map<NodeId, Set<NodeId>>()
  for (const operation of operations) {
    const slot = slotOf(operation)
    const current = writes.get(slot) ?? currentIn(slot)
    const outcome = resolve(current, operation)
    if (current !== undefined) {
      if (isConflict(current, operation)) {
        conflicts++
        conflicting.add(operation.hlc.node)
      }
      if (outcome === "applied") addSupersession(supersessions, operation, current)
      if (outcome === "superseded") addSupersession(supersessions, current, operation)
    }
    if (outcome === "ignored") ignored++
    if (outcome !== "applied") continue
    writes.set(slot, operation)
    const fingerprint = Digest.ofOperation(operation)
    digest = Digest.add(digest, fingerprint)
    if (!isTombstone(operation)) live = Digest.add(live, fingerprint)
    const gaining = holdingOf(holdings, operation)
    gaining.rows++
    gaining.digest = Digest.add(gaining.digest, fingerprint)
    if (current === undefined) continue
    const replaced = Digest.ofOperation(current)
    digest = Digest.subtract(digest, replaced)
    if (!isTombstone(current)) live = Digest.subtract(live, replaced)
    const losing = holdingOf(holdings, current)
    losing.rows--
    losing.digest = Digest.subtract(losing.digest, replaced)
  }
  return { writes, digest, live, holdings, conflicts, conflicting, ignored, supersessions }
}

const holdingOf = (
  holdings: Map<NodeId, { rows: number; digest: Digest.Digest }>,
  { hlc: { node } }: Operation
): { rows: number; digest: Digest.Digest } => {
  const known = holdings.get(node)
  if (known !== undefined) return known
  const fresh = { rows: 0, digest: Digest.empty }
  holdings.set(node, fresh)
  return fresh
}

const addSupersession = (supersessions: Map<NodeId, Set<NodeId>>, winner: Operation, loser: Operation): void => {
  if (winner.hlc.node === loser.hlc.node) return
  const losers = supersessions.get(winner.hlc.node)
  if (losers === undefined) supersessions.set(winner.hlc.node, new Set([loser.hlc.node]))
  else losers.add(loser.hlc.node)
}

/** A whole state, by slot: the model that every store is measured against. */
export type State = ReadonlyMap<Slot, Operation>

/** The state of a replica that has taken exactly these operations, in whatever order. */
export const of = (operations: Iterable<Operation>): State => merge(new Map(), operations)

/** The state after merging `operations` into `state`. */
export const merge = (state: State, operations: Iterable<Operation>): State =>
  new Map([...state, ...mergeBatch((slot) => state.get(slot), operations).writes])
