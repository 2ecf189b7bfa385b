/**
 * Adds up what a file holds of each origin, when it was made before files kept that. It reads every row once, in one
 * transaction with the change of the file's version.
 */
import { Effect } from "effect"
import type { Connection } from "effect/sql/SqlConnection"
import * as Digest from "../../core/replica/Digest.ts"
import * as Replica from "../../core/replica/Replica.ts"
import * as SqliteRows from "./SqliteRows.ts"

/** Rows that are read at once. */
const page = 2_000

/** Fills the columns `held_…` of `clock`. */
export const write = Effect.fnUntraced(function* (connection: Connection) {
  let holdings = Replica.noHoldings
  for (let after = 0; ;) {
    const rows = yield* connection.execute(
      "SELECT * FROM operations WHERE seq > ? ORDER BY seq LIMIT ?",
      [after, page],
      undefined
    )
    const last = rows.at(-1)
    if (last === undefined) break
    after = Number(last["seq"])
    const operations = yield* SqliteRows.operations(rows)
    holdings = Replica.addHoldings(
      holdings,
      operations.map((operation) => [operation.hlc.node, { rows: 1, digest: Digest.ofOperation(operation) }])
    )
  }
  yield* connection.execute(
    `UPDATE clock SET held_rows = sums.value ->> 1, held_high = sums.value ->> 2, held_low = sums.value ->> 3
      FROM json_each(?) AS sums WHERE clock.origin = sums.value ->> 0`,
    [JSON.stringify(Array.from(holdings, ([node, { rows, digest }]) => [node, rows, digest.high, digest.low]))],
    undefined
  )
})
