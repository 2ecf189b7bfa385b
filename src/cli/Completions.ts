/**
 * `completions`: lets the shell complete commands and flags.
 */
import { Effect, FileSystem, Option } from "effect"
import { Command, Completions, Flag } from "effect/cli"
import { basename, dirname, join } from "node:path"
import { elsewhere, explain, writeWhole } from "../services/node/FileError.ts"
import { quoted } from "../services/node/Invocation.ts"
import { FileUnusable } from "../services/node/NodeFailure.ts"
import { userHome } from "../services/node/UserHome.ts"
import { Descriptor } from "./Descriptor.ts"
import { WrongUsage } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import { writeJson, writeLine } from "./Output.ts"

const shells = ["bash", "zsh", "fish"] as const
type Shell = (typeof shells)[number]

/** Where a shell looks for the completions of a user. */
const fileOf = (shell: Shell, home: string): string => {
  const { XDG_DATA_HOME: data, XDG_CONFIG_HOME: config } = process.env
  switch (shell) {
    case "bash":
      return join(data || join(home, ".local/share"), "bash-completion/completions/feral-sync")
    case "zsh":
      return join(data || join(home, ".local/share"), "zsh/site-functions/_feral-sync")
    case "fish":
      return join(config || join(home, ".config"), "fish/completions/feral-sync.fish")
  }
}

const hints: Record<Shell, (file: string) => string> = {
  bash: () => "Open a new shell to use them. They need the package bash-completion",
  zsh: (file) => `Add this to ~/.zshrc before compinit, and open a new shell: fpath+=(${quoted(dirname(file))})`,
  fish: () => "Open a new shell to use them"
}

const install = Command.make(
  "install",
  {
    shell: Flag.Literals("shell", shells).pipe(
      Flag.withDescription("The shell (default: from SHELL)"),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    )
  },
  Effect.fnUntraced(function* ({ shell: given }) {
    const usual = basename(process.env["SHELL"] ?? "")
    const shell = given ?? shells.find((name) => name === usual)
    const fs = yield* FileSystem.FileSystem
    const home = userHome()
    if (shell === undefined) {
      return yield* new WrongUsage({ problem: `name the shell: --shell ${shells.join(", --shell ")}` })
    }
    if (home === undefined)
      return yield* new WrongUsage({ problem: "this user has no home directory", nextStep: "set HOME" })
    const file = fileOf(shell, home)
    const script = Completions.generate("feral-sync", shell, yield* yield* Descriptor)
    yield* fs.makeDirectory(dirname(file), { recursive: true }).pipe(
      Effect.andThen(writeWhole(file, script, 0o644)),
      Effect.mapError((error) => {
        const { problem, nextStep } = explain(error, file, elsewhere.file) ?? {
          problem: error.message,
          nextStep: "check the directory"
        }
        return new FileUnusable({ file, problem, nextStep })
      })
    )
    if (yield* Globals.Json) return yield* writeJson({ shell, file })
    yield* writeLine(`Completions for ${shell} are in ${quoted(file)}. ${hints[shell](file)}`)
  })
).pipe(
  Command.withDescription("Write the completions of commands and flags to where the shell looks for them."),
  Command.withShortDescription("Install completions for the shell"),
  Command.withExamples([
    { command: "feral-sync completions install" },
    { command: "feral-sync completions install --shell fish" }
  ])
)

export const command = Command.make("completions").pipe(
  Command.withDescription("Let the shell complete commands and flags."),
  Command.withShortDescription("Let the shell complete commands and flags"),
  Command.withSubcommands([install])
)
