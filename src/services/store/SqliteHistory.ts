/**
 * The local history (`core/replica/History.ts`) in the file of the rows: written and pruned in the transaction of the
 * commit that replaces them. A version of this program that does not know its tables leaves them alone.
 */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import * as History from "../../core/replica/History.ts"
import * as Merge from "../../core/replica/Merge.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { sizeOf } from "./Sizes.ts"
import * as SqliteRows from "./SqliteRows.ts"

const parts = [
  `CREATE TABLE history (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    row_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    wall INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    op_id TEXT NOT NULL,
    op_type TEXT NOT NULL,
    data TEXT NOT NULL,
    timestamp REAL NOT NULL,
    kept_at REAL NOT NULL,
    by_origin TEXT NOT NULL,
    by_wall INTEGER NOT NULL,
    by_counter INTEGER NOT NULL,
    conflict INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    UNIQUE (kind, row_id, origin, wall, counter)
  )`,
  "CREATE INDEX history_conflicts ON history (version) WHERE conflict = 1",
  "CREATE TABLE history_size (bytes INTEGER NOT NULL)",
  "INSERT INTO history_size VALUES (0)",
  `CREATE TRIGGER history_added AFTER INSERT ON history
    BEGIN UPDATE history_size SET bytes = bytes + NEW.bytes; END`,
  `CREATE TRIGGER history_removed AFTER DELETE ON history
    BEGIN UPDATE history_size SET bytes = bytes - OLD.bytes; END`
]

/** The oldest versions that one step looks at, and the steps of one commit at most. */
const step = { versions: 64, most: 64 } as const

const isThere = (sql: SqlClient) =>
  Effect.map(sql`SELECT 1 FROM sqlite_schema WHERE name = 'history'`, (rows) => rows.length > 0)

/** The statements that make the tables where they are missing. */
export const missing = (sql: SqlClient) => Effect.map(isThere(sql), (found) => (found ? [] : parts))

/** Keeps versions, and drops those that are too many, too old or too large, inside the caller's transaction. */
export const write = Effect.fnUntraced(function* (
  connection: Connection,
  superseded: ReadonlyArray<History.Superseded>,
  now: number,
  limits: History.Limits
) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  const rows = superseded.map(({ operation, by, isConflict }) => {
    const { table, row_id, hlc, op_id, op_type, data, timestamp } = operation
    const version = [table, row_id, hlc.node, hlc.wall, hlc.counter, op_id, op_type, data, timestamp]
    return version.concat(now, by.node, by.wall, by.counter, isConflict ? 1 : 0, sizeOf(operation))
  })
  const columns = Array.from({ length: 15 }, (_, index) => `value ->> ${index}`).join()
  yield* run(
    `INSERT OR IGNORE INTO history (kind, row_id, origin, wall, counter, op_id, op_type, data, timestamp,
        kept_at, by_origin, by_wall, by_counter, conflict, bytes)
      SELECT ${columns} FROM json_each(?)`,
    [JSON.stringify(rows)]
  )
  yield* run(
    `DELETE FROM history WHERE version IN (
      SELECT h.version FROM json_each(?) AS slot CROSS JOIN history AS h
        ON h.kind = slot.value ->> 0 AND h.row_id = slot.value ->> 1
      WHERE (SELECT count(*) FROM history AS n
        WHERE n.kind = h.kind AND n.row_id = h.row_id AND n.version > h.version) >= ?)`,
    [JSON.stringify(superseded.map(({ operation: { table, row_id } }) => [table, row_id])), limits.versions]
  )
  for (let steps = 0; steps < step.most; steps++) {
    const [{ bytes, oldest }] = yield* decodeSize(
      yield* run("SELECT bytes, (SELECT kept_at FROM history ORDER BY version LIMIT 1) AS oldest FROM history_size", [])
    )
    const [tooOld, tooMuch] = [now - limits.ageMs, bytes - limits.bytes]
    if (oldest === null || (tooMuch <= 0 && oldest >= tooOld)) return
    yield* run(
      `DELETE FROM history WHERE version IN (
        SELECT version FROM (
          SELECT version, kept_at, sum(bytes) OVER (ORDER BY version) - bytes AS older
          FROM (SELECT version, kept_at, bytes FROM history ORDER BY version LIMIT ?)
        ) WHERE kept_at < ? OR older < ?)`,
      [step.versions, tooOld, tooMuch]
    )
  }
})

