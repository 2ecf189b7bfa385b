/**
 * Reads the rows that filters leave from `sync.db`, newest first (`core/replica/Selection.ts`).
 */
import { Effect } from "effect"
import type { SqliteClient } from "@effect/sql-sqlite-node/SqliteClient"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as SqliteRows from "./SqliteRows.ts"

/** Rows that are read at once. */
const pageRows = 250

/** A part of a statement, and its parameters. */
interface Condition {
  readonly text: string
  readonly parameters: ReadonlyArray<string | number>
}

const newestFirst = "wall DESC, counter DESC, origin DESC, kind DESC, row_id DESC"

/** What a statement can say of a filter. Some rows that it leaves may not fit. */
export const conditionsOf = (
  filter: Selection.Filter,
  after: Selection.Place | undefined
): ReadonlyArray<Condition> => {
  const [from, to] = Selection.boundsOf(filter)
  const conditions: Array<Condition> = []
  if (from > 0) conditions.push({ text: "wall >= ?", parameters: [from] })
  if (to < Infinity) conditions.push({ text: "wall < ?", parameters: [to] })
  if (filter.origin !== undefined) conditions.push({ text: "origin = ?", parameters: [filter.origin] })
  if (after !== undefined) {
    const { hlc, table, row_id } = after
    conditions.push({
      text: "(wall, counter, origin, kind, row_id) < (?, ?, ?, ?, ?)",
      parameters: [hlc.wall, hlc.counter, hlc.node, table, row_id]
    })
  }
  return conditions
}

/** Reads rows of one kind. */
const ofKind = Effect.fnUntraced(function* (sql: SqliteClient, kind: string, request: Selection.Request) {
  const fits = Selection.matcher(request.filter)
  const found: Array<Operation> = []
  let { after } = request
  while (found.length < request.limit) {
    const conditions = conditionsOf(request.filter, after)
    const rows = yield* SqliteRows.operations(
      yield* sql.unsafe(
        `SELECT * FROM operations WHERE ${["kind = ?", "twin = ''", "op_type <> 'delete'", ...conditions.map(({ text }) => text)].join(" AND ")}
          ORDER BY ${newestFirst} LIMIT ?`,
        [kind, ...conditions.flatMap(({ parameters }) => parameters), pageRows]
      )
    )
    for (const row of rows) if (fits(row)) found.push(row)
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageRows) break
    after = Selection.placeOf(last)
    yield* Effect.yieldNow
  }
  return found.slice(0, request.limit)
})

/** Reads the rows of a request. */
export const select = Effect.fnUntraced(function* (sql: SqliteClient, request: Selection.Request) {
  const found: Array<Operation> = []
  for (const { name } of Selection.kindsOf(request.filter)) found.push(...(yield* ofKind(sql, name, request)))
  return found.sort(Selection.OperationOrder).slice(0, request.limit)
})
