/**
 * The full-text index in `sync.db`: which rows have which words.
 *
 * It is brought up to date when somebody searches, and never before: whoever does not search pays nothing. `seq` is the order
 * of arrival, and a row that is replaced gets a new one, so the greatest `seq` looked at says what is still to be done.
 * A row leaves the index when its successor, tombstones too, is looked at; until then no search finds it, for what is found
 * is read from `operations`.
 *
 * The index is made by the first search and can be dropped at any time. It keeps no text, and is no part of the file's version.
 */
import { Effect, Option, Schema, Semaphore } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Search from "../../core/Search.ts"
import { pageLength } from "./Backend.ts"
import * as Rows from "./SqliteRows.ts"

/** How much one transaction takes in: others wait for it. */
const slice = { operations: 1_000, bytes: 4 * 1024 * 1024, atLeastOne: true }

const tables = (schema: "main" | "temp") => [
  `CREATE VIRTUAL TABLE IF NOT EXISTS ${schema}.search USING fts5(
    words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0'
  )`,
  `CREATE TABLE IF NOT EXISTS ${schema}.search_rows (
    kind TEXT NOT NULL,
    row_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (kind, row_id)
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS ${schema}.search_mark (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL)`,
  `INSERT OR IGNORE INTO ${schema}.search_mark (id, seq) VALUES (1, 0)`
]

const kinds = Search.kinds.map((kind) => `'${kind}'`).join()

const decodeSizes = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ seq: Schema.Natural, size: Schema.Natural }))
)

type Transaction = <A, E>(body: (connection: Connection) => Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError>

/**
 * Searches the file that `sql` has open; `transaction` writes to it. Of a file that is only read, an index that is behind is made
 * anew in memory: what is found is complete there too.
 */
export const make = Effect.fnUntraced(function* (sql: SqliteClient, transaction: Transaction, readOnly = false) {
  const indexing = yield* Semaphore.make(1)
  let isMade = false

  const prepare = Effect.fnUntraced(function* () {
    if (isMade) return
    if (readOnly && (yield* isCurrent(sql))) return
    if (readOnly) yield* sql`PRAGMA temp_store = MEMORY`
    yield* transaction((connection) =>
      Effect.forEach(tables(readOnly ? "temp" : "main"), (table) => connection.execute(table, [], undefined), {
        discard: true
      })
    )
    isMade = true
  })

  const catchUp = Effect.fnUntraced(function* () {
    yield* prepare()
    if (!isMade) return
    while (yield* transaction(indexSlice)) yield* Effect.yieldNow
  })

  return Effect.fnUntraced(function* (words: ReadonlyArray<string>, limit: number) {
    yield* indexing.withPermit(catchUp())
    const query = words.map((word) => `"${word}"`).join(" ")
    if (query === "") return []
    const rows = yield* sql`SELECT * FROM operations
      WHERE seq IN (
        SELECT o.seq FROM search CROSS JOIN operations AS o ON o.seq = search.rowid
        WHERE search MATCH ${`${query}*`} ORDER BY o.wall DESC, o.counter DESC, o.origin DESC LIMIT ${limit}
      )
      ORDER BY wall DESC, counter DESC, origin DESC`
    return yield* Rows.operations(rows)
  })
})

/** Whether the index in the file has everything. */
const isCurrent = Effect.fnUntraced(function* (sql: SqliteClient) {
  const made = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'search_mark'`
  if (made.length === 0) return false
  const behind = yield* sql`SELECT 1 FROM operations WHERE seq > (SELECT seq FROM search_mark) LIMIT 1`
  return behind.length === 0
})

/** Takes the next operations into the index. Gives whether there may be more. */
const indexSlice = Effect.fnUntraced(function* (connection: Connection) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  // Sizes first, for a few rows may be large. Kinds that are not searched are only passed over.
  const sizes = yield* Effect.orDie(
    decodeSizes(
      yield* run(
        `SELECT seq, CASE WHEN kind IN (${kinds}) THEN octet_length(data) ELSE 0 END AS size FROM operations
          WHERE seq > (SELECT seq FROM search_mark) ORDER BY seq LIMIT ?`,
        [slice.operations]
      )
    )
  )
  const { length } = pageLength(
    sizes.map(({ size }) => size),
    slice
  )
  const last = sizes[length - 1]
  if (last === undefined) return false
  const rows = yield* run(
    `SELECT * FROM operations WHERE seq > (SELECT seq FROM search_mark) AND seq <= ? AND kind IN (${kinds}) ORDER BY seq`,
    [last.seq]
  )
  const operations = yield* Rows.operations(rows)
  const seqs = yield* Effect.orDie(decodeSeqs(rows))
  const entries = operations.map((operation, index) => ({
    kind: operation.table,
    row_id: operation.row_id,
    seq: seqs[index]?.seq,
    text: Option.getOrUndefined(Option.map(Option.fromUndefinedOr(Search.textOf(operation)), Search.indexedOf))
  }))
  const all = JSON.stringify(entries.map(({ kind, row_id }) => [kind, row_id]))
  const live = JSON.stringify(
    entries.filter(({ text }) => text !== undefined).map(({ kind, row_id, seq, text }) => [kind, row_id, seq, text])
  )
  const before = `SELECT r.seq FROM json_each(?) AS row CROSS JOIN search_rows AS r
    ON r.kind = row.value ->> 0 AND r.row_id = row.value ->> 1`
  yield* run(`DELETE FROM search WHERE rowid IN (${before})`, [all])
  yield* run(`DELETE FROM search_rows WHERE (kind, row_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))`, [
    all
  ])
  yield* run(
    `INSERT INTO search_rows (kind, row_id, seq)
      SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)`,
    [live]
  )
  yield* run(`INSERT INTO search (rowid, words) SELECT value ->> 2, value ->> 3 FROM json_each(?)`, [live])
  yield* run(`UPDATE search_mark SET seq = ?`, [last.seq])
  return true
})

const decodeSeqs = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ seq: Schema.Natural })))
