/**
 * Searches of the built-in kinds in `sync.db`, over their index of words (`SqliteWords.ts`). While rows are not
 * indexed, an answer says how far the index has come.
 */
import { Effect } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { Connection } from "effect/sql/SqlConnection"
import type * as Kind from "../../core/replica/Kind.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as Query from "../../core/search/SearchQuery.ts"
import * as Searching from "./Searching.ts"
import * as SqliteSelect from "./SqliteSelect.ts"
import * as SqliteWords from "./SqliteWords.ts"
import * as WordSources from "./WordSources.ts"

/**
 * The indexes of earlier forms: the first kept the words of deleted rows, the second found no parts of words without
 * spaces.
 */
const earlier = ["search", "search_rows", "search_mark", "words", "words_gone", "words_mark"]

/** Searches the file that `sql` has open, with its index. */
export const make = (sql: SqliteClient, words: SqliteWords.Words, made: SqliteSelect.Made) => {
  const search = Effect.fnUntraced(function* (request: Searching.Request) {
    const waiting = yield* words.update
    const found = yield* find(sql, request, made)
    if (waiting === 0) return { ...found, waiting }
    const hits = [...found.hits, ...(yield* findWaiting(sql, request))].sort(Searching.HitOrder)
    return { hits: hits.slice(0, request.limit), isMore: found.isMore || hits.length > request.limit, waiting }
  })
  return (request: Searching.Request) => words.mended(search(request))
}

/** A level of a query, as FTS5 reads it. */
const matchOf = ({ all, not }: Query.Level): string =>
  not.length === 0
    ? SqliteWords.allOf(all)
    : `${SqliteWords.allOf(all)} NOT (${not.map(SqliteWords.allOf).join(" OR ")})`

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
 * The same for frequent words: some of the newest rows have them, most likely. Nothing when the words are rare, or
 * those rows are too few.
 */
const frequentOf = Effect.fnUntraced(function* (sql: SqliteClient, asked: Asked) {
  const { match, kinds, filter, after, limit, made } = asked
  if (!(yield* SqliteWords.isFrequent(sql, WordSources.operations, match))) return undefined
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
  const matches = new Set((yield* Effect.orDie(SqliteWords.decodeSeqs(rows))).map(({ seq }) => seq))
  const found = candidates
    .filter(
      (head) => matches.has(head.seq) && (end === undefined || !Selection.isAfter(SqliteSelect.placeOf(head), end))
    )
    .toSorted((a, b) => Selection.PlaceOrder(SqliteSelect.placeOf(a), SqliteSelect.placeOf(b)))
  return end === undefined || found.length >= limit ? found.slice(0, limit) : undefined
})

/** What is searched for, and from where on. */
interface Wanted {
  readonly query: Query.Query
  readonly filter: Selection.Filter
  readonly place: Selection.Place | undefined
  readonly limit: number
  readonly made: SqliteSelect.Made
}

/** Reads what is indexed, level by level: the heads of rows, and their ranks. */
const matching = Effect.fnUntraced(function* (sql: SqliteClient, { query, filter, place, limit, made }: Wanted) {
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
    const found = yield* matching(sql, { query, filter: asked, place, limit: limit + 1, made })
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
        WHERE o.seq > (SELECT seq FROM tokens_mark) AND ${WordSources.operations.hasWords} ORDER BY o.seq DESC LIMIT ?`,
      [newest]
    )
  )
  return (yield* SqliteSelect.read(sql, heads)).flatMap(({ operation }): ReadonlyArray<Searching.Hit> => {
    const hit = operation !== undefined && fits(operation) ? Searching.hitOf(operation, query, after) : undefined
    return hit === undefined ? [] : [hit]
  })
})

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
