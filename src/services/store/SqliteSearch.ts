/**
 * The full-text index in `sync.db`: which rows have which words (`core/search/Tokens.ts`).
 *
 * Rows enter it after they were written, in small transactions: a search takes in a few, the rest is done in the background
 * (`SqliteUpkeep.ts`), and until then an answer says how far it has come. Without a search there is no index, and it costs nothing. `seq` is
 * the order of arrival, and a row that is replaced gets a new one, so the greatest `seq` looked at says what is still to be done.
 *
 * Rows leave it when they leave `operations`, for the words of a deleted row must not stay in the file. Taking them out needs the
 * text and costs about a millisecond a row, so a trigger keeps the row in `tokens_gone`, a commit takes out a few, and the upkeep
 * takes out the rest. Until then no search finds it, because matches are read from `operations`.
 *
 * The index is made by the first search and can be dropped at any time. It keeps no text, and is no part of the file's version.
 * It is made anew when its form changes, or the tables of characters do: rows could not leave it otherwise.
 */
import { Effect, Schema, Semaphore } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Kind from "../../core/replica/Kind.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Search from "../../core/replica/Search.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as Query from "../../core/search/SearchQuery.ts"
import * as Tokens from "../../core/search/Tokens.ts"
import * as Searching from "./Searching.ts"
import { pageLength } from "./Sizes.ts"
import * as SqliteRows from "./SqliteRows.ts"
import * as SqliteSelect from "./SqliteSelect.ts"
import * as SqliteError from "./SqliteError.ts"

/** How much one transaction takes in: others wait for it. */
const slice = { operations: 250, bytes: 256 * 1024, atLeastOne: true }

/** Transactions that a search makes itself. */
const slicesOfSearch = 4

/** Rows that may wait to leave the index. When there are more, making it anew takes less time. */
const mostGone = 5_000

const kinds = Kind.searched.map(({ name }) => `'${name}'`).join()

/** The form of the index: it changes with the rules of `core/search`, and with the version of Unicode. */
const form = `1 ${process.versions["unicode"] ?? ""}`

const tables = (schema: "main" | "temp") => [
  // The tokens are cut already. This tokenizer separates them at spaces, and changes nothing.
  `CREATE VIRTUAL TABLE IF NOT EXISTS ${schema}.tokens USING fts5(
    text, content = '', columnsize = 0, tokenize = 'ascii'
  )`,
  `CREATE TABLE IF NOT EXISTS ${schema}.tokens_mark (
    id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, form TEXT NOT NULL
  )`,
  `INSERT OR IGNORE INTO ${schema}.tokens_mark (id, seq, form) VALUES (1, 0, '${form}')`
]

/** Rows that leave: those of a file that is only read do not. */
const leaving = [
  "INSERT INTO tokens (tokens, rank) VALUES ('secure-delete', 1)",
  `CREATE TABLE IF NOT EXISTS tokens_gone (
    seq INTEGER PRIMARY KEY, kind, row_id, origin, wall, counter, op_id, op_type, data, timestamp
  )`,
  `CREATE TRIGGER IF NOT EXISTS tokens_leave AFTER DELETE ON operations
    WHEN OLD.kind IN (${kinds}) AND OLD.op_type <> 'delete' AND OLD.seq <= (SELECT seq FROM tokens_mark)
    BEGIN
      INSERT INTO tokens_gone VALUES (OLD.seq, OLD.kind, OLD.row_id, OLD.origin, OLD.wall, OLD.counter, OLD.op_id,
        OLD.op_type, OLD.data, OLD.timestamp);
    END`
]

/** The indexes of earlier forms: the first kept the words of deleted rows, the second found no parts of words without spaces. */
const earlier = ["search", "search_rows", "search_mark", "words", "words_gone", "words_mark"]

