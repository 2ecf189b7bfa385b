/** While the passphrase is changed: every two nodes that share one of the two meet, whoever dials. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { at, pass, start, world } from "../../support/Members.ts"

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
})
