/**
 * `completions`: lets the shell complete commands and flags.
 */
import { Effect, Option } from "effect"
import { Command, Completions, Flag } from "effect/cli"
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { elsewhere, explain } from "../services/node/FileError.ts"
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

/** Writes a file whole or not at all. */
const writeWhole = (file: string, text: string): void => {
  const draft = `${file}.${process.pid}.tmp`
  mkdirSync(dirname(file), { recursive: true })
  try {
    writeFileSync(draft, text)
    renameSync(draft, file)
  } finally {
    rmSync(draft, { force: true })
  }
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
    const home = userHome()
    if (shell === undefined) {
      return yield* new WrongUsage({ problem: `name the shell: --shell ${shells.join(", --shell ")}` })
    }
    if (home === undefined)
      return yield* new WrongUsage({ problem: "this user has no home directory", nextStep: "set HOME" })
    const file = fileOf(shell, home)
    const script = Completions.generate("feral-sync", shell, yield* yield* Descriptor)
    yield* Effect.try({
      try: () => writeWhole(file, script),
      catch: (error) => {
        const { problem, nextStep } = explain(error, file, elsewhere.file) ?? {
          problem: String(error),
          nextStep: "check the directory"
        }
        return new FileUnusable({ file, problem, nextStep })
      }
    })
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
