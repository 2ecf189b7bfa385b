/** Guessing the passphrase: who guesses has to wait, and nobody else. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Handshake from "../../../src/core/sync/Handshake.ts"
import { limits } from "../../../src/core/peers/RateLimit.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import { greet, greeting, listen, reach } from "../../support/Attackers.ts"
import { at, keyOf, pass, start, world } from "../../support/Members.ts"
import { nextText } from "../../support/Transports.ts"

const right = keyOf("secret")

/** One guess on a connection of its own. */
const guess = (host: string, key: Uint8Array, ticket?: string) =>
  reach(host, at("a"), 2, ticket).pipe(
    Effect.flatMap((connection) => greet(connection, key)),
    Effect.scoped
  )

const wrong = (n: number) => keyOf(`guess ${n}`)

/** Guesses until the answer is that it has to wait; returns how many guesses were looked at. */
const exhaust = Effect.fnUntraced(function* (host: string) {
  for (let n = 0; n < 100; n++) {
    const { reason } = yield* guess(host, wrong(n))
    if (reason === "rate_limited") return n
    assert.strictEqual(reason, "invalid_passphrase")
  }
  return assert.fail("the attacker is never stopped")
})

describe("guessing the passphrase", () => {
  it.effect("ends after a few tries, with the time to wait; not even the right one is looked at then", () =>
    world(
      Effect.gen(function* () {
        yield* start("a", [])
        assert.strictEqual(yield* exhaust("evil"), limits.free + 1)
        for (const key of [wrong(0), right]) {
          assert.deepInclude(yield* guess("evil", key), { reason: "rate_limited", retry_after: 1 })
        }
        // Trying on makes the wait no longer; when it is over, the right one holds, and clears the address.
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual((yield* guess("evil", right)).type, "sync_response")
        assert.strictEqual(yield* exhaust("evil"), limits.free + 1)
      })
    )
  )

  it.effect("on many connections at once gets not one more of them looked at", () =>
    world(
      Effect.gen(function* () {
        yield* start("a", [])
        const connections = yield* Effect.forEach(Array.from({ length: 50 }), () => reach("evil", at("a")))
        const answers = yield* Effect.forEach(connections, (connection, n) => greet(connection, wrong(n)), {
          concurrency: "unbounded"
        })
        assert.strictEqual(answers.filter(({ reason }) => reason === "invalid_passphrase").length, limits.free + 1)
        assert.strictEqual(answers.filter(({ reason }) => reason === "rate_limited").length, 50 - limits.free - 1)
      })
    )
  )

  it.effect("in the form of existing FERAL nodes is counted together with the rest", () =>
    world(
      Effect.gen(function* () {
        yield* start("a", [], { legacy: "on" })
        const old = Effect.fnUntraced(function* (passphrase: string) {
          const connection = yield* reach("evil", at("a"), 1)
          yield* connection.send(JSON.stringify({ type: "sync_request", node_id: "old", vector_clock: {}, passphrase }))
          return JSON.parse(yield* nextText(connection)) as { readonly type: string; readonly reason?: string }
        }, Effect.scoped)
        for (let n = 0; n <= limits.free; n++) {
          assert.strictEqual((yield* old(`guess ${n}`)).reason, "invalid_passphrase")
        }
        assert.strictEqual((yield* old("secret")).reason, "rate_limited")
        assert.strictEqual((yield* guess("evil", right)).reason, "rate_limited")
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual((yield* old("secret")).type, "sync_response")
      })
    )
  )

  it.effect("day and night gets one guess a minute at the best", () =>
    world(
      Effect.gen(function* () {
        yield* start("a", [])
        let looked = 0
        for (let second = 0; second < 3_600; second += 5) {
          const { reason } = yield* guess("evil", wrong(second))
          if (reason === "invalid_passphrase") looked++
          yield* TestClock.adjust("5 seconds")
        }
        assert.isAtMost(looked, 60 + limits.free + 7)
      })
    )
  )

  it.effect("with tickets that are made up gets not one guess more, not even from who knows the passphrase", () =>
    world(
      Effect.gen(function* () {
        yield* start("a", [])
        // All that somebody can compute who guesses the passphrase, and the one that another node would give.
        const made = (n: number) => Handshake.ticketOf(n % 2 === 0 ? right : Handshake.ticketKey(right, right), `${n}`)
        let looked = 0
        for (let second = 0; second < 3_600; second += 5) {
          const { reason } = yield* guess("evil", wrong(second), made(second))
          if (reason === "invalid_passphrase") looked++
          yield* TestClock.adjust("5 seconds")
        }
        assert.isAtMost(looked, 60 + limits.free + 7)
        assert.strictEqual((yield* guess("evil", right, made(0))).reason, "rate_limited")
      })
    )
  )

  it.effect("keeps no member out that was met before, from the same address", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        yield* start("a", [])
        const member = yield* start("shared", [at("a")], { id: "member" })
        yield* pass("1 seconds")
        yield* network.part("a", "shared")
        yield* network.heal("a", "shared")
        for (let n = 0; n < 30; n++) {
          yield* guess("shared", wrong(n))
          yield* TestClock.adjust("200 millis")
        }
        // While its address has to wait, the member is back.
        assert.strictEqual((yield* guess("shared", right)).reason, "rate_limited")
        assert.deepInclude((yield* member.status)[0], { node_id: "a", state: "live" })
      })
    )
  )

  it.effect("does not touch other addresses, nor connections of the same address that are proven", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const member = yield* start("shared", [at("a")], { id: "member" })
        yield* pass("1 seconds")
        yield* exhaust("shared")
        yield* Effect.all([a.write("for the member"), member.write("from the member")])
        yield* pass("500 millis")
        for (const running of [a, member])
          assert.sameMembers([...(yield* running.rows)], ["for the member", "from the member"])
        const honest = yield* start("honest", [at("a")])
        yield* pass("1 seconds")
        assert.deepInclude((yield* honest.status)[0], { node_id: "a", state: "live" })
        assert.deepInclude(
          (yield* member.status).find(({ node_id }) => node_id === "a"),
          { state: "live" }
        )
      })
    )
  )

  it.effect("nodes of one address with another passphrase are told to wait, say what to do, and do not hammer", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const wrong = [
          yield* start("b", [at("a")], { id: "b1", secret: "another" }),
          yield* start("b", [at("a")], { id: "b2", secret: "another", port: 2 }),
          yield* start("b", [at("a")], { id: "b3", secret: "another", port: 3 })
        ]
        const seen = new Set<string | undefined>()
        for (let round = 0; round < 60; round++) {
          yield* pass("10 seconds")
          for (const { status } of wrong) {
            const [row] = yield* status
            assert.strictEqual(row?.state, "refused")
            seen.add(row?.last_error?._tag)
            if (row?.last_error?._tag === "RateLimited") assert.include(row.last_error.message, "FERAL_SYNC_PASSPHRASE")
          }
        }
        assert.deepStrictEqual([...seen].sort(), ["PassphraseMismatch", "RateLimited"])
        // The one that guards goes on to say what is wrong.
        assert.strictEqual((yield* a.status)[0]?.last_error?._tag, "PassphraseMismatch")
      })
    )
  )

  it.effect("a node that is told to wait dials no sooner", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        let visits = 0
        yield* network.listen({ host: "strict", form: 2, maxRecvBytes: 1_000_000 }, 1, (connection) => {
          visits++
          return Effect.andThen(
            Effect.ignore(
              connection.send(Wire.encode({ type: "sync_error", reason: "rate_limited", message: "", retryAfter: 45 }))
            ),
            Effect.asVoid(listen(connection))
          )
        })
        yield* start("b", [at("strict")])
        yield* pass("44 seconds")
        assert.strictEqual(visits, 1)
        yield* pass("3 seconds")
        assert.strictEqual(visits, 2)
      })
    )
  )

  it.effect("a member that shares its address with such a node gets in within a minute or so, and stays", () =>
    world(
      Effect.gen(function* () {
        yield* start("a", [])
        yield* start("shared", [at("a")], { id: "wrong", secret: "another" })
        yield* Effect.repeat(pass("1 minutes"), { times: 9 })
        const member = yield* start("shared", [at("a")], { id: "member", port: 2 })
        yield* Effect.repeat(pass("10 seconds"), { times: 8 })
        assert.deepInclude((yield* member.status)[0], { node_id: "a", state: "live" })
        yield* Effect.repeat(pass("1 minutes"), { times: 9 })
        assert.deepInclude((yield* member.status)[0], { node_id: "a", state: "live", last_error: null })
      })
    )
  )

  it.effect("a client that goes on talking after a refusal is cut off, and nothing is taken from it", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const connection = yield* reach("evil", at("a"))
        assert.strictEqual((yield* greet(connection, wrong(1))).reason, "invalid_passphrase")
        yield* Effect.ignore(connection.send(greeting(connection, right)))
        assert.strictEqual(yield* listen(connection), 4401)
        assert.isFalse((yield* a.status).some(({ node_id }) => node_id === "evil"))
      })
    )
  )
})