type Transaction = <A, E>(body: (connection: Connection) => Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError>

/**
 * Searches the file that `sql` has open; `transaction` writes to it. Of a file that is only read, an index that is behind is made
 * anew in memory.
 */
export const make = Effect.fnUntraced(function* (
  sql: SqliteClient,
  transaction: Transaction,
  readOnly: boolean,
  made: SqliteSelect.Made
) {
  const indexing = yield* Semaphore.make(1)
  let isMade = false
  let isCurrent = false

  /** Makes the index where there is none that can be used. Gives whether it may take in rows. */
  const prepare = Effect.fnUntraced(function* (isWanted: boolean) {
    if (readOnly ? isMade : isMade && (yield* exists(sql))) return true
    if (readOnly && (isCurrent ||= yield* isComplete(sql))) return false
    if (!readOnly && (yield* exists(sql))) {
      const [mark] = yield* sql`SELECT form FROM tokens_mark`
      isMade = mark?.["form"] === form
      if (isMade) return true
      yield* transaction(drop)
    } else if (!isWanted) return false
    if (readOnly) yield* sql`PRAGMA temp_store = MEMORY`
    const statements = readOnly ? tables("temp") : [...tables("main"), ...leaving]
    yield* transaction((connection) =>
      Effect.forEach(statements, (statement) => connection.execute(statement, [], undefined), { discard: true })
    )
    isMade = true
    return true
  })

  const step = Effect.fnUntraced(function* (isWanted: boolean) {
    return (yield* prepare(isWanted)) && (yield* transaction(indexSlice))
  }, indexing.withPermit)

  const search = Effect.fnUntraced(function* (request: Searching.Request) {
    for (let slices = 0; slices < slicesOfSearch && (yield* step(true)); slices++) yield* Effect.yieldNow
    const waiting = yield* waitingRows(sql)
    const found = yield* find(sql, request, made)
    if (waiting === 0) return { ...found, waiting }
    const hits = [...found.hits, ...(yield* findWaiting(sql, request))].sort(Searching.HitOrder)
    return { hits: hits.slice(0, request.limit), isMore: found.isMore || hits.length > request.limit, waiting }
  })

  const mended = <A, E, R>(use: Effect.Effect<A, E, R>) => (readOnly ? use : mending(transaction, use))
  return {
    search: (request: Searching.Request) => mended(search(request)),
    /** Takes in the next rows. Gives whether there are more. Makes the index where there is none only if it `isWanted`. */
    step: (isWanted: boolean) => mended(step(isWanted)),
    /** Rows that are not indexed, at most; none where there is no index. */
    waiting: Effect.suspend(() =>
      Effect.flatMap(exists(sql), (isThere) => (isThere ? waitingRows(sql) : Effect.succeed(0)))
    )
  }
})

/** How many rows are not indexed, at most. */
const waitingRows = Effect.fnUntraced(function* (sql: SqliteClient) {
  const [{ waiting }] = yield* Effect.orDie(
    decodeWaiting(
      yield* sql`SELECT coalesce((SELECT max(seq) FROM operations), 0) - (SELECT seq FROM tokens_mark) AS waiting`
    )
  )
  return Math.max(0, waiting)
})
const decodeWaiting = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ waiting: Schema.Int })]))

const phraseOf = ({ tokens, isPrefix }: Query.Phrase): string => `"${tokens.join(" ")}"${isPrefix ? " *" : ""}`
const allOf = (phrases: ReadonlyArray<Query.Phrase>): string => `(${phrases.map(phraseOf).join(" AND ")})`

/** A level of a query, as FTS5 reads it. */
const matchOf = ({ all, not }: Query.Level): string =>
  not.length === 0 ? allOf(all) : `${allOf(all)} NOT (${not.map(allOf).join(" OR ")})`

/** Matches that make words frequent: looking for the newest of all of them takes long. */
const frequent = 3_000

/** The newest rows of a kind that are looked at for frequent words. */
const looked = 500

/** What is asked of a level: rows of some kinds that fit to a filter, after a place. */
interface Asked {
  readonly match: string
  readonly kinds: ReadonlyArray<Kind.Definition>
  readonly filter: Selection.Filter
  readonly after: Selection.Place | undefined
  readonly limit: number
  readonly made: SqliteSelect.Made
}

/** The heads of the newest rows that match. */
const newestOf = Effect.fnUntraced(function* (sql: SqliteClient, { match, kinds, filter, after, limit }: Asked) {
  const { tags = [], ...rest } = filter
  const conditions = [
    SqliteSelect.kindCondition(kinds),
    ...SqliteSelect.conditionsOf(rest),
    ...SqliteSelect.tagConditions(tags),
    ...(after === undefined ? [] : [SqliteSelect.after(after)])
  ]
  const rows = yield* sql.unsafe(
    `SELECT ${SqliteSelect.headColumns} FROM tokens CROSS JOIN operations AS o ON o.seq = tokens.rowid
      WHERE tokens MATCH ?${SqliteSelect.textOf(conditions)} ORDER BY ${SqliteSelect.newestFirst} LIMIT ?`,
    [match, ...SqliteSelect.parametersOf(conditions), limit]
  )
  return yield* SqliteSelect.heads(rows)
})

/**
 * The same for frequent words: some of the newest rows have them, most likely. Nothing when the words are rare, or those rows are too
 * few.
 */
