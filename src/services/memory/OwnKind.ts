/**
 * Kinds that applications declare, as values and types: what such a kind is, and what is done with its rows.
 */
import { Context, type Effect, type Schema, type Stream } from "effect"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Content } from "../../core/replica/Operation.ts"
import type * as Rule from "../../core/replica/Rule.ts"
import type {
  InputInvalid,
  OperationTooLarge,
  QueryInvalid,
  RowNotFound,
  RowUnreadable,
  StoreUnavailable
} from "../node/NodeFailure.ts"
import type { Page, Written } from "./Reads.ts"
import type { Found } from "./Reads.ts"

/** A kind of any application. */
export interface Any {
  /** The name that the application gives it. */
  readonly name: string
  readonly rule: Rule.Known
  /** The name on the wire and in the database. */
  readonly table: string
  /** The columns of a row; the member of a set; the value of a counter. */
  readonly row: Schema.Codec<unknown, unknown>
  /** The columns that are searched. */
  readonly search: ReadonlyArray<string>
}

/** The kinds whose schemas this process has: what other programs write to their rows has to fit. */
export const Kinds = Context.Reference<ReadonlyArray<Any>>("feral-sync/services/memory/OwnKind/Kinds", {
  defaultValue: () => []
})

/** What every row shows besides its columns. `updated_at` is in Unix seconds. */
export interface Provenance {
  readonly id: string
  readonly updated_at: number
  readonly origin_node: NodeId
  readonly hlc: string
}

/**
 * A row that does not fit the schema of its kind: of an older or newer application, or of a part that came back after a
 * delete.
 */
export interface Unreadable extends Provenance {
  readonly _tag: "Unreadable"
  /** The columns as they are. */
  readonly value: Content
  readonly problem: string
}

/** Whether a row of a list is one that could not be read. */
export const isUnreadable = (row: object): row is Unreadable =>
  "_tag" in row && row._tag === "Unreadable" && "problem" in row

type Columns<K extends Any> = K["row"]["Type"]

/** A row as an application sees it. */
export type RowOf<K extends Any> = Provenance &
  (K["rule"] extends "counter"
    ? { readonly value: number }
    : K["rule"] extends "set"
      ? { readonly members: ReadonlyArray<Columns<K>> }
      : Columns<K>)

/** A value of a field, or a range of values, both ends included. */
export type Where<Columns> = {
  readonly [Field in keyof Columns]?: Columns[Field] | { readonly from?: Columns[Field]; readonly to?: Columns[Field] }
}

export interface QueryInput<K extends Any> {
  /** All of them have to be met. */
  readonly where?: Where<RowOf<K>>
  /** 20 by default, 1,000 at most. */
  readonly limit?: number
  /** The `next` of the answer before. */
  readonly cursor?: string
}

/** Which rows to follow. */
export type LiveInput<K extends Any> = Omit<QueryInput<K>, "cursor">

type Write = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | InputInvalid>
type Change = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | InputInvalid | RowNotFound>
type Read<A> = Effect.Effect<A, StoreUnavailable | QueryInvalid>

/** A row that changed. It is none where it is gone. */
export interface Changed<K extends Any> {
  readonly id: string
  readonly row: RowOf<K> | Unreadable | undefined
  /** Who wrote last, and when. */
  readonly origin_node: NodeId
  readonly hlc: string
}

/** Some rows have changed; or rows have left that a reader would not hear of, so that it has to begin again. */
export type ChangeEvent<K extends Any> =
  | { readonly _tag: "Changed"; readonly cursor: string; readonly rows: ReadonlyArray<Changed<K>> }
  | { readonly _tag: "Reset"; readonly cursor: string }

/** Some columns; without a value where they are taken out. */
export type Some<Columns> = { readonly [Column in keyof Columns]?: Columns[Column] | undefined }

