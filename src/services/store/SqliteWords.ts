/**
 * The full-text indexes in `sync.db`: which rows of a table have which words (`core/search/Tokens.ts`). There is one
 * over `operations`, for the built-in kinds, and one over `own_rows`, for the kinds of applications.
 *
 * Rows enter it after they were written, in small transactions: a search takes in a few, and the rest is done in the
 * background (`SqliteIndexing.ts`). Without a search there is no index, and it costs nothing. `seq` is the order of
 * arrival, and a row that is replaced gets a new one, so the greatest `seq` looked at says what is still to be done.
 *
 * Rows leave it when they leave their table, for the words of a deleted row must not stay in the file. Removing them
 * needs the text and costs about a millisecond per row. So a trigger keeps the row in a separate table. A commit
 * removes a few, and the upkeep removes the rest. Until then no search finds it, because matches are read from the
 * table.
 *
 * An index is made by the first search and can be dropped at any time. It keeps no text, and is no part of the file's
 * version. It is made anew when its form changes, or the tables of characters do: rows could not leave it otherwise.
 */
import { Effect, Predicate, Schema, Semaphore } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type { Phrase } from "../../core/search/SearchQuery.ts"
import * as Tokens from "../../core/search/Tokens.ts"
import { pageLength } from "./Sizes.ts"
import * as SqliteError from "./SqliteError.ts"
import { operations, ownRows, type Source } from "./WordSources.ts"

/** How much one transaction takes in: others wait for it. */
const slice = { operations: 250, bytes: 256 * 1024, atLeastOne: true }

/** Transactions that a search makes itself. */
const slicesOfSearch = 4

/** Rows that may wait to leave the index. When there are more, making it anew takes less time. */
const mostGone = 5_000

/** The form of the indexes: it changes with the rules of `core/search`, and with the version of Unicode. */
const form = `1 ${process.versions["unicode"] ?? ""}`

const sources = [operations, ownRows]

const tables = ({ name }: Source, schema: "main" | "temp") => [
  // The tokens are cut already. This tokenizer separates them at spaces, and changes nothing.
  `CREATE VIRTUAL TABLE IF NOT EXISTS ${schema}.${name} USING fts5(
    text, content = '', columnsize = 0, tokenize = 'ascii'
  )`,
  `CREATE TABLE IF NOT EXISTS ${schema}.${name}_mark (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, form TEXT NOT NULL
  )`,
  `INSERT OR IGNORE INTO ${schema}.${name}_mark (id, seq, form) VALUES (1, 0, '${form}')`
]

/** Rows that leave: those of a file that is only read do not. */
const leaving = ({ name, table, hasWords, columns }: Source) => [
  `INSERT INTO ${name} (${name}, rank) VALUES ('secure-delete', 1)`,
  `CREATE TABLE IF NOT EXISTS ${name}_gone (seq INTEGER PRIMARY KEY, ${columns.join(", ")})`,
  `CREATE TRIGGER IF NOT EXISTS ${name}_leave AFTER DELETE ON ${table}
    WHEN OLD.seq <= (SELECT seq FROM ${name}_mark)
    BEGIN
      INSERT INTO ${name}_gone SELECT OLD.seq, ${columns.map((column) => `OLD.${column}`).join(", ")}
        FROM (SELECT ${columns.map((column) => `OLD.${column} AS ${column}`).join(", ")}) WHERE ${hasWords};
    END`
]

export type Transaction = <A, E>(
  body: (connection: Connection) => Effect.Effect<A, E>
) => Effect.Effect<A, E | SqlError>

/**
 * The index of a source in the file that `sql` has open; `transaction` writes to it. Of a file that is only read, an
 * index that is behind is made anew in memory.
 */
