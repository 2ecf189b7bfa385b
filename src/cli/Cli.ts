/**
 * The command line: all commands, and what becomes of their results. The program never fails: it gives an exit code.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect } from "effect"
import { CliConfig, CliOutput, Command, Completions, GlobalFlag } from "effect/cli"
import { layerQuiet } from "../services/node/Logging.ts"
import { inThisForm } from "../services/node/Invocation.ts"
import { version } from "../services/node/Version.ts"
import * as Arguments from "./Arguments.ts"
import * as Backup from "./Backup.ts"
import * as Changes from "./Changes.ts"
import * as ShellCompletions from "./Completions.ts"
import { Descriptor } from "./Descriptor.ts"
import * as Compact from "./Compact.ts"
import * as Doctor from "./Doctor.ts"
import * as Episode from "./Episode.ts"
import * as Export from "./Export.ts"
import * as Fact from "./Fact.ts"
import { presenter, report, reportDefect, WrongUsage } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import * as Identity from "./Identity.ts"
import * as Import from "./Import.ts"
import * as List from "./List.ts"
import * as Log from "./Log.ts"
import * as Mcp from "./Mcp.ts"
import * as Note from "./Note.ts"
import { OutputFailed, write } from "./Output.ts"
import * as Open from "./Open.ts"
import * as Origins from "./Origins.ts"
import * as Passphrase from "./Passphrase.ts"
import * as Purge from "./Purge.ts"
import * as Rejoin from "./Rejoin.ts"
import * as Restore from "./Restore.ts"
import * as Search from "./Search.ts"
import * as Service from "./Service.ts"
import * as Show from "./Show.ts"
import * as Start from "./Start.ts"
import * as Status from "./Status.ts"
import * as Tls from "./Tls.ts"
import * as Token from "./Token.ts"
import * as Verify from "./Verify.ts"

const feralSync = Command.make("feral-sync").pipe(
  Command.withDescription(
    "Replicates the memory of agents between machines: local first, no server, no cloud. " +
      "A word that begins with a dash is text unless it is a flag of the command, or looks like a misspelt one. " +
      "After -- everything is text. - reads the text from standard input."
  ),
  Command.withExamples([
    { command: "feral-sync start", description: "Run a node" },
    {
      command: 'feral-sync note add "water the plants"',
      description: "Add a note, with or without a running node"
    },
    { command: "feral-sync status", description: "Show the state of the node" }
  ]),
  Command.withSubcommands([
    Start.command,
    Status.status,
    Status.peers,
    Open.command,
    Doctor.command,
    Service.command,
    Tls.command,
    Token.command,
    Passphrase.command,
    Note.command,
    Fact.command,
    Episode.command,
    Log.command,
    Search.command,
    Show.command,
    List.command,
    Changes.command,
    Mcp.command,
    Export.command,
    Import.command,
    Backup.command,
    Rejoin.command,
    Restore.command,
    Compact.command,
    Purge.command,
    Verify.command,
    Identity.command,
    Origins.command,
    ShellCompletions.command
  ]),
  Command.withGlobalFlags([Globals.Home, Globals.Json])
)

const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] as const

/** The commands and flags. */
export const grammar: Arguments.Grammar = {
  command: Completions.fromCommand(feralSync),
  globals: [
    { name: "home", aliases: [], takesValue: true },
    { name: "json", aliases: [], takesValue: false }
  ],
  actions: [
    { name: "help", aliases: ["h"], takesValue: false },
    { name: "version", aliases: ["v"], takesValue: false },
    { name: "completions", aliases: [], takesValue: true }
  ]
}

/** The words for the parser, once it is clear what each of them is. */
const read = (args: ReadonlyArray<string>, isJson: boolean): Effect.Effect<ReadonlyArray<string>, WrongUsage> => {
  if (Arguments.hasForeignBytes(args)) {
    return Effect.fail(new WrongUsage({ message: "an argument is not UTF-8: convert it first, with iconv -t UTF-8" }))
  }
  const read = Arguments.read(grammar, args)
  if (read._tag === "Wrong") {
    return Effect.fail(new WrongUsage({ message: `${read.problem}; see "${inThisForm(read.path.join(" "))} --help"` }))
  }
  return isJson && read.words.some((word) => word.startsWith("--completions="))
    ? Effect.fail(new WrongUsage({ message: "--completions prints a script: leave out --json" }))
    : Effect.succeed(read.words)
}

/** Runs the command that `args` name. Gives the exit code. */
export const run = (args: ReadonlyArray<string>): Effect.Effect<number> => {
  const isJson = Globals.isJson(args)
  // Output of the library itself, like help, is written like all output.
  const printed: Array<string> = []
  const collecting: Console.Console = Object.assign(Object.create(console), {
    log: (...texts: ReadonlyArray<unknown>) => void printed.push(`${texts.join(" ")}\n`)
  })
  return read(args, isJson).pipe(
    Effect.flatMap(Command.runWith(feralSync, { version })),
    Effect.andThen(Effect.suspend(() => (printed.length === 0 ? Effect.void : write(printed.join(""))))),
    Effect.as(0),
    // Wrong usage, which the presenter has reported.
    Effect.catchTag("ShowHelp", () => Effect.succeed(2)),
    Effect.catch((error) => report(error, isJson)),
    Effect.catchCause((cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
      // Output is checked here too, for commands that cannot fail: help, and the findings of `doctor`.
      const defect = Cause.squash(cause)
      return defect instanceof OutputFailed ? report(defect, isJson) : reportDefect(cause, isJson)
    }),
    Effect.provideService(CliOutput.Presenter, presenter(isJson, args)),
    Effect.provideService(CliConfig.CliConfig, { builtIns }),
    Effect.provideService(Console.Console, collecting),
    Effect.provideService(
      Descriptor,
      Effect.sync(() => grammar.command)
    ),
    Effect.provide([NodeServices.layer, layerQuiet(isJson)])
  )
}
