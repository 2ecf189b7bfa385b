/**
 * The cut (`core/replica/Cut.ts`) in the file of the rows, and the tombstones that it is about.
 */
import { Effect, HashMap, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import * as Digest from "../../core/replica/Digest.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { isTombstone } from "./SqliteAcknowledged.ts"
import * as Rows from "./SqliteRows.ts"

/** The columns of `meta`. */
export const columns = [
  "ALTER TABLE meta ADD COLUMN live_high INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE meta ADD COLUMN live_low INTEGER NOT NULL DEFAULT 0",
  "ALTER TABLE meta ADD COLUMN cut TEXT NOT NULL DEFAULT ''"
]

/** The first version whose files have them. */
export const withCut = 5

/** The last tombstone of each origin that a clock covers. */
export const latest = Effect.fnUntraced(function* (sql: SqlClient, clock: VectorClock.VectorClock) {
  const found: Array<readonly [NodeId, { readonly wall: number; readonly counter: number }]> = []
  for (const [node, { wall, counter }] of HashMap.entries(clock)) {
    const rows = yield* decodeTimestamps(
      yield* sql.unsafe(
        `SELECT wall, counter FROM operations WHERE origin = ? AND (wall, counter) <= (?, ?) AND ${isTombstone}
          ORDER BY wall DESC, counter DESC LIMIT 1`,
        [node, wall, counter]
      )
    )
    for (const row of rows) found.push([node, row])
  }
  return VectorClock.fromEntries(found)
})

/** Some of the tombstones that a clock covers. */
export const covered = Effect.fnUntraced(function* (sql: SqlClient, clock: VectorClock.VectorClock, most: number) {
  const found: Array<Operation> = []
  for (const [node, { wall, counter }] of HashMap.entries(clock)) {
    if (found.length >= most) break
    const rows = yield* sql.unsafe(
      `SELECT * FROM operations WHERE origin = ? AND (wall, counter) <= (?, ?) AND ${isTombstone} LIMIT ?`,
      [node, wall, counter, most - found.length]
    )
    found.push(...(yield* Rows.operations(rows)))
  }
  return found
})

/** Rows that are read at once. */
const page = 2_000

/**
 * Fills the digest without tombstones of a file that was made before files kept it, inside the caller's transaction.
 */
export const writeLive = Effect.fnUntraced(function* (connection: Connection) {
  let dead = Digest.empty
  for (let after = 0; ;) {
    const rows = yield* connection.execute(
      `SELECT * FROM operations NOT INDEXED WHERE seq > ? AND ${isTombstone} ORDER BY seq LIMIT ?`,
      [after, page],
      undefined
    )
    const last = rows.at(-1)
    if (last === undefined) break
    after = Number(last["seq"])
    for (const operation of yield* Rows.operations(rows)) dead = Digest.add(dead, Digest.ofOperation(operation))
  }
  const [meta] = yield* decodeDigest(
    yield* connection.execute("SELECT digest_high AS high, digest_low AS low FROM meta", [], undefined)
  )
  const live = Digest.subtract(meta, dead)
  yield* connection.execute("UPDATE meta SET live_high = ?, live_low = ?", [live.high, live.low], undefined)
})

const decodeTimestamps = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ wall: Schema.Natural, counter: Schema.Natural }))
)
const decodeDigest = Schema.decodeUnknownEffect(
  Schema.Tuple([Schema.Struct({ high: Schema.Natural, low: Schema.Natural })])
)
