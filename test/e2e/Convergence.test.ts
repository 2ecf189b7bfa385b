/**
 * Whole nodes as real processes, with real files, real TLS and real mDNS on the loopback interface.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import type { Note } from "../../src/core/replica/Row.ts"
import { howLong, within } from "../support/Best.ts"
import { converged, Nodes, until } from "../support/Nodes.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

const mdns = { FERAL_SYNC_MDNS: "on", FERAL_SYNC_MDNS_INTERFACE: "127.0.0.1" }

describe("convergence", () => {
  it("two nodes find each other by mDNS and hold the same rows of all four kinds", async () => {
    const [a, b] = [nodes.make(mdns), nodes.make(mdns)]
    await Promise.all([a.start(), b.start()])
    const note = await a.cli<{ id: string; hlc: string }>("note", "add", "from a", "--tag", "x", "--tag", "y")
    await b.cli("fact", "set", "sky", "is", "blue", "--confidence", "0.9")
    await a.cli("episode", "add", "--session", "s1", "--type", "talk", "--summary", "we talked")
    await b.cli("log", "append", "--session", "s1", "--skill", "k", "--endpoint", "e", "--status", "ok")
    await until(
      "all four rows are at both",
      () => Promise.all([a.status(), b.status()]),
      (both) => both.every(({ counts: c }) => c.notes + c.knowledge + c.episodes + c.execution_log === 4)
    )
    await converged([a, b])
    // The one that came later may connect before it has announced itself, which takes a second.
    await until(
      "they are shown as connected, and as found by mDNS",
      () => Promise.all([a.status(), b.status()]),
      (both) =>
        both.every(({ peers }) =>
          peers.some(({ source, state, protocol }) => source === "mdns" && state === "live" && protocol === 2)
        )
    )
    for (const kind of ["note", "fact", "episode", "log"]) {
      const rows = await a.cli<ReadonlyArray<unknown>>(kind, "list")
      assert.strictEqual(rows.length, 1)
      assert.deepStrictEqual(await b.cli<ReadonlyArray<unknown>>(kind, "list"), rows)
    }
    const [row] = await b.cli<ReadonlyArray<Note>>("note", "list")
    assert.strictEqual(row?.origin_node, a.id)
    assert.deepInclude(row, { id: note.id, hlc: note.hlc, content: "from a", tags: ["x", "y"] })
  })

  it("static peers are used at once when mDNS is off", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await a.cli("note", "add", "hello")
    await until(
      "the note is at b",
      () => b.status(),
      ({ counts }) => counts.notes === 1
    )
    const { discovery, peers } = await b.status()
    assert.deepStrictEqual(discovery, { mdns: "off", static: "active" })
    assert.deepInclude(peers[0], { node_id: a.id, source: "static", port: a.port, state: "live" })
  })

  it("static peers are used after the timeout when no node answers by mDNS", async () => {
    const a = await nodes.make().start()
    const started = Date.now()
    const b = await nodes.make({ ...mdns, FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "2" }).start()
    assert.deepStrictEqual((await b.status()).discovery, { mdns: "on", static: "waiting" })
    await until(
      "b is connected",
      () => b.status(),
      ({ peers }) => peers.some(({ state }) => state === "live")
    )
    assert.isAtLeast(Date.now() - started, 2_000)
    assert.deepStrictEqual((await b.status()).discovery, { mdns: "on", static: "active" })
  })

  it("a third node that meets only the second gets the operations of the first", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    const c = await nodes.make({ FERAL_SYNC_PEERS: b.address }).start()
    await a.cli("note", "add", "from a")
    await until(
      "the note is at c",
      () => c.status(),
      ({ counts }) => counts.notes === 1
    )
    const [note] = await c.cli<ReadonlyArray<Note>>("note", "list")
    assert.strictEqual(note?.origin_node, a.id)
    await c.cli("note", "add", "from c")
    await until(
      "the note of c is at a",
      () => a.status(),
      ({ counts }) => counts.notes === 2
    )
    await converged([a, b, c])
  })

  it("a conflict that was written offline on both sides is resolved alike", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    const { id } = await a.cli<{ id: string }>("note", "add", "first")
    await until(
      "the note is at b",
      () => b.status(),
      ({ counts }) => counts.notes === 1
    )
    await Promise.all([a.stop(), b.stop()])
    await a.cli("note", "edit", id, "edited at a")
    const last = await b.cli<{ hlc: string }>("note", "edit", id, "edited at b")
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await b.start()
    await until(
      "both have met",
      () => b.status(),
      ({ peers }) => peers.some(({ state }) => state === "live")
    )
    await converged([a, b])
    for (const node of [a, b]) {
      const [note] = await node.cli<ReadonlyArray<Note>>("note", "list")
      assert.deepInclude(note, { content: "edited at b", hlc: last.hlc })
    }
  })

  it("a restart keeps identity, clock and vector clock, and nothing is sent again", async () => {
    const debug = { FERAL_SYNC_LOG_LEVEL: "debug" }
    const a = await nodes.make(debug).start()
    const b = await nodes.make({ ...debug, FERAL_SYNC_PEERS: a.address }).start()
    for (const text of ["one", "two"]) await a.cli("note", "add", text)
    await until(
      "the notes are at b",
      () => b.status(),
      ({ counts }) => counts.notes === 2
    )
    const [before] = await converged([a, b])
    const [id, port] = [a.id, a.port]
    await a.stop()
    await a.start({ FERAL_SYNC_PORT: String(port) })
    await until(
      "b is back",
      () => b.status(),
      ({ peers }) => peers.some(({ state }) => state === "live")
    )
    assert.strictEqual(a.id, id)
    const [after] = await converged([a, b])
    assert.deepStrictEqual(after?.vector_clock, before?.vector_clock)
    assert.strictEqual(after?.digest, before?.digest)
    // The hidden sequence of arrivals at b moves with every operation that is taken, and has not moved.
    assert.strictEqual((await b.status()).counts.notes, 2)
    assert.notInclude(a.log.slice(a.log.lastIndexOf("peer connected")), "operations sent")
    const { hlc } = await a.cli<{ hlc: string }>("note", "add", "three")
    assert.isAbove(Number(hlc.split(":")[0]), Number(before?.vector_clock[id]?.split(":")[0]))
  })

  it("10,000 notes written before the nodes meet are the same 10,000 rows on both within 10 s", async () => {
    const [a, b] = [nodes.make(), nodes.make()]
    await Promise.all([a.seed(5_000), b.seed(5_000)])
    await a.start()
    await b.start({ FERAL_SYNC_PEERS: a.address })
    const started = Date.now()
    await until(
      "both have all",
      () => Promise.all([a.status(), b.status()]),
      (both) => both.every(({ counts }) => counts.notes === 10_000),
      10_000
    )
    await converged([a, b])
    assert.isBelow(Date.now() - started, 10_000)
    const [rowsOfA, rowsOfB] = await Promise.all([a.cli<unknown[]>("note", "list"), b.cli<unknown[]>("note", "list")])
    assert.strictEqual(rowsOfA.length, 10_000)
    assert.deepStrictEqual(rowsOfA, rowsOfB)
  })

  it("SIGTERM ends a node in good order within three seconds", async () => {
    const a = nodes.make(mdns)
    const b = await nodes.make(mdns).start()
    let kept = 0
    await within(3_000, async () => {
      await a.start()
      await until(
        "they have met",
        () => a.status(),
        ({ peers }) => peers.some(({ node_id }) => node_id === b.id)
      )
      await a.cli("note", "add", `kept ${++kept}`)
      const took = await howLong(async () => assert.strictEqual(await a.stop("SIGTERM"), 0))
      // The goodbye takes a's record away from b within the second that the RFC asks for.
      await until(
        "b has forgotten a",
        () => b.status(),
        ({ peers }) => !peers.some(({ node_id, source }) => node_id === a.id && source === "mdns"),
        5_000
      )
      return took
    })
    assert.strictEqual((await a.cli<ReadonlyArray<Note>>("note", "list")).length, kept)
  })
})
