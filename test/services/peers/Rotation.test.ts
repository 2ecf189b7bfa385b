/** While the passphrase is changed: every two nodes that share one of the two meet, whoever dials. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Queue, Redacted } from "effect"
import * as Handshake from "../../../src/core/sync/Handshake.ts"
import { TicketFile } from "../../../src/services/peers/Tickets.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import type { Connection } from "../../../src/services/transport/Transport.ts"
import { listen } from "../../support/Attackers.ts"
import { at, keyOf, pass, start, world } from "../../support/Members.ts"
import { appeared, error } from "../../support/Strangers.ts"

interface Held {
  readonly secret: string
  readonly previous?: string
}

/** What nodes have, from before the change to after it. */
const stages = {
  before: { secret: "old" },
  changing: { secret: "new", previous: "old" },
  after: { secret: "new" },
  stranger: { secret: "other", previous: "another" }
} as const satisfies Record<string, Held>
type Stage = keyof typeof stages

/** The one by which two nodes meet; none when they share none. The new one goes first. */
const shared = (one: Held, other: Held): string | undefined => {
  const accepted = [other.secret, other.previous]
  return [one.secret, one.previous].find((secret) => secret !== undefined && accepted.includes(secret))
}

/** Whether the node `a` has proved a passphrase on a connection. */
const isProofWith = (secret: string, { nonces, binding }: Connection, proof: string) =>
  Handshake.verify(
    keyOf(secret),
    "dialler",
    { nonces, binding: Redacted.value(binding), dialler: "a", server: "" },
    proof
  )

