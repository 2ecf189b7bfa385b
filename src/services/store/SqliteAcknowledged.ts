/**
 * What other nodes have acknowledged, in the file of the rows, and the tombstones among them.
 *
 * The table and the index change nothing that an earlier version of this program reads or writes: such a version opens
 * the file, and keeps the index up to date without knowing it. So they are made where they are missing, and the file
 * keeps its version.
 */
import { Effect, HashMap, Result, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { Acknowledgement } from "../../core/replica/Acknowledgement.ts"
import type { Timestamp } from "../../core/replica/Hlc.ts"
import * as Kind from "../../core/replica/Kind.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import type { VectorClock } from "../../core/replica/VectorClock.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import * as ClockText from "./ClockText.ts"

/** The kinds whose deletions leave tombstones. */
const deletable = Kind.all.filter(({ rule }) => rule === "lww").map(({ name }) => `'${name}'`)

/** Whether a row of `operations` is a tombstone. */
export const isTombstone = `op_type = 'delete' AND kind IN (${deletable.join(", ")})`

/** The required tables and indexes, by name. */
const parts = {
  acknowledged: `CREATE TABLE acknowledged (
    node TEXT PRIMARY KEY,
    clock TEXT NOT NULL,
    seen_at REAL NOT NULL,
    agreed TEXT NOT NULL,
    agreed_at REAL,
    confirmed TEXT
  ) WITHOUT ROWID`,
  tombstones: `CREATE INDEX tombstones ON operations (origin, wall, counter, kind, op_type) WHERE ${isTombstone}`
} as const

/** The statements that create missing ones. */
export const missing = Effect.fnUntraced(function* (sql: SqlClient) {
  const rows = yield* sql`SELECT name FROM sqlite_schema WHERE name IN ('acknowledged', 'tombstones')`
  const there = new Set(rows.map(({ name }) => name))
  const columns = yield* sql`SELECT name FROM pragma_table_info('acknowledged')`
  const isOlder = there.has("acknowledged") && columns.every(({ name }) => name !== "confirmed")
  return [
    ...Object.entries(parts).flatMap(([name, statement]) => (there.has(name) ? [] : [statement])),
    ...(isOlder ? ["ALTER TABLE acknowledged ADD COLUMN confirmed TEXT"] : [])
  ]
})

/** Creates missing tables and indexes, inside the caller's transaction. */
export const prepare = (connection: Connection, statements: ReadonlyArray<string>) =>
  Effect.forEach(statements, (statement) => connection.execute(statement, [], undefined), { discard: true })

/** The contents of the table; none when the file is only read and has no such table. */
export const read = Effect.fnUntraced(function* (sql: SqlClient) {
  const found = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'acknowledged'`
  const rows = yield* decodeRows(found.length === 0 ? [] : yield* sql`SELECT * FROM acknowledged`)
  return yield* Effect.forEach(rows, ({ node, clock, seen_at, agreed, agreed_at, confirmed }) =>
    Effect.all({
      clock: clockOf(clock),
      agreed: clockOf(agreed),
      confirmed: confirmed == null ? Effect.undefined : clockOf(confirmed)
    }).pipe(
      Effect.map(({ clock, agreed, confirmed }): Acknowledgement => ({
        node,
        clock,
        agreed,
        seenAt: seen_at,
        agreedAt: agreed_at ?? undefined,
        ...(confirmed && { confirmed })
      }))
    )
  )
})

/** Writes acknowledgements over those of the same nodes, inside the caller's transaction. */
export const write = (connection: Connection, acknowledgements: ReadonlyArray<Acknowledgement>) =>
  Effect.forEach(
    acknowledgements,
    ({ node, clock, seenAt, agreed, agreedAt, confirmed }) =>
      connection.execute(
        "INSERT OR REPLACE INTO acknowledged (node, clock, seen_at, agreed, agreed_at, confirmed) VALUES (?,?,?,?,?,?)",
        [
          node,
          ClockText.toText(clock),
          seenAt,
          ClockText.toText(agreed),
          agreedAt ?? null,
          confirmed === undefined ? null : ClockText.toText(confirmed)
        ],
        undefined
      ),
    { discard: true }
  )

/** How many tombstones a clock covers. A file that is only read may have no index: then all its rows are looked at. */
export const count = Effect.fnUntraced(function* (sql: SqlClient, clock: VectorClock) {
  const entries = Array.from(HashMap.entries(clock), ([node, { wall, counter }]) => [node, wall, counter])
  const [row] = yield* decodeCount(
    yield* sql.unsafe(
      `SELECT coalesce(sum((SELECT count(*) FROM operations
          WHERE origin = entry.value ->> 0 AND (wall, counter) <= (entry.value ->> 1, entry.value ->> 2)
            AND ${isTombstone})), 0) AS count
        FROM json_each(?) AS entry`,
      [JSON.stringify(entries)]
    )
  )
  return row.count
})

/**
 * How many operations lie beyond the timestamps of their origins, `most` at most. Only that part of the index is read.
 */
export const countBeyond = Effect.fnUntraced(function* (
  sql: SqlClient,
  from: ReadonlyArray<readonly [NodeId, Timestamp]>,
  most: number
) {
  const [row] = yield* decodeCount(
    yield* sql.unsafe(
      `SELECT count(*) AS count FROM (
        SELECT 1 FROM json_each(?) AS entry CROSS JOIN operations
          ON origin = entry.value ->> 0 AND (wall, counter) > (entry.value ->> 1, entry.value ->> 2)
        LIMIT ?)`,
      [JSON.stringify(from.map(([node, { wall, counter }]) => [node, wall, counter])), most]
    )
  )
  return row.count
})

const clockOf = (entries: typeof ClockText.Entries.Type): Effect.Effect<VectorClock, StoreUnavailable> =>
  Result.match(ClockText.fromEntries(entries), {
    onFailure: (node) => Effect.fail(corrupt(`${node} in the table acknowledged is not a clock entry`)),
    onSuccess: Effect.succeed
  })

const corrupt = (detail: string) => new StoreUnavailable({ reason: "corrupt", detail })

const Clock = Schema.fromJsonString(ClockText.Entries)
const Rows = Schema.Array(
  Schema.Struct({
    node: NodeId,
    clock: Clock,
    seen_at: Schema.Finite,
    agreed: Clock,
    agreed_at: Schema.NullOr(Schema.Finite),
    confirmed: Schema.optionalKey(Schema.NullOr(Clock))
  })
)
const decode = Schema.decodeUnknownEffect(Rows)
const decodeRows = (rows: ReadonlyArray<unknown>) => Effect.mapError(decode(rows), ({ message }) => corrupt(message))
const decodeCount = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ count: Schema.Natural })]))
