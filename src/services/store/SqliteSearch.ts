/**
 * The full-text index in `sync.db`: which rows have which words.
 *
 * Rows enter it at a search, and never before: without a search it costs nothing. `seq` is the order of arrival,
 * and a row that is replaced gets a new one, so the greatest `seq` looked at says what is still to be done.
 *
 * Rows leave it when they leave `operations`, for the words of a deleted row must not stay in the file. Taking them out needs the
 * text and costs about a millisecond a row, so a trigger keeps the row in `words_gone`, a commit takes out a few, and the upkeep
 * takes out the rest (`SqliteUpkeep.ts`). Until then no search finds it, because matches are read from `operations`.
 *
 * The index is made by the first search and can be dropped at any time. It keeps no text, and is no part of the file's version.
 */
import { Effect, Option, Schema, Semaphore } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Kind from "../../core/replica/Kind.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Search from "../../core/replica/Search.ts"
import { pageLength } from "./Sizes.ts"
import * as SqliteRows from "./SqliteRows.ts"
import * as SqliteError from "./SqliteError.ts"

/** How much one transaction takes in: others wait for it. */
const slice = { operations: 1_000, bytes: 4 * 1024 * 1024, atLeastOne: true }

/** Rows that may wait to leave the index. When there are more, making it anew takes less time. */
const mostGone = 5_000

const kinds = Kind.searched.map(({ name }) => `'${name}'`).join()

const tables = (schema: "main" | "temp") => [
  `CREATE VIRTUAL TABLE IF NOT EXISTS ${schema}.words USING fts5(
    text, content = '', tokenize = 'unicode61 remove_diacritics 0'
  )`,
  `CREATE TABLE IF NOT EXISTS ${schema}.words_mark (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL)`,
  `INSERT OR IGNORE INTO ${schema}.words_mark (id, seq) VALUES (1, 0)`
]

/** Rows that leave: those of a file that is only read do not. */
const leaving = [
  "INSERT INTO words (words, rank) VALUES ('secure-delete', 1)",
  `CREATE TABLE IF NOT EXISTS words_gone (
    seq INTEGER PRIMARY KEY, kind, row_id, origin, wall, counter, op_id, op_type, data, timestamp
  )`,
  `CREATE TRIGGER IF NOT EXISTS words_leave AFTER DELETE ON operations
    WHEN OLD.kind IN (${kinds}) AND OLD.op_type <> 'delete' AND OLD.seq <= (SELECT seq FROM words_mark)
    BEGIN
      INSERT INTO words_gone VALUES (OLD.seq, OLD.kind, OLD.row_id, OLD.origin, OLD.wall, OLD.counter, OLD.op_id,
        OLD.op_type, OLD.data, OLD.timestamp);
    END`
]

/** The index of an earlier form, which kept the words of deleted rows. */
const earlier = ["search", "search_rows", "search_mark"]

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
    if (readOnly && (isMade || (yield* isCurrent(sql)))) return
    if (!readOnly && (yield* exists(sql))) return
    if (readOnly) yield* sql`PRAGMA temp_store = MEMORY`
    const statements = readOnly ? tables("temp") : [...tables("main"), ...leaving]
    yield* transaction((connection) =>
      Effect.forEach(statements, (statement) => connection.execute(statement, [], undefined), { discard: true })
    )
    isMade = true
  })

  const catchUp = Effect.fnUntraced(function* () {
    yield* prepare()
    if (readOnly && !isMade) return
    while (yield* transaction(indexSlice)) yield* Effect.yieldNow
  })

  const find = Effect.fnUntraced(function* (words: ReadonlyArray<string>, limit: number) {
    yield* indexing.withPermit(catchUp())
    const query = words.map((word) => `"${word}"`).join(" ")
    if (query === "") return []
    const rows = yield* sql`SELECT * FROM operations
      WHERE seq IN (
        SELECT o.seq FROM words CROSS JOIN operations AS o ON o.seq = words.rowid
        WHERE words MATCH ${`${query}*`} ORDER BY o.wall DESC, o.counter DESC, o.origin DESC LIMIT ${limit}
      )
      ORDER BY wall DESC, counter DESC, origin DESC`
    return yield* SqliteRows.operations(rows)
  })

  return (words: ReadonlyArray<string>, limit: number) =>
    readOnly ? find(words, limit) : mending(transaction, find(words, limit))
})

