/**
 * A node under a real service manager of a user: systemd, in namespaces of its own, with its own control group. The other tests of
 * `service` have a script in its place.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, unlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { needs } from "../../support/Needs.ts"
import { clean, until } from "../../support/Nodes.ts"
import { main } from "../../support/Program.ts"
import { root } from "../../support/RepositoryText.ts"

interface State {
  readonly installed: boolean
  readonly enabled: boolean
  readonly state: string
  readonly pid: number | null
  readonly restarts: number
}

const place = mkdtempSync(join(tmpdir(), "feral-sync-manager-"))
const home = join(place, "home")
const runtime = join(place, "runtime")
const data = join(place, "data")
const env = { PATH: clean["PATH"], HOME: home, XDG_RUNTIME_DIR: runtime, XDG_CONFIG_HOME: join(home, ".config") }

let starter: ChildProcess | undefined
let manager = 0

/** What the system says of a process; nothing once it has ended. */
const told = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** The processes below a process. */
const below = (pid: number): ReadonlyArray<number> =>
  told(`/proc/${pid}/task/${pid}/children`)
    .split(" ")
    .filter(Boolean)
    .flatMap((child) => [Number(child), ...below(Number(child))])
const isManager = (pid: number) => told(`/proc/${pid}/cmdline`).startsWith("/lib/systemd/systemd\0--user")

/** Runs a program beside the manager. */
const beside = (command: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("nsenter", ["--target", `${manager}`, "--mount", "--pid", "--net", "--cgroup", command, ...args], {
    env,
    cwd: "/",
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"]
  })

describe.skipIf(needs("root", "unshare", "ip", "systemd-analyze"))("a service under systemd", () => {
  beforeAll(async () => {
    mkdirSync(home)
    mkdirSync(runtime, { mode: 0o700 })
    starter = spawn("sh", [join(root, "test/support/user_manager.sh"), place], { env, stdio: "ignore" })
    const { pid = 0 } = starter
    manager = await until(
      "the manager is there",
      async () => below(pid).find(isManager) ?? 0,
      (found) => found > 0
    )
    await until(
      "the manager answers",
      async () => existsSync(join(runtime, "systemd/private")),
      (isThere) => isThere
    )
  }, 60_000)

  afterAll(async () => {
    const ended = new Promise((resolve) => starter?.once("close", resolve))
    if (manager > 0) process.kill(manager, "SIGTERM")
    else starter?.kill()
    await ended
    rmSync(place, { recursive: true, force: true })
  }, 60_000)

  it("is installed, answers, comes back, is upgraded, and is removed", { timeout: 120_000 }, async () => {
    // Where npm would have installed it: the file that a new version replaces.
    const installed = join(place, "installed")
    symlinkSync(dirname(dirname(main)), installed)
    const program = join(installed, basename(dirname(main)), basename(main))
    const ask = <A>(...args: ReadonlyArray<string>): A =>
      JSON.parse(beside(process.execPath, program, ...args, "--json", "--home", data)) as A
    const state = () => JSON.parse(beside(process.execPath, program, "service", "status", "--json")) as State

    // It is started once it is ready: what asks at once is answered.
    assert.deepInclude(ask<State>("service", "install"), {
      installed: true,
      enabled: true,
      state: "active",
      restarts: 0
    })
    ask("note", "add", "under systemd")
    const first = state()
    assert.isNumber(first.pid)
    assert.deepStrictEqual(ask("peers"), [])
    const unit = readFileSync(join(home, ".config/systemd/user/feral-sync.service"), "utf8")
    assert.include(unit, "Type=notify")

    // A node that is killed is started again by the manager.
    beside("kill", "-KILL", `${first.pid}`)
    const second = await until(
      "it was started again",
      async () => state(),
      ({ state, pid }) => state === "active" && pid !== null && pid !== first.pid
    )
    assert.strictEqual(second.restarts, 1)

    // A new version is in its place: the node is the new one after install.
    unlinkSync(installed)
    symlinkSync(dirname(dirname(main)), installed)
    const third = ask<State>("service", "install")
    assert.strictEqual(third.state, "active")
    assert.notStrictEqual(third.pid, second.pid)

    // It stops as it is asked to, and not by being killed.
    beside("systemctl", "--user", "stop", "feral-sync.service")
    assert.strictEqual(state().state, "inactive")
    assert.match(beside("systemctl", "--user", "show", "feral-sync.service", "--property=Result"), /^Result=success$/m)
    beside("systemctl", "--user", "start", "feral-sync.service")
    assert.include(JSON.stringify(ask("note", "list")), "under systemd")

    assert.deepInclude(ask<object>("service", "uninstall"), { removed: true })
    assert.deepInclude(state(), { installed: false, state: "inactive", pid: null })
    assert.notInclude(readdirSync(join(home, ".config/systemd/user")).join(), "feral-sync.service")
    // The memory is left.
    assert.include(JSON.stringify(ask("note", "list")), "under systemd")
  })
})
