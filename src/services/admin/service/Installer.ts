/**
 * Puts a node under the care of the service manager of this machine, and takes it away again. The data directory is
 * never touched.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { userInfo } from "node:os"
import { dirname, join } from "node:path"
import { codeOf } from "../../node/Home.ts"
import { ServiceFailed } from "../../node/NodeFailure.ts"
import { userHome } from "../../node/UserHome.ts"
import * as Unit from "./Unit.ts"

export interface Target {
  readonly manager: "systemd" | "launchd"
  readonly scope: "user" | "system"
  /** The file that the manager reads. */
  readonly file: string
}

/** Where a service goes on this machine. */
export const targetOf = (isSystem: boolean): Target => {
  const home = userHome() ?? "/"
  if (process.platform === "darwin") {
    const file = join(home, "Library/LaunchAgents", `${Unit.launchdLabel}.plist`)
    return { manager: "launchd", scope: "user", file }
  }
  const config = process.env["XDG_CONFIG_HOME"] || join(home, ".config")
  return isSystem
    ? { manager: "systemd", scope: "system", file: join("/etc/systemd/system", Unit.unitName) }
    : { manager: "systemd", scope: "user", file: join(config, "systemd/user", Unit.unitName) }
}

/** The text of the file. */
export const textOf = ({ manager, scope }: Target, service: Unit.Service): string =>
  manager === "launchd"
    ? Unit.launchd(service, join(userHome() ?? "/tmp", "Library/Logs/feral-sync.log"))
    : Unit.systemd(service, scope)

interface Ended {
  readonly code: number | null
  readonly output: string
}

const call = (command: string, args: ReadonlyArray<string>): Effect.Effect<Ended, ServiceFailed> =>
  Effect.callback<Ended, ServiceFailed>((resume) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => void (output = `${output}${text}`.slice(0, 64 * 1024)))
    }
    child.once("error", (error) =>
      resume(
        Effect.fail(
          new ServiceFailed({
            problem: codeOf(error) === "ENOENT" ? `this machine has no ${command}` : error.message,
            nextStep: "use --print, and give the file to the service manager of this machine"
          })
        )
      )
    )
    child.once("close", (code) => resume(Effect.succeed({ code, output: output.trim() })))
    return Effect.sync(() => void child.kill())
  })

const must = Effect.fnUntraced(function* (command: string, args: ReadonlyArray<string>) {
  const { code, output } = yield* call(command, args)
  if (code === 0) return output
  return yield* new ServiceFailed({
    problem: `${[command, ...args].join(" ")} failed (${output === "" ? `it ended with ${code}` : output})`,
    nextStep:
      command === "systemctl" && args.includes("--user")
        ? "run this in a session of that user (not with su or sudo), or use --system"
        : "run it yourself to see why"
  })
})

const scopeFlags = ({ scope }: Target): ReadonlyArray<string> => (scope === "user" ? ["--user"] : [])

const fail = (error: unknown, file: string) =>
  new ServiceFailed({
    problem: `${file} cannot be changed (${error instanceof Error ? error.message : String(error)})`,
    nextStep: codeOf(error) === "EACCES" ? "use sudo for --system" : "check the directory"
  })

/** Writes the file and starts the service; one that runs is started again with it. */
export const install = Effect.fnUntraced(function* (target: Target, text: string) {
  const { file, manager } = target
  if (existsSync(file) && !readFileSync(file, "utf8").includes(Unit.mark)) {
    return yield* new ServiceFailed({
      problem: `${file} was not written by this command`,
      nextStep: "move it away first"
    })
  }
  yield* Effect.try({
    try: () => {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(`${file}.tmp`, text, { mode: 0o644 })
      renameSync(`${file}.tmp`, file)
    },
    catch: (error) => fail(error, file)
  })
  if (manager === "launchd") {
    const domain = `gui/${userInfo().uid}`
    yield* call("launchctl", ["bootout", `${domain}/${Unit.launchdLabel}`])
    yield* must("launchctl", ["bootstrap", domain, file])
    return
  }
  const scope = scopeFlags(target)
  yield* must("systemctl", [...scope, "daemon-reload"])
  yield* must("systemctl", [...scope, "enable", Unit.unitName])
  yield* must("systemctl", [...scope, "restart", Unit.unitName])
})

/** Stops the service and removes the file. Says whether there was one. */
export const uninstall = Effect.fnUntraced(function* (target: Target) {
  const { file, manager } = target
  if (!existsSync(file)) return false
  if (manager === "launchd") yield* call("launchctl", ["bootout", `gui/${userInfo().uid}/${Unit.launchdLabel}`])
  else yield* must("systemctl", [...scopeFlags(target), "disable", "--now", Unit.unitName])
  yield* Effect.try({ try: () => rmSync(file), catch: (error) => fail(error, file) })
  if (manager === "systemd") yield* must("systemctl", [...scopeFlags(target), "daemon-reload"])
  return true
})

/** How a service is. */
export interface State {
  readonly installed: boolean
  readonly file: string
  readonly manager: Target["manager"]
  readonly scope: Target["scope"]
  /** Whether it starts by itself. */
  readonly enabled: boolean
  /** `active`, `inactive`, `failed`, and what else the manager has. */
  readonly state: string
  readonly pid: number | null
  /** How often it was started again after it had failed. */
  readonly restarts: number
}

const properties = ["ActiveState", "UnitFileState", "MainPID", "NRestarts"]

/** Asks the manager. */
export const stateOf = Effect.fnUntraced(function* (target: Target) {
  const { file, manager, scope } = target
  const base = { installed: existsSync(file), file, manager, scope }
  if (manager === "launchd") {
    const { code, output } = yield* call("launchctl", ["print", `gui/${userInfo().uid}/${Unit.launchdLabel}`])
    const pid = Number(/\bpid = (\d+)/.exec(output)?.[1] ?? 0)
    const state = pid > 0 ? "active" : code === 0 ? "failed" : "inactive"
    return { ...base, enabled: base.installed, state, pid: pid > 0 ? pid : null, restarts: 0 } satisfies State
  }
  if (!base.installed) return { ...base, enabled: false, state: "inactive", pid: null, restarts: 0 } satisfies State
  const output = yield* must("systemctl", [
    ...scopeFlags(target),
    "show",
    Unit.unitName,
    `--property=${properties.join(",")}`
  ])
  const values = new Map(
    output.split("\n").map((line) => [line.split("=", 1)[0] ?? "", line.slice(line.indexOf("=") + 1)])
  )
  const pid = Number(values.get("MainPID") ?? 0)
  return {
    ...base,
    enabled: values.get("UnitFileState") === "enabled",
    state: values.get("ActiveState") ?? "unknown",
    pid: pid > 0 ? pid : null,
    restarts: Number(values.get("NRestarts") ?? 0)
  } satisfies State
})
