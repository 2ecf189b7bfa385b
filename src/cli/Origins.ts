/**
 * `origins`: the nodes that have written something which is here, and how those of which nothing is left are forgotten.
 */
import { Clock, Effect } from "effect"
import { Argument, Command } from "effect/cli"
import type { OriginStatus } from "../services/admin/Origins.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { ago, counted, json, oneLine, write, writeJson, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"
import * as Table from "./Table.ts"

const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function* () {
    const access = yield* Access.open("read")
    const origins = yield* access.origins.list
    if (yield* Globals.Json) {
      const rows = origins.map((origin) => json(origin))
      return yield* write(rows.length === 0 ? "[]\n" : `[\n${rows.join(",\n")}\n]\n`)
    }
    const now = yield* Clock.currentTimeMillis
    yield* writeLine(
      origins.length === 0
        ? "No origins yet: no node has written any rows."
        : Table.lines(columns(now), origins).join("\n")
    )
  }, Pager.paged)
).pipe(
  Command.withDescription(
    "List the nodes that wrote the rows here. For each, show its rows, its last operation, and when it was last seen. The origin with the most rows comes first."
  ),
  Command.withShortDescription("List the nodes that wrote the rows here"),
  Command.withExamples([
    { command: "feral-sync origins list" },
    {
      command: "feral-sync origins list --json | jq -r '.[] | select(.rows == 0 and .is_self == false) | .origin'",
      description: "Origins without rows"
    }
  ])
)

const time = (at: number | null, now: number): string => (at === null ? "-" : ago(at * 1000, now))

const columns = (now: number): ReadonlyArray<Table.Column<OriginStatus>> => [
  { title: "Origin", text: ({ origin }) => origin, whole: true },
  { title: "Rows", text: ({ rows }) => `${rows}` },
  { title: "Covered up to", text: ({ covered_to }) => coveredTo(covered_to) },
  { title: "Last operation", text: ({ last_operation_at }) => time(last_operation_at, now) },
  { title: "Last seen", text: ({ last_seen_at, is_self }) => (is_self ? "-" : time(last_seen_at, now)) },
  {
    title: "Peer",
    text: ({ is_peer, is_self }) => (is_self ? "this node" : is_peer === null ? "?" : is_peer ? "yes" : "no")
  }
]

/** The wall time of a timestamp, as people read it. */
const coveredTo = (timestamp: string | null): string => {
  const wall = Number(timestamp?.split(":", 1)[0])
  const date = new Date(wall)
  if (timestamp === null) return "-"
  return Number.isNaN(date.getTime()) ? timestamp : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`
}

const forget = Command.make(
  "forget",
  {
    origins: Argument.String("origin").pipe(
      Argument.withDescription("The id of an origin, as `origins list` shows it"),
      Argument.variadic({ min: 1 })
    )
  },
  Effect.fnUntraced(function* ({ origins }) {
    const access = yield* Access.open("change")
    const { forgotten } = yield* access.origins.forget({
      origins: [...new Set(origins.map((origin) => origin.trim()))]
    })
    if (yield* Globals.Json) return yield* writeJson({ forgotten })
    yield* writeLine(
      `Forgot ${counted(forgotten.length, "origin")}: ${forgotten.slice(0, named).map(oneLine).join(", ")}${forgotten.length > named ? ", …" : ""}. No row changed.`
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Forget origins that have no rows left. No rows change. It works with or without a running node.\n\n" +
      "If a given origin still has rows, or is this node, no origin is forgotten. " +
      "If a peer still has rows of an origin, it sends them, and the origin is listed again."
  ),
  Command.withShortDescription("Forget origins that have no rows left"),
  Command.withExamples([
    { command: "feral-sync origins forget cc67104d01bb055f" },
    { command: "feral-sync origins forget cc67104d01bb055f 3f2504e04f8911d3", description: "Forget several origins" }
  ])
)

/** Origins that are named at most. */
const named = 10

export const command = Command.make("origins").pipe(
  Command.withDescription(
    "Origins are the nodes that wrote the rows here. The limit is 10,000. Rows of further origins wait, and status shows it."
  ),
  Command.withShortDescription("List and forget the nodes that wrote the rows here"),
  Command.withSubcommands([list, forget])
)
