/**
 * Reads of the rows of declared kinds of applications: by their fields, by words, and the newest first.
 *
 * An index of a field is made by the first query with that field, that of the newest rows and that of words in the same
 * way: without queries they cost nothing.
 */
import { Effect, Schema } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import { CanonicalJson } from "../../core/replica/Json.ts"
import { byCodePoint, NodeId } from "../../core/replica/NodeId.ts"
import { contentOf } from "../../core/replica/Operation.ts"
import * as Query from "../../core/replica/Query.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as SearchQuery from "../../core/search/SearchQuery.ts"
import * as Searching from "./Searching.ts"
import { name, pathOf, text } from "./SqliteOwnRows.ts"
import * as SqliteWords from "./SqliteWords.ts"
import * as WordSources from "./WordSources.ts"

const OwnRow = Schema.Struct({
  row_id: Schema.String,
  data: CanonicalJson,
  origin: NodeId,
  wall: Schema.Natural,
  counter: Schema.Natural
})
const decodeRows = Schema.decodeUnknownEffect(Schema.Array(OwnRow))

/** The key of a field (`Query.keyOf`), as SQLite computes it. */
const keyIn = (path: string): string =>
  `CASE json_type(data, ${path}) WHEN 'text' THEN substr(json_extract(data, ${path}), 1, ${Query.keyLength}) ` +
  `WHEN 'object' THEN NULL WHEN 'array' THEN NULL ELSE json_extract(data, ${path}) END`

/** Which rows may meet the conditions: all that do, and few others. */
const soughtBy = (where: ReadonlyArray<Query.Condition>) => {
  const parts: Array<string> = []
  const parameters: Array<Query.Key> = []
  const add = (path: string, comparison: string, value: string | number) => {
    parts.push(`${keyIn(path)} ${comparison} ?`)
    parameters.push(Query.keyOf(value))
  }
  for (const condition of where) {
    const path = pathOf(condition.field)
    if (path === undefined) continue
    if (!("equals" in condition)) {
      if (condition.from !== undefined) add(path, ">=", condition.from)
      if (condition.to !== undefined) add(path, "<=", condition.to)
    } else if (condition.equals === null) parts.push(`${keyIn(path)} IS NULL`)
    else add(path, "=", typeof condition.equals === "boolean" ? Number(condition.equals) : condition.equals)
  }
  return { parts, parameters }
}

/** The rows that match, as the index knows, and those that it does not know yet. The others are not looked at. */
const candidates = `(SELECT rowid AS found FROM own_tokens WHERE own_tokens MATCH ?
  UNION SELECT seq FROM own_rows WHERE seq > (SELECT seq FROM own_tokens_mark)) CROSS JOIN own_rows ON seq = found`

/** What a statement says of the last write of rows. */
const writtenBy = (written: Query.Written) => {
  const [from, to] = Selection.boundsOf(written)
  const conditions: ReadonlyArray<readonly [string, string | number]> = [
    ...(from > 0 ? [["wall >= ?", from] as const] : []),
    ...(to < Infinity ? [["wall < ?", to] as const] : []),
    ...(written.origin === undefined ? [] : [["origin = ?", written.origin] as const])
  ]
  return { parts: conditions.map(([part]) => part), parameters: conditions.map(([, value]) => value) }
}

/** The columns of the order in which the newest rows come first, and their index. */
const newestFirst = ["wall", "counter", "origin", "row_id"]
const newestIndex = "own_rows_newest"

/** What a statement says of the rows of a kind that come after a place, among the newest of all kinds. */
const olderThan = (kind: string, place: Selection.Place | undefined) => {
  if (place === undefined) return { parts: [], parameters: [] }
  const { hlc, table, row_id } = place
  const parameters = [hlc.wall, hlc.counter, hlc.node]
  if (table === kind) {
    return { parts: ["(wall, counter, origin, row_id) < (?, ?, ?, ?)"], parameters: [...parameters, row_id] }
  }
  // Of rows with one HLC, those of lesser kinds come later.
  const comparison = byCodePoint(kind, table) < 0 ? "<=" : "<"
  return { parts: [`(wall, counter, origin) ${comparison} (?, ?, ?)`], parameters }
}

const indexOf = (kind: string, field = ""): string => `${kind}.${field}`

/** Rows that are read at once to look for words in them. */
const looked = 100