const frequentOf = Effect.fnUntraced(function* (sql: SqliteClient, asked: Asked) {
  const { match, kinds, filter, after, limit, made } = asked
  const counted = yield* sql.unsafe("SELECT 1 FROM tokens WHERE tokens MATCH ? LIMIT 1 OFFSET ?", [match, frequent])
  if (counted.length === 0) return undefined
  const candidates: Array<SqliteSelect.Head> = []
  /** Where the rows that were looked at end; among them, none is left out. */
  let end: Selection.Place | undefined
  for (const { name } of kinds) {
    const { text, parameters } = SqliteSelect.statement(name, filter, after, looked, made)
    const heads = yield* SqliteSelect.heads(yield* sql.unsafe(text, parameters))
    candidates.push(...heads)
    const last = heads.at(-1)
    if (heads.length < looked || last === undefined) continue
    const place = SqliteSelect.placeOf(last)
    if (end === undefined || Selection.isAfter(end, place)) end = place
  }
  const seqs = candidates.map(({ seq }) => seq)
  const rows = yield* sql.unsafe("SELECT rowid AS seq FROM tokens WHERE tokens MATCH ? AND rowid BETWEEN ? AND ?", [
    match,
    seqs.reduce((least, seq) => Math.min(least, seq), Number.MAX_SAFE_INTEGER),
    seqs.reduce((most, seq) => Math.max(most, seq), 0)
  ])
  const matches = new Set((yield* Effect.orDie(decodeSeqs(rows))).map(({ seq }) => seq))
  const found = candidates
    .filter(
      (head) => matches.has(head.seq) && (end === undefined || !Selection.isAfter(SqliteSelect.placeOf(head), end))
    )
    .toSorted((a, b) => Selection.PlaceOrder(SqliteSelect.placeOf(a), SqliteSelect.placeOf(b)))
  return end === undefined || found.length >= limit ? found.slice(0, limit) : undefined
})

/** Reads what is indexed, level by level: the heads of rows, and their ranks. */
const matching = Effect.fnUntraced(function* (
  sql: SqliteClient,
  query: Query.Query,
  filter: Selection.Filter,
  place: Selection.Place | undefined,
  limit: number,
  made: SqliteSelect.Made
) {
  const kinds = Selection.kindsOf(filter).filter(({ search }) => search.length > 0)
  const found: Array<{ readonly head: SqliteSelect.Head; readonly rank: number }> = []
  for (const level of Query.levelsOf(query)) {
    if (found.length >= limit) break
    if (place !== undefined && place.rank < level.rank) continue
    const asked = {
      match: matchOf(level),
      kinds,
      filter,
      after: place?.rank === level.rank ? place : undefined,
      limit: limit - found.length,
      made
    }
    const heads = (yield* frequentOf(sql, asked)) ?? (yield* newestOf(sql, asked))
    for (const head of heads) found.push({ head, rank: level.rank })
  }
  return found
})

/** Finds what is indexed. */
const find = Effect.fnUntraced(function* (
  sql: SqliteClient,
  { query, filter, after, limit }: Searching.Request,
  made: SqliteSelect.Made
) {
  const fits = Selection.matcher(filter)
  const asked = SqliteSelect.askedOf(filter, made)
  let place = after
  for (;;) {
    const found = yield* matching(sql, query, asked, place, limit + 1, made)
    const rows = yield* SqliteSelect.read(
      sql,
      found.slice(0, limit).map(({ head }) => head)
    )
    const hits = rows.flatMap(({ operation }, index): ReadonlyArray<Searching.Hit> => {
      const rank = found[index]?.rank ?? Query.ranks.none
      return operation !== undefined && fits(operation) ? [{ operation, rank }] : []
    })
    const isMore = found.length > rows.length
    const last = found[rows.length - 1]
    if (hits.length > 0 || !isMore || last === undefined) return { hits, isMore }
    // None of these fits, after all.
    place = SqliteSelect.placeOf(last.head, last.rank)
  }
})

/** Rows that came last are found before they are indexed, so many of them: what was just written is there. */
const newest = 100

const findWaiting = Effect.fnUntraced(function* (sql: SqliteClient, { query, filter, after }: Searching.Request) {
  const fits = Selection.matcher(filter)
  const heads = yield* SqliteSelect.heads(
    yield* sql.unsafe(
      `SELECT ${SqliteSelect.headColumns} FROM operations AS o NOT INDEXED
        WHERE o.seq > (SELECT seq FROM tokens_mark) AND o.kind IN (${kinds}) ORDER BY o.seq DESC LIMIT ?`,
      [newest]
    )
  )
  return (yield* SqliteSelect.read(sql, heads)).flatMap(({ operation }): ReadonlyArray<Searching.Hit> => {
    const hit = operation !== undefined && fits(operation) ? Searching.hitOf(operation, query, after) : undefined
    return hit === undefined ? [] : [hit]
  })
})

