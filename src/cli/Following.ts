/**
 * `list --follow`: the last rows, and then each one as it is written, until Ctrl-C. The newest is last, as in a log.
 *
 * The change feed is followed before the last rows are read, so no row between the two is missed.
 */
import { Clock, Effect, Stream } from "effect"
import type * as Kind from "../core/replica/Kind.ts"
import type { Operation } from "../core/replica/Operation.ts"
import { reader } from "../core/replica/Row.ts"
import { type Filter, matcher } from "../core/replica/Selection.ts"
import type { Memory } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import { NodeNotRunning } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import { json, writeError, writeLine } from "./Output.ts"
import * as Table from "./Table.ts"

interface Options<K extends Kind.Kind, Row, E> {
  readonly kind: K
  readonly filter: Filter
  /** The last rows, newest first. */
  readonly last: (memory: Memory["Service"]) => Effect.Effect<ReadonlyArray<Row>, E>
  /** The columns of a table that is printed at this time (ms). */
  readonly columns: (now: number) => ReadonlyArray<Table.Column<Row>>
}

/** Prints the last rows of a kind that a filter leaves, and those that come. */
export const run = Effect.fnUntraced(function* <K extends Kind.Kind, E>(options: Options<K, K["row"]["Type"], E>) {
  const { kind, last, columns } = options
  const { memory, home, isRunning } = yield* Access.open("read")
  // Another process would write: this one would never see it.
  if (!isRunning) return yield* new NodeNotRunning({ home })
  const isJson = yield* Globals.Json
  const isListed = matcher({ ...options.filter, kinds: [kind.name] })
  const read: (operation: Operation) => K["row"]["Type"] = reader(kind)
  let table: Table.Growing<K["row"]["Type"]> | undefined
  const print = Effect.fnUntraced(function* (rows: ReadonlyArray<K["row"]["Type"]>) {
    if (isJson) return rows.length === 0 ? undefined : yield* writeLine(rows.map(json).join("\n"))
    const shown = columns(yield* Clock.currentTimeMillis)
    const titles = table === undefined ? (table = Table.growing(shown, rows)).titles : []
    const lines = [...titles, ...rows.flatMap((row) => table?.lines(shown, row) ?? [])]
    if (lines.length > 0) yield* writeLine(lines.join("\n"))
  })
  let before: ReadonlySet<string> | undefined
  yield* Stream.runForEach(memory.feed({ kinds: [kind.name] }), (event) =>
    Effect.gen(function* () {
      if (before === undefined) {
        // The first event comes at once: from here on, all are heard of.
        const rows = (yield* last(memory)).toReversed()
        before = new Set(rows.map(({ hlc }) => hlc))
        yield* print(rows)
      }
      if (event._tag === "Reset") return yield* writeError("The database was replaced: all rows follow.")
      const rows = event.operations.filter(isListed).map(read)
      yield* print(rows.filter(({ hlc }) => before?.has(hlc) !== true))
    })
  )
})
