/**
 * The change feed (`core/replica/Feed.ts`) in the file of the rows. `seq` is the number of a row: a row that is written
 * again leaves its place and takes the next one.
 */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { randomBytes } from "node:crypto"
import type * as Feed from "../../core/replica/Feed.ts"
import type { FeedPage } from "./Backend.ts"
import { envelopeBytes, pageLength, type Room, rowsEnough } from "./Sizes.ts"
import * as SqliteRows from "./SqliteRows.ts"

/** The columns of `meta`. A feed without an id is given one when its file is opened for writing. */
export const columns = [
  "ALTER TABLE meta ADD COLUMN feed_id TEXT NOT NULL DEFAULT ''",
  "ALTER TABLE meta ADD COLUMN feed_removals INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE meta ADD COLUMN feed_horizon INTEGER NOT NULL DEFAULT 0"
]

/** The first version whose files have them. */
export const withFeed = 6

/** Takes the id of a feed whose rows are a copy: the numbers of the original mean other rows from now on. */
export const forgetId = "UPDATE meta SET feed_id = ''"

/** The number of the last row, for a statement that reads `meta`. */
export const last = "(SELECT seq FROM sqlite_sequence WHERE name = 'operations') AS feed_last"

/** Gives the feed an id if it has none. */
export const identify = Effect.fnUntraced(function* (connection: Connection) {
  const id = randomBytes(8).toString("hex")
  yield* connection.execute("UPDATE meta SET feed_id = ? WHERE feed_id = ''", [id], undefined)
})

/** The rows after `number`. */
export const after = Effect.fnUntraced(function* (
  sql: SqlClient,
  number: number,
  room: Room,
  kinds: ReadonlyArray<string> | undefined
) {
  // Sizes first: a page of large operations must not be read only to be dropped. Those of other kinds take no room.
  const wanted = kinds && JSON.stringify(kinds)
  const size = `${envelopeBytes} + octet_length(op_id) + octet_length(row_id) + octet_length(data)`
  const isRequested = "kind IN (SELECT value FROM json_each(?))"
  const sizes = yield* decodeSizes(
    yield* sql.unsafe(
      wanted === undefined
        ? `SELECT seq, ${size} AS size FROM operations WHERE seq > ? ORDER BY seq LIMIT ?`
        : `SELECT seq, iif(${isRequested}, ${size}, 0) AS size FROM operations WHERE seq > ? ORDER BY seq LIMIT ?`,
      [...(wanted === undefined ? [] : [wanted]), number, rowsEnough(room)]
    )
  )
  const { length } = pageLength(
    sizes.map(({ size }) => size),
    room
  )
  const last = sizes[length - 1]
  if (last === undefined) return { operations: [], number } satisfies FeedPage
  const rows = yield* sql.unsafe(
    `SELECT * FROM operations NOT INDEXED
      WHERE seq > ? AND seq <= ? ${wanted === undefined ? "" : `AND ${isRequested}`} ORDER BY seq`,
    [number, last.seq, ...(wanted === undefined ? [] : [wanted])]
  )
  return { operations: yield* SqliteRows.operations(rows), number: last.seq } satisfies FeedPage
})

/** The greatest number of the rows in some slots. */
export const lastNumberIn = Effect.fnUntraced(function* (sql: SqlClient, slots: string, parameter: string) {
  const [{ last }] = yield* decodeLast(
    yield* sql.unsafe(`SELECT coalesce(max(o.seq), 0) AS last FROM ${slots}`, [parameter])
  )
  return last
})

/** Writes what a commit changed of the feed beside the rows. */
export const writeRemovals = (connection: Connection, { removals, horizon }: Feed.Feed) =>
  connection.execute("UPDATE meta SET feed_removals = ?, feed_horizon = ?", [removals, horizon], undefined)

const decodeLast = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ last: Schema.Natural })]))
const decodeSizes = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ seq: Schema.Natural, size: Schema.Natural }))
)
