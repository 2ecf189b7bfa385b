/**
 * `list`: the rows of a kind of an application, as JSON. The node need not have the application.
 */
import { Effect, Option, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import type { Memory } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import * as Filters from "./Filters.ts"
import * as Globals from "./Globals.ts"
import { printJson } from "./Listing.ts"
import { json, oneLine, writeJson, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"

/** Rows that are read at once. */
const pageSize = 250

type Own = Memory["Service"]["own"]

/** The rows of a kind in the order of their ids, page by page, at most `limit`. */
const rowsOf = (own: Own, kind: string, limit: number) => {
  const start: { readonly cursor?: string; readonly left: number } = { left: limit }
  return Stream.paginate(start, ({ left, ...from }) =>
    Effect.map(own.find(kind, { ...from, limit: Math.min(left, pageSize) }), ({ rows, next }) => {
      const rest = left - rows.length
      return [
        [rows],
        next === undefined || rest <= 0 ? Option.none<typeof start>() : Option.some({ cursor: next, left: rest })
      ] as const
    })
  )
}

const kindsOf = Effect.fnUntraced(function* (own: Own) {
  const kinds = yield* own.kinds
  if (yield* Globals.Json) return yield* writeJson(kinds)
  if (kinds.length === 0) return yield* writeLine("There are no rows of kinds of applications.")
  yield* writeLine(kinds.map(({ kind }) => oneLine(kind)).join("\n"))
})

export const command = Command.make(
  "list",
  {
    kind: Argument.String("kind").pipe(
      Argument.withDescription("The kind, like todos, or todos!fields; without it, the kinds that there are"),
      Argument.optional
    ),
    limit: Filters.limit
  },
  Effect.fnUntraced(function* ({ kind, limit }) {
    const { memory } = yield* Access.open("read")
    if (Option.isNone(kind)) return yield* kindsOf(memory.own)
    if (yield* Globals.Json) return yield* printJson(rowsOf(memory.own, kind.value, limit ?? Infinity))
    const most = limit ?? Filters.usual
    const { rows, next } = yield* memory.own.find(kind.value, { limit: most })
    if (rows.length === 0) return yield* writeLine("No rows.")
    yield* writeLine(rows.map(json).join("\n"))
    if (next !== undefined) yield* writeLine("… more: use --limit N, or --json for all")
  }, Pager.paged)
).pipe(
  Command.withDescription(
    "List the rows of a kind of an application, one line of JSON for each, in the order of their ids. With --json, all of them. Without a kind, the kinds of applications of which this node has rows."
  ),
  Command.withShortDescription("List the rows of a kind of an application"),
  Command.withExamples([{ command: "feral-sync list" }, { command: "feral-sync list todos --json" }])
)
