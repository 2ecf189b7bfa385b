/**
 * The rows of declared kinds of applications, as they are shown (`core/replica/Query.ts`), in the table `own_rows`.
 *
 * A row may be made of many operations, so it is put together when one of them is written, in the same transaction.
 * `declared` has the kinds for which that is done: those that an application has ever declared here. Each has a view
 * for people with `sqlite3`. They are read by `SqliteOwnReads.ts`.
 */
import { Effect, Option, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { canonical, emptyObject } from "../../core/replica/Json.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { maxDataDepth, type Operation } from "../../core/replica/Operation.ts"
import * as Query from "../../core/replica/Query.ts"
import * as Opaque from "./Opaque.ts"
import { envelopeBytes } from "./Sizes.ts"
import * as SqliteRows from "./SqliteRows.ts"

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

/** A text, and a name, as they stand in a statement. */
export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
export const name = (value: string): string => `"${value.replaceAll('"', '""')}"`

/** Where a field is in `data`; none where SQLite cannot name it. */
export const pathOf = (field: string): string | undefined => (field.includes('"') ? undefined : text(`$."${field}"`))

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
  const shown = [...byRow.values()].flatMap((current) => {
    const row = Query.shownOf(current)
    if (row === undefined) return []
    const { id, value, hlc } = row
    const data = Option.getOrElse(canonical(value, maxDataDepth + 2), () => emptyObject)
    return [[current[0]?.table, id, data, hlc.node, hlc.wall, hlc.counter]]
  })
  if (shown.length === 0) return
  yield* run(
    `INSERT INTO own_rows (kind, row_id, data, origin, wall, counter)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?)`,
    [JSON.stringify(shown)]
  )
})

const decodeUsage = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ origin: NodeId, bytes: Schema.Natural })))

/** The bytes of all rows of some kinds, by origin. */
export const usageOf = Effect.fnUntraced(function* (sql: SqlClient, kinds: ReadonlyArray<string>) {
  const rows = yield* decodeUsage(
    yield* sql`SELECT origin, sum(${envelopeBytes} + octet_length(op_id) + octet_length(row_id) + octet_length(data)) AS bytes
      FROM operations WHERE kind IN (SELECT value FROM json_each(${JSON.stringify(kinds)})) GROUP BY origin`
  )
  return rows.reduce((usage, { origin, bytes }) => Opaque.withBytes(usage, origin, bytes), Opaque.nothing)
})

const decodeCounts = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ kind: Schema.String, rows: Schema.Natural }))
)

/** How many rows there are of each declared kind that has some. */
export const counts = (sql: SqlClient) =>
  sql`SELECT kind, count(*) AS rows FROM own_rows GROUP BY kind`.pipe(
    Effect.flatMap(decodeCounts),
    Effect.map((found) => new Map(found.map(({ kind, rows }) => [kind, rows])))
  )
