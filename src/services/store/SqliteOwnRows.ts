/**
 * The rows of declared kinds of applications, as they are shown (`core/replica/Query.ts`), in the table `own_rows`.
 *
 * A row may be made of many operations, so it is put together when one of them is written, in the same transaction. `declared` has the
 * kinds for which that is done: those that an application has ever declared here. Each has a view for people with `sqlite3`.
 *
 * An index of a field is made by the first query with that field: without queries it costs nothing.
 */
import { Effect, Option, Schema } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { canonical, CanonicalJson, emptyObject } from "../../core/replica/Json.ts"
import { byCodePoint, NodeId } from "../../core/replica/NodeId.ts"
import { contentOf, maxDataDepth, type Operation } from "../../core/replica/Operation.ts"
import * as Query from "../../core/replica/Query.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as SearchQuery from "../../core/search/SearchQuery.ts"
import * as Opaque from "./Opaque.ts"
import { envelopeBytes } from "./Sizes.ts"
import * as Searching from "./Searching.ts"
import * as SqliteRows from "./SqliteRows.ts"
import * as SqliteWords from "./SqliteWords.ts"

export const tables = [
  "CREATE TABLE declared (kind TEXT PRIMARY KEY, columns TEXT NOT NULL) WITHOUT ROWID",
  `CREATE TABLE own_rows (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    row_id TEXT NOT NULL,
    data TEXT NOT NULL,
    origin TEXT NOT NULL,
    wall INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    UNIQUE (kind, row_id)
  )`
]

/** Rows that are put together at once. */
const page = 500

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
const name = (value: string): string => `"${value.replaceAll('"', '""')}"`

/** Where a field is in `data`; none where SQLite cannot name it. */
const pathOf = (field: string): string | undefined => (field.includes('"') ? undefined : text(`$."${field}"`))

const Names = Schema.fromJsonString(Schema.Array(Schema.String))
const decodeDeclared = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ kind: Schema.String, columns: Names })))

