/** A data directory that a process holds which does not answer, as a program with a store of its own does. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { freshHome, run } from "../support/Nodes.ts"

const holder = fileURLToPath(new URL("../support/HoldStore.ts", import.meta.url))

describe("a data directory that is held by a process that does not answer", () => {
  it.runIf(process.platform === "linux")("status and the refused write name the process", async () => {
    const { home, remove } = freshHome()
    const child = spawn(process.execPath, [holder, home], { stdio: ["ignore", "pipe", "ignore"] })
    try {
      const [said] = await once(child.stdout, "data")
      assert.strictEqual(String(said).trim(), "ready")
      const shown = JSON.parse((await run(["--json", "status", "--home", home], {})).stdout)
      assert.strictEqual(shown.held_by.pid, child.pid)
      assert.include(shown.held_by.command, "HoldStore.ts")
      const { stdout } = await run(["status", "--home", home], {})
      assert.match(
        stdout,
        new RegExp(`^State +not answering: the database is locked by process ${child.pid} \\(.*HoldStore`, "m")
      )
      const { code, stderr } = await run(["note", "add", "x", "--home", home], {})
      assert.strictEqual(code, 1)
      assert.include(stderr, `process ${child.pid} (`)
      assert.include(stderr, "does not answer")
      child.kill("SIGKILL")
      await once(child, "exit")
      assert.notProperty(JSON.parse((await run(["--json", "status", "--home", home], {})).stdout), "held_by")
    } finally {
      child.kill("SIGKILL")
      remove()
    }
  })
})
