/**
 * The MCP server as agents use it: a process for each client, with the client of the official SDK.
 */
import { afterAll, assert, describe, it } from "vitest"
import { call, connect, initialize, RawServer } from "../support/McpClients.ts"
import { freshHome } from "../support/Nodes.ts"

interface Row {
  readonly kind: string
  readonly id: string
  readonly origin_node: string
  readonly written_at: string
  readonly cut?: true
  readonly content?: string
}

interface Answer {
  readonly rows: ReadonlyArray<Row>
  readonly found: number
  readonly searched: number
  readonly node: string
  readonly in_sync: boolean
  readonly behind: ReadonlyArray<unknown>
  readonly truncated: boolean
  readonly next_cursor?: string
  readonly narrow?: string
}

const { home, remove } = freshHome()
afterAll(remove)

describe("without a node", () => {
  it("offers twelve tools, and each of them does what it says", async () => {
    const agent = await connect(home)
    const { tools } = await agent.client.listTools()
    assert.deepStrictEqual(tools.map(({ name }) => name).sort(), [
      "add_fact",
      "edit_note",
      "facts_about",
      "forget",
      "log_execution",
      "memory_status",
      "read_note",
      "recent",
      "record_episode",
      "remember",
      "search_memory",
      "set_fact"
    ])
    for (const { annotations, description, outputSchema } of tools) {
      assert.isDefined(outputSchema)
      assert.isAbove(description?.length ?? 0, 20)
      assert.isFalse(annotations?.openWorldHint)
      assert.isBoolean(annotations?.readOnlyHint)
      assert.isBoolean(annotations?.destructiveHint)
      assert.isBoolean(annotations?.idempotentHint)
    }
    assert.include(agent.client.getInstructions() ?? "", "never instructions")

    const empty = await agent.call<Answer>("search_memory", { query: "plants" })
    assert.deepStrictEqual([empty.found, empty.searched, empty.rows.length], [0, 0, 0])
    const note = await agent.call<Row>("remember", { text: "water the plants", tags: ["home"], importance: "high" })
    const fact = await agent.call<Row>("set_fact", { subject: "Anna", predicate: "likes", object: "plants" })
    const again = await agent.call<Row>("set_fact", { subject: "Anna", predicate: "likes", object: "orchids" })
    assert.strictEqual(again.id, fact.id)
    const added = await agent.call<Row>("add_fact", {
      subject: "Anna",
      predicate: "speaks",
      object: "French",
      confidence: 0.5
    })
    await agent.call("record_episode", { session: "s1", type: "decision", summary: "bought plants", detail: "two" })
    await agent.call("log_execution", {
      session: "s1",
      skill: "shop",
      endpoint: "buy",
      status: "ok",
      args: { n: 2 },
      latency_ms: 7
    })

    const found = await agent.call<Answer>("search_memory", { query: "plants" })
    assert.deepStrictEqual(found.rows.map(({ kind }) => kind).sort(), ["episodes", "notes"])
    for (const row of found.rows) {
      assert.strictEqual(row.origin_node, found.node)
      assert.isFalse(Number.isNaN(Date.parse(row.written_at)))
    }
    assert.strictEqual(found.searched, 4)
    // No other node was ever met.
    assert.deepStrictEqual([found.in_sync, found.behind], [true, []])
    assert.deepStrictEqual((await agent.call<Answer>("search_memory", { query: "plants", tags: ["home"] })).found, 1)
    assert.deepStrictEqual(
      (await agent.call<Answer>("search_memory", { query: "plants", since: "2100-01-01" })).found,
      0
    )
    assert.strictEqual((await agent.call<Answer>("facts_about", { subject: "Anna" })).found, 2)
    assert.strictEqual(
      (await agent.call<Answer>("facts_about", { subject: "Anna", predicate: "speaks" })).rows[0]?.id,
      added.id
    )

    const recent = await agent.call<Answer>("recent", { limit: 2 })
    assert.deepStrictEqual(
      recent.rows.map(({ kind }) => kind),
      ["execution_log", "episodes"]
    )
    assert.isTrue(recent.truncated)
    const next = await agent.call<Answer>("recent", { limit: 10, cursor: recent.next_cursor })
    assert.deepStrictEqual(
      next.rows.map(({ kind }) => kind),
      ["knowledge", "knowledge", "notes"]
    )

    await agent.call("edit_note", { id: note.id, text: "water the plants twice" })
    assert.strictEqual((await agent.call<Row>("read_note", { id: note.id })).content, "water the plants twice")
    await agent.call("forget", { id: note.id })
    await agent.call("forget", { id: added.id })
    assert.strictEqual((await agent.fail("read_note", { id: note.id }))._tag, "RowNotFound")
    assert.strictEqual((await agent.fail("forget", { id: note.id }))._tag, "RowNotFound")
    const status = await agent.call<{ counts: Record<string, number>; is_running: boolean }>("memory_status")
    assert.include(status.counts, { notes: 0, knowledge: 1, episodes: 1, execution_log: 1, tombstones: 2 })
    assert.isFalse(status.is_running)
    await agent.close()
  })

  it("cuts what is too long, and says so", async () => {
    const agent = await connect(home)
    const huge = `${'é"'.repeat(1_900_000)}end`
    const { id } = await agent.call<Row>("remember", { text: huge })
    let text = ""
    const part = await agent.call<Row & { next_offset: number; length: number; truncated: boolean }>("read_note", {
      id
    })
    assert.isTrue(part.cut)
    assert.isTrue(part.truncated)
    assert.strictEqual(part.length, huge.length)
    assert.isBelow(JSON.stringify(part).length, 8_500)
    text += part.content ?? ""
    const more = await agent.call<Row & { next_offset: number }>("read_note", { id, offset: part.next_offset })
    text += more.content ?? ""
    assert.strictEqual(text, huge.slice(0, more.next_offset))
    const last = await agent.call<Row & { truncated: boolean }>("read_note", { id, offset: huge.length - 3 })
    assert.deepStrictEqual([last.content, last.truncated], ["end", false])
    const answer = await agent.call<Answer>("recent", { limit: 100 })
    assert.isTrue(answer.truncated)
    assert.isString(answer.narrow)
    assert.isBelow(JSON.stringify(answer).length, 60_000)
    await agent.close()
  })
})

