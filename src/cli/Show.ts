/**
 * `show`: one row, with all its columns.
 */
import { Clock, Effect, Struct } from "effect"
import { Argument, Command } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import type { AnyRow } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import * as Choosing from "./Choosing.ts"
import * as Globals from "./Globals.ts"
import { ago, oneLine, writeJson, writeLine } from "./Output.ts"

/** Prints a row: as JSON, or a line for each column. The lines of a text keep their ends. */
export const print = Effect.fnUntraced(function* (row: AnyRow) {
  if (yield* Globals.Json) return yield* writeJson(row)
  const now = yield* Clock.currentTimeMillis
  const lines = Object.entries(row).map(([name, value]) => {
    const isTime = (name === "created_at" || name === "updated_at") && typeof value === "number"
    const text = isTime
      ? `${new Date(value * 1000).toISOString()} (${ago(value * 1000, now)})`
      : typeof value === "string"
        ? value
        : JSON.stringify(value)
    return `${`${name}:`.padEnd(16)}${text
      .split(/\r?\n/)
      .map(oneLine)
      .join(`\n${" ".repeat(16)}`)}`
  })
  yield* writeLine(lines.join("\n"))
})

const id = Argument.String("id").pipe(Argument.withDescription("The id of the row, or its beginning"))

/** A command that shows a row of some kinds. */
export const of = (kinds: ReadonlyArray<keyof Kind.Table>) =>
  Command.make(
    "show",
    { id },
    Effect.fnUntraced(function* ({ id }) {
      const { memory } = yield* Access.open("read")
      yield* print(yield* Choosing.row(memory, id, kinds))
    }, Effect.scoped)
  )

export const command = of(Struct.keys(Kind.table)).pipe(
  Command.withDescription(
    "Show one row of any kind, with all its columns. The beginning of an id is enough if no other row has it."
  ),
  Command.withShortDescription("Show one row"),
  Command.withExamples([{ command: "feral-sync show 0198c0de" }])
)
