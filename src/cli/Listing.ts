/**
 * Lists of rows, printed page by page: the use of memory does not grow with the list.
 */
import { Clock, Effect, Option, Stream } from "effect"
import { Command } from "effect/cli"
import type * as Kind from "../core/replica/Kind.ts"
import type { Note } from "../core/replica/Row.ts"
import type { StoreUnavailable } from "../services/node/NodeFailure.ts"
import type { Memory, Page } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { ago, json, lineWidth, write, writeLine } from "./Output.ts"
import * as Table from "./Table.ts"

/** Rows that are read at once. */
const pageSize = 250

interface Options<Row> {
  readonly list: (memory: Memory["Service"]) => (page: Page) => Effect.Effect<ReadonlyArray<Row>, StoreUnavailable>
  /** The columns of a table, besides id and time. */
  readonly columns: ReadonlyArray<Table.Column<Row>>
  /** The text of an empty list: the next step. */
  readonly whenEmpty: string
}

/** The command that lists the rows of a kind. Rows that can be changed show when they were. */
export const command = <Row extends Pick<Note, "id" | "created_at" | "updated_at">>(
  { words, rule }: Kind.Definition,
  { list, columns, whenEmpty }: Options<Row>
) => {
  const [title, time] = rule === "lww" ? (["CHANGED", "updated_at"] as const) : (["WHEN", "created_at"] as const)
  const print = Effect.fnUntraced(function* () {
    const { memory } = yield* Access.open("read")
    const pages = Stream.paginate<string | undefined, ReadonlyArray<Row>, StoreUnavailable>(undefined, (after) =>
      Effect.map(list(memory)({ ...(after === undefined ? {} : { after }), limit: pageSize }), (rows) => {
        const last = rows.length < pageSize ? undefined : rows.at(-1)?.id
        return [[rows], Option.fromUndefinedOr(last)]
      })
    )
    if (yield* Globals.Json) return yield* printJson(pages)
    const now = yield* Clock.currentTimeMillis
    const first: ReadonlyArray<Table.Column<Row>> = [
      { title: "ID", text: ({ id }) => id, whole: true },
      { title, text: ({ [time]: at }) => ago(at * 1000, now), whole: true }
    ]
    yield* printTable(pages, [...first, ...columns], whenEmpty)
  }, Effect.scoped)
  return Command.make("list", {}, print).pipe(
    Command.withDescription(`List the ${words.many}`),
    Command.withExamples([{ command: `feral-sync ${words.command} list` }])
  )
}

const printJson = Effect.fnUntraced(function* <Row, E>(pages: Stream.Stream<ReadonlyArray<Row>, E>) {
  let separator = "["
  yield* Stream.runForEach(pages, (rows) => {
    if (rows.length === 0) return Effect.void
    const text = `${separator}\n${rows.map((row) => json(row)).join(",\n")}`
    separator = ","
    return write(text)
  })
  yield* writeLine(separator === "[" ? "[]" : "\n]")
})

const printTable = Effect.fnUntraced(function* <Row, E>(
  pages: Stream.Stream<ReadonlyArray<Row>, E>,
  columns: ReadonlyArray<Table.Column<Row>>,
  whenEmpty: string
) {
  let layout: Table.Layout<Row> | undefined
  yield* Stream.runForEach(pages, (rows) => {
    if (rows.length === 0) return Effect.void
    const head = layout === undefined
    const used = (layout ??= Table.layout(columns, rows, lineWidth()))
    const lines = rows.map((row) => Table.row(used, row))
    return writeLine((head ? [Table.header(used), ...lines] : lines).join("\n"))
  })
  if (layout === undefined) yield* writeLine(whenEmpty)
})