export const make = Effect.fnUntraced(function* (
  source: Source,
  sql: SqliteClient,
  transaction: Transaction,
  readOnly: boolean
) {
  const { name } = source
  const indexing = yield* Semaphore.make(1)
  let isMade = false
  let isCurrent = false

  /** Makes the index where there is none that can be used. Gives whether it may take in rows. */
  const prepare = Effect.fnUntraced(function* (isRequested: boolean) {
    if (readOnly ? isMade : isMade && (yield* exists(sql, source))) return true
    if (readOnly && (isCurrent ||= yield* isComplete(sql, source))) return false
    if (!readOnly && (yield* exists(sql, source))) {
      isMade = yield* isOfForm(sql.unsafe(`SELECT form FROM ${name}_mark`))
      if (isMade) return true
      yield* transaction((connection) => dropOne(connection, source))
    } else if (!isRequested) return false
    if (readOnly) yield* sql`PRAGMA temp_store = MEMORY`
    const statements = readOnly ? tables(source, "temp") : [...tables(source, "main"), ...leaving(source)]
    yield* transaction((connection) =>
      Effect.forEach(statements, (statement) => connection.execute(statement, [], undefined), { discard: true })
    )
    isMade = true
    return true
  })

  const step = Effect.fnUntraced(function* (isRequested: boolean) {
    return (yield* prepare(isRequested)) && (yield* transaction((connection) => indexSlice(connection, source)))
  }, indexing.withPermit)

  return {
    /**
     * Takes in the next rows. Gives whether there are more. Makes the index where there is none only if it
     * `isRequested`.
     */
    step,
    /** Takes in a few rows before a search, and gives how many are left. */
    update: Effect.gen(function* () {
      for (let slices = 0; slices < slicesOfSearch && (yield* step(true)); slices++) yield* Effect.yieldNow
      return yield* waitingRows(sql, source)
    }),
    /** Rows that are not indexed, at most; none where there is no index. */
    waiting: Effect.suspend(() =>
      Effect.flatMap(exists(sql, source), (isThere) => (isThere ? waitingRows(sql, source) : Effect.succeed(0)))
    ),
    mended: <A, E, R>(use: Effect.Effect<A, E, R>) => (readOnly ? use : mending(transaction, use))
  }
})

export type Words = Effect.Success<ReturnType<typeof make>>

/** How many rows are not indexed, at most. */
const waitingRows = Effect.fnUntraced(function* (sql: SqliteClient, { name, table }: Source) {
  const [{ waiting }] = yield* Effect.orDie(
    decodeWaiting(
      yield* sql.unsafe(
        `SELECT coalesce((SELECT max(seq) FROM ${table}), 0) - (SELECT seq FROM ${name}_mark) AS waiting`
      )
    )
  )
  return Math.max(0, waiting)
})
const decodeWaiting = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ waiting: Schema.Int })]))

const phraseOf = ({ tokens, isPrefix }: Phrase): string => `"${tokens.join(" ")}"${isPrefix ? " *" : ""}`

/** All of some phrases, as FTS5 reads it. */
export const allOf = (phrases: ReadonlyArray<Phrase>): string => `(${phrases.map(phraseOf).join(" AND ")})`

/** Matches that make words frequent: looking at all of them takes long. */
export const frequent = 3_000

/** Whether words are frequent. */
export const isFrequent = (sql: SqliteClient, { name }: Source, match: string) =>
  Effect.map(
    sql.unsafe(`SELECT 1 FROM ${name} WHERE ${name} MATCH ? LIMIT 1 OFFSET ?`, [match, frequent]),
    (found) => found.length > 0
  )

/**
 * Runs a statement with the indexes. If one is damaged, they are rebuilt and the statement runs once more; the rows
 * are not affected.
 */
export const mending = <A, E, R>(transaction: Transaction, use: Effect.Effect<A, E, R>) =>
  Effect.catchIf(use, SqliteError.isOfIndex, () => Effect.andThen(transaction(drop), use))

/** Whether the file has the index. */
const exists = (sql: SqliteClient, { name }: Source) =>
  Effect.map(sql.unsafe("SELECT 1 FROM sqlite_schema WHERE name = ?", [`${name}_gone`]), (found) => found.length > 0)

const dropOne = (connection: Connection, { name }: Source) =>
  Effect.forEach(
    [
      `DROP TRIGGER IF EXISTS ${name}_leave`,
      `DROP TABLE IF EXISTS ${name}_gone`,
      `DROP TABLE IF EXISTS ${name}_mark`,
      `DROP TABLE IF EXISTS ${name}`
    ],
    (statement) => connection.execute(statement, [], undefined),
    { discard: true }
  )

/** Drops the indexes. */
export const drop = (connection: Connection) =>
  Effect.forEach(sources, (source) => dropOne(connection, source), { discard: true })

