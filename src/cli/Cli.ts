/**
 * The command line: all commands, and what becomes of their results. The program never fails: it gives an exit code.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect } from "effect"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import { layerQuiet } from "../services/Logging.ts"
import { version } from "../services/Version.ts"
import * as Backup from "./Backup.ts"
import * as Doctor from "./Doctor.ts"
import * as Episode from "./Episode.ts"
import * as Export from "./Export.ts"
import * as Fact from "./Fact.ts"
import { presenter, report, reportDefect } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import * as Identity from "./Identity.ts"
import * as Import from "./Import.ts"
import * as Log from "./Log.ts"
import * as Note from "./Note.ts"
import * as Search from "./Search.ts"
import * as Start from "./Start.ts"
import * as Status from "./Status.ts"
import * as Tls from "./Tls.ts"
import * as Verify from "./Verify.ts"

const feralSync = Command.make("feral-sync").pipe(
  Command.withDescription("Replicates the memory of agents between machines: local first, no server, no cloud."),
  Command.withExamples([
    { command: "feral-sync start", description: "Run a node" },
    {
      command: 'feral-sync note add "water the plants"',
      description: "Write to its memory, also while it does not run"
    },
    { command: "feral-sync status", description: "Ask whether everything is there" }
  ]),
  Command.withSubcommands([
    Start.command,
    Status.status,
    Status.peers,
    Doctor.command,
    Tls.command,
    Note.command,
    Fact.command,
    Episode.command,
    Log.command,
    Search.command,
    Export.command,
    Import.command,
    Backup.command,
    Verify.command,
    Identity.command
  ]),
  Command.withGlobalFlags([Globals.Home, Globals.Json])
)

/** Runs the command that `args` name. Gives the exit code. */
export const run = (args: ReadonlyArray<string>): Effect.Effect<number> => {
  const isJson = Globals.isJson(args)
  return Command.runWith(feralSync, { version })(args).pipe(
    Effect.as(0),
    // What was typed is wrong, and the presenter has said so.
    Effect.catchTag("ShowHelp", () => Effect.succeed(2)),
    Effect.catch((error) => report(error, isJson)),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : reportDefect(cause, isJson)
    ),
    Effect.provideService(CliOutput.Presenter, presenter(isJson, args)),
    Effect.provideService(CliConfig.CliConfig, {
      builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]
    }),
    Effect.provide([NodeServices.layer, layerQuiet(isJson)])
  )
}
