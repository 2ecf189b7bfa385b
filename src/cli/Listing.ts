/**
 * Lists of rows. For people: the newest first, some of them. As JSON: all of them, in the order of their ids, or those
 * that the flags choose, newest first. They are printed page by page: the use of memory does not grow with the list.
 */
import { Clock, Effect, Option, Schema, Stream } from "effect"
import { Command } from "effect/cli"
import type * as Kind from "../core/replica/Kind.ts"
import type { Filter } from "../core/replica/Selection.ts"
import type { StoreUnavailable } from "../services/node/NodeFailure.ts"
import type { AnyRow, Memory, Page } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import * as Deleted from "./Deleted.ts"
import * as Filters from "./Filters.ts"
import * as Following from "./Following.ts"
import * as Globals from "./Globals.ts"
import * as History from "./History.ts"
import { ago, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"
import { pageSize, printJson, upTo } from "./Pages.ts"
import * as Table from "./Table.ts"

interface Options<Row> {
  readonly list: (memory: Memory["Service"]) => (page: Page) => Effect.Effect<ReadonlyArray<Row>, StoreUnavailable>
  /** The columns of a table, besides id and time. */
  readonly columns: ReadonlyArray<Table.Column<Row>>
  /** The text of an empty list: the next step. */
  readonly whenEmpty: () => string
  /** What people know a deleted row by, where those can be brought back. */
  readonly text?: History.Text
  /** The flags of its own, besides those of every list. */
  readonly flags: {
    readonly [Name in "tag" | "subject" | "predicate" | "session" | "status" | "deleted"]?: (typeof Filters)[Name]
  }
}

type Given = Filters.Given & { readonly limit?: number | undefined; readonly deleted?: boolean | undefined }

/** The command that lists the rows of a kind. Rows that can be changed show when they were. */
export const command = <K extends Kind.Kind>(
  kind: K,
  { list, columns, whenEmpty, text = () => "", flags }: Options<K["row"]["Type"]>
) => {
  const { words, rule } = kind
  const [title, time] = rule === "lww" ? (["CHANGED", "updated_at"] as const) : (["WHEN", "created_at"] as const)
  type Row = K["row"]["Type"]
  const all = (now: number): ReadonlyArray<Table.Column<Row>> => [
    { title: "ID", text: ({ id }) => id, whole: true },
    { title, text: ({ [time]: at }) => ago(at * 1000, now), whole: true },
    ...columns
  ]
  const follow = Effect.fnUntraced(function* (given: Given) {
    const filter = yield* Filters.of(given)
    const last = (memory: Memory["Service"]) =>
      Effect.map(Stream.runCollect(chosen(memory, kind, filter, given.limit ?? Filters.usual)), (pages) => pages.flat())
    yield* Following.run({ kind, filter, last, columns: all })
  }, Effect.scoped)
  const print = Effect.fnUntraced(function* (given: Given) {
    const filter = yield* Filters.of(given)
    const isWhole = Object.keys(filter).length === 0
    const { memory } = yield* Access.open("read")
    const isJson = yield* Globals.Json
    if (isJson && isWhole && given.limit === undefined) return yield* printJson(whole(list(memory)))
    if (isJson) return yield* printJson(chosen(memory, kind, filter, given.limit ?? Infinity))
    const limit = given.limit ?? Filters.usual
    const shown: Array<Row> = []
    let count = 0
    yield* Stream.runForEach(chosen(memory, kind, filter, limit + Filters.mostRows), (rows) =>
      Effect.sync(() => {
        shown.push(...rows.slice(0, Math.max(0, limit - count)))
        count += rows.length
      })
    )
    if (count === 0) return yield* writeLine(isWhole ? whenEmpty() : `No ${words.many} match. Use fewer flags.`)
    yield* writeLine(Table.lines(all(yield* Clock.currentTimeMillis), shown).join("\n"))
    const more = count - shown.length
    if (more > 0) yield* writeLine(`… ${more < Filters.mostRows ? more : `at least ${more}`} more: use --limit N`)
  }, Pager.paged)
  return Command.make(
    "list",
    { ...Filters.common, ...flags, limit: Filters.limit, follow: Filters.follow },
    ({ follow: isFollowed, deleted = false, ...given }) =>
      deleted ? Deleted.print(kind, text, given, isFollowed) : isFollowed ? follow(given) : print(given)
  ).pipe(
    Command.withDescription(
      `List the ${words.many}, newest first.\n\n--json lists all rows by id; with filters, all matches, newest first. --follow shows the latest rows, then new ones as they arrive.`
    ),
    Command.withShortDescription(`List the ${words.many}`),
    Command.withExamples([
      { command: `feral-sync ${words.command} list` },
      { command: `feral-sync ${words.command} list --since 2h --limit 50` },
      { command: `feral-sync ${words.command} list --follow`, description: "Until Ctrl-C, through a running node" }
    ])
  )
}

/** All rows, page by page, in the order of their ids. */
const whole = <Row extends { readonly id: string }, E>(list: (page: Page) => Effect.Effect<ReadonlyArray<Row>, E>) =>
  Stream.paginate<string | undefined, ReadonlyArray<Row>, E>(undefined, (after) =>
    Effect.map(list({ ...(after === undefined ? {} : { after }), limit: pageSize }), (rows) => {
      const last = rows.length < pageSize ? undefined : rows.at(-1)?.id
      return [[rows], Option.fromUndefinedOr(last)]
    })
  )

/** The rows of a kind that a filter leaves, at most `limit`, page by page, newest first. */
const chosen = <K extends Kind.Kind>(memory: Memory["Service"], kind: K, filter: Filter, limit: number) => {
  const isRow: (row: unknown) => row is K["row"]["Type"] = Schema.is(kind.row)
  return upTo(limit, (page) => memory.recent({ ...filter, kinds: [kind.name], ...page })).pipe(
    Stream.map((rows) => rows.flatMap(({ kind: _, ...row }: AnyRow) => (isRow(row) ? [row] : [])))
  )
}
