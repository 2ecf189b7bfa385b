/**
 * The rows of a kind that no application has declared here, put together from its operations: one after the other, in
 * the order of their ids.
 */
import { Effect } from "effect"
import type { Kind, Operation } from "../../core/replica/Operation.ts"
import * as Query from "../../core/replica/Query.ts"
import { type Position, positionOf } from "../../core/replica/Ranges.ts"
import * as Searching from "../store/Searching.ts"
import type { Store } from "../store/Store.ts"

/** What is read at once. */
const page = { maxBytes: 1024 * 1024, maxOperations: 1_000 } as const

/** The next rows that meet all conditions. For the newest, all rows of the kind are looked at. */
export const rows = Effect.fnUntraced(function* (
  store: Pick<Store["Service"], "range">,
  table: Kind,
  request: Searching.RowsRequest
) {
  if (request.newest === undefined) return yield* byId(store, table, request)
  let found: ReadonlyArray<Query.Shown> = []
  const { newest: _, ...asked } = request
  for (let after: Query.Place | undefined; ;) {
    const next: ReadonlyArray<Query.Shown> = yield* byId(store, table, { ...asked, after, limit: page.maxOperations })
    found = Query.inOrder(table, request, [...found, ...next])
    const last = next.at(-1)
    if (last === undefined || next.length < page.maxOperations) return found
    after = Query.placeOf(last, undefined)
  }
})

const byId = Effect.fnUntraced(function* (
  store: Pick<Store["Service"], "range">,
  table: Kind,
  { after, limit, ...asked }: Searching.RowsRequest
) {
  const found: Array<Query.Shown> = []
  let held: Array<Operation> = []
  const take = () => {
    const shown = Query.shownOf(held)
    if (shown !== undefined && Searching.isRequested(asked, shown)) found.push(shown)
    held = []
  }
  // No kind holds a control character.
  const until: Position = { table: `${table}\u0001`, row_id: "", variant: "" }
  let position: Position = { table, row_id: after?.id ?? "", variant: "" }
  for (;;) {
    const { operations, exhausted } = yield* store.range({ after: position, until, ...page })
    for (const operation of operations) {
      if (operation.row_id === after?.id) continue
      if (held[0] !== undefined && held[0].row_id !== operation.row_id) take()
      if (found.length === limit) return found
      held.push(operation)
    }
    const last = operations.at(-1)
    if (exhausted || last === undefined) {
      take()
      return found
    }
    position = positionOf(last)
  }
})
