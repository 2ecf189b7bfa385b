/**
 * The supervisor over a network in memory and under virtual time: nodes as they are, but for sockets and files.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { at, pass, type Running, start, world } from "../../support/Members.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"

describe("Peers", () => {
  it.effect("two nodes converge, and a write is at the other node without time passing", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        yield* a.write("before")
        const b = yield* start("b", [at("a")])
        yield* pass("1 seconds")
        assert.deepStrictEqual(yield* b.rows, ["before"])
        assert.deepInclude((yield* b.status)[0], { node_id: "a", state: "live", protocol: 2, source: "static" })
        yield* a.write("live")
        yield* Effect.repeat(Effect.yieldNow, { times: 500 })
        assert.deepStrictEqual(yield* b.rows, ["before", "live"])
      })
    )
  )

  it.effect("a cut connection is made anew, and what was written meanwhile arrives", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("1 seconds")
        yield* network.part("a", "b")
        yield* Effect.all([a.write("at a"), b.write("at b")])
        yield* pass("10 minutes")
        assert.deepInclude((yield* b.status)[0], { state: "backoff" })
        assert.strictEqual((yield* b.status)[0]?.last_error?._tag, "PeerUnreachable")
        yield* network.heal("a", "b")
        yield* pass("1 minutes")
        for (const node of [a, b]) assert.deepStrictEqual(yield* node.rows, ["at a", "at b"])
        assert.deepInclude((yield* b.status)[0], { state: "live", last_error: null })
      })
    )
  )

  it.effect("a peer that is lost keeps its id, its address and its last sync, on both sides", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("1 seconds")
        yield* b.write("synced")
        yield* pass("10 seconds")
        assert.notProperty((yield* a.status)[0], "last_seen_at")
        assert.isAbove((yield* a.status)[0]?.last_sync_at ?? 0, 0)
        const syncedAt = new Map<Running, number | null | undefined>()
        for (const node of [a, b]) syncedAt.set(node, (yield* node.status)[0]?.last_sync_at)
        yield* network.part("a", "b")
        yield* pass("10 minutes")
        for (const [node, node_id, source] of [
          [a, "b", "inbound"],
          [b, "a", "static"]
        ] as const) {
          const [peer, ...more] = yield* node.status
          assert.deepStrictEqual(more, [])
          assert.deepInclude(peer, { node_id, source, state: "backoff" })
          assert.strictEqual(peer?.last_sync_at, syncedAt.get(node))
          assert.isAtLeast(peer?.last_seen_at ?? 0, 11)
          assert.isBelow(peer?.last_seen_at ?? Infinity, 200)
        }
        yield* network.heal("a", "b")
        yield* pass("1 minutes")
        for (const node of [a, b]) {
          const [peer, ...more] = yield* node.status
          assert.deepStrictEqual(more, [])
          assert.deepInclude(peer, { state: "live", last_error: null })
          assert.notProperty(peer, "last_seen_at")
        }
      })
    )
  )

  it.effect("two nodes that dial each other at once keep one connection", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [at("b")])
        const b = yield* start("b", [at("a")])
        yield* pass("1 minutes")
        for (const node of [a, b]) {
          const peers = yield* node.status
          assert.deepStrictEqual(
            peers.map(({ node_id, state }) => [node_id, state]),
            [[node === a ? "b" : "a", "live"]]
          )
        }
      })
    )
  )

  it.effect("with another passphrase nothing is exchanged, both say why, and neither retries in a loop", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const b = yield* start("b", [at("a")], { secret: "another" })
        yield* Effect.all([a.write("at a"), b.write("at b")])
        yield* pass("2 minutes")
        assert.deepStrictEqual([yield* a.rows, yield* b.rows], [["at a"], ["at b"]])
        const [atB] = yield* b.status
        assert.deepInclude(atB, { state: "refused", source: "static" })
        assert.strictEqual(atB?.last_error?._tag, "PassphraseMismatch")
        const [atA, ...others] = yield* a.status
        assert.deepInclude(atA, { state: "refused", source: "inbound" })
        assert.strictEqual(atA?.last_error?._tag, "PassphraseMismatch")
        assert.deepStrictEqual(others, [])
      })
    )
  )

  it.effect("an address that is our own is recognised and left alone", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [at("a")])
        yield* pass("10 minutes")
        assert.strictEqual((yield* a.status)[0]?.last_error?._tag, "SelfConnection")
      })
    )
  )

  it.effect("two nodes with one id do not sync, and both say so", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [], { id: "same" })
        const b = yield* start("b", [at("a")], { id: "same" })
        yield* a.write("at a")
        yield* pass("1 minutes")
        assert.deepStrictEqual(yield* b.rows, [])
        for (const node of [a, b]) assert.strictEqual((yield* node.status)[0]?.last_error?._tag, "DuplicateNodeId")
      })
    )
  )

  it.effect("five nodes in a line hold what any of them wrote", () =>
    world(
      Effect.gen(function* () {
        const nodes: Array<Running> = []
        for (let n = 0; n < 5; n++) nodes.push(yield* start(`n${n}`, n === 0 ? [] : [at(`n${n - 1}`)]))
        yield* Effect.forEach(nodes, (node) => node.write(`from ${node.host}`))
        yield* Effect.repeat(pass("1 seconds"), { times: 10 })
        for (const node of nodes) assert.strictEqual((yield* node.rows).length, 5)
        const digests = yield* Effect.forEach(nodes, ({ store }) => store.digest)
        for (const digest of digests) assert.deepStrictEqual(digest, digests[0])
      })
    )
  )
})