/**
 * Runs a statement with the index. If the index is damaged, it is rebuilt and the statement runs once more; the rows
 * are not affected.
 */
export const mending = <A, E, R>(transaction: Transaction, use: Effect.Effect<A, E, R>) =>
  Effect.catchIf(use, SqliteError.isOfIndex, () => Effect.andThen(transaction(drop), use))

/** Whether the file has an index. */
const exists = (sql: SqliteClient) =>
  Effect.map(sql`SELECT 1 FROM sqlite_schema WHERE name = 'words_gone'`, (found) => found.length > 0)

/** Drops an index of an earlier form. */
export const dropEarlier = (connection: Connection) =>
  Effect.forEach(earlier, (table) => connection.execute(`DROP TABLE IF EXISTS ${table}`, [], undefined), {
    discard: true
  })

/** Drops the index. */
export const drop = (connection: Connection) =>
  Effect.forEach(
    [
      "DROP TRIGGER IF EXISTS words_leave",
      "DROP TABLE IF EXISTS words_gone",
      "DROP TABLE IF EXISTS words_mark",
      "DROP TABLE IF EXISTS words"
    ],
    (statement) => connection.execute(statement, [], undefined),
    { discard: true }
  )

/** Takes up to `limit` of the rows that are gone out of the index. Gives whether there are more. */
export const takeOut = Effect.fnUntraced(function* (connection: Connection, limit: number) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  if ((yield* run("SELECT 1 FROM sqlite_schema WHERE name = 'words_gone'", [])).length === 0) return false
  const [waiting] = yield* Effect.orDie(decodeCount(yield* run("SELECT count(*) AS count FROM words_gone", [])))
  if (waiting.count > mostGone) {
    yield* drop(connection)
    return false
  }
  const rows = yield* run("SELECT * FROM words_gone ORDER BY seq LIMIT ?", [limit])
  const last = rows.at(-1)
  if (last === undefined) return false
  for (const [index, operation] of (yield* SqliteRows.operations(rows)).entries()) {
    const text = indexedOf(operation)
    if (text === undefined) continue
    yield* run("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", [rows[index]?.["seq"], text])
  }
  yield* run("DELETE FROM words_gone WHERE seq <= ?", [last["seq"]])
  return waiting.count > rows.length
})

const decodeCount = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ count: Schema.Natural })]))

/** The indexed text of an operation. A row leaves the index by the same text. */
const indexedOf = (operation: Operation): string | undefined =>
  Option.getOrUndefined(Option.map(Option.fromUndefinedOr(Search.textOf(operation)), Search.indexedOf))

/** Whether the index in the file has everything. */
const isCurrent = Effect.fnUntraced(function* (sql: SqliteClient) {
  const made = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'words_mark'`
  if (made.length === 0) return false
  const behind = yield* sql`SELECT 1 FROM operations WHERE seq > (SELECT seq FROM words_mark) LIMIT 1`
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
          WHERE seq > (SELECT seq FROM words_mark) ORDER BY seq LIMIT ?`,
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
    `SELECT * FROM operations WHERE seq > (SELECT seq FROM words_mark) AND seq <= ? AND kind IN (${kinds}) ORDER BY seq`,
    [last.seq]
  )
  const operations = yield* SqliteRows.operations(rows)
  const seqs = yield* Effect.orDie(decodeSeqs(rows))
  const entries = operations.flatMap((operation, index) => {
    const text = indexedOf(operation)
    return text === undefined ? [] : [[seqs[index]?.seq, text]]
  })
  yield* run(`INSERT INTO words (rowid, text) SELECT value ->> 0, value ->> 1 FROM json_each(?)`, [
    JSON.stringify(entries)
  ])
  yield* run(`UPDATE words_mark SET seq = ?`, [last.seq])
  return true
})

const decodeSeqs = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ seq: Schema.Natural })))
