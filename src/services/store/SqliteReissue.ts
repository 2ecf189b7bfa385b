/**
 * Rewrites the rows that a node wrote while its clock was ahead: under another identity, and at the present. The rows,
 * the sums of them and the clock change in one transaction, so that nothing of the time to come is left.
 */
import { Effect, HashMap } from "effect"
import type { Connection } from "effect/sql/SqlConnection"
import * as Digest from "../../core/replica/Digest.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Replica from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Opaque from "./Opaque.ts"
import * as SqliteOwnRows from "./SqliteOwnRows.ts"
import * as SqliteRows from "./SqliteRows.ts"
import * as SqliteSchema from "./SqliteSchema.ts"

/** How far ahead of `now` others may be, whose rows the new ones come after (ms). */
const defaultAheadMs = 300_000

/** Returns the number of rows that were written anew. */
export const write = Effect.fnUntraced(function* (
  connection: Connection,
  before: NodeId,
  nodeId: NodeId,
  now: number,
  maxAheadMs = defaultAheadMs
) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  const rows = yield* run("SELECT *, 0 AS quarantine FROM meta", [])
  const declared = yield* SqliteOwnRows.declaredIn((statement) => run(statement, []), "declared")
  const { state } = yield* SqliteRows.state(rows, yield* run("SELECT * FROM clock", []), [], declared)
  const own = yield* SqliteRows.operations(
    yield* run("SELECT * FROM operations WHERE origin = ? ORDER BY wall, counter, seq", [before])
  )
  const late = own.filter(({ hlc }) => hlc.wall > now)
  const kept = own.filter(({ hlc }) => hlc.wall <= now)
  // A row of the time to come may have lost its place since: the claim on it is left all the same.
  const isAhead =
    late.length > 0 || [state.vectorClock, state.frontier].some((clock) => VectorClock.get(clock, before).wall > now)
  if (!isAhead) return 0
  // What was written last here stays the last: it was written over rows of others, whose clocks may be a little ahead.
  const others = HashMap.filter(
    VectorClock.merge(state.vectorClock, state.frontier),
    ({ wall }, node) => node !== before && wall <= now + maxAheadMs
  )
  const seen = [...HashMap.values(others)].reduce(Hlc.latest, Hlc.predecessor({ wall: now, counter: 0 }))
  const anew = late.map((operation, index): Operation => {
    const timestamp = Hlc.plus(seen, index + 1)
    return { ...operation, hlc: { ...timestamp, node: nodeId }, timestamp: timestamp.wall / 1000 }
  })
  yield* run("DELETE FROM operations WHERE origin = ? AND wall > ?", [before, now])
  for (const operation of anew) {
    yield* run(
      `INSERT INTO operations (kind, row_id, twin, origin, wall, counter, op_id, op_type, data, timestamp, shown)
        VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
      [...SqliteRows.parameters(operation), SqliteSchema.shownOf(operation.data) ?? null]
    )
  }
  yield* SqliteOwnRows.refresh(connection, declared, anew)
  const digest = Digest.subtract(Digest.add(state.digest, sumOf(anew)), sumOf(late))
  const live = Digest.subtract(Digest.add(state.live, liveOf(anew)), liveOf(late))
  const past = kept.at(-1)?.hlc ?? Hlc.zero
  const last = anew.at(-1)?.hlc ?? Hlc.zero
  // The claim on the old name goes back to what is left of it: the others send again what they have of it.
  const mine = VectorClock.advance(
    VectorClock.advance(VectorClock.empty, before, { wall: past.wall, counter: past.counter }),
    nodeId,
    { wall: last.wall, counter: last.counter }
  )
  const claims = VectorClock.merge(mine, claimsOfOthers(state.vectorClock, before, late, anew))
  const frontier = VectorClock.merge(mine, HashMap.remove(state.frontier, before))
  const holdings = HashMap.union(
    state.holdings,
    Replica.addHoldings(Replica.noHoldings, [
      [before, { rows: kept.length, digest: sumOf(kept) }],
      [nodeId, { rows: anew.length, digest: sumOf(anew) }]
    ])
  )
  const opaque = Opaque.recount(state.opaque, anew, late, state.declared)
  yield* run("UPDATE meta SET digest_high = ?, digest_low = ?, live_high = ?, live_low = ?", [
    digest.high,
    digest.low,
    live.high,
    live.low
  ])
  yield* run("DELETE FROM clock", [])
  for (const node of HashMap.keys(VectorClock.merge(claims, frontier))) {
    yield* run(
      `INSERT INTO clock (origin, wall, counter, top_wall, top_counter, held_rows, held_high, held_low, opaque_bytes)
        VALUES (?,?,?,?,?,?,?,?,?)`,
      SqliteRows.clockEntry({ ...state, vectorClock: claims, frontier, holdings, opaque }, node)
    )
  }
  return late.length
})

/**
 * Coverage kept for other origins. Reissuing a row may revive an operation it superseded, so coverage is cut back to
 * re-fetch it. In a log, where the first write stays, that is any operation after the old timestamp. For other rules,
 * it is any operation after the new one.
 */
const claimsOfOthers = (
  clock: VectorClock.VectorClock,
  before: NodeId,
  late: ReadonlyArray<Operation>,
  anew: ReadonlyArray<Operation>
): VectorClock.VectorClock => {
  const threatened = [late.find(({ table }) => Merge.ruleOf(table) === "log"), anew[0]]
  const claimed = threatened.flatMap((one) => (one === undefined ? [] : [Hlc.predecessor(one.hlc)]))
  return claimed.reduce(
    (others, most) => HashMap.map(others, (timestamp) => (Hlc.isAfter(timestamp, most) ? most : timestamp)),
    HashMap.remove(clock, before)
  )
}

const sumOf = (operations: ReadonlyArray<Operation>): Digest.Digest =>
  operations.reduce((sum, operation) => Digest.add(sum, Digest.ofOperation(operation)), Digest.empty)

const liveOf = (operations: ReadonlyArray<Operation>): Digest.Digest =>
  sumOf(operations.filter((operation) => !Merge.isTombstone(operation)))
