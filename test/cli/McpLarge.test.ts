/** An agent that searches a large memory. */
import { afterAll, describe, it } from "vitest"
import { howLong, within } from "../support/Best.ts"
import { connect } from "../support/McpClients.ts"
import { Nodes, until } from "../support/Nodes.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

interface Answer {
  readonly found: number
  readonly searched: number
}

describe("a memory of 100,000 notes", () => {
  it("is searched in 50 ms", async () => {
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
    for (const query of ["note", "77777", "note 4242"]) {
      await within(50, () =>
        howLong(async () => {
          const { found } = await search(query)
          if (found === 0) throw new Error(`nothing found for ${query}`)
        })
      )
    }
    await agent.close()
  }, 120_000)
})
