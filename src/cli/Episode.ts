/**
 * `episode`: things that happened.
 */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Fields from "./Fields.ts"
import * as Filters from "./Filters.ts"
import * as Input from "./Input.ts"
import * as Listing from "./Listing.ts"
import * as Writing from "./Writing.ts"

const add = Command.make(
  "add",
  {
    wait: Writing.wait,
    session: Fields.textFlag("session", "S", "The session in which it happened"),
    type: Fields.textFlag("type", "T", "The type of the event"),
    summary: Fields.textFlag("summary", "TEXT", "A summary of the event; - reads standard input"),
    detail: Fields.maybe(Fields.textFlag("detail", "TEXT", "Details; - reads standard input"))
  },
  ({ wait, session, type, summary: givenSummary, detail: givenDetail }) =>
    Effect.flatMap(
      Input.resolve({ "--summary": givenSummary, "--detail": givenDetail }),
      ({ "--summary": summary, "--detail": detail }) =>
        Writing.run("Recorded episode", wait, ({ episodes }) =>
          episodes.record({
            session_id: session,
            event_type: type,
            summary,
            ...(detail === undefined ? {} : { detail })
          })
        )
    )
).pipe(
  Command.withDescription("Record an episode. Episodes are never changed or deleted."),
  Command.withExamples([
    { command: 'feral-sync episode add --session s1 --type talk --summary "we spoke about tea"' },
    { command: "feral-sync episode add --session s1 --type talk --summary tea --detail - < story.txt" }
  ])
)

const list = Listing.command(Kind.table.episodes, {
  flags: { session: Filters.session },
  list: ({ episodes }) => episodes.list,
  columns: [
    { title: "SESSION", text: ({ session_id }) => session_id },
    { title: "TYPE", text: ({ event_type }) => event_type },
    { title: "SUMMARY", text: ({ summary, detail }) => (detail === "" ? summary : `${summary} (${detail})`) }
  ],
  whenEmpty: () => `No episodes yet. Record one: ${commandLine("episode add --session s1 --type talk --summary TEXT")}`
})

export const command = Command.make("episode").pipe(
  Command.withDescription("Episodes are events that happened. Every node keeps them forever."),
  Command.withShortDescription("Record and list episodes"),
  Command.withSubcommands([add, list])
)
