/**
 * Answers that come in pages, page by page: the use of memory does not grow with them.
 */
import { Effect, Option, Stream } from "effect"
import type { Found } from "../services/memory/Memory.ts"
import { json, write, writeLine } from "./Output.ts"

/** Rows that are read at once. */
export const pageSize = 250

/** The rows that `read` finds, at most `limit`, page by page: each begins at the cursor of the one before. */
export const upTo = <Row, E>(
  limit: number,
  read: (page: { readonly cursor?: string; readonly limit: number }) => Effect.Effect<Found<Row>, E>
): Stream.Stream<ReadonlyArray<Row>, E> => {
  const start: { readonly cursor?: string; readonly left: number } = { left: limit }
  return Stream.paginate(start, ({ left, ...from }) =>
    Effect.map(read({ ...from, limit: Math.min(left, pageSize) }), ({ rows, next }) => {
      const rest = left - rows.length
      return [
        [rows],
        next === undefined || rest <= 0 ? Option.none<typeof start>() : Option.some({ cursor: next, left: rest })
      ] as const
    })
  )
}

/** Prints rows as one JSON array, page by page. */
export const printJson = Effect.fnUntraced(function* <Row, E>(pages: Stream.Stream<ReadonlyArray<Row>, E>) {
  let separator = "["
  yield* Stream.runForEach(pages, (rows) => {
    if (rows.length === 0) return Effect.void
    const text = `${separator}\n${rows.map((row) => json(row)).join(",\n")}`
    separator = ","
    return write(text)
  })
  yield* writeLine(separator === "[" ? "[]" : "\n]")
})
