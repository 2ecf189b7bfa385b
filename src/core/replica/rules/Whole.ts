/**
 * Rules by which a whole row is one slot: registers and logs. Their operations hold all columns of a row.
 */
import { Order } from "effect"
import { contentOf, type Operation } from "../Operation.ts"
import type { Rule, Verb } from "./Shape.ts"
import { PrecedenceOrder } from "./Precedence.ts"

const wholeRow = () => ""

const read = ([operation]: ReadonlyArray<Operation>) => {
  if (operation === undefined || operation.op_type === "delete") return undefined
  const { id: _, ...value } = contentOf(operation)
  return { value, latest: operation.hlc }
}

const put: Verb = (current, row) => [{ op_type: current.length === 0 ? "insert" : "update", data: { ...row } }]

/** Last writer wins: a register for each row. A delete is a value, the tombstone. */
export const lww = {
  slotOf: wholeRow,
  order: PrecedenceOrder,
  ignores: () => false,
  read,
  verbs: { put, delete: () => [{ op_type: "delete", data: {} }] }
} satisfies Rule

/** Append-only, a set that only grows: the first insert of a row stays, and a delete does nothing. */
export const log = {
  slotOf: wholeRow,
  order: Order.flip(PrecedenceOrder),
  ignores: ({ op_type }) => op_type === "delete",
  read,
  verbs: { put }
} satisfies Rule
