/**
 * `list`: the rows of a kind of an application, as JSON. The node need not have the application.
 */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import type { Memory } from "../services/memory/Memory.ts"
import type { FindInput } from "../services/memory/OwnQuestion.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Filters from "./Filters.ts"
import * as Globals from "./Globals.ts"
import { json, oneLine, writeJson, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"
import { printJson, upTo } from "./Pages.ts"

type Own = Memory["Service"]["own"]

const kindsOf = Effect.fnUntraced(function* (own: Own) {
  const kinds = yield* own.kinds
  if (yield* Globals.Json) return yield* writeJson(kinds)
  if (kinds.length === 0) return yield* writeLine("No rows of application kinds yet.")
  yield* writeLine(kinds.map(({ kind }) => oneLine(kind)).join("\n"))
})

export const command = Command.make(
  "list",
  {
    kind: Argument.String("kind").pipe(
      Argument.withDescription("The kind, like todos, or todos!fields; without it, list the kinds"),
      Argument.optional
    ),
    ...Filters.common,
    limit: Filters.limit
  },
  Effect.fnUntraced(function* ({ kind, limit, ...given }) {
    const filter = yield* Filters.of(given)
    const isChosen = Object.keys(filter).length > 0
    if (isChosen && Option.isNone(kind))
      return yield* new WrongUsage({ problem: "--since, --until and --origin need a kind: list todos --since 2h" })
    const { memory } = yield* Access.open("read")
    if (Option.isNone(kind)) return yield* kindsOf(memory.own)
    if (yield* Globals.Json) {
      const chosen = isChosen ? { ...filter, newest: true } : {}
      const find = (page: FindInput) => memory.own.find(kind.value, { ...chosen, ...page })
      return yield* printJson(upTo(limit ?? Infinity, find))
    }
    const most = limit ?? Filters.usual
    const { rows, next } = yield* memory.own.find(kind.value, { ...filter, newest: true, limit: most })
    if (rows.length === 0) return yield* writeLine("No rows.")
    yield* writeLine(rows.map(json).join("\n"))
    if (next !== undefined) yield* writeLine("… more: use --limit N, or --json for all")
  }, Pager.paged)
).pipe(
  Command.withDescription(
    "List the rows of an application kind, newest first, one line of JSON for each.\n\n" +
      "--json lists all rows by id; with filters, all matches, newest first. Without a kind, list the application kinds that have rows on this node."
  ),
  Command.withShortDescription("List the rows of an application kind"),
  Command.withExamples([
    { command: "feral-sync list" },
    { command: "feral-sync list todos --since 2h" },
    { command: "feral-sync list todos --json" }
  ])
)
