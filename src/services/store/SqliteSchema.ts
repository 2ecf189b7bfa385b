/**
 * The tables of `sync.db`, and how an older file becomes a current one.
 *
 * `operations` is the state and the log in one: the winning operation of each slot. A row that is replaced gets a new
 * `seq`, so that `seq` is the order of arrival, which the change feed follows. `clock` holds, for each origin, what the
 * store claims and the greatest reading that it ever took. The greatest of all these is the high-water mark of the
 * node's own clock. `clock` also holds the number and digest of the rows of each origin, and the bytes of those whose
 * kind is unknown here. `purged` is what was removed by hand. `declared` and `own_rows` are of kinds of applications
 * (`SqliteOwnRows.ts`). `meta` is one row. The views are for people with `sqlite3`: they show what
 * `core/replica/Row.ts` reads, with the same defaults.
 *
 * The version of a file is its `user_version`: the number of migrations it has had. Migrations are only ever added.
 */
import { Effect, Schema } from "effect"
import { CanonicalJson, wellFormedText } from "../../core/replica/Json.ts"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type * as Column from "../../core/replica/Column.ts"
import * as Kind from "../../core/replica/Kind.ts"
import { byCodePoint } from "../../core/replica/NodeId.ts"
import { envelopeBytes } from "./Sizes.ts"
import * as SqliteCut from "./SqliteCut.ts"
import * as SqliteFeed from "./SqliteFeed.ts"
import * as SqliteOwnRows from "./SqliteOwnRows.ts"

/** A column of a view. What it takes of SQLite is in every release since 3.9, so that old tools can open the file. */
const columnOf = ([key, { stored, byDefault }]: [string, Column.Columns[string]]): string => {
  const type = `json_type(data, '$.${key}')`
  const value = `json_extract(data, '$.${key}')`
  const otherwise = JSON.stringify(byDefault)
  switch (stored) {
    case "text":
      return `CASE ${type} WHEN 'text' THEN ${value} ELSE ${quoted(String(byDefault))} END AS ${key}`
    case "json":
      // The JSON itself is taken too.
      return `CASE WHEN ${type} IN ('text', 'array', 'object') THEN ${value} ELSE ${quoted(otherwise)} END AS ${key}`
    case "number":
    case "real":
      return numberOr(key, stored === "real" && Number.isInteger(byDefault) ? `${otherwise}.0` : otherwise)
    case "any":
      return `${value} AS ${key}`
  }
}

const numberOr = (key: string, otherwise: string): string =>
  `CASE WHEN json_type(data, '$.${key}') IN ('integer', 'real') THEN json_extract(data, '$.${key}') ELSE ${otherwise} END AS ${key}`

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const shownRows =
  "(SELECT kind, row_id, origin, wall, counter, op_type, timestamp, coalesce(shown, data) AS data FROM operations)"

/** The statement that makes the view of a kind. */
const viewOf = ({ name, columns }: Kind.Definition, rows = shownRows): string =>
  `CREATE VIEW ${name} AS SELECT row_id AS id, ` +
  `${Object.entries(columns).map(columnOf).join(", ")}, ` +
  `${numberOr("created_at", "timestamp")}, wall / 1000.0 AS updated_at, origin AS origin_node, ` +
  `wall || ':' || counter || ':' || origin AS hlc FROM ${rows} WHERE kind = '${name}' AND op_type <> 'delete'`

const countColumn = (name: string): string => `${name} INTEGER NOT NULL DEFAULT 0`

const first = [
  `CREATE TABLE operations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    row_id TEXT NOT NULL,
    twin TEXT NOT NULL DEFAULT '',
    origin TEXT NOT NULL,
    wall INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    op_id TEXT NOT NULL,
    op_type TEXT NOT NULL,
    data TEXT NOT NULL,
    timestamp REAL NOT NULL,
    UNIQUE (kind, row_id, twin)
  )`,
  `CREATE INDEX operations_by_origin ON operations (origin, wall, counter)`,
  `CREATE TABLE clock (
    origin TEXT PRIMARY KEY,
    wall INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    top_wall INTEGER NOT NULL,
    top_counter INTEGER NOT NULL
  ) WITHOUT ROWID`,
  `CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    node_id TEXT NOT NULL,
    digest_high INTEGER NOT NULL DEFAULT 0,
    digest_low INTEGER NOT NULL DEFAULT 0,
    ${Kind.countNames.map(countColumn).join(",\n    ")}
  )`,
  `CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    peer TEXT NOT NULL,
    reason TEXT NOT NULL,
    text TEXT NOT NULL
  )`,
  ...Kind.all.map((kind) => viewOf(kind, "operations"))
]

/** The sums of each origin. `SqliteFile.ts` computes them when a file gets these columns. */
const holdings = ["rows", "high", "low"].map(
  (name) => `ALTER TABLE clock ADD COLUMN held_${name} INTEGER NOT NULL DEFAULT 0`
)

/** The first version whose files know what they hold of each origin. */
export const withHoldings = 2

/**
 * `shown` is for the few rows whose data contains half a surrogate pair: the same data, with U+FFFD in its place.
 * SQLite would return such a text as bytes that are not UTF-8. A reader like Python's would then fail for every row of
 * the view.
 */
const shownData = [
  `ALTER TABLE operations ADD COLUMN shown TEXT`,
  ...Kind.names.map((kind) => `DROP VIEW IF EXISTS ${kind}`),
  ...Kind.all.map((kind) => viewOf(kind))
]