/** Takes up to `limit` of the rows that are gone out of each index. Gives whether there are more. */
export const takeOut = Effect.fnUntraced(function* (connection: Connection, limit: number) {
  const names = sources.map(({ name }) => `'${name}_gone'`).join()
  const made = yield* connection.execute(`SELECT name FROM sqlite_schema WHERE name IN (${names})`, [], undefined)
  const there = new Set(made.map(({ name }) => name))
  const all = yield* Effect.forEach(
    sources.filter(({ name }) => there.has(`${name}_gone`)),
    (source) => takeOutOf(connection, source, limit)
  )
  return all.some((isMore) => isMore)
})

const takeOutOf = Effect.fnUntraced(function* (connection: Connection, source: Source, limit: number) {
  const { name } = source
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  const [waiting] = yield* Effect.orDie(decodeCount(yield* run(`SELECT count(*) AS count FROM ${name}_gone`, [])))
  const rows = yield* run(`SELECT * FROM ${name}_gone ORDER BY seq LIMIT ?`, [limit])
  const last = rows.at(-1)
  if (last === undefined) return false
  if (waiting.count > mostGone || !(yield* isOfForm(run(`SELECT form FROM ${name}_mark`, [])))) {
    yield* dropOne(connection, source)
    return false
  }
  for (const [index, text] of (yield* source.textsOf(rows)).entries()) {
    if (text === undefined) continue
    yield* run(`INSERT INTO ${name} (${name}, rowid, text) VALUES ('delete', ?, ?)`, [
      rows[index]?.["seq"],
      indexed(text)
    ])
  }
  yield* run(`DELETE FROM ${name}_gone WHERE seq <= ?`, [last["seq"]])
  return waiting.count > rows.length
})

const decodeCount = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ count: Schema.Natural })]))

/** A text as it is indexed: its tokens. A row leaves the index by the same text. */
const indexed = (text: string): string => Tokens.of(text).join(" ")

/** Whether the mark of an index says that it has the present form. */
const isOfForm = <E>(marks: Effect.Effect<ReadonlyArray<unknown>, E>) =>
  Effect.map(marks, ([mark]) => Predicate.hasProperty(mark, "form") && mark.form === form)

/** Whether the index in the file has everything. */
const isComplete = Effect.fnUntraced(function* (sql: SqliteClient, source: Source) {
  const made = yield* sql.unsafe("SELECT 1 FROM sqlite_schema WHERE name = ?", [`${source.name}_mark`])
  if (made.length === 0) return false
  const isUsable = yield* isOfForm(sql.unsafe(`SELECT form FROM ${source.name}_mark`))
  return isUsable && (yield* waitingRows(sql, source)) === 0
})

/** Takes the next rows into the index. Gives whether there may be more. */
const indexSlice = Effect.fnUntraced(function* (connection: Connection, { name, table, hasWords, textsOf }: Source) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  // Sizes first, for a few rows may be large. Rows without words are only passed over.
  const sizes = yield* Effect.orDie(
    decodeSizes(
      yield* run(
        `SELECT seq, CASE WHEN ${hasWords} THEN octet_length(data) ELSE 0 END AS size FROM ${table}
          WHERE seq > (SELECT seq FROM ${name}_mark) ORDER BY seq LIMIT ?`,
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
    `SELECT * FROM ${table} NOT INDEXED
      WHERE seq > (SELECT seq FROM ${name}_mark) AND seq <= ? AND ${hasWords} ORDER BY seq`,
    [last.seq]
  )
  const seqs = yield* Effect.orDie(decodeSeqs(rows))
  const entries = (yield* textsOf(rows)).flatMap((text, index) =>
    text === undefined ? [] : [[seqs[index]?.seq, indexed(text)]]
  )
  yield* run(`INSERT INTO ${name} (rowid, text) SELECT value ->> 0, value ->> 1 FROM json_each(?)`, [
    JSON.stringify(entries)
  ])
  yield* run(`UPDATE ${name}_mark SET seq = ?`, [last.seq])
  return length < sizes.length || sizes.length === slice.operations
})

const decodeSizes = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ seq: Schema.Natural, size: Schema.Natural }))
)
export const decodeSeqs = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ seq: Schema.Natural })))
