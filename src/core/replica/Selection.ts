/**
 * Which rows are read: filters, the order of what they leave, and places in it.
 *
 * All that is given has to hold. Rows come newest first: those that were written last, by the HLC of the winning
 * operation. A cursor is a place in that order, so it stays right while rows come and go.
 */
import { Option, Order, Schema, Struct } from "effect"
import * as Cursor from "../text/Cursor.ts"
import * as Hlc from "./Hlc.ts"
import { byCodePoint } from "./NodeId.ts"
import * as Kind from "./Kind.ts"
import type { Operation } from "./Operation.ts"
import * as Row from "./Row.ts"

/** A filter looks for some text. */
const Text = Schema.NonEmptyString.check(Schema.isMaxLength(4_000))
const Texts = Schema.Array(Text).check(Schema.isMaxLength(100))

/** The filters, as applications give them. Times are Unix seconds, and those of the last write (`updated_at`). */
export const Filter = Schema.Struct({
  /** Rows of one of these kinds. */
  kinds: Schema.optionalKey(Texts),
  /** Rows that have all of these tags. */
  tags: Schema.optionalKey(Texts),
  subject: Schema.optionalKey(Text),
  predicate: Schema.optionalKey(Text),
  /** The column `session_id`. */
  session: Schema.optionalKey(Text),
  /** The column `result_status`. */
  status: Schema.optionalKey(Text),
  /** The node that wrote the row. */
  origin: Schema.optionalKey(Text),
  /** The first moment. */
  since: Schema.optionalKey(Schema.Finite),
  /** The moment after the last one. */
  until: Schema.optionalKey(Schema.Finite)
})
export interface Filter extends Schema.Schema.Type<typeof Filter> {}

/** The filters that look at one column each, with these columns. */
const filtered = { subject: "subject", predicate: "predicate", session: "session_id", status: "result_status" } as const

/** The columns that a filter looks at. Rows of a kind without such a column are left out. */
export const columnsOf = (filter: Filter): ReadonlyArray<readonly [column: string, wanted: string]> =>
  Struct.keys(filtered).flatMap((name) => {
    const wanted = filter[name]
    return wanted === undefined ? [] : [[filtered[name], wanted] as const]
  })

/** The column that holds tags. */
export const tagColumn = "tags"

/** The filter that looks at a column. */
export const filterOf = (column: string): keyof Filter | undefined =>
  column === tagColumn ? "tags" : Struct.keys(filtered).find((name) => filtered[name] === column)

/** The kinds of which a filter may leave rows. */
export const kindsOf = (filter: Filter): ReadonlyArray<Kind.Kind> => {
  const columns = [...columnsOf(filter).map(([name]) => name), ...(filter.tags === undefined ? [] : [tagColumn])]
  return Kind.all.filter(
    (kind: Kind.Kind) =>
      (filter.kinds === undefined || filter.kinds.includes(kind.name)) && columns.every((name) => name in kind.columns)
  )
}

/** The bounds of a filter in ms: the first moment, and the one after the last. */
export const boundsOf = ({ since, until }: Filter): readonly [from: number, to: number] => [
  since === undefined ? -Infinity : Math.round(since * 1000),
  until === undefined ? Infinity : Math.round(until * 1000)
]

/** Whether a filter leaves the row that an operation holds. */
export const matcher = (filter: Filter): ((operation: Operation) => boolean) => {
  const kinds = new Map(kindsOf(filter).map((kind) => [kind.name, kind]))
  const columns = columnsOf(filter)
  const [from, to] = boundsOf(filter)
  return (operation) => {
    const { hlc } = operation
    const kind = kinds.get(operation.table)
    if (kind === undefined || operation.op_type === "delete") return false
    if (hlc.wall < from || hlc.wall >= to || (filter.origin !== undefined && hlc.node !== filter.origin)) return false
    if (columns.length === 0 && filter.tags === undefined) return true
    const data = Row.columnsOf(operation)
    const read = (name: string) => kind.columns[name]?.read(data[name])
    if (columns.some(([name, wanted]) => read(name) !== wanted)) return false
    if (filter.tags === undefined) return true
    const tags = read(tagColumn)
    return Array.isArray(tags) && filter.tags.every((tag) => tags.includes(tag))
  }
}

/** A place in the order: that of a row, in a search among those of the same rank. */
export interface Place {
  /** How well the row fits to a search; 0 without one. */
  readonly rank: number
  readonly hlc: Hlc.Hlc
  readonly table: string
  readonly row_id: string
}

/** The place of the row that an operation holds. */
export const placeOf = ({ hlc, table, row_id }: Operation, rank = 0): Place => ({ rank, hlc, table, row_id })

/**
 * The order of reads: the best rank first, then the newest. Of rows with one HLC, which no honest node writes, by their
 * ids.
 */
export const PlaceOrder: Order.Order<Place> = Order.make((a, b) => {
  if (a.rank !== b.rank) return a.rank > b.rank ? -1 : 1
  const byTime = Hlc.HlcOrder(b.hlc, a.hlc)
  if (byTime !== 0) return byTime
  const byKind = byCodePoint(b.table, a.table)
  return byKind !== 0 ? byKind : byCodePoint(b.row_id, a.row_id)
})

/** The same order, of operations. */
export const OperationOrder: Order.Order<Operation> = Order.mapInput(PlaceOrder, (operation) => placeOf(operation))

/** Whether a place comes after another. */
export const isAfter = (place: Place, other: Place): boolean => PlaceOrder(place, other) > 0

const cursors = Cursor.make(Schema.Tuple([Schema.Natural, Schema.String, Schema.String, Schema.String]))

/** The text of a place, which applications hand back as it is. */
export const cursorOf = ({ rank, hlc, table, row_id }: Place): string =>
  cursors.toText([rank, Hlc.toText(hlc), table, row_id])

/** The place of a cursor; none when no read gave it. */
export const placeFrom = (cursor: string): Option.Option<Place> =>
  Option.flatMap(cursors.fromText(cursor), ([rank, text, table, row_id]) =>
    Option.map(Hlc.fromText(text), (hlc) => ({ rank, hlc, table, row_id }))
  )

/** Rows that were read, and whether there are more. */
export interface Page {
  readonly operations: ReadonlyArray<Operation>
  readonly isMore: boolean
}

/** Which rows of a store to read: at most `limit`, after a place. */
export interface Request {
  readonly filter: Filter
  readonly after?: Place | undefined
  readonly limit: number
}
