/**
 * `service`: runs the node as a service of this machine.
 */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { realpathSync } from "node:fs"
import { userInfo } from "node:os"
import { resolve } from "node:path"
import { commandLine, quoted } from "../services/node/Invocation.ts"
import { WrongUsage } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { oneLine, write, writeJson, writeLine } from "./Output.ts"

const system = Globals.Switch("system").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Install system-wide, under a dedicated user; requires root")
)

const load = Effect.promise(() => import("../services/admin/service/Installer.ts"))

/** Node and the program, as a service manager can start them. */
const program = (isSystem: boolean) => {
  const words = [process.execPath, realpathSync(process.argv[1] ?? "")] as const
  const hidden = isSystem ? words.find((path) => /^\/(home|root|run\/user)\//.test(path)) : undefined
  return hidden === undefined
    ? Effect.succeed(words)
    : Effect.fail(
        new WrongUsage({
          problem: `a system-wide service cannot see ${hidden}`,
          nextStep: "install Node and feral-sync for all users, for example below /usr/local"
        })
      )
}

const install = Command.make(
  "install",
  {
    isSystem: system,
    passphraseFile: Fields.maybe(
      Fields.textFlag(
        "passphrase-file",
        "FILE",
        "The file with the passphrase, which the service manager reads for the node"
      )
    ),
    isPrint: Globals.Switch("print").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Print the file for the service manager, without installing it")
    )
  },
  Effect.fnUntraced(function* ({ isSystem, passphraseFile, isPrint }) {
    const isJson = yield* Globals.Json
    const home = yield* Globals.Home
    const Installer = yield* load
    const target = Installer.targetOf(isSystem)
    const text = Installer.textOf(target, {
      program: yield* program(isSystem),
      home: home === undefined ? undefined : resolve(home),
      passphraseFile: passphraseFile === undefined ? undefined : resolve(passphraseFile)
    })
    if (isPrint) return yield* isJson ? writeJson({ file: target.file, text }) : write(text)
    yield* Installer.install(target, text)
    if (isJson) return yield* writeJson(yield* Installer.stateOf(target))
    const flag = isSystem ? " --system" : ""
    const journal = `journalctl ${isSystem ? "" : "--user "}--unit feral-sync --follow`
    yield* writeLine(
      [
        `The node runs as a service: ${quoted(target.file)}`,
        `  state   ${commandLine(`service status${flag}`)}`,
        ...(target.manager === "systemd" ? [`  log     ${journal}`] : []),
        ...(target.manager === "systemd" && !isSystem
          ? [
              "",
              "It stops when you log out. To keep it running:",
              `  loginctl enable-linger ${quoted(userInfo().username)}`
            ]
          : [])
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Write a file for the service manager, and start the node with it. Run it again after an upgrade: it rewrites the file and restarts the node."
  ),
  Command.withShortDescription("Run the node as a service"),
  Command.withExamples([
    { command: "feral-sync service install" },
    { command: "sudo feral-sync service install --system --passphrase-file /etc/feral-sync/passphrase" },
    { command: "feral-sync service install --print", description: "Show the unit, without installing it" }
  ])
)

const uninstall = Command.make(
  "uninstall",
  { isSystem: system },
  Effect.fnUntraced(function* ({ isSystem }) {
    const Installer = yield* load
    const target = Installer.targetOf(isSystem)
    const wasThere = yield* Installer.uninstall(target)
    if (yield* Globals.Json) return yield* writeJson({ removed: wasThere, file: target.file })
    yield* writeLine(
      wasThere
        ? `The service was stopped and removed. The memory was kept in the data directory`
        : `There is no service to remove (${quoted(target.file)})`
    )
  })
).pipe(
  Command.withDescription("Stop the service and remove its file. The data directory is kept."),
  Command.withShortDescription("Stop the service and remove it"),
  Command.withExamples([{ command: "feral-sync service uninstall" }])
)

const status = Command.make(
  "status",
  { isSystem: system },
  Effect.fnUntraced(function* ({ isSystem }) {
    const Installer = yield* load
    const state = yield* Installer.stateOf(Installer.targetOf(isSystem))
    if (yield* Globals.Json) return yield* writeJson(state)
    if (!state.installed) {
      return yield* writeLine(
        `There is no service: install one with "${commandLine(`service install${isSystem ? " --system" : ""}`)}"`
      )
    }
    yield* writeLine(
      [
        `${oneLine(state.state)}${state.pid === null ? "" : `, process ${state.pid}`}, ${state.enabled ? "starts by itself" : "does not start by itself"}`,
        ...(state.restarts > 0 ? [`restarted ${state.restarts} times after failures: see its log`] : []),
        `file  ${quoted(state.file)}`
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Show whether the service is installed, and whether it runs."),
  Command.withShortDescription("Show the state of the service"),
  Command.withExamples([{ command: "feral-sync service status" }])
)

export const command = Command.make("service").pipe(
  Command.withDescription("Run the node as a service: with systemd, for one user or system-wide, or with launchd."),
  Command.withShortDescription("Run the node as a service of this machine"),
  Command.withSubcommands([install, uninstall, status])
)
