/**
 * `list --deleted`: the deleted rows of a kind that this node can bring back, the one that was deleted last first.
 */
import { Clock, Effect } from "effect"
import type * as Kind from "../core/replica/Kind.ts"
import type { DeletedInput, DeletedRow } from "../services/memory/Memory.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Filters from "./Filters.ts"
import * as Globals from "./Globals.ts"
import * as History from "./History.ts"
import { ago, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"
import { printJson, upTo } from "./Pages.ts"
import * as Table from "./Table.ts"

type Given = Filters.Given & { readonly limit?: number | undefined }

export const print = Effect.fnUntraced(function* (
  { name, words: { command, many } }: Kind.Kind,
  text: History.Text,
  { limit, ...given }: Given,
  isFollowed: boolean
) {
  if (isFollowed || Object.keys(yield* Filters.of(given)).length > 0) {
    return yield* new WrongUsage({ problem: "--deleted goes with --limit only: leave out the other flags" })
  }
  const { memory } = yield* Access.open("read")
  const read = (page: DeletedInput) => memory.deleted({ kind: name, ...page })
  if (yield* Globals.Json) return yield* printJson(upTo(limit ?? Infinity, read))
  const { rows, next } = yield* read({ limit: limit ?? Filters.usual })
  if (rows.length === 0) return yield* writeLine(`This node keeps no deleted ${many}.`)
  const now = yield* Clock.currentTimeMillis
  const columns: ReadonlyArray<Table.Column<DeletedRow>> = [
    { title: "ID@VERSION", text: ({ id, version }) => `${id}@${version}`, whole: true },
    { title: "DELETED", text: ({ deleted_at }) => ago(deleted_at * 1000, now), whole: true },
    { title: "BY", text: ({ deleted_by }) => deleted_by, whole: true },
    { title: "TEXT", text: ({ row }) => text(History.columnsOf(row)) }
  ]
  yield* writeLine(Table.lines(columns, rows).join("\n"))
  if (next !== undefined) yield* writeLine("… more: use --limit N")
  yield* writeLine(`Bring one back: ${commandLine(`${command} restore ID@VERSION`)}`)
}, Pager.paged)