/** What applications write, by the verbs of the rules (`core/replica/Rule.ts`). */
interface Verbs<K extends Any> {
  /**
   * Writes a new row, or the whole row with this id. Of a log, the first row with an id stays. Of `fields`, columns
   * that the row has and the new one has not are taken out.
   */
  put: { (row: Columns<K>): Write; (id: string, row: Columns<K>): Write }
  /** Writes some columns of a row that is there; `undefined` takes one out. */
  patch(id: string, columns: Some<Columns<K>>): Change
  /** Deletes a row, everywhere. */
  delete(id: string): Change
  /** Adds a whole number, 1 by default, to a counter. A new counter is 0. */
  increment(id: string, by?: number): Write
  /** Adds a member to a set. */
  add(id: string, member: Columns<K>): Write
  /** Takes a member out of a set. */
  remove(id: string, member: Columns<K>): Write
}

type VerbOf<R extends Rule.Known> = keyof (typeof Rule.rules)[R]["verbs"] & keyof Verbs<Any>

/** What applications do with the rows of a kind. */
export type Collection<K extends Any> = Pick<Verbs<K>, VerbOf<K["rule"]>> & {
  /** The row with this id. */
  get(id: string): Effect.Effect<RowOf<K>, StoreUnavailable | RowNotFound | RowUnreadable>
  /** All rows, or a page of them, in the order of their ids. */
  list(page?: Page): Effect.Effect<ReadonlyArray<RowOf<K> | Unreadable>, StoreUnavailable>
  /**
   * The rows that meet all conditions: in the order of the first field that a range is asked of, else of their ids. The
   * first query with a field makes an index of it.
   */
  query(input?: QueryInput<K>): Read<Found<RowOf<K>>>
  /** How many rows meet all conditions, also those that cannot be read. */
  count(input?: Pick<QueryInput<K>, "where">): Read<number>
  /**
   * The rows whose `search` columns have all the words of a query, the last one as a beginning, in the order of their
   * ids.
   */
  search(input: { readonly query: string; readonly limit?: number; readonly cursor?: string }): Read<Found<RowOf<K>>>
  /**
   * The rows that meet all conditions, now and after each change of them: as `query` gives them, the first `limit` of
   * them, 1,000 by default and at most. No change is missed. A slow reader is spared the states in between.
   */
  live(input?: LiveInput<K>): Stream.Stream<ReadonlyArray<RowOf<K>>, StoreUnavailable | QueryInvalid>
  /**
   * The rows that changed since a cursor, then all further ones, each as it is when it is read. Without a cursor those
   * from now on; from `"0"` all.
   */
  changes(options?: { readonly since?: string }): Stream.Stream<ChangeEvent<K>, StoreUnavailable>
}

/** The collection of a kind as a service. */
export interface Collected<Table extends string> {
  readonly collected: Table
}

/** A kind of an application. `yield* Todo` gives its collection. */
export interface OwnKind<
  Name extends string,
  R extends Rule.Known,
  S extends Schema.Codec<unknown, unknown>
> extends Any {
  readonly name: Name
  readonly rule: R
  readonly table: `${Name}!${R}`
  readonly row: S
  [Symbol.iterator](): Effect.EffectIterator<
    Effect.Effect<Collection<OwnKind<Name, R, S>>, never, Collected<`${Name}!${R}`>>
  >
}

/** The columns that rows of a kind have. */
export const columnsOf = ({ rule, row }: Any): ReadonlyArray<string> => {
  if (rule === "counter") return ["value"]
  if (rule === "set") return ["members"]
  return "fields" in row && typeof row.fields === "object" && row.fields !== null ? Object.keys(row.fields) : []
}

/** What every row shows of its own. */
export const reserved: ReadonlyArray<string> = ["id", "updated_at", "origin_node", "hlc", "_tag"]

/** The problem of a name and columns. */
export const problemIn = (name: string, columns: ReadonlyArray<string>): string | undefined => {
  if (!/^[A-Za-z][\w.-]{0,47}$/.test(name))
    return "its name is not 1 to 48 letters, digits, dots, - or _, a letter first"
  const taken = columns.find((column) => reserved.includes(column))
  return taken === undefined ? undefined : `its column ${taken} has the name of a column that every row has`
}

/** The problem of a declaration. */
export const problemOf = (kind: Any): string | undefined => {
  const columns = columnsOf(kind)
  const problem = problemIn(kind.name, columns)
  if (problem !== undefined) return problem
  const unknown = kind.search.find((column) => !columns.includes(column))
  return unknown === undefined
    ? undefined
    : `it has no column ${unknown} to search: its columns are ${columns.join(", ")}`
}
