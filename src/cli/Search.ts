/**
 * `search`: finds notes, facts and episodes by their words.
 */
import { Clock, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import type { Match } from "../services/memory/Memory.ts"
import type { FindInput } from "../services/memory/OwnQuestion.ts"
import * as Access from "./Access.ts"
import * as Fields from "./Fields.ts"
import * as Filters from "./Filters.ts"
import * as Globals from "./Globals.ts"
import { WrongUsage } from "./Failure.ts"
import { ago, counted, json, writeError, writeJson, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"
import * as Table from "./Table.ts"

/** The cursor of the first page. */
const start = "start"

const kindNames = Kind.searched.map(({ words }) => words.command).join(", ")

const kind = Flag.String("kind").pipe(
  Flag.withMetavar("KIND"),
  Flag.withDescription(
    `Only rows of this kind (${kindNames}); may be given several times. Or one application kind, alone`
  ),
  Fields.several
)

/** The kind of a word: by its command, or by its name in JSON. */
const kindOf = (text: string) =>
  Kind.searched.find(({ name, path, words }) => [name, path, words.command].some((one) => one === text))?.name

/** The rows of a kind of an application that have the words: as JSON, for this program does not know their columns. */
const ofApplication = Effect.fnUntraced(function* (kind: string, input: FindInput, isPaged: boolean) {
  const { memory } = yield* Access.open("read")
  const found = yield* Effect.catchTag(memory.own.find(kind, input), "KindUndeclared", () =>
    Effect.fail(
      new WrongUsage({
        problem: `unknown kind ${kind}`,
        nextStep: `--kind takes ${kindNames}, or an application kind`
      })
    )
  )
  if (yield* Globals.Json) return yield* writeJson(isPaged ? found : found.rows)
  if (found.rows.length === 0) return yield* writeLine("No matches. Try fewer words.")
  yield* writeLine(found.rows.map(json).join("\n"))
  if (found.next !== undefined) yield* writeLine(`More: --cursor ${found.next}`)
})

const shown = Effect.fnUntraced(function* (found: ReadonlyArray<Match>) {
  if (found.length === 0) return yield* writeLine("No matches. Try fewer words.")
  const now = yield* Clock.currentTimeMillis
  const columns: ReadonlyArray<Table.Column<Match>> = [
    { title: "KIND", text: ({ kind }) => kind, whole: true },
    { title: "ID", text: ({ id }) => id, whole: true },
    { title: "CHANGED", text: ({ updated_at }) => ago(updated_at * 1000, now), whole: true },
    { title: "TEXT", text: ({ snippet }) => snippet }
  ]
  yield* writeLine(Table.lines(columns, found).join("\n"))
})

export const command = Command.make(
  "search",
  {
    query: Fields.text("query", "Words to search for; the last one may be the start of a word").pipe(
      Argument.variadic({ min: 1 })
    ),
    kind,
    tag: Filters.tag,
    subject: Filters.subject,
    session: Filters.session,
    ...Filters.common,
    limit: Filters.limit,
    cursor: Fields.maybe(
      Fields.textFlag(
        "cursor",
        "CURSOR",
        `Continue from a previous page: its "next" value, or "${start}" for the first page`
      )
    )
  },
  Effect.fnUntraced(function* ({ query, kind, limit = Filters.usual, cursor, ...given }) {
    const kinds = kind.flatMap((text) => kindOf(text) ?? [])
    const filter = yield* Filters.of(given)
    const own = kind.find((text) => kindOf(text) === undefined)
    if (own !== undefined) {
      const { origin: _origin, since: _since, until: _until, ...others } = filter
      if (kind.length > 1 || Object.keys(others).length > 0) {
        return yield* new WrongUsage({
          problem: `--kind ${own} is not one of ${kindNames}`,
          nextStep: "search it alone, with no filters but --since, --until and --origin"
        })
      }
      return yield* ofApplication(
        own,
        {
          ...filter,
          words: query.join(" "),
          limit,
          ...(cursor === undefined || cursor === start ? {} : { cursor })
        },
        cursor !== undefined
      )
    }
    const input = { query: query.join(" "), ...filter, limit, ...(kinds.length === 0 ? {} : { kinds }) }
    // The index is brought up to date first.
    const { memory } = yield* Access.open("maintain")
    const isJson = yield* Globals.Json
    if (cursor === undefined) {
      const found = yield* memory.search(input)
      return yield* isJson ? writeJson(found) : shown(found)
    }
    const found = yield* memory.searchPage({ ...input, ...(cursor === start ? {} : { cursor }) })
    if (isJson) return yield* writeJson(found)
    yield* shown(found.rows)
    if (found.next !== undefined) yield* writeLine(`More: --cursor ${found.next}`)
    if (found.indexing === undefined) return
    const { done, total } = found.indexing
    yield* writeError(
      `Indexed ${done} of ${counted(total, "row", "rows")} so far: search again later to find the others`
    )
  }, Pager.paged)
).pipe(
  Command.withDescription(
    "Find notes, facts and episodes that contain all the words: exact matches first, then the newest.\n\n" +
      "Case and accents do not matter. Words inside Chinese, Japanese, Korean and Thai text are found too.\n\n" +
      "With --cursor, --json prints {rows, next} and does not wait for the index."
  ),
  Command.withShortDescription("Search notes, facts and episodes"),
  Command.withExamples([
    { command: "feral-sync search meeting roadmap" },
    { command: "feral-sync search 'kitchen temp' --json --limit 5" },
    { command: "feral-sync search plants --kind note --tag home --since 7d" },
    { command: "feral-sync search tea --kind todos" }
  ])
)