describe("the protocol", () => {
  it("answers whatever comes, with nothing but JSON, and ends with its input", async () => {
    const server = new RawServer(["--home", home], { FERAL_SYNC_LOG_LEVEL: "debug" })
    server.send(initialize("2025-06-18"), { jsonrpc: "2.0", method: "notifications/initialized" })
    await server.answer("initialize")
    server.send("no json", "7", "[]", '{"jsonrpc":"2.0","id":1,"method":5}', '{"id":2}', Buffer.from([0xff, 0x0a]), "")
    server.send(call(10, "no_such_tool", {}))
    server.send(
      call(11, "remember", { text: "\ud800" }),
      call(12, "remember", { text: "x", more: 1 }),
      call(13, "remember", {})
    )
    server.send({ jsonrpc: "2.0", id: 14, method: "tools/call", params: { name: "remember", arguments: "text" } })
    server.send({ jsonrpc: "2.0", id: 15, method: "no/such/method" }, { jsonrpc: "2.0", id: 16, method: "ping" })
    const codes = [10, 14, 15].map(async (id) => (await server.answer(id)).error?.code)
    assert.deepStrictEqual(await Promise.all(codes), [-32602, -32602, -32601])
    for (const id of [11, 12, 13]) {
      const { result } = await server.answer(id)
      assert.isTrue(result?.["isError"])
      assert.include(JSON.stringify(result), "ArgumentsInvalid")
    }
    assert.deepStrictEqual((await server.answer(16)).result, {})
    assert.strictEqual(await server.end(), 0)
    const refused = server.messages().filter(({ id, error }) => error !== undefined && (id === null || Number(id) < 10))
    assert.deepStrictEqual(
      refused.map(({ error }) => error?.code),
      [-32700, -32600, -32600, -32600, -32600, -32700]
    )
  })

  it("says on standard error what is wrong with the configuration", async () => {
    const server = new RawServer(["--home", home], { FERAL_SYNC_LOG_LEVEL: "loud" })
    assert.strictEqual(await server.end(), 2)
    assert.strictEqual(server.out, "")
    assert.include(server.error, "FERAL_SYNC_LOG_LEVEL")
  })
})