/** The declared kinds of a file; none in an old one that is only read. */
export const declared = (sql: SqlClient) =>
  Effect.gen(function* () {
    const found = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'declared'`
    if (found.length === 0) return Opaque.noKinds
    return yield* declaredIn((statement) => sql.unsafe(statement), "declared")
  })

/** The kinds in the table of a file. */
export const declaredIn = Effect.fnUntraced(function* (
  read: (statement: string) => Effect.Effect<ReadonlyArray<unknown>, SqlError>,
  table: string
) {
  const rows = yield* decodeDeclared(yield* read(`SELECT kind, columns FROM ${table}`))
  return new Map(rows.map(({ kind, columns }) => [kind, columns]))
})

/** The statement that makes the view of a kind. */
const viewOf = (kind: string, columns: ReadonlyArray<string>): string => {
  const shown = columns.flatMap((column) => {
    const path = pathOf(column)
    return path === undefined ? [] : [`json_extract(data, ${path}) AS ${name(column)}`]
  })
  const all = ["row_id AS id", ...shown, "wall / 1000.0 AS updated_at", "origin AS origin_node"]
  return `CREATE VIEW ${name(kind)} AS SELECT ${all.join(", ")}, wall || ':' || counter || ':' || origin AS hlc
    FROM own_rows WHERE kind = ${text(kind)}`
}

/** Takes up the kinds that are new in `after`, and lets go of those that are gone. */
export const declare = Effect.fnUntraced(function* (
  connection: Connection,
  before: Opaque.Declared,
  after: Opaque.Declared
) {
  const run = (statement: string, parameters: ReadonlyArray<unknown> = []) =>
    connection.execute(statement, parameters, undefined)
  for (const kind of new Set([...before.keys(), ...after.keys()])) {
    const columns = after.get(kind)
    yield* run(`DROP VIEW IF EXISTS ${name(kind)}`)
    yield* run("DELETE FROM declared WHERE kind = ?", [kind])
    if (columns === undefined) {
      yield* run("DELETE FROM own_rows WHERE kind = ?", [kind])
      continue
    }
    yield* run("INSERT INTO declared (kind, columns) VALUES (?, ?)", [kind, JSON.stringify(columns)])
    yield* run(viewOf(kind, columns))
    if (!before.has(kind)) yield* fill(connection, kind)
  }
})

/** Puts all rows of a kind together. */
const fill = Effect.fnUntraced(function* (connection: Connection, kind: string) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  for (let after = ""; ;) {
    const ids = yield* Effect.orDie(
      decodeIds(
        yield* run("SELECT DISTINCT row_id FROM operations WHERE kind = ? AND row_id > ? ORDER BY row_id LIMIT ?", [
          kind,
          after,
          page
        ])
      )
    )
    const last = ids.at(-1)
    if (last === undefined) return
    yield* put(
      connection,
      ids.map(({ row_id }) => [kind, row_id] as const)
    )
    after = last.row_id
  }
})

const decodeIds = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ row_id: Schema.String })))

/** Puts the rows of some operations together, as far as their kinds are declared. */
export const refresh = Effect.fnUntraced(function* (
  connection: Connection,
  kinds: Opaque.Declared,
  operations: ReadonlyArray<Operation>
) {
  if (kinds.size === 0) return
  const rows = new Map(
    operations.flatMap(({ table, row_id }) =>
      kinds.has(table) ? [[`${table}\0${row_id}`, [table, row_id] as const] as const] : []
    )
  )
  const all = [...rows.values()]
  for (let start = 0; start < all.length; start += page) yield* put(connection, all.slice(start, start + page))
})

/** Puts rows together, by kind and id. */
const put = Effect.fnUntraced(function* (
  connection: Connection,
  rows: ReadonlyArray<readonly [kind: string, id: string]>
) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  const operations = yield* SqliteRows.operations(
    yield* run(
      `SELECT o.* FROM json_each(?) AS row CROSS JOIN operations AS o
        ON o.kind = row.value ->> 0 AND o.row_id = row.value ->> 1`,
      [JSON.stringify(rows)]
    )
  )
  yield* run(
    `DELETE FROM own_rows WHERE seq IN (SELECT own.seq FROM json_each(?) AS row CROSS JOIN own_rows AS own
      ON own.kind = row.value ->> 0 AND own.row_id = row.value ->> 1)`,
    [JSON.stringify(rows)]
  )
  const byRow = Map.groupBy(operations, ({ table, row_id }) => `${table}\0${row_id}`)
  const shown = [...byRow.values()].flatMap((held) => {
    const row = Query.shownOf(held)
    if (row === undefined) return []
    const { id, value, hlc } = row
    const data = Option.getOrElse(canonical(value, maxDataDepth + 2), () => emptyObject)
    return [[held[0]?.table, id, data, hlc.node, hlc.wall, hlc.counter]]
  })
  if (shown.length === 0) return
  yield* run(
    `INSERT INTO own_rows (kind, row_id, data, origin, wall, counter)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?)`,
    [JSON.stringify(shown)]
  )
})

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

const indexOf = (kind: string, field = ""): string => `${kind}.${field}`

type Transaction = <A, E>(body: (connection: Connection) => Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError>

/** Rows that are read at once to look for words in them. */
const looked = 100

/** Reads rows of the file that `sql` has open. */
export const make = (sql: SqliteClient, transaction: Transaction, readOnly: boolean, words: SqliteWords.Words) => {
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

  /** What the rows of a kind match that may have the words, as the index knows; none where they are so many that it is of no help. */
  const matchOf = Effect.fnUntraced(function* (kind: string, { query }: Searching.Words) {
    if ((yield* words.update) > SqliteWords.frequent) return undefined
    const ofKind = { tokens: [SqliteWords.kindToken(kind)], isPrefix: false }
    const match = SqliteWords.allOf([ofKind, ...SearchQuery.beginnings(query)])
    return (yield* SqliteWords.isFrequent(sql, SqliteWords.ownRows, match)) ? undefined : match
  })

  /** The order of a request, what comes after its start, and the index that has it, if there is one. */
  const orderOf = (kind: string, { where, after, newest }: Query.RowsRequest) => {
    if (newest !== undefined) {
      const place = newest.after
      // Of rows with one HLC, those of lesser kinds come later.
      const comparison = place !== undefined && byCodePoint(kind, place.table) < 0 ? "<=" : "<"
      return {
        by: newestFirst.map((column) => `${column} DESC`).join(", "),
        parts:
          place === undefined
            ? []
            : place.table === kind
              ? ["(wall, counter, origin, row_id) < (?, ?, ?, ?)"]
              : [`(wall, counter, origin) ${comparison} (?, ?, ?)`],
        parameters:
          place === undefined
            ? []
            : [place.hlc.wall, place.hlc.counter, place.hlc.node, ...(place.table === kind ? [place.row_id] : [])],
        index: newestIndex
      }
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
      found.push(...rows.filter((row) => Searching.isWanted(request, row)).slice(0, left))
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

const decodeUsage = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ origin: NodeId, bytes: Schema.Natural })))

/** The bytes of all rows of some kinds, by origin. */
export const usageOf = Effect.fnUntraced(function* (sql: SqlClient, kinds: ReadonlyArray<string>) {
  const rows = yield* decodeUsage(
    yield* sql`SELECT origin, sum(${envelopeBytes} + octet_length(op_id) + octet_length(row_id) + octet_length(data)) AS bytes
      FROM operations WHERE kind IN (SELECT value FROM json_each(${JSON.stringify(kinds)})) GROUP BY origin`
  )
  return rows.reduce((usage, { origin, bytes }) => Opaque.withBytes(usage, origin, bytes), Opaque.nothing)
})
