/**
 * `search`: finds notes, facts and episodes by their words.
 */
import { Clock, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Access from "./Access.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { ago, lineWidth, writeJson, writeLine } from "./Output.ts"
import * as Table from "./Table.ts"

/** The most rows that a node gives at once. */
const mostRows = 1_000

export const command = Command.make(
  "search",
  {
    query: Fields.text("query", "Words to search for; the last one may be the start of a word"),
    limit: Fields.number(
      "limit",
      "N",
      (value) => Number.isInteger(value) && value >= 1 && value <= mostRows,
      `a whole number from 1 to ${mostRows} (default: 20)`
    ).pipe(Flag.withDescription("Maximum number of rows to show"), Flag.withDefault(20))
  },
  Effect.fnUntraced(function* ({ query, limit }) {
    // The index is brought up to date first.
    const { memory } = yield* Access.open("maintain")
    const found = yield* memory.search({ query, limit })
    if (yield* Globals.Json) return yield* writeJson(found)
    if (found.length === 0) return yield* writeLine("No matches. Try fewer words.")
    const now = yield* Clock.currentTimeMillis
    const columns: ReadonlyArray<Table.Column<(typeof found)[number]>> = [
      { title: "KIND", text: ({ kind }) => kind, whole: true },
      { title: "ID", text: ({ id }) => id, whole: true },
      { title: "CHANGED", text: ({ updated_at }) => ago(updated_at * 1000, now), whole: true },
      { title: "TEXT", text: ({ snippet }) => snippet }
    ]
    const layout = Table.layout(columns, found, lineWidth())
    yield* writeLine([Table.header(layout), ...found.map((row) => Table.row(layout, row))].join("\n"))
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Find notes, facts and episodes that contain all the words, newest first. Case and accents do not matter."
  ),
  Command.withShortDescription("Search notes, facts and episodes"),
  Command.withExamples([
    { command: "feral-sync search plants" },
    { command: "feral-sync search 'kitchen temp' --json --limit 5" }
  ])
)
