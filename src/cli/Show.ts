/**
 * `show`: one row, with all its columns.
 */
import { Clock, Effect, Struct } from "effect"
import { Argument, Command } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import type { AnyRow } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import * as Choosing from "./Choosing.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { ago, oneLine, writeJson, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"

/** The row of a kind of an application. */
const ownRow = Effect.fnUntraced(function* (kind: string, id: string) {
  const { memory } = yield* Access.open("read")
  yield* writeJson(yield* memory.own.get(kind, id))
})

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

const id = Argument.String("id").pipe(Argument.withDescription("The id of the row, or the start of it"))

/** Whether a built-in kind has this name, in JSON or as a command. */
const isNamed = (key: keyof Kind.Table, text: string): boolean => {
  const { name, words }: Kind.Kind = Kind.table[key]
  return text === name || text === words.command
}
const isBuiltIn = (text: string): boolean => Struct.keys(Kind.table).some((key) => isNamed(key, text))

/** A command that shows a row of some kinds. */
export const of = (kinds: ReadonlyArray<keyof Kind.Table>) =>
  Command.make(
    "show",
    { id },
    Effect.fnUntraced(function* ({ id }) {
      const { memory } = yield* Access.open("read")
      yield* print(yield* Choosing.row(memory, id, kinds))
    }, Pager.paged)
  )

const ownKind = Fields.maybe(Fields.textFlag("kind", "KIND", "The application kind of the row; prints JSON"))

export const command = Command.make(
  "show",
  { id, kind: ownKind },
  Effect.fnUntraced(function* ({ id, kind }) {
    if (kind !== undefined && !isBuiltIn(kind)) return yield* ownRow(kind, id)
    const { memory } = yield* Access.open("read")
    const all = Struct.keys(Kind.table)
    yield* print(yield* Choosing.row(memory, id, kind === undefined ? all : all.filter((name) => isNamed(name, kind))))
  }, Pager.paged)
).pipe(
  Command.withDescription(
    "Show one row of any kind, with all its columns. The start of an id is enough if it is unambiguous. For a row of an application kind, give the kind and the whole id."
  ),
  Command.withShortDescription("Show one row"),
  Command.withExamples([
    { command: "feral-sync show 0198c0de" },
    { command: "feral-sync show 0198c0de-7e57-7000-8000-000000000001 --kind todos" }
  ])
)