describe("while the passphrase is changed", () => {
  for (const dialler of Object.keys(stages) as ReadonlyArray<Stage>) {
    for (const server of Object.keys(stages) as ReadonlyArray<Stage>) {
      for (const revision of [1, 2] as const) {
        const expected = shared(stages[dialler], stages[server])
        it.effect(`${dialler} dials ${server}, revision ${revision}: ${expected ?? "they do not meet"}`, () =>
          world(
            Effect.gen(function* () {
              const b = yield* start("b", [], { ...stages[server], revision })
              const a = yield* start("a", [at("b")], { ...stages[dialler], revision })
              yield* a.write("of a")
              for (let n = 0; n < 5; n++) yield* pass("1 seconds")
              const [seen] = yield* a.status
              if (expected === undefined) {
                assert.strictEqual(seen?.state, "refused")
                assert.strictEqual(seen?.last_error?._tag, "PassphraseMismatch")
                assert.deepStrictEqual(yield* b.rows, [])
                return
              }
              assert.strictEqual(seen?.state, "live")
              assert.isNull(seen?.last_error)
              assert.deepStrictEqual(yield* b.rows, ["of a"])
              // Each side that has both says which of them it was.
              for (const [node, stage] of [
                [a, dialler],
                [b, server]
              ] as const) {
                const uses = (yield* node.status)[0]?.uses_previous_passphrase
                const held: Held = stages[stage]
                assert.strictEqual(uses === true, held.previous !== undefined && expected === held.previous)
              }
            })
          )
        )
      }
    }
  }

  for (const dialler of Object.keys(stages) as ReadonlyArray<Stage>) {
    for (const server of Object.keys(stages) as ReadonlyArray<Stage>) {
      const expected = shared(stages[dialler], stages[server])
      it.effect(`${dialler} dials ${server}, on the wire of existing nodes: ${expected ?? "they do not meet"}`, () =>
        world(
          Effect.gen(function* () {
            const old = { form: 1, legacy: "on" } as const
            const b = yield* start("b", [], { ...stages[server], ...old })
            const a = yield* start("a", [{ ...at("b"), plain: true }], { ...stages[dialler], ...old })
            yield* a.write("of a")
            for (let n = 0; n < 5; n++) yield* pass("1 seconds")
            assert.deepStrictEqual(yield* b.rows, expected === undefined ? [] : ["of a"])
            if (expected === undefined) assert.strictEqual((yield* a.status)[0]?.last_error?._tag, "PassphraseMismatch")
          })
        )
      )
    }
  }

  it.effect("a peer that is lost is still known to have had the one before, until it comes with the new one", () =>
    world(
      Effect.gen(function* () {
        const b = yield* start("b", [], stages.changing)
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* start("a", [at("b")], stages.before)
            for (let n = 0; n < 5; n++) yield* pass("1 seconds")
          })
        )
        yield* pass("1 seconds")
        assert.deepInclude((yield* b.status)[0], { node_id: "a", state: "backoff", uses_previous_passphrase: true })
        yield* start("a", [at("b")], stages.after)
        for (let n = 0; n < 5; n++) yield* pass("1 seconds")
        const [seen] = yield* b.status
        assert.deepInclude(seen, { node_id: "a", state: "live" })
        assert.isUndefined(seen?.uses_previous_passphrase)
      })
    )
  )

  /** A machine that says that the passphrase is wrong; the proofs that it collects, and when. */
  const collector = Effect.gen(function* () {
    const network = yield* MemoryNetwork
    const proofs: Array<{ readonly at: number; readonly secret: string | undefined }> = []
    yield* network.listen({ host: "stranger", form: 2, maxRecvBytes: 1_000_000 }, 1, (connection) =>
      Effect.gen(function* () {
        const first = yield* Queue.take(connection.incoming)
        const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const { proof } = JSON.parse(first._tag === "Frame" ? first.text : "{}") as { readonly proof: string }
        proofs.push({ at: now, secret: ["new", "old"].find((secret) => isProofWith(secret, connection, proof)) })
        yield* connection.send(error({ reason: "invalid_passphrase" }))
        yield* listen(connection)
      }).pipe(Effect.ignore)
    )
    return proofs
  })

  it.effect("a stranger that was only announced gets no proof of the one before", () =>
    world(
      Effect.gen(function* () {
        const proofs = yield* collector
        const a = yield* start("a", [], { ...stages.changing, sightings: [appeared("b", [at("stranger")])] })
        for (let n = 0; n < 30; n++) yield* pass("1 seconds")
        // One now, and the next ones with the delays of a refusal.
        assert.isAtLeast(proofs.length, 2)
        assert.isAtMost(proofs.length, 4)
        for (const { secret } of proofs) assert.strictEqual(secret, "new")
        assert.strictEqual((yield* a.status)[0]?.last_error?._tag, "PassphraseMismatch")
      })
    )
  )

  it.effect("at an address of the list, the one before is shown with a dial of its own, and the delays grow", () =>
    world(
      Effect.gen(function* () {
        const proofs = yield* collector
        yield* start("a", [at("stranger")], stages.changing)
        for (let n = 0; n < 60; n++) yield* pass("1 seconds")
        const shown = proofs.map(({ secret }) => secret)
        assert.deepStrictEqual(shown.slice(0, 3), ["new", "old", "new"])
        assert.isAtMost(proofs.length, 6)
        for (const [n, { at }] of proofs.entries()) if (n > 0) assert.isAbove(at, proofs[n - 1]?.at ?? 0)
      })
    )
  )

  it.effect("a node that was met at its address, and has only the one before, is met again after the change", () =>
    world(
      Effect.gen(function* () {
        yield* start("b", [], stages.before)
        const tickets = { text: "" }
        const file = Layer.succeed(
          TicketFile,
          Option.some<TicketFile>({
            read: Effect.sync(() => tickets.text),
            write: (text) => Effect.sync(() => void (tickets.text = text))
          })
        )
        const sightings = [appeared("b", [at("b")])]
        yield* Effect.scoped(
          start("a", [], { ...stages.before, sightings }).pipe(Effect.andThen(pass("2 seconds")))
        ).pipe(Effect.provide(file))
        assert.isAbove(tickets.text.length, 10)
        const a = yield* start("a", [], { ...stages.changing, sightings }).pipe(Effect.provide(file))
        for (let n = 0; n < 5; n++) yield* pass("1 seconds")
        assert.deepInclude((yield* a.status)[0], { state: "live", uses_previous_passphrase: true })
      })
    )
  )
})
