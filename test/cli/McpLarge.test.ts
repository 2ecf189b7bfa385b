/** An agent that searches a large memory. */
import { afterAll, assert, describe, it } from "vitest"
import { cpuMs } from "../../scripts/attack/Machine.ts"
import { connect } from "../support/McpClients.ts"
import { Nodes, until } from "../support/Nodes.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

interface Answer {
  readonly found: number
  readonly searched: number
}

describe.runIf(process.platform === "linux")("a memory of 100,000 notes", () => {
  it("is searched within 50 ms of processor time", async () => {
    const node = nodes.make()
    await node.seed(100_000)
    await node.start()
    const agent = await connect(node.home)
    const search = (query: string) => agent.call<Answer>("search_memory", { query })
    await until(
      "all notes are indexed",
      () => search("note 1"),
      ({ searched }) => searched >= 100_000,
      60_000
    )
    // A word that all of them have, one that few have, and both.
    const times = 20
    for (const query of ["note", "77777", "note 4242"]) {
      const before = cpuMs(node.pid)
      for (let n = 0; n < times; n++) assert.isAbove((await search(query)).found, 0, query)
      assert.isBelow((cpuMs(node.pid) - before) / times, 50, query)
    }
    await agent.close()
  }, 120_000)
})
