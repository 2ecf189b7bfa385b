/**
 * The command line: what the words mean, and what becomes of the result of a command. It is made of the commands that
 * were loaded. The program never fails: it gives an exit code.
 */
import { Cause, Console, Effect } from "effect"
import { CliConfig, CliOutput, Command, Completions, GlobalFlag } from "effect/cli"
import { layerQuiet } from "../services/node/Logging.ts"
import * as Invocation from "../services/node/Invocation.ts"
import { version } from "../services/node/Version.ts"
import * as Arguments from "./Arguments.ts"
import type { Loaded } from "./Commands.ts"
import { Descriptor } from "./Descriptor.ts"
import * as Environment from "./Environment.ts"
import { presenter, report, reportDefect, WrongUsage } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import { OutputFailed, write } from "./Output.ts"

/** The commands as the parser has them. */
const commandOf = (commands: ReadonlyArray<Loaded>) =>
  Command.make("feral-sync").pipe(
    Command.withDescription(
      "Replicates the memory of agents between machines: local first, no server, no cloud.\n\n" +
        "Words that start with a dash are text, unless they are flags or look like misspelt flags. " +
        "-h or --help after a command is its help, also where the command takes text. " +
        "After --, everything is text. A single - reads the text from standard input."
    ),
    Command.withExamples([
      { command: "feral-sync start", description: "Run a node" },
      {
        command: 'feral-sync note add "water the plants"',
        description: "Add a note, with or without a running node"
      },
      { command: "feral-sync status", description: "Show the state of the node" }
    ]),
    Command.withSubcommands(commands),
    Command.withGlobalFlags([Globals.Home, Globals.Json])
  )

const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] as const

/** Flags that every command has, and those that are answered instead of running it. */
const globals: ReadonlyArray<Arguments.Flag> = [
  { name: "home", aliases: [], takesValue: true },
  { name: "json", aliases: [], takesValue: false }
]
const actions: ReadonlyArray<Arguments.Flag> = [
  { name: "help", aliases: ["h"], takesValue: false },
  { name: "version", aliases: ["v"], takesValue: false },
  { name: "completions", aliases: [], takesValue: true }
]

/** The word that names the command, as far as it is clear before any command is known. */
export const commandIn = (args: ReadonlyArray<string>): string | undefined => Arguments.commandIn(globals, args)

export interface CommandLine {
  /** The commands and flags. */
  readonly grammar: Arguments.Grammar
  /** Whether these commands are all that these words need. */
  suffices(args: ReadonlyArray<string>): boolean
  /** Runs the command that the words name. Gives the exit code. */
  run(args: ReadonlyArray<string>): Effect.Effect<number>
}

/** The command line with these commands. */
export const make = (commands: ReadonlyArray<Loaded>): CommandLine => {
  const command = commandOf(commands)
  const grammar: Arguments.Grammar = { command: Completions.fromCommand(command), globals, actions }
  return {
    grammar,
    suffices: (args) => Arguments.hasOnlyFlagsOf(grammar, args),
    run: (args) => run(command, grammar, args)
  }
}

/** The words for the parser, once it is clear what each of them is. */
const read = (
  grammar: Arguments.Grammar,
  args: ReadonlyArray<string>,
  isJson: boolean
): Effect.Effect<ReadonlyArray<string>, WrongUsage> => {
  if (Arguments.hasForeignBytes(args)) {
    return Effect.fail(
      new WrongUsage({ problem: "an argument is not UTF-8", nextStep: "convert it first, with iconv -t UTF-8" })
    )
  }
  const read = Arguments.read(grammar, args)
  if (read._tag === "Wrong") {
    return Effect.fail(WrongUsage.unread(read.problem, read.path))
  }
  return isJson && read.words.some((word) => word.startsWith("--completions="))
    ? Effect.fail(new WrongUsage({ problem: "--completions prints a script", nextStep: "leave out --json" }))
    : Effect.succeed(read.words)
}

const run = (
  command: ReturnType<typeof commandOf>,
  grammar: Arguments.Grammar,
  args: ReadonlyArray<string>
): Effect.Effect<number> => {
  const isJson = Globals.isJson(args)
  // Output of the library itself, like help, is written like all output.
  const printed: Array<string> = []
  const collecting: Console.Console = Object.assign(Object.create(console), {
    log: (...texts: ReadonlyArray<unknown>) => void printed.push(`${texts.join(" ")}\n`)
  })
  return read(grammar, args, isJson).pipe(
    Effect.tap((words) => Effect.sync(() => Invocation.within(Arguments.valueOf("home", words)))),
    Effect.flatMap(Command.runWith(command, { version })),
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
    Effect.provideService(Descriptor, Effect.succeed(grammar.command)),
    Effect.provide([Environment.layer, layerQuiet(isJson)])
  )
}
