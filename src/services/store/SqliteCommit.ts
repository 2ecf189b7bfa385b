/**
 * A commit as the statements that write it, inside the caller's transaction.
 */
import { Effect } from "effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import type * as Cut from "../../core/replica/Cut.ts"
import { countNames } from "../../core/replica/Kind.ts"
import * as Merge from "../../core/replica/Merge.ts"
import * as Purge from "../../core/replica/Purge.ts"
import * as CutText from "./CutText.ts"
import type { Declared } from "./Opaque.ts"
import * as SqliteOwnRows from "./SqliteOwnRows.ts"
import * as SqliteRows from "./SqliteRows.ts"
import * as SqliteSchema from "./SqliteSchema.ts"
import * as SqliteWords from "./SqliteWords.ts"
import { type Commit, quarantineLimits } from "./StoreState.ts"

/** Rows that one statement inserts: more make the statement slower, fewer make more statements. */
const insertBlock = 50

const columns = "kind, row_id, twin, origin, wall, counter, op_id, op_type, data, timestamp"
const insert = (rows: number) =>
  // A slot that is taken fails the transaction.
  `INSERT OR FAIL INTO operations (${columns}) VALUES ${Array(rows).fill("(?,?,?,?,?,?,?,?,?,?)").join()}`

export const slots = `json_each(?) AS slot CROSS JOIN operations AS o
  ON o.kind = slot.value ->> 0 AND o.row_id = slot.value ->> 1 AND o.twin = slot.value ->> 2`

export const slotsOf = (operations: Commit["writes"]) =>
  JSON.stringify(operations.map((operation) => [operation.table, operation.row_id, Merge.variantOf(operation)]))

/** Replaced rows that a commit takes out of the index of words itself. */
const takenOut = 8

/** What changes besides rows: whether there are other purges, the cut, and which kinds were declared before. */
export interface Changed {
  readonly hasPurged: boolean
  readonly newCut: Cut.Cut | undefined
  readonly before: Declared | undefined
}

/** Reads with a statement. */
type Read = (statement: string, parameters: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<unknown>, SqlError>

/** What the slots of some operations hold. */
export const current = Effect.fnUntraced(function* (read: Read, operations: Commit["writes"]) {
  const rows = yield* read(`SELECT o.* FROM ${slots}`, [slotsOf(operations)])
  return new Map((yield* SqliteRows.operations(rows)).map((operation) => [Merge.slotOf(operation), operation]))
})

/** The statements of a commit. */
export const write = Effect.fnUntraced(function* (
  connection: Connection,
  commit: Commit,
  { hasPurged, newCut, before }: Changed
) {
  const run = (statement: string, parameters: ReadonlyArray<unknown>) =>
    connection.execute(statement, parameters, undefined)
  const { writes, replaced, moved, forgotten, quarantined, state } = commit
  if (replaced.length > 0)
    yield* run(`DELETE FROM operations WHERE seq IN (SELECT o.seq FROM ${slots})`, [slotsOf(replaced)])
  for (let start = 0; start < writes.length; start += insertBlock) {
    const block = writes.slice(start, start + insertBlock)
    yield* run(insert(block.length), block.flatMap(SqliteRows.parameters))
  }
  if (before !== undefined) yield* SqliteOwnRows.declare(connection, before, state.declared)
  yield* SqliteOwnRows.refresh(connection, state.declared, [...replaced, ...writes])
  if (replaced.length > 0 || state.declared.size > 0) yield* SqliteWords.takeOut(connection, takenOut)
  for (const operation of writes) {
    const shown = SqliteSchema.shownOf(operation.data)
    if (shown === undefined) continue
    const { table, row_id } = operation
    const slot = [table, row_id, Merge.variantOf(operation)]
    yield* run("UPDATE operations SET shown = ? WHERE kind = ? AND row_id = ? AND twin = ?", [shown, ...slot])
  }
  if (moved.size > 0) {
    yield* run(
      `INSERT OR REPLACE INTO clock
          (origin, wall, counter, top_wall, top_counter, held_rows, held_high, held_low, opaque_bytes)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
          value ->> 8
        FROM json_each(?)`,
      [JSON.stringify(Array.from(moved, (node) => SqliteRows.clockEntry(state, node)))]
    )
  }
  if (forgotten.size > 0) {
    yield* run("DELETE FROM clock WHERE origin IN (SELECT value FROM json_each(?))", [JSON.stringify([...forgotten])])
  }
  if (quarantined.length > 0) {
    yield* run(
      `INSERT INTO quarantine (peer, reason, text)
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)`,
      [JSON.stringify(quarantined.map(({ peer, reason, text }) => [peer, reason, text]))]
    )
    yield* run(`DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?`, [quarantineLimits.rows])
  }
  if (hasPurged) {
    yield* run("DELETE FROM purged", [])
    yield* run(
      `INSERT INTO purged SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value ->> 6, value ->> 7, value ->> 8 FROM json_each(?)`,
      [JSON.stringify(Purge.toList(state.purges).map(SqliteRows.purgedEntry))]
    )
  }
  if (newCut !== undefined) yield* run("UPDATE meta SET cut = ?", [CutText.toText(newCut)])
  const { digest, live, counts } = state
  const sets = ["digest_high", "digest_low", "live_high", "live_low", "of_applications", ...countNames].map(
    (name) => `${name} = ?`
  )
  yield* run(`UPDATE meta SET ${sets.join(", ")}`, [
    digest.high,
    digest.low,
    live.high,
    live.low,
    state.ofApplications,
    ...countNames.map((name) => counts[name])
  ])
})
