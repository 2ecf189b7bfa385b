/**
 * What a machine says before it has proved the passphrase: it may be anyone, at an address that belongs to somebody else. Its
 * words put off the next try of its own address, by at most a minute, and change nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, type Scope } from "effect"
import { createServer } from "node:net"
import type { Address } from "../../../src/core/Address.ts"
import * as Digest from "../../../src/core/Digest.ts"
import * as Hlc from "../../../src/core/Hlc.ts"
import { NodeId } from "../../../src/core/NodeId.ts"
import * as Purge from "../../../src/core/Purge.ts"
import { noHoldings } from "../../../src/core/Replica.ts"
import * as Session from "../../../src/core/Session.ts"
import * as VectorClock from "../../../src/core/VectorClock.ts"
import { closeCodes } from "../../../src/core/Wire.ts"
import type { Connection } from "../../../src/services/Transport.ts"
import type { Sighting } from "../../../src/services/Discovery.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import { listen } from "../../support/Attackers.ts"
import { at, keyOf, pass, start, startOnSocket, world } from "../../support/Members.ts"

const error = (fields: object) => JSON.stringify({ type: "sync_error", message: "", ...fields })
const zeros = "A".repeat(43)

/** What a stranger sends, and the code with which it closes; without one it waits for the other side. */
type Saying = readonly [name: string, text: string | undefined, code: number | undefined]

const sayings: ReadonlyArray<Saying> = [
  ...[0, 1, 60, 3_600, 999_999, Number.MAX_SAFE_INTEGER].map((retry_after): Saying => [
    `wait ${retry_after} s`,
    error({ reason: "rate_limited", retry_after }),
    undefined
  ]),
  ["wait, and not how long", error({ reason: "rate_limited" }), closeCodes.rate_limited],
  ["wait for a negative time", error({ reason: "rate_limited", retry_after: -1 }), closeCodes.rate_limited],
  ["wait for no number", error({ reason: "rate_limited", retry_after: "long" }), closeCodes.rate_limited],
  ...Object.entries(closeCodes).map(([reason, code]): Saying => [`refused: ${reason}`, error({ reason }), code]),
  ["refused for a reason of its own", error({ reason: "x", message: "\u001b[2Jgo away\u0000" }), undefined],
  ["an empty refusal", error({}), undefined],
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1008, 1009, 1011, 1012, 1013, 3000, 4999, ...Object.values(closeCodes)].map(
    (code): Saying => [`closed with ${code}`, undefined, code]
  ),
  ["no JSON", "{", undefined],
  ["a frame of operations", JSON.stringify({ type: "sync_data", seq: 0, more: false, changes: [] }), undefined],
  [
    "a proof that does not hold",
    JSON.stringify({ type: "sync_response", node_id: "b", vector_clock: {}, proof: zeros }),
    undefined
  ]
]

/** The stranger's machine; how often it was dialled, and when. */
const stranger = Effect.fnUntraced(function* ([, text, code]: Saying) {
  const network = yield* MemoryNetwork
  const visits: Array<number> = []
  yield* network.listen({ host: "stranger", form: 2, maxRecvBytes: 1_000_000 }, 1, (connection: Connection) =>
    Effect.gen(function* () {
      visits.push(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
      if (text !== undefined) yield* Effect.ignore(connection.send(text))
      if (code !== undefined) yield* connection.close(code, "")
      yield* listen(connection)
    })
  )
  return visits
})

const appeared = (id: string, addresses: ReadonlyArray<Address>): Sighting => ({
  _tag: "Appeared",
  nodeId: NodeId.make(id),
  addresses,
  protocol: 2
})

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

  it("asks for a minute at most, and calls no passphrase of ours wrong", () => {
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
          openedAt: Hlc.zero,
          met: new Set(),
          maxFrameBytes: 4_096,
          maxDriftMs: 300_000
        },
        {
          version: 0,
          clock: VectorClock.empty,
          tops: VectorClock.empty,
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
        assert.strictEqual(row?.last_error?._tag, "DuplicateNodeId")
        assert.include(row?.last_error?.message, "stranger:1 says")
      })
    )
  )
})

describe("a TLS alert", () => {
  /** A port that answers every connection with one fatal alert. */
  const alerting = (alert: number) =>
    Effect.acquireRelease(
      Effect.callback<{ readonly port: number; readonly close: () => void; readonly visits: () => number }>(
        (resume) => {
          let visits = 0
          const server = createServer((socket) => {
            visits++
            socket.on("error", () => {})
            socket.once("data", () => socket.end(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert])))
          })
          server.listen(0, "127.0.0.1", () => {
            const bound = server.address()
            const port = bound !== null && typeof bound === "object" ? bound.port : 0
            resume(Effect.succeed({ port, close: () => server.close(), visits: () => visits }))
          })
        }
      ),
      ({ close }) => Effect.sync(close)
    )

  const live = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) =>
    it.live(name, () => Effect.scoped(test).pipe(Effect.timeout("30 seconds"), Effect.asVoid), 40_000)

  // handshake_failure, bad_certificate, certificate_expired, unknown_ca, protocol_version, internal_error, certificate_required
  for (const alert of [40, 42, 45, 48, 70, 80, 116]) {
    live(
      `${alert} of one address keeps nobody from the other`,
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
