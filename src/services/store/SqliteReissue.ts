/**
 * Writes anew what a node wrote under a clock that was ahead: under another identity, and at the present. The rows, the sums of
 * them and the clock change in one transaction, so that nothing of the time to come is left.
 */
import { Effect } from "effect"
import type { Connection } from "effect/sql/SqlConnection"
import * as Digest from "../../core/Digest.ts"
import * as Hlc from "../../core/Hlc.ts"
import type { NodeId } from "../../core/NodeId.ts"
import type { Operation } from "../../core/Operation.ts"
import * as Replica from "../../core/Replica.ts"
import * as VectorClock from "../../core/VectorClock.ts"
import * as Rows from "./SqliteRows.ts"
import * as SqliteSchema from "./SqliteSchema.ts"

/** Returns the number of rows that were written anew. */
export const write = Effect.fnUntraced(function* (connection: Connection, before: NodeId, nodeId: NodeId, now: number) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  const own = yield* Rows.operations(
    yield* run("SELECT * FROM operations WHERE origin = ? ORDER BY wall, counter, seq", [before])
  )
  const late = own.filter(({ hlc }) => hlc.wall > now)
  const kept = own.filter(({ hlc }) => hlc.wall <= now)
  const anew = late.map((operation, counter): Operation => ({
    ...operation,
    hlc: { wall: now, counter, node: nodeId },
    timestamp: now / 1000
  }))
  yield* run("DELETE FROM operations WHERE origin = ? AND wall > ?", [before, now])
  for (const operation of anew) {
    yield* run(
      `INSERT INTO operations (kind, row_id, twin, origin, wall, counter, op_id, op_type, data, timestamp, shown)
        VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
      [...Rows.parameters(operation), SqliteSchema.shownOf(operation.data) ?? null]
    )
  }
  const rows = yield* run("SELECT *, 0 AS quarantine FROM meta", [])
  const { state } = yield* Rows.state(rows, yield* run("SELECT * FROM clock", []))
  const digest = Digest.subtract(Digest.add(state.digest, sumOf(anew)), sumOf(late))
  const past = kept.at(-1)?.hlc ?? Hlc.zero
  const last = anew.at(-1)?.hlc ?? Hlc.zero
  // The claim on the old name goes back to what is left of it: the others send again what they have of it.
  const entries: ReadonlyArray<readonly [NodeId, Hlc.Reading]> = [
    [before, { wall: past.wall, counter: past.counter }],
    [nodeId, { wall: last.wall, counter: last.counter }]
  ]
  const clock = VectorClock.fromEntries(entries)
  const holdings = Replica.addHoldings(Replica.noHoldings, [
    [before, { rows: kept.length, digest: sumOf(kept) }],
    [nodeId, { rows: anew.length, digest: sumOf(anew) }]
  ])
  if (late.length === 0) return 0
  yield* run("UPDATE meta SET digest_high = ?, digest_low = ?", [digest.high, digest.low])
  for (const [node] of entries) {
    yield* run(
      `INSERT OR REPLACE INTO clock (origin, wall, counter, top_wall, top_counter, held_rows, held_high, held_low)
        VALUES (?,?,?,?,?,?,?,?)`,
      Rows.clockEntry({ ...state, clock, tops: clock, holdings }, node)
    )
  }
  return late.length
})

const sumOf = (operations: ReadonlyArray<Operation>): Digest.Digest =>
  operations.reduce((sum, operation) => Digest.add(sum, Digest.ofOperation(operation)), Digest.empty)