/**
 * Runs a statement with the index. If the index is damaged, it is rebuilt and the statement runs once more; the rows
 * are not affected.
 */
export const mending = <A, E, R>(transaction: Transaction, use: Effect.Effect<A, E, R>) =>
  Effect.catchIf(use, SqliteError.isOfIndex, () => Effect.andThen(transaction(drop), use))

/** Whether the file has an index. */
const exists = (sql: SqliteClient) =>
  Effect.map(sql`SELECT 1 FROM sqlite_schema WHERE name = 'tokens_gone'`, (found) => found.length > 0)

/** Whether a file has an index of an earlier form. */
export const hasEarlier = (sql: SqliteClient) =>
  Effect.map(
    sql`SELECT 1 FROM sqlite_schema WHERE name IN ('search_mark', 'words_mark') LIMIT 1`,
    (found) => found.length > 0
  )

/** Drops an index of an earlier form. */
export const dropEarlier = (connection: Connection) =>
  Effect.forEach(
    ["DROP TRIGGER IF EXISTS words_leave", ...earlier.map((table) => `DROP TABLE IF EXISTS ${table}`)],
    (statement) => connection.execute(statement, [], undefined),
    { discard: true }
  )

/** Drops the index. */
export const drop = (connection: Connection) =>
  Effect.forEach(
    [
      "DROP TRIGGER IF EXISTS tokens_leave",
      "DROP TABLE IF EXISTS tokens_gone",
      "DROP TABLE IF EXISTS tokens_mark",
      "DROP TABLE IF EXISTS tokens"
    ],
    (statement) => connection.execute(statement, [], undefined),
    { discard: true }
  )

/** Takes up to `limit` of the rows that are gone out of the index. Gives whether there are more. */
export const takeOut = Effect.fnUntraced(function* (connection: Connection, limit: number) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  if ((yield* run("SELECT 1 FROM sqlite_schema WHERE name = 'tokens_gone'", [])).length === 0) return false
  const [waiting] = yield* Effect.orDie(decodeCount(yield* run("SELECT count(*) AS count FROM tokens_gone", [])))
  const rows = yield* run("SELECT * FROM tokens_gone ORDER BY seq LIMIT ?", [limit])
  const last = rows.at(-1)
  if (last === undefined) return false
  const [mark] = yield* run("SELECT form FROM tokens_mark", [])
  if (waiting.count > mostGone || mark?.["form"] !== form) {
    yield* drop(connection)
    return false
  }
  for (const [index, operation] of (yield* SqliteRows.operations(rows)).entries()) {
    const text = indexedOf(operation)
    if (text === undefined) continue
    yield* run("INSERT INTO tokens (tokens, rowid, text) VALUES ('delete', ?, ?)", [rows[index]?.["seq"], text])
  }
  yield* run("DELETE FROM tokens_gone WHERE seq <= ?", [last["seq"]])
  return waiting.count > rows.length
})

const decodeCount = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ count: Schema.Natural })]))

/** The indexed text of an operation: its tokens. A row leaves the index by the same text. */
const indexedOf = (operation: Operation): string | undefined => {
  const text = Search.textOf(operation)
  return text === undefined ? undefined : Tokens.of(text).join(" ")
}

/** Whether the index in the file has everything. */
const isComplete = Effect.fnUntraced(function* (sql: SqliteClient) {
  const made = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'tokens_mark'`
  if (made.length === 0) return false
  const [mark] = yield* sql`SELECT form FROM tokens_mark`
  return mark?.["form"] === form && (yield* waitingRows(sql)) === 0
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
          WHERE seq > (SELECT seq FROM tokens_mark) ORDER BY seq LIMIT ?`,
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
    `SELECT * FROM operations NOT INDEXED
      WHERE seq > (SELECT seq FROM tokens_mark) AND seq <= ? AND kind IN (${kinds}) ORDER BY seq`,
    [last.seq]
  )
  const operations = yield* SqliteRows.operations(rows)
  const seqs = yield* Effect.orDie(decodeSeqs(rows))
  const entries = operations.flatMap((operation, index) => {
    const text = indexedOf(operation)
    return text === undefined ? [] : [[seqs[index]?.seq, text]]
  })
  yield* run(`INSERT INTO tokens (rowid, text) SELECT value ->> 0, value ->> 1 FROM json_each(?)`, [
    JSON.stringify(entries)
  ])
  yield* run(`UPDATE tokens_mark SET seq = ?`, [last.seq])
  return length < sizes.length || sizes.length === slice.operations
})

const decodeSizes = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ seq: Schema.Natural, size: Schema.Natural }))
)
const decodeSeqs = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ seq: Schema.Natural })))
