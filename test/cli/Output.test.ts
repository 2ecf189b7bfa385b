/**
 * Standard output that takes nothing: the exit code and standard error say so, for every command that prints.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { freshHome, Nodes, run, until } from "../support/Nodes.ts"
import { open, runInto } from "../support/OpenProcess.ts"

let home: string
let remove: () => void
beforeAll(async () => {
  const fresh = freshHome()
  home = fresh.home
  remove = fresh.remove
  assert.strictEqual((await run(["note", "add", "water the plants", "--home", home])).code, 0)
})
afterAll(() => remove())

const nodes = new Nodes()
afterAll(() => nodes.dispose())

const loopback = {
  FERAL_SYNC_HOST: "127.0.0.1",
  FERAL_SYNC_PORT: "0",
  FERAL_SYNC_API_PORT: "0",
  FERAL_SYNC_MDNS: "off"
}

describe.skipIf(!existsSync("/dev/full"))("/dev/full as standard output", () => {
  const commands: ReadonlyArray<ReadonlyArray<string>> = [
    ["--help"],
    ["note", "add", "--help"],
    ["--version"],
    ["--completions", "bash"],
    ["note", "list"],
    ["note", "list", "--json"],
    ["fact", "list"],
    ["search", "plants"],
    ["search", "plants", "--json"],
    ["export", "-"],
    ["status"],
    ["status", "--json"],
    ["verify"],
    ["doctor"],
    ["note", "add", "second"]
  ]
  for (const args of commands) {
    it(`feral-sync ${args.join(" ")}`, async () => {
      const { code, stderr } = await runInto(
        "/dev/full",
        [...args, ...(args[0]?.startsWith("--") ? [] : ["--home", home])],
        {
          ...loopback,
          FERAL_HOME: home
        }
      )
      assert.match(stderr, /writing to standard output failed \(no space left on device\)/)
      if (args.includes("--json")) assert.strictEqual((JSON.parse(stderr) as { _tag: string })._tag, "OutputFailed")
      assert.strictEqual(code, 1)
    })
  }

  it("feral-sync mcp", async () => {
    const child = open(["mcp", "--home", home], { output: "/dev/full", hasInput: true, env: loopback })
    let errors = ""
    child.stderr?.setEncoding("utf8").on("data", (more: string) => (errors += more))
    const ended = new Promise((resolve) => child.once("close", resolve))
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } }
    child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`)
    assert.strictEqual(await ended, 1)
    assert.match(errors, /writing to standard output failed \(no space left on device\)/)
  })

  it("a write is kept", async () => {
    const { stdout } = await run(["note", "list", "--json", "--home", home])
    assert.include(stdout, '"second"')
  })

  it("start goes on, and counts what it could not log", async () => {
    const node = freshHome()
    const child = open(["start", "--home", node.home], { output: "/dev/full", error: "/dev/full", env: loopback })
    try {
      await until(
        "the node listens",
        async () => existsSync(join(node.home, "feral-sync.sock")),
        (isThere) => isThere
      )
      const status = await run(["status", "--json", "--home", node.home])
      const { log_lines_lost: lost } = JSON.parse(status.stdout) as { log_lines_lost?: number }
      assert.isAtLeast(lost ?? 0, 1)
      assert.match((await run(["status", "--home", node.home])).stdout, /Log +\d+ lines? could not be written/)
      assert.strictEqual((await run(["note", "add", "x", "--home", node.home])).code, 0)
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGTERM")
      assert.strictEqual(await ended, 0)
    } finally {
      child.kill("SIGKILL")
      node.remove()
    }
  }, 60_000)
})

describe("a pipe that is closed", () => {
  it("stops no node, whichever of its outputs it is", async () => {
    const node = freshHome()
    const child = open(["start", "--home", node.home, "--log-level", "debug"], { env: loopback })
    try {
      child.stdout?.destroy()
      child.stderr?.destroy()
      const asked = await until(
        "the node answers",
        () => run(["status", "--json", "--home", node.home]),
        ({ code, stdout }) => code === 0 && stdout.includes("log_lines_lost"),
        60_000
      )
      assert.include(asked.stdout, '"uptime_seconds"')
      assert.isNull(child.exitCode)
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGTERM")
      assert.strictEqual(await ended, 0)
    } finally {
      child.kill("SIGKILL")
      node.remove()
    }
  }, 60_000)
})

describe("where backup and export may write", () => {
  const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, code: number, says: RegExp]> = [
    [["backup", "-"], 2, /cannot write to standard output/],
    [["export", "-"], 2, /leave out --json/],
    [["backup", "/dev/stdout"], 1, /not a regular file/],
    [["backup", "/dev/null"], 1, /not a regular file/],
    [["export", "/dev/null"], 1, /not a regular file/],
    [["export", "/"], 1, /not a regular file/],
    [["backup", "/proc/feral.db"], 1, /directory does not exist|permission denied/]
  ]
  for (const [args, code, says] of refused) {
    it(`feral-sync ${args.join(" ")} --json`, async () => {
      const before = readdirSync(dirname(home))
      const ended = await run([...args, "--json", "--home", home])
      assert.deepInclude(ended, { code, stdout: "" })
      assert.match((JSON.parse(ended.stderr) as { message: string }).message, says)
      assert.deepStrictEqual(readdirSync(dirname(home)), before)
    })
  }
})
