/**
 * Conflict rules: which operations on a row compete for one slot, and which of them stays.
 *
 * Merging keeps, for each slot, the greatest of all operations seen under the order of the rule. Whatever slots and order are, as
 * long as the order is total, a merge is commutative, associative and idempotent, in any split, order and repetition: the laws
 * come by construction (`Merge.ts`).
 *
 * Source: Shapiro, Preguiça, Baquero, Zawirski, "Conflict-free Replicated Data Types" (2011).
 */
import { Order } from "effect"
import * as Digest from "./Digest.ts"
import * as Hlc from "./Hlc.ts"
import { byCodePoint } from "./NodeId.ts"
import type { Operation } from "./Operation.ts"

export interface Rule {
  /** Where in its row an operation competes. Empty where the whole row is one slot. */
  readonly slotOf: (operation: Operation) => string
  /** A total order. The greatest operation of a slot stays. */
  readonly order: Order.Order<Operation>
  /** Whether an operation has no effect, whatever its slot holds. */
  readonly ignores: (operation: Operation) => boolean
}

const wholeRow = () => ""
const nothing = () => false

/**
 * By HLC, and between different contents under one HLC, which only a broken or hostile origin makes, by the hash of the content.
 */
const PrecedenceOrder: Order.Order<Operation> = Order.make((a, b) => {
  const byHlc = Hlc.HlcOrder(a.hlc, b.hlc)
  if (byHlc !== 0) return byHlc
  const left = Digest.content(a)
  const right = Digest.content(b)
  if (left === right) return 0
  const byHash = byCodePoint(Digest.toText(Digest.fingerprint(left)), Digest.toText(Digest.fingerprint(right)))
  return byHash !== 0 ? byHash : byCodePoint(left, right)
})

export const rules = {
  /** Last writer wins: a register for each row. A delete is a value, the tombstone. */
  lww: { slotOf: wholeRow, order: PrecedenceOrder, ignores: nothing },
  /** Append-only, a set that only grows: the first insert of a row stays, and a delete does nothing. */
  log: { slotOf: wholeRow, order: Order.flip(PrecedenceOrder), ignores: ({ op_type }) => op_type === "delete" },
  /** A rule that this version does not know: all operations are kept side by side, for a version that knows it. */
  opaque: { slotOf: ({ hlc }) => Hlc.toText(hlc), order: PrecedenceOrder, ignores: nothing }
} satisfies Record<string, Rule>

/** The names of the rules. */
export type Name = keyof typeof rules