/** Reads rows of the file that `sql` has open. */
export const make = (
  sql: SqliteClient,
  transaction: SqliteWords.Transaction,
  readOnly: boolean,
  words: SqliteWords.Words
) => {
  const indexed = new Set<string>()

  /** Makes an index where there is none yet. */
  const index = Effect.fnUntraced(function* (wanted: string, columns: string, condition = "") {
    if (readOnly || indexed.has(wanted)) return
    yield* transaction((connection) =>
      connection.execute(
        `CREATE INDEX IF NOT EXISTS ${name(wanted)} ON own_rows (${columns}) ${condition}`,
        [],
        undefined
      )
    )
    indexed.add(wanted)
  })

  /**
   * What the rows of a kind match that may have the words, as the index knows; none where they are so many that it is
   * of no help.
   */
  const matchOf = Effect.fnUntraced(function* (kind: string, { query }: Searching.Words) {
    if ((yield* words.update) > SqliteWords.frequent) return undefined
    const ofKind = { tokens: [WordSources.kindToken(kind)], isPrefix: false }
    const match = SqliteWords.allOf([ofKind, ...SearchQuery.beginnings(query)])
    return (yield* SqliteWords.isFrequent(sql, WordSources.ownRows, match)) ? undefined : match
  })

  /** The order of a request, what comes after its start, and the index that has it, if there is one. */
  const orderOf = (kind: string, { where, after, newest }: Query.RowsRequest) => {
    if (newest !== undefined) {
      const by = newestFirst.map((column) => `${column} DESC`).join(", ")
      return { by, ...olderThan(kind, newest.after), index: newestIndex }
    }
    const ordered = Query.orderedBy(where)
    const path = ordered === undefined ? undefined : pathOf(ordered)
    const columns = path === undefined ? "row_id" : `${keyIn(path)}, row_id`
    return {
      by: columns,
      parts: after === undefined ? [] : [path === undefined ? "row_id > ?" : `(${columns}) > (?, ?)`],
      parameters: after === undefined ? [] : path === undefined ? [after.id] : [after.key, after.id],
      index: path === undefined || where.some((one) => "equals" in one) ? undefined : indexOf(kind, ordered)
    }
  }

  const read = Effect.fnUntraced(function* (kind: string, match: string | undefined, request: Query.RowsRequest) {
    const sought = soughtBy(request.where)
    const time = writtenBy(request.written ?? {})
    const order = orderOf(kind, request)
    // SQLite would rather read and sort all rows of the kind than follow the order of an index.
    const by = order.index !== undefined && indexed.has(order.index) ? ` INDEXED BY ${name(order.index)}` : ""
    const rows = yield* decodeRows(
      yield* sql.unsafe(
        `SELECT row_id, data, origin, wall, counter FROM ${match === undefined ? `own_rows${by}` : candidates}
          WHERE ${[`kind = ${text(kind)}`, ...sought.parts, ...time.parts, ...order.parts].join(" AND ")}
          ORDER BY ${order.by} LIMIT ?`,
        [
          ...(match === undefined ? [] : [match]),
          ...sought.parameters,
          ...time.parameters,
          ...order.parameters,
          request.limit
        ]
      )
    )
    return rows.map(({ row_id: id, data, origin: node, wall, counter }): Query.Shown => ({
      id,
      value: contentOf({ data }),
      hlc: { wall, counter, node }
    }))
  })

  const rowsOf = Effect.fnUntraced(function* (kind: string, request: Searching.RowsRequest) {
    const { words, limit } = request
    const match = words === undefined ? undefined : yield* matchOf(kind, words)
    const found: Array<Query.Shown> = []
    for (let start: Query.Start = request; ;) {
      const left = limit - found.length
      if (left <= 0) return found
      const wanted = words === undefined ? left : Math.max(left, looked)
      const rows: ReadonlyArray<Query.Shown> = yield* read(kind, match, { ...request, ...start, limit: wanted })
      found.push(...rows.filter((row) => Searching.isRequested(request, row)).slice(0, left))
      const last = rows.at(-1)
      if (last === undefined || rows.length < wanted) return found
      start = Query.startAfter(kind, request, last)
      // It may take long, and others read and write in between.
      if (words !== undefined) yield* Effect.yieldNow
    }
  })

  return Effect.fnUntraced(function* (kind: string, request: Searching.RowsRequest) {
    for (const { field } of request.where) {
      const path = pathOf(field)
      if (path !== undefined) yield* index(indexOf(kind, field), `${keyIn(path)}, row_id`, `WHERE kind = ${text(kind)}`)
    }
    if (request.newest !== undefined) yield* index(newestIndex, `kind, ${newestFirst.join(", ")}`)
    if (request.words !== undefined && SearchQuery.isEmpty(request.words.query)) return []
    return yield* words.mended(rowsOf(kind, request))
  })
}
