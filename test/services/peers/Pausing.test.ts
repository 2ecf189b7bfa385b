/**
 * What the people of two nodes see of a pause, and of a node that was there before this one was started: in the sentence, the peers, the
 * metrics, and when they ask for more.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { at, metBefore, pass, type Running, start, world } from "../../support/Members.ts"

const read = ({ metrics }: Running, sample: string) =>
  Effect.map(metrics, (text) => {
    const line = text.split("\n").find((line) => line.startsWith(`${sample} `))
    return line === undefined ? undefined : Number(line.slice(sample.length + 1))
  })

const peerOf = ({ status }: Running) => Effect.map(status, ([first]) => first)

describe("a paused peer", () => {
  it.effect("is called paused on both sides, with what resumes it, while it is connected and when it dials again", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* a.write("one")
        yield* pass("5 seconds")
        yield* a.peers.pause("b", true)
        yield* a.write("two")
        for (const time of ["1 seconds", "2 minutes"] as const) {
          yield* pass(time)
          assert.strictEqual(
            (yield* a.state).summary,
            "Not in sync with the only other node. b: paused here; it lacks 1 operation of ours. Resume with feral-sync peers resume b."
          )
          const there = yield* peerOf(b)
          assert.strictEqual(there?.state, "backoff")
          assert.strictEqual(there?.last_error?._tag, "PeerPaused", time)
          assert.strictEqual(
            (yield* b.state).summary,
            "Not in sync with the only other node. a: this node is paused there. To sync with it again, run feral-sync peers resume there, with the id of this node."
          )
          // It is meant to be so: nobody is woken for it.
          for (const [node, peer] of [[a, "b"] as const, [b, "a"] as const]) {
            assert.isUndefined(yield* read(node, `feral_peer_lag_seconds{peer="${peer}"}`))
            assert.strictEqual(yield* read(node, "feral_peers_expected"), 0)
          }
          assert.strictEqual(yield* read(a, 'feral_peer_behind_operations{peer="b",direction="it_lacks"}'), 1)
        }
        assert.strictEqual((yield* a.peers.sync("b")).result, "paused")
        yield* a.peers.pause("b", false)
        yield* pass("2 minutes")
        for (const [node, peer] of [[a, "b"] as const, [b, "a"] as const]) {
          assert.strictEqual((yield* node.state).summary, `In sync with ${peer}.`)
          assert.strictEqual(yield* read(node, `feral_peer_lag_seconds{peer="${peer}"}`), 0)
          assert.strictEqual(yield* read(node, "feral_peers_expected"), 1)
        }
      })
    )
  )
})

describe("a removed peer", () => {
  it.effect("is not connected and not listed, until it is readmitted", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("5 seconds")
        assert.strictEqual((yield* peerOf(a))?.state, "live")
        yield* a.peers.remove("b", true)
        yield* pass("5 seconds")
        assert.isUndefined(yield* peerOf(a))
        assert.notStrictEqual((yield* peerOf(b))?.state, "live")
        yield* a.peers.remove("b", false)
        yield* pass("10 minutes")
        assert.strictEqual((yield* peerOf(a))?.state, "live")
        for (const strange of ["c", "a"]) {
          assert.strictEqual((yield* Effect.flip(a.peers.remove(strange, true)))._tag, "PeerNotFound")
        }
      })
    )
  )
})

describe("a peer without an address", () => {
  it.effect("is waited for when it is to sync at once", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* start("b", [at("a")])
            yield* pass("5 seconds")
          })
        )
        yield* pass("5 seconds")
        assert.deepStrictEqual(yield* a.peers.sync("b"), { node_id: "b", result: "waiting" })
      })
    )
  )
})

describe("a node that was met before the start, and not since", () => {
  it.effect("is in the metrics, can be paused, and is waited for", () =>
    world(
      Effect.gen(function* () {
        const a = yield* metBefore
        const { peers, absent, troubles } = yield* a.state
        assert.deepStrictEqual([peers, absent?.map(({ node_id }) => node_id)], [[], ["b"]])
        assert.deepStrictEqual(
          troubles?.map(({ _tag, node }) => [_tag, node]),
          [["PeerAbsent", "b"]]
        )
        assert.strictEqual(yield* read(a, 'feral_peer_behind_operations{peer="b",direction="it_lacks"}'), 1)
        assert.isAbove((yield* read(a, 'feral_peer_lag_seconds{peer="b"}')) ?? 0, 100)
        assert.strictEqual(yield* read(a, 'feral_peers{state="absent"}'), 1)
        assert.strictEqual(yield* read(a, "feral_peers_expected"), 1)
        assert.deepStrictEqual(yield* a.peers.sync("b"), { node_id: "b", result: "waiting" })
        yield* a.peers.pause("b", true)
        const paused = yield* a.state
        assert.isUndefined(paused.absent)
        const [row] = paused.peers
        assert.deepStrictEqual([row?.node_id, row?.state, row?.it_lacks], ["b", "paused", { operations: 1 }])
        assert.isDefined(row?.last_seen_at)
        assert.isUndefined(yield* read(a, 'feral_peer_lag_seconds{peer="b"}'))
        yield* a.peers.pause("b", false)
        assert.deepStrictEqual((yield* a.state).peers, [])
        const strange = yield* Effect.flip(a.peers.pause("c", true))
        assert.strictEqual(strange._tag, "PeerNotFound")
      })
    )
  )

  it.effect("is no reason to expect a peer where none was ever met and none is looked for", () =>
    world(
      Effect.gen(function* () {
        const [alone, looking] = [yield* start("alone", []), yield* start("looking", [], { sightings: [] })]
        yield* pass("1 seconds")
        assert.strictEqual(yield* read(alone, "feral_peers_expected"), 0)
        assert.strictEqual(yield* read(looking, "feral_peers_expected"), 1)
      })
    )
  )
})
