/** Answers that come in pages, read to the end. */
import { Effect } from "effect"
import type { Found } from "./Reads.ts"

/** Where a page begins: with the first row, or with what came after another page. */
export type Start = { readonly cursor?: string }

/** The rows of all pages. */
export const all = Effect.fnUntraced(function* <Row, E, R>(
  read: (start: Start) => Effect.Effect<Found<Row>, E, R>
): Effect.fn.Return<ReadonlyArray<Row>, E, R> {
  const rows: Array<Row> = []
  let start: Start = {}
  for (;;) {
    const page = yield* read(start)
    for (const row of page.rows) rows.push(row)
    if (page.next === undefined) return rows
    start = { cursor: page.next }
  }
})
