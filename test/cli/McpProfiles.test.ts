/**
 * The profiles of the MCP server, for people who come from another memory server.
 */
import { afterAll, assert, describe, it } from "vitest"
import { call, connect, initialize, RawServer } from "../support/McpClients.ts"
import { freshHome } from "../support/Nodes.ts"

const removes: Array<() => void> = []
afterAll(() => removes.forEach((remove) => remove()))
const home = () => {
  const made = freshHome()
  removes.push(made.remove)
  return made.home
}

interface Graph {
  readonly entities: ReadonlyArray<{
    readonly name: string
    readonly entityType: string
    readonly observations: ReadonlyArray<string>
  }>
  readonly relations: ReadonlyArray<{ readonly from: string; readonly to: string; readonly relationType: string }>
  readonly truncated: boolean
}

interface Done {
  readonly success: boolean
}

describe("--tools reference", () => {
  it("answers as the reference server does on the examples of its documentation", async () => {
    const agent = await connect(home(), ["--tools", "reference"])
    assert.lengthOf((await agent.client.listTools()).tools, 9)
    const john = { name: "John_Smith", entityType: "person", observations: ["Speaks fluent Spanish"] }
    const company = { name: "Anthropic", entityType: "organization", observations: [] }
    const works = { from: "John_Smith", to: "Anthropic", relationType: "works_at" }
    assert.deepStrictEqual(await agent.call("create_entities", { entities: [john, company] }), {
      entities: [john, company]
    })
    assert.deepStrictEqual(await agent.call("create_entities", { entities: [{ ...john, entityType: "robot" }] }), {
      entities: []
    })
    assert.deepStrictEqual(await agent.call("create_relations", { relations: [works] }), { relations: [works] })
    assert.deepStrictEqual(await agent.call("create_relations", { relations: [works] }), { relations: [] })
    const contents = ["Speaks fluent Spanish", "Graduated in 2019", "Prefers morning meetings"]
    assert.deepStrictEqual(
      await agent.call("add_observations", { observations: [{ entityName: "John_Smith", contents }] }),
      { results: [{ entityName: "John_Smith", addedObservations: contents.slice(1) }] }
    )
    const refused = await agent.fail("add_observations", { observations: [{ entityName: "Nobody", contents: ["x"] }] })
    assert.strictEqual(refused._tag, "CallRefused")
    assert.include(refused.message, "Nobody")

    const whole = { ...john, observations: contents }
    const graph = await agent.call<Graph>("read_graph")
    assert.sameDeepMembers([...graph.entities], [whole, company])
    assert.deepStrictEqual([graph.relations, graph.truncated], [[works], false])
    for (const query of ["john_smith", "PERSON", "graduated 2019"]) {
      assert.deepStrictEqual((await agent.call<Graph>("search_nodes", { query })).entities, [whole], query)
    }
    assert.deepStrictEqual((await agent.call<Graph>("search_nodes", { query: "john_smith" })).relations, [works])
    const opened = await agent.call<Graph>("open_nodes", { names: ["John_Smith", "Nobody"] })
    assert.deepStrictEqual([opened.entities, opened.relations], [[whole], []])
    assert.deepStrictEqual((await agent.call<Graph>("open_nodes", { names: ["John_Smith", "Anthropic"] })).relations, [
      works
    ])

    const gone = { deletions: [{ entityName: "John_Smith", observations: ["Graduated in 2019", "never said"] }] }
    assert.include(await agent.call<Done>("delete_observations", gone), { success: true })
    assert.deepStrictEqual((await agent.call<Graph>("open_nodes", { names: ["John_Smith"] })).entities, [
      { ...john, observations: [contents[0] ?? "", contents[2] ?? ""] }
    ])
    assert.include(await agent.call<Done>("delete_relations", { relations: [works] }), { success: true })
    assert.deepStrictEqual((await agent.call<Graph>("read_graph")).relations, [])
    await agent.call("create_relations", { relations: [works] })
    assert.include(await agent.call<Done>("delete_entities", { entityNames: ["Anthropic", "Nobody"] }), {
      success: true
    })
    const left = await agent.call<Graph>("read_graph")
    assert.deepStrictEqual([left.entities.map(({ name }) => name), left.relations], [["John_Smith"], []])
    await agent.close()
  })
})