/** The versions of a row, the newest first. */
export const versions = (sql: SqlClient, kind: string, rowId: string) =>
  read(sql, "WHERE kind = ? AND row_id = ? ORDER BY version DESC", [kind, rowId])

/** The conflicts with a smaller number, the newest first. */
export const conflicts = (sql: SqlClient, before: number, limit: number) =>
  read(sql, "WHERE conflict = 1 AND version < ? ORDER BY version DESC LIMIT ?", [before, limit])

/** The deleted rows: as `History.deleted` of all versions. */
export const deleted = Effect.fnUntraced(function* (sql: SqlClient, request: History.DeletedRequest) {
  const { kinds, after, limit } = request
  const place = after && [after.hlc.wall, after.hlc.counter, after.hlc.node, after.table, after.row_id]
  const held = (column: string) => `coalesce(o.${column}, h.by_${column})`
  const order = [held("wall"), held("counter"), held("origin"), "h.kind", "h.row_id"]
  const versions = yield* read(
    sql,
    `AS h WHERE version IN (
      SELECT h.version FROM (
        SELECT *, row_number() OVER (PARTITION BY kind, row_id ORDER BY wall DESC, counter DESC, origin DESC) AS place
        FROM history WHERE op_type <> 'delete' AND kind IN (SELECT value FROM json_each(?))
      ) AS h LEFT JOIN operations AS o ON o.kind = h.kind AND o.row_id = h.row_id AND o.twin = ''
      WHERE h.place = 1 AND (o.op_type IS NULL OR o.op_type = 'delete')
      ${place === undefined ? "" : `AND (${order.join()}) < (?, ?, ?, ?, ?)`}
      ORDER BY ${order.map((part) => `${part} DESC`).join()} LIMIT ?)`,
    [JSON.stringify(kinds), ...(place ?? []), limit]
  )
  const slots = versions.map(({ operation: { table, row_id } }) => [table, row_id])
  const tombstones = yield* sql
    .unsafe(
      `SELECT o.* FROM json_each(?) AS slot CROSS JOIN operations AS o
        ON o.kind = slot.value ->> 0 AND o.row_id = slot.value ->> 1 AND o.twin = ''`,
      [JSON.stringify(slots)]
    )
    .pipe(Effect.flatMap(SqliteRows.operations))
  const tombstoneOf = new Map(tombstones.map((operation) => [Merge.slotOf(operation), operation]))
  return History.deleted(versions, (operation) => tombstoneOf.get(Merge.slotOf(operation)), request)
})

const read = Effect.fnUntraced(function* (sql: SqlClient, rest: string, parameters: ReadonlyArray<unknown>) {
  if (!(yield* isThere(sql))) return []
  const rows = yield* sql.unsafe(`SELECT * FROM history ${rest}`, parameters)
  const operations = yield* SqliteRows.operations(rows)
  const kept = yield* decodeKept(rows)
  return operations.flatMap((operation, index): ReadonlyArray<History.Version> => {
    const row = kept[index]
    if (row === undefined) return []
    const { version, kept_at: keptAt, by_origin: node, by_wall: wall, by_counter: counter, conflict } = row
    return [{ version, keptAt, operation, by: { wall, counter, node }, isConflict: conflict === 1 }]
  })
})

/** Erases versions. */
export const erase = Effect.fnUntraced(function* (sql: SqlClient, scope: History.Scope) {
  if (!(yield* isThere(sql))) return
  if (scope === "all") yield* sql`DELETE FROM history`
  else if ("origin" in scope) yield* sql`DELETE FROM history WHERE origin = ${scope.origin}`
  else if (scope.id === undefined) yield* sql`DELETE FROM history WHERE kind = ${scope.kind}`
  else yield* sql`DELETE FROM history WHERE kind = ${scope.kind} AND row_id = ${scope.id}`
})

const Size = Schema.Tuple([Schema.Struct({ bytes: Schema.Finite, oldest: Schema.NullOr(Schema.Finite) })])
const decodeSizes = Schema.decodeUnknownEffect(Size)
const decodeSize = (rows: ReadonlyArray<unknown>) =>
  Effect.mapError(
    decodeSizes(rows),
    (cause) => new StoreUnavailable({ reason: "corrupt", detail: "the size of the history is not known", cause })
  )
const decodeKept = Schema.decodeUnknownEffect(
  Schema.Array(
    Schema.Struct({
      version: Schema.Natural,
      kept_at: Schema.Finite,
      by_origin: NodeId,
      by_wall: Schema.Natural,
      by_counter: Schema.Natural,
      conflict: Schema.Natural
    })
  )
)
