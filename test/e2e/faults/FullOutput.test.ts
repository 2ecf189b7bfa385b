/**
 * Output to a disk that is full: files are whole or not there, and a node goes on without its log.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { Nodes, run, until } from "../../support/Nodes.ts"
import { needs } from "../../support/Needs.ts"
import { open, runInto } from "../../support/OpenProcess.ts"
import { fill, SmallDisk } from "../../support/SmallDisk.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

describe.skipIf(needs("root"))("a disk that is full", () => {
  it("a full disk never truncates output silently, and leaves no incomplete file", async () => {
    const disk = new SmallDisk("512k")
    try {
      const node = nodes.make()
      await node.seed(4_000)
      const at = (name: string) => join(disk.root, name)
      const cut: ReadonlyArray<ReadonlyArray<string>> = [
        ["export", "-"],
        ["note", "list", "--json"],
        ["export", "-", "--format", "csv", "--kind", "notes"]
      ]
      for (const args of cut) {
        const { code, stderr } = await runInto(at("out"), [...args, "--home", node.home])
        assert.strictEqual(code, 1, args.join(" "))
        assert.match(stderr, /no space left on device/)
        assert.isAbove(statSync(at("out")).size, 0)
        rmSync(at("out"))
      }
      for (const command of ["export", "backup"]) {
        const { code, stdout, stderr } = await run([command, at("file"), "--json", "--home", node.home])
        assert.deepStrictEqual([code, stdout], [1, ""])
        const error = JSON.parse(stderr) as { _tag: string; message: string }
        assert.strictEqual(error._tag, "FileUnusable")
        assert.include(error.message, "disk full")
        assert.deepStrictEqual(readdirSync(disk.root), [], command)
      }
    } finally {
      disk.remove()
    }
  })

  it("stops no node that logs to it; with room again, the log says what is missing", async () => {
    const disk = new SmallDisk("256k")
    const node = nodes.make()
    const log = join(disk.root, "log")
    const filler = join(disk.root, "filler")
    fill(filler)
    const child = open(["start", "--home", node.home, "--log", "json", "--log-level", "debug"], {
      output: log,
      error: log,
      env: { FERAL_SYNC_HOST: "127.0.0.1", FERAL_SYNC_PORT: "0", FERAL_SYNC_API_PORT: "0", FERAL_SYNC_MDNS: "off" }
    })
    try {
      await until(
        "the node answers",
        async () => existsSync(join(node.home, "feral-sync.sock")),
        (isThere) => isThere
      )
      await until(
        "lines are lost",
        () => node.status(),
        ({ log_lines_lost: lost }) => (lost ?? 0) > 0
      )
      rmSync(filler)
      // Its goodbye is logged at the latest.
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGTERM")
      assert.strictEqual(await ended, 0)
      const lines = readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line !== "")
      const told = lines.map((line) => JSON.parse(line) as { message: string; annotations: Record<string, unknown> })
      const notice = told.find(({ message }) => message === "some log lines could not be written")
      assert.deepInclude(notice?.annotations, { cause: "no space left on device" })
    } finally {
      child.kill("SIGKILL")
      disk.remove()
    }
  })
})
