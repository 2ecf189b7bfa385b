/**
 * The rule `counter`: the value of a row is the sum of what all nodes have counted.
 *
 * A node counts in a slot of its own, its epoch, and writes the total of that slot each time. An epoch is a text that
 * is drawn anew each time a store is opened and never occurs again. So a node whose backup was restored goes on in an
 * empty slot: what it counts is added to all that it counted before, whether it knows of that or not. With one slot for
 * each origin, it would write a total that lacks what it counted after the backup, at a later time than those.
 *
 * Of two totals of one epoch, the one after more writes (`count`) stays, whatever their HLCs. A node that was away
 * rewrites the totals of others, and that must not undo what they counted since.
 *
 * Slots are not added up into one: a node could not know that no backup holds the old slot and adds it up again. A row
 * has as many as there were starts that counted in it.
 */
import { Order } from "effect"
import { isPlainText } from "../NodeId.ts"
import { contentOf, type Operation } from "../Operation.ts"
import type { Rule } from "./Shape.ts"
import { latestOf, PrecedenceOrder } from "./Precedence.ts"

interface Total {
  readonly epoch: string
  /** Writes of this epoch so far, from 1. */
  readonly count: number
  readonly total: number
}

/** Bytes of an epoch, at most. */
const maxEpoch = 128

/** What an operation says; none where it says nothing by this rule. */
const totalOf = (operation: Operation): Total | undefined => {
  if (operation.op_type === "delete") return undefined
  const { epoch, count, total } = contentOf(operation)
  if (typeof epoch !== "string" || !isPlainText(epoch, maxEpoch)) return undefined
  if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 1) return undefined
  return typeof total === "number" && Number.isSafeInteger(total) ? { epoch, count, total } : undefined
}

const byCount: Order.Order<Operation> = Order.mapInput(Order.Number, (operation) => totalOf(operation)?.count ?? 0)

const totalsOf = (current: ReadonlyArray<Operation>): ReadonlyArray<Total> =>
  current.flatMap((operation) => totalOf(operation) ?? [])

export const counter = {
  slotOf: (operation) => totalOf(operation)?.epoch ?? "",
  order: Order.combine(byCount, PrecedenceOrder),
  ignores: (operation) => totalOf(operation) === undefined,
  read: (current) => {
    const latest = latestOf(current)
    // Exact, so that the sum does not depend on the order in which it is taken.
    const sum = totalsOf(current).reduce((sum, { total }) => sum + BigInt(total), 0n)
    return latest === undefined ? undefined : { value: { value: Number(sum) }, latest }
  },
  verbs: {
    increment: (current, { by }, epoch) => {
      const { count, total } = totalsOf(current).find((one) => one.epoch === epoch) ?? { count: 0, total: 0 }
      return [{ op_type: "update", data: { epoch, count: count + 1, total: total + Number(by) } }]
    }
  }
} satisfies Rule
