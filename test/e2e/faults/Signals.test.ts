/** Whatever signal asks a process to end: it lets go of what it holds, and the exit code is the same. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { header } from "../../../src/core/replica/ExportFormat.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { Nodes, run, until } from "../../support/Nodes.ts"
import { main } from "../../support/Program.ts"

const signals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

describe("signals", () => {
  for (const signal of signals) {
    it(`${signal} stops a node: its peer is told, the socket goes, and the exit code is 0`, async () => {
      const a = await nodes.make().start()
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      const peerOf = async () => (await b.status()).peers[0]
      await until("they are connected", peerOf, (peer) => peer?.state === "live")
      assert.strictEqual(await a.stop(signal), 0)
      assert.isFalse(existsSync(join(a.home, "feral-sync.sock")))
      assert.isFalse(existsSync(join(a.home, "sync.db-wal")))
      const left = await until("it is gone", peerOf, (peer) => peer?.state !== "live")
      // A connection that is only cut off says 1006.
      assert.notMatch(left?.last_error?.message ?? "", /1006|connection reset/)
      assert.include(a.log, "node started")
    }, 60_000)

    it(`${signal} cuts off a command that holds the database: the next one has it at once`, async () => {
      const home = mkdtempSync(join(tmpdir(), "feral-signal-"))
      try {
        const child = spawn(process.execPath, [main, "import", "-", "--home", home], {
          stdio: ["pipe", "pipe", "pipe"]
        })
        const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)))
        child.stdin.write(`${header(NodeId.make("a"), 0, VectorClock.empty, 1)}\n`)
        await until(
          "it holds the database",
          async () => existsSync(join(home, "sync.db-wal")),
          (isThere) => isThere
        )
        child.kill(signal)
        assert.strictEqual(await exited, 130)
        assert.isFalse(existsSync(join(home, "sync.db-wal")))
        assert.strictEqual((await run(["note", "add", "next", "--home", home])).code, 0)
      } finally {
        rmSync(home, { recursive: true })
      }
    }, 60_000)
  }
})
