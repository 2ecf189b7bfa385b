/**
 * Rows as kinds of applications show them, and the conditions by which they are found.
 *
 * Rows are found in the order of their keys: of the first field that a range is asked of, then of their ids. A key is
 * the beginning of a text, so that an index of long texts stays small. Or the newest come first, in the order of
 * `Selection.ts`.
 */
import { Order, Predicate } from "effect"
import * as Hlc from "./Hlc.ts"
import { wellFormed } from "./Json.ts"
import * as Kind from "./Kind.ts"
import { byCodePoint } from "./NodeId.ts"
import type { Content, Operation } from "./Operation.ts"
import * as Rule from "./Rule.ts"
import * as Selection from "./Selection.ts"

/** A row: its columns, and the HLC of the last write that counts in it. */
export interface Shown {
  readonly id: string
  readonly value: Content
  readonly hlc: Hlc.Hlc
}

/** The row whose slots hold these operations, at least one; none where it is not there. */
export const shownOf = (current: ReadonlyArray<Operation>): Shown | undefined => {
  const [first] = current
  if (first === undefined) return undefined
  const reading = Rule.rules[Kind.ruleOf(first.table)].read(current)
  if (reading === undefined) return undefined
  const value = wellFormed(reading.value)
  return { id: first.row_id, value: Predicate.isObject(value) ? { ...value } : {}, hlc: reading.latest }
}

/** What a field can be compared with. */
export type Scalar = string | number | boolean | null

/** A field that has this value, or one in this range, both ends included. */
export type Condition =
  | { readonly field: string; readonly equals: Scalar }
  | { readonly field: string; readonly from?: string | number; readonly to?: string | number }

/** What is comparable of a value in the order of rows: texts by their beginnings. */
export type Key = string | number | null

/** Code points of a text in a key. */
export const keyLength = 64

/** The key of a value: none of a list, an object, or where there is nothing. */
export const keyOf = (value: unknown): Key => {
  if (Predicate.isString(value)) return value.length <= keyLength ? value : [...value].slice(0, keyLength).join("")
  if (Predicate.isBoolean(value)) return value ? 1 : 0
  return Predicate.isNumber(value) ? value : null
}

/** The place of a row. */
export interface Place {
  readonly key: Key
  readonly id: string
}

/** When and by which node rows were written last. */
export type Written = Pick<Selection.Filter, "origin" | "since" | "until">

/** Where a page of rows begins: after a place in the order of keys, or in that of the newest rows. */
export interface Start {
  readonly after?: Place | undefined
  readonly newest?: { readonly after: Selection.Place | undefined } | undefined
}

/** Which rows of a kind to read. */
export interface RowsRequest extends Start {
  readonly where: ReadonlyArray<Condition>
  readonly written?: Written | undefined
  readonly limit: number
}

/** The field in whose order rows are found; none where it is that of their ids. */
export const orderedBy = (conditions: ReadonlyArray<Condition>): string | undefined =>
  conditions.find((condition) => !("equals" in condition))?.field

/** The place of a row in the order of the field `ordered`, or of the ids. */
export const placeOf = ({ id, value }: Shown, ordered: string | undefined): Place => ({
  key: ordered === undefined ? null : keyOf(value[ordered]),
  id
})

/** The place of a row of a kind among the newest. */
const newestPlaceOf = (kind: string, { id, hlc }: Shown): Selection.Place => ({
  rank: 0,
  hlc,
  table: kind,
  row_id: id
})

/** Where the page after a row begins. */
export const startAfter = (kind: string, { where, newest }: Omit<RowsRequest, "limit">, row: Shown): Start =>
  newest === undefined ? { after: placeOf(row, orderedBy(where)) } : { newest: { after: newestPlaceOf(kind, row) } }

const rank = (key: Key): number => (key === null ? 0 : Predicate.isNumber(key) ? 1 : 2)

const KeyOrder: Order.Order<Key> = Order.make((a, b) => {
  if (Predicate.isNumber(a) && Predicate.isNumber(b)) return Order.Number(a, b)
  return Predicate.isString(a) && Predicate.isString(b) ? byCodePoint(a, b) : Order.Number(rank(a), rank(b))
})

export const PlaceOrder: Order.Order<Place> = Order.combine(
  Order.mapInput(KeyOrder, ({ key }: Place) => key),
  Order.mapInput(byCodePoint, ({ id }: Place) => id)
)

/** Whether a value is of the type of a bound, and not before or after it. */
const isBeyond = (value: unknown, bound: string | number | undefined, sign: 1 | -1): boolean => {
  if (bound === undefined) return true
  if (Predicate.isNumber(bound)) return Predicate.isNumber(value) && sign * Order.Number(value, bound) >= 0
  return Predicate.isString(value) && sign * byCodePoint(value, bound) >= 0
}

/** Whether a row meets all conditions. */
export const matches = (conditions: ReadonlyArray<Condition>, { value }: Shown): boolean =>
  conditions.every((condition) => {
    const field = Object.hasOwn(value, condition.field) ? value[condition.field] : undefined
    if ("equals" in condition) return field === condition.equals
    return isBeyond(field, condition.from, 1) && isBeyond(field, condition.to, -1)
  })

/** The rows of a kind that come after the start of a request, in its order. */
export const inOrder = (kind: string, request: RowsRequest, rows: ReadonlyArray<Shown>): ReadonlyArray<Shown> => {
  const { after, newest, where, limit } = request
  const ordered = orderedBy(where)
  const order =
    newest === undefined
      ? Order.mapInput(PlaceOrder, (row: Shown) => placeOf(row, ordered))
      : Order.mapInput(Selection.PlaceOrder, (row: Shown) => newestPlaceOf(kind, row))
  const isAfter = (row: Shown) =>
    newest === undefined
      ? after === undefined || PlaceOrder(placeOf(row, ordered), after) > 0
      : newest.after === undefined || Selection.isAfter(newestPlaceOf(kind, row), newest.after)
  return rows.filter(isAfter).sort(order).slice(0, limit)
}

/** Whether a row was written by this node, in this time. */
export const isWritten = (written: Written, { hlc }: Shown): boolean => {
  const [from, to] = Selection.boundsOf(written)
  return hlc.wall >= from && hlc.wall < to && (written.origin === undefined || hlc.node === written.origin)
}

/** The text of some columns of a row, or of all. */
export const textOf = (value: Content, columns: ReadonlyArray<string> = Object.keys(value)): string =>
  columns
    .map((column) => (Predicate.isString(value[column]) ? value[column] : JSON.stringify(value[column] ?? "")))
    .join("\n")
