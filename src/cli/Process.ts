/**
 * The process of a command: it loads what the command needs, runs it, and ends with its exit code. `Program.ts` has
 * arranged that what is compiled for that is kept.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Exit } from "effect"
import * as CommandLine from "./CommandLine.ts"
import * as Commands from "./Commands.ts"

/** The command line that these words need: of the command that they name, or of all. */
export const needed = async (args: ReadonlyArray<string>): Promise<CommandLine.CommandLine> => {
  if (args.length > 0 && args.every((word) => /^(--version|-v|--json)$/.test(word))) return CommandLine.make([])
  const command = await Commands.named(CommandLine.commandIn(args) ?? "")
  const line = command === undefined ? undefined : CommandLine.make([command])
  return line?.suffices(args) === true ? line : CommandLine.make(await Commands.all())
}

/** Runs the command that these words name, and calls `loaded` before it begins. */
export const start = async (args: ReadonlyArray<string>, loaded: () => void): Promise<void> => {
  const { run } = await needed(args)
  loaded()
  NodeRuntime.runMain(run(args), {
    disableErrorReporting: true,
    // A signal that a command does not expect cuts it off: 130, as shells have it.
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? Number(exit.value) : Number(process.exitCode ?? 130))
  })
}