/** The bytes of rows of unknown kinds by origin, and the purges. A purge of all kinds has the kind ''. */
const quota = [
  `ALTER TABLE clock ADD COLUMN opaque_bytes INTEGER NOT NULL DEFAULT 0`,
  `CREATE TABLE purged (
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    wall INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    held_rows INTEGER NOT NULL,
    held_bytes INTEGER NOT NULL,
    held_high INTEGER NOT NULL,
    held_low INTEGER NOT NULL,
    PRIMARY KEY (run, kind, origin)
  ) WITHOUT ROWID`
]

/** Kinds of applications, and the rules by which the rows of a file were merged (`SqliteResettle.ts`). */
const applications = [
  "ALTER TABLE meta ADD COLUMN known TEXT NOT NULL DEFAULT ''",
  "ALTER TABLE meta ADD COLUMN of_applications INTEGER NOT NULL DEFAULT 0",
  ...SqliteOwnRows.tables
]

const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  first,
  holdings,
  shownData,
  quota,
  SqliteCut.columns,
  SqliteFeed.columns,
  applications
]

/** The first version whose views show well-formed text. */
const withShown = 3

/** The first version whose files know what rows of unknown kinds take. */
const withOpaque = 4

/** The purges of a file; none from an old file that is only read. */
export const purged = (sql: SqlClient) =>
  Effect.flatMap(sql`SELECT 1 FROM sqlite_schema WHERE name = 'purged'`, (found) =>
    found.length === 0 ? Effect.succeed([]) : sql`SELECT * FROM purged`
  )

/** The statements that make the counters and views that a file lacks, because this version knows more kinds. */
export const missing = Effect.fnUntraced(function* (sql: SqlClient) {
  const counters = new Set((yield* sql`SELECT name FROM pragma_table_info('meta')`).map(({ name }) => name))
  const views = new Set((yield* sql`SELECT name FROM sqlite_schema WHERE type = 'view'`).map(({ name }) => name))
  return [
    ...Kind.all
      .filter(({ name }) => !counters.has(name))
      .map(({ name }) => `ALTER TABLE meta ADD COLUMN ${countColumn(name)}`),
    ...Kind.all.filter(({ name }) => !views.has(name)).map((kind) => viewOf(kind))
  ]
})

/** The kinds of all rows: each is found by the index in one step from the one before it. */
export const kinds = (read: (statement: string) => Effect.Effect<ReadonlyArray<unknown>, SqlError>) =>
  Effect.flatMap(
    read(`WITH RECURSIVE found (kind) AS (
      SELECT min(kind) FROM operations
      UNION ALL SELECT (SELECT min(kind) FROM operations WHERE kind > found.kind) FROM found WHERE found.kind IS NOT NULL
    ) SELECT kind FROM found WHERE kind IS NOT NULL`),
    (rows) => Effect.map(decodeKinds(rows), (found) => found.map(({ kind }) => kind))
  )

const decodeKinds = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ kind: Schema.String })))

/** The version of a file that had every migration. */
export const current = migrations.length

/** The data that the views show, where it differs from the data itself. */
export const shownOf = (data: CanonicalJson): string | undefined => {
  const shown = wellFormedText(data)
  return shown === data ? undefined : shown
}

/** Brings a file of version `from` up to date, inside the caller's transaction. */
export const migrate = Effect.fnUntraced(function* (connection: Connection, from: number) {
  for (const statement of migrations.slice(from).flat()) yield* connection.execute(statement, [], undefined)
  if (from > 0 && from < withShown) yield* showAll(connection)
  if (from > 0 && from < withOpaque) yield* measureOpaque(connection)
  if (from > 0 && from < SqliteCut.withCut) yield* SqliteCut.writeLive(connection)
  yield* connection.execute(`PRAGMA user_version = ${current}`, [], undefined)
})

/**
 * Adds up the bytes of rows of unknown kinds: the rows between those of the kinds that are known, in the order of
 * kinds.
 */
const measureOpaque = Effect.fnUntraced(function* (connection: Connection) {
  const known = Kind.names.toSorted(byCodePoint)
  for (const [index, before] of ["", ...known].entries()) {
    const next = known[index]
    yield* connection.execute(
      `UPDATE clock SET opaque_bytes = opaque_bytes + sums.bytes FROM (
        SELECT origin, sum(${envelopeBytes} + octet_length(op_id) + octet_length(row_id) + octet_length(data)) AS bytes
        FROM operations WHERE kind > ? ${next === undefined ? "" : "AND kind < ?"} GROUP BY origin
      ) AS sums WHERE clock.origin = sums.origin`,
      next === undefined ? [before] : [before, next],
      undefined
    )
  }
})

/** Fills `shown` for the rows of an older file. */
const showAll = Effect.fnUntraced(function* (connection: Connection) {
  let after = 0
  for (;;) {
    const [row] = yield* decodeData(
      yield* connection.execute(
        String.raw`SELECT seq, data FROM operations WHERE seq > ? AND instr(data, '\ud') > 0 ORDER BY seq LIMIT 1`,
        [after],
        undefined
      )
    )
    if (row === undefined) return
    const shown = shownOf(row.data)
    if (shown !== undefined) {
      yield* connection.execute("UPDATE operations SET shown = ? WHERE seq = ?", [shown, row.seq], undefined)
    }
    after = row.seq
  }
})

const decodeData = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ seq: Schema.Natural, data: CanonicalJson })))
