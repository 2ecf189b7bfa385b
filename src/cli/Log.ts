/**
 * `log`: which skills ran, and how it went.
 */
import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import { ExecutionArgs } from "../services/memory/Memory.ts"
import { WrongUsage } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Filters from "./Filters.ts"
import * as Input from "./Input.ts"
import * as Listing from "./Listing.ts"
import * as Writing from "./Writing.ts"

const { columns } = Kind.table.executionLog

const decodeArgs = Schema.decodeUnknownOption(Schema.fromJsonString(ExecutionArgs))
const expected = `a JSON object, like '{"a":1}'`

const append = Command.make(
  "append",
  {
    wait: Writing.wait,
    session: Fields.textFlag("session", "S", "The session in which it ran"),
    skill: Fields.textFlag("skill", "K", "The skill that ran"),
    endpoint: Fields.textFlag("endpoint", "E", "The endpoint where it ran"),
    status: Fields.textFlag("status", "ST", "The result, such as ok or error"),
    args: Fields.maybe(
      Flag.String("args").pipe(
        Flag.filter(
          (text) => text === Input.mark || Option.isSome(decodeArgs(text)),
          () => expected
        ),
        Flag.withMetavar("JSON"),
        Flag.withDescription(
          `The arguments, as a JSON object ${Fields.byDefault(columns.args)}; - reads standard input`
        )
      )
    ),
    latency: Fields.maybe(
      Fields.number(
        "latency-ms",
        "N",
        `How long it took, in milliseconds ${Fields.byDefault(columns.latency_ms)}`,
        (value) => value >= 0,
        "a number of milliseconds, 0 or more"
      )
    )
  },
  Effect.fnUntraced(function* ({ wait, session, skill, endpoint, status, args: given, latency }) {
    const { "--args": text } = yield* Input.resolve({ "--args": given })
    const args = text === undefined ? undefined : Option.getOrUndefined(decodeArgs(text))
    if (text !== undefined && args === undefined)
      return yield* new WrongUsage({ problem: `--args: expected ${expected}` })
    yield* Writing.run("Logged", wait, ({ executionLog }) =>
      executionLog.append({
        session_id: session,
        skill_id: skill,
        endpoint_id: endpoint,
        result_status: status,
        ...(args === undefined ? {} : { args }),
        ...(latency === undefined ? {} : { latency_ms: latency })
      })
    )
  })
).pipe(
  Command.withDescription("Append an entry. Entries are never changed or deleted."),
  Command.withExamples([
    {
      command: `feral-sync log append --session s1 --skill search --endpoint local --status ok --args '{"q":"tea"}' --latency-ms 12`
    }
  ])
)

const list = Listing.command(Kind.table.executionLog, {
  flags: { session: Filters.session, status: Filters.status },
  list: ({ executionLog }) => executionLog.list,
  columns: [
    { title: "STATUS", text: ({ result_status }) => result_status },
    { title: "TOOK", text: ({ latency_ms }) => `${Math.round(latency_ms * 10) / 10} ms`, whole: true },
    { title: "SESSION", text: ({ session_id }) => session_id },
    { title: "SKILL", text: ({ skill_id }) => skill_id },
    { title: "ENDPOINT", text: ({ endpoint_id }) => endpoint_id },
    { title: "ARGS", text: ({ args }) => JSON.stringify(args) }
  ],
  whenEmpty: () =>
    `The log is empty. Append an entry: ${commandLine("log append --session S --skill K --endpoint E --status ok")}`
})

export const command = Command.make("log").pipe(
  Command.withDescription("The execution log records which skills ran, and their results. Entries are kept forever."),
  Command.withShortDescription("Append to the execution log and list it"),
  Command.withSubcommands([append, list])
)
