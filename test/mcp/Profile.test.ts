import { assert, describe, it } from "@effect/vitest"
import { names, profiles, toolsOf } from "../../src/mcp/Profile.ts"

describe("profiles", () => {
  it("offer without writing only what reads", () => {
    const offered = Object.fromEntries(
      names.map((name) => [
        name,
        toolsOf(name, true)
          .map((tool) => tool.name)
          .sort()
      ])
    )
    assert.deepStrictEqual(offered, {
      memory: ["facts_about", "memory_status", "read_note", "recent", "search_memory"],
      reference: ["open_nodes", "read_graph", "search_nodes"],
      files: ["memory"]
    })
    assert.isTrue(names.every((name) => toolsOf(name, true).every(({ does }) => does === "reads")))
  })

  it("describe every argument, and take no other", () => {
    for (const { inputSchema, name } of Object.values(profiles).flat()) {
      assert.strictEqual(inputSchema["additionalProperties"], false, name)
      const properties = inputSchema["properties"] as Record<string, { description?: string }>
      for (const [argument, { description }] of Object.entries(properties)) assert.isString(description, argument)
    }
  })
})