describe("--tools files", () => {
  it("keeps files as notes", async () => {
    const at = home()
    const agent = await connect(at, ["--tools", "files"])
    const memory = async (args: object) => (await agent.call<{ result: string }>("memory", { ...args })).result
    const path = "/memories/projects/plan.md"
    assert.include(await memory({ command: "view", path: "/memories" }), "/memories")
    assert.include(await memory({ command: "create", path, file_text: "one\ntwo\nthree" }), path)
    assert.include((await agent.fail("memory", { command: "create", path, file_text: "x" })).message, "exists already")
    assert.include(await memory({ command: "view", path }), "     2\ttwo")
    assert.notInclude(await memory({ command: "view", path, view_range: [2, 2] }), "three")
    assert.include(await memory({ command: "str_replace", path, old_str: "two", new_str: "2\n2" }), "     3\t2")
    assert.include(
      (await agent.fail("memory", { command: "str_replace", path, old_str: "2", new_str: "" })).message,
      "lines 2, 3"
    )
    assert.include((await agent.fail("memory", { command: "str_replace", path, old_str: "no" })).message, "is not in")
    await memory({ command: "insert", path, insert_line: 0, insert_text: "title\n" })
    assert.include(
      await memory({ command: "view", path }),
      "     1\ttitle\n     2\tone\n     3\t2\n     4\t2\n     5\tthree"
    )
    assert.match(
      await memory({ command: "view", path: "/memories" }),
      /\t\/memories\/projects\/\n.*\t\/memories\/projects\/plan\.md/
    )
    await memory({ command: "rename", old_path: "/memories/projects", new_path: "/memories/archive" })
    assert.strictEqual((await agent.fail("memory", { command: "view", path }))._tag, "CallRefused")
    assert.include(await memory({ command: "view", path: "/memories/archive/plan.md" }), "title")
    for (const wrong of ["/etc/passwd", "/memories/../x", "/memories//x", "memories/x", "/memories/a\u0000b"]) {
      assert.strictEqual((await agent.fail("memory", { command: "view", path: wrong }))._tag, "CallRefused", wrong)
    }
    assert.strictEqual((await agent.fail("memory", { command: "create", path }))._tag, "CallRefused")

    // The same memory, as notes.
    const other = await connect(at)
    const found = await other.call<{ rows: ReadonlyArray<{ tags: ReadonlyArray<string> }> }>("search_memory", {
      query: "three"
    })
    assert.deepStrictEqual(found.rows[0]?.tags, ["file", "/memories/archive/plan.md"])
    await other.close()
    await memory({ command: "delete", path: "/memories/archive" })
    assert.notInclude(await memory({ command: "view", path: "/memories" }), "archive")
    await agent.close()
  })
})

describe("--read-only", () => {
  it("offers no tool that writes", async () => {
    const at = home()
    const writer = await connect(at)
    await writer.call("remember", { text: "hello" })
    await writer.close()
    const server = new RawServer(["--home", at, "--read-only"])
    server.send(initialize("2025-11-25"), { jsonrpc: "2.0", method: "notifications/initialized" })
    await server.answer("initialize")
    server.send({ jsonrpc: "2.0", id: 2, method: "tools/list" }, call(1, "remember", { text: "x" }))
    assert.notInclude(JSON.stringify(await server.answer(2)), '"readOnlyHint":false')
    assert.strictEqual((await server.answer(1)).error?.code, -32602)
    assert.strictEqual(await server.end(), 0)
  })
})
