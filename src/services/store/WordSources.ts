/**
 * The rows of which there is an index of words (`SqliteWords.ts`): those of the built-in kinds, and those of
 * applications.
 */
import { Effect, Schema } from "effect"
import { CanonicalJson } from "../../core/replica/Json.ts"
import * as Kind from "../../core/replica/Kind.ts"
import { contentOf } from "../../core/replica/Operation.ts"
import * as Query from "../../core/replica/Query.ts"
import * as Search from "../../core/replica/Search.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import * as SqliteRows from "./SqliteRows.ts"

/** The rows of which there is an index. */
export interface Source {
  /** The name of the index: those of its other tables begin with it. */
  readonly name: string
  readonly table: string
  /** Which rows have words. */
  readonly hasWords: string
  /** The columns from which the text of a row comes. */
  readonly columns: ReadonlyArray<string>
  /** The texts of some rows; none where a row has none. */
  readonly textsOf: (rows: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<string | undefined>, StoreUnavailable>
}

const searchedKinds = Kind.searched.map(({ name }) => `'${name}'`).join()

export const operations: Source = {
  name: "tokens",
  table: "operations",
  hasWords: `kind IN (${searchedKinds}) AND op_type <> 'delete'`,
  columns: ["kind", "row_id", "origin", "wall", "counter", "op_id", "op_type", "data", "timestamp"],
  textsOf: (rows) => Effect.map(SqliteRows.operations(rows), (all) => all.map(Search.textOf))
}

const decodeOwn = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ kind: Schema.String, data: CanonicalJson })))

/** Every column is indexed: which of them a search looks at, it says itself. */
export const ownRows: Source = {
  name: "own_tokens",
  table: "own_rows",
  hasWords: "TRUE",
  columns: ["kind", "data"],
  textsOf: (rows) =>
    Effect.map(Effect.orDie(decodeOwn(rows)), (all) =>
      all.map(({ kind, data }) => `${kindToken(kind)}\n${Query.textOf(contentOf({ data }))}`)
    )
}

/** A word that only the rows of a kind have. */
export const kindToken = (kind: string): string => `kind${Buffer.from(kind).toString("hex")}`
