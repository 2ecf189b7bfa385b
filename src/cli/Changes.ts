/**
 * `changes`: what was written and deleted, in the order in which it was committed here, from a cursor on.
 */
import { Effect, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { type Operation, toWire } from "../core/replica/Operation.ts"
import { escapeControls, oneLine } from "../core/text/Printable.ts"
import { commandLine } from "../services/node/Invocation.ts"
import type { FeedEvent } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import { NodeNotRunning } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { writeError, writeLine, write } from "./Output.ts"

const isKind = (name: string): boolean => Kind.names.some((known) => known === name) || name.includes("!")

export const command = Command.make(
  "changes",
  {
    since: Fields.maybe(Fields.textFlag("since", "CURSOR", "Only changes after this cursor; 0 is the beginning")),
    kinds: Flag.String("kind").pipe(
      Flag.filter(isKind, () => `one of ${Kind.names.join(", ")}`),
      Flag.withMetavar("KIND"),
      Flag.withDescription("Only rows of this kind; may be given several times"),
      Fields.several
    ),
    follow: Globals.Switch("follow").pipe(
      Flag.withDescription("Keep showing new changes until Ctrl-C"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ since, kinds, follow }) {
    const { memory, home, isRunning } = yield* Access.open("read")
    // Another process would write: this one would never see it.
    if (follow && !isRunning) return yield* new NodeNotRunning({ home })
    const from = since ?? (follow ? undefined : "0")
    const events = memory.feed({ since: from, follow, ...(kinds.length === 0 ? {} : { kinds }) })
    if (!(yield* Globals.Json)) return yield* print(events, from)
    yield* follow ? Stream.runForEach(events, (event) => writeLine(lineOf(event))) : printJson(events, from)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Show what was written and deleted, in the order in which this node committed it. A row that changed several times is shown once, in its latest state.\n\n" +
      "Without --since, all rows are shown; with --follow, only new changes. " +
      "A reset means that the cursor is too old or belongs to another database: all current rows follow."
  ),
  Command.withShortDescription("Show what was written and deleted since a cursor"),
  Command.withExamples([
    { command: "feral-sync changes --kind notes" },
    { command: "feral-sync changes --since CURSOR --json", description: "New changes, and the next cursor" },
    { command: "feral-sync changes --follow --json", description: "One line of JSON for each event" }
  ])
)

/** An event on one line. The operations are as they travel: their numbers keep all digits. */
const lineOf = (event: FeedEvent): string => {
  const head = `{"_tag":"${event._tag}","cursor":${JSON.stringify(event.cursor)}`
  return escapeControls(
    event._tag === "Reset" ? `${head}}` : `${head},"operations":[${event.operations.map(toWire).join()}]}`
  )
}

const printJson = Effect.fnUntraced(function* <E>(events: Stream.Stream<FeedEvent, E>, from: string | undefined) {
  let cursor = from
  let isReset = false
  let separator = ""
  yield* write('{"operations":[')
  yield* Stream.runForEach(events, (event) => {
    cursor = event.cursor
    isReset ||= event._tag === "Reset"
    if (event._tag === "Reset" || event.operations.length === 0) return Effect.void
    const text = event.operations.map((operation) => `\n${escapeControls(toWire(operation))}`).join()
    const before = separator
    separator = ","
    return write(`${before}${text}`)
  })
  yield* writeLine(`],"reset":${isReset},"cursor":${JSON.stringify(cursor ?? null)}}`)
})

const print = Effect.fnUntraced(function* <E>(events: Stream.Stream<FeedEvent, E>, from: string | undefined) {
  let cursor = from
  yield* Stream.runForEach(events, (event) => {
    cursor = event.cursor
    if (event._tag === "Reset") return writeLine("reset: all current rows follow")
    return event.operations.length === 0 ? Effect.void : writeLine(event.operations.map(rowOf).join("\n"))
  })
  // Not a part of the result: it can be piped without it.
  if (cursor !== undefined) yield* writeError(`Next: ${commandLine(`changes --since ${cursor}`)}`)
})

const done = { insert: "added", update: "changed", delete: "deleted" } as const

const rowOf = ({ hlc, table, op_type, row_id }: Operation): string =>
  `${new Date(hlc.wall).toISOString()}  ${done[op_type].padEnd(7)}  ${oneLine(table).padEnd(13)}  ${oneLine(row_id)}  ${oneLine(hlc.node)}`
