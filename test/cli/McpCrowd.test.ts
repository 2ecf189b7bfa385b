/**
 * Agents that come in crowds and are killed: what was acknowledged to one of them is there.
 */
import { afterAll, assert, describe, it } from "vitest"
import { call, initialize, RawServer } from "../support/McpClients.ts"
import { freshHome, Node, run } from "../support/Nodes.ts"

const ends: Array<() => unknown> = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

const node = (): Node => {
  const { home, remove } = freshHome()
  const made = new Node(home, {})
  ends.push(remove, () => made.stop("SIGKILL"))
  return made
}

describe("a crowd of agents", () => {
  /** Agents that remember. Every third one is killed in the middle. Gives the ids that were acknowledged. */
  const crowd = async (home: string, agents: number, each: number): Promise<Array<string>> => {
    const acknowledged: Array<string> = []
    await Promise.all(
      Array.from({ length: agents }, async (_, agent) => {
        const server = new RawServer(["--home", home])
        server.send(initialize("2025-11-25"), { jsonrpc: "2.0", method: "notifications/initialized" })
        await server.answer("initialize")
        const isKilled = agent % 3 === 0
        for (let n = 0; n < each; n++) server.send(call(n, "remember", { text: `agent ${agent} note ${n}` }))
        const last = isKilled ? Math.floor(each / 2) : each - 1
        for (let n = 0; n <= last; n++) await server.answer(n)
        if (isKilled) server.child.kill("SIGKILL")
        await server.end()
        for (const { id, result } of server.messages()) {
          if (typeof id !== "number") continue
          assert.isUndefined(result?.["isError"], JSON.stringify(result))
          const written = result?.["structuredContent"] as { id: string } | undefined
          acknowledged.push(written?.id ?? "none")
        }
      })
    )
    return acknowledged
  }

  const contents = async (home: string) => {
    const { stdout } = await run(["note", "list", "--json", "--home", home])
    return JSON.parse(stdout) as ReadonlyArray<{ readonly id: string; readonly content: string }>
  }

  it("loses nothing with a node, and nothing without, while some are killed", async () => {
    const running = await node().start()
    const alone = freshHome()
    ends.push(alone.remove)
    for (const [home, agents, each] of [
      [running.home, 16, 6],
      [alone.home, 4, 6]
    ] as const) {
      const acknowledged = await crowd(home, agents, each)
      const notes = await contents(home)
      assert.includeMembers(
        notes.map(({ id }) => id),
        acknowledged
      )
      // Those that were not killed have all of theirs, once each.
      const whole = notes.filter(({ content }) => Number(content.split(" ")[1]) % 3 !== 0)
      assert.lengthOf(whole, agents === 16 ? 10 * each : 2 * each)
      assert.strictEqual(new Set(notes.map(({ content }) => content)).size, notes.length)
    }
  })

  /** Twenty processes that remember twenty notes each, all at once. Gives the time until the last has answered (s). */
  const twenty = async (home: string): Promise<number> => {
    const began = performance.now()
    await Promise.all(
      Array.from({ length: 20 }, async (_, agent) => {
        const server = new RawServer(["--home", home])
        server.send(initialize("2025-11-25"), { jsonrpc: "2.0", method: "notifications/initialized" })
        for (let n = 0; n < 20; n++) server.send(call(n, "remember", { text: `agent ${agent} note ${n}` }))
        for (let n = 0; n < 20; n++) {
          const { error, result } = await server.answer(n)
          assert.isUndefined(error ?? result?.["isError"], JSON.stringify(error ?? result))
        }
        await server.end()
      })
    )
    return (performance.now() - began) / 1000
  }

  // Half of the time is that of starting them.
  it.each(["with", "without"])(
    "of twenty writes four hundred notes at once, %s a node",
    { timeout: 120_000 },
    async (way) => {
      const { home, remove } = freshHome()
      ends.push(remove)
      if (way === "with") {
        const running = await new Node(home, {}).start()
        ends.push(() => running.stop("SIGKILL"))
      }
      const seconds = await twenty(home)
      const notes = await contents(home)
      assert.lengthOf(notes, 400, `after ${seconds.toFixed(1)} s`)
      assert.strictEqual(new Set(notes.map(({ content }) => content)).size, 400)
    }
  )
})
