/**
 * A search of a store: what is asked, and what is answered; and which rows of kinds of applications are asked for.
 */
import { Order } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Rows from "../../core/replica/Query.ts"
import * as Search from "../../core/replica/Search.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as Query from "../../core/search/SearchQuery.ts"
import * as Tokens from "../../core/search/Tokens.ts"

export interface Request extends Selection.Request {
  readonly query: Query.Query
}

/** Words that a row of a kind of an application has to have: in some of its columns, or in all of them together. */
export interface Words {
  readonly query: Query.Query
  readonly columns: ReadonlyArray<string> | undefined
}

/** Which rows of a kind of an application to read, after a place. */
export interface RowsRequest extends Rows.RowsRequest {
  readonly words?: Words
}

/** Whether a row is one of those that are asked for. */
export const isRequested = (
  { where, words, written }: Pick<RowsRequest, "where" | "words" | "written">,
  row: Rows.Shown
): boolean =>
  Rows.matches(where, row) &&
  (written === undefined || Rows.isWritten(written, row)) &&
  (words === undefined ||
    Query.rankOf(Tokens.of(Rows.textOf(row.value, words.columns)), words.query) > Query.ranks.none)

/** A row that was found, and how well it fits. */
export interface Hit {
  readonly operation: Operation
  readonly rank: number
}

export interface Found {
  readonly hits: ReadonlyArray<Hit>
  readonly isMore: boolean
  /** Rows that are not indexed, at most: they may be missing. */
  readonly waiting: number
}

/** How far an index has come, in rows. */
export interface Indexing {
  readonly done: number
  readonly total: number
}

/** An answer. `indexing` is there while some rows are not indexed. */
export interface Hits extends Pick<Found, "hits" | "isMore"> {
  readonly indexing?: Indexing
}

/** The order of an answer. */
export const HitOrder: Order.Order<Hit> = Order.mapInput(Selection.PlaceOrder, ({ operation, rank }) =>
  Selection.placeOf(operation, rank)
)

/** How a row fits to a query, when it does and comes after a place. */
export const hitOf = (
  operation: Operation,
  query: Query.Query,
  after: Selection.Place | undefined
): Hit | undefined => {
  const rank = Query.rankOf(Tokens.of(Search.textOf(operation) ?? ""), query)
  if (rank === Query.ranks.none) return undefined
  return after === undefined || Selection.isAfter(Selection.placeOf(operation, rank), after)
    ? { operation, rank }
    : undefined
}

/** How far the index of a store with these counts has come, when so many rows wait; none when it is complete. */
export const indexingOf = (waiting: number, counts: Readonly<Record<string, number>>): Indexing | undefined => {
  const total = Kind.searched.reduce((sum, { name }) => sum + (counts[name] ?? 0), 0)
  return waiting > 0 && total > 0 ? { done: Math.max(0, total - waiting), total } : undefined
}

/** An answer of a store with these counts. */
export const hitsOf = ({ hits, isMore, waiting }: Found, counts: Readonly<Record<string, number>>): Hits => {
  const indexing = indexingOf(waiting, counts)
  return { hits, isMore, ...(indexing === undefined ? {} : { indexing }) }
}
