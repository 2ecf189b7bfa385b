/**
 * A peer that stops answering without a word: its process is frozen, and its system goes on taking what is sent.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { converged, type Node, Nodes, until } from "../../support/Nodes.ts"
import { write } from "../../support/Writer.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

describe("a peer that stalls", () => {
  it("costs the others nothing, is shown as lost within 45 s, and catches up when it goes on", async () => {
    const a = nodes.make()
    await a.seed(30_000)
    await a.start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    const c = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await until(
      "b is in the middle of it",
      () => b.status(),
      ({ counts }) => counts.notes > 0
    )
    process.kill(b.pid, "SIGSTOP")
    const frozen = Date.now()
    try {
      await converged([a, c])
      const before = residentKib(a)
      for (let n = 0; n < 200; n++) assert.isDefined(await write(a, `${n} ${"x".repeat(100_000)}`))
      await converged([a, c])
      // 20 MB were written; what waits for b is limited by its credit.
      assert.isBelow(residentKib(a) - before, 150 * 1024)
      const { peers } = await until(
        "a sees that b is gone",
        () => a.status(),
        ({ peers }) => peers.every(({ node_id, state }) => node_id !== b.id || state === "backoff"),
        Math.max(1, 45_000 - (Date.now() - frozen))
      )
      assert.isTrue(peers.some(({ node_id, state }) => node_id === c.id && state === "live"))
    } finally {
      process.kill(b.pid, "SIGCONT")
    }
    await converged([a, b, c], 60_000)
    assert.notInclude(a.log, "ERROR")
  }, 180_000)
})

const residentKib = ({ pid }: Node): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])
