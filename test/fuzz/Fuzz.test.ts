/** A short run of every target, and whether the search finds what is broken. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Broken, Found, replay, run, type Target } from "./Fuzz.ts"
import { ofBytes, ofLines } from "./Mutation.ts"
import { targets } from "./Targets.ts"

describe("what reads bytes of others", () => {
  for (const target of targets) {
    it.live(
      `holds: ${target.name}`,
      () =>
        Effect.scoped(
          Effect.gen(function* () {
            const { inputs, outcomes } = yield* run(target, {
              seed: 1,
              seconds: 60,
              inputs: target.corpus.length + 60
            })
            assert.isAbove(inputs, target.corpus.length)
            assert.isAbove(outcomes.size, 5)
          })
        ),
      60_000
    )
  }
})

/** Breaks at every input in which `isBad`. */
const fragile = (isBad: (text: string) => boolean, how: Effect.Effect<never, Broken>): Target => ({
  name: "fragile",
  corpus: [Buffer.from("one\ntwo\nthree"), Buffer.from('{"a":[1,2,3]}')],
  mutations: [ofBytes, ofLines("\n")],
  open: Effect.succeed({
    feed: (input) => (isBad(Buffer.from(input).toString("latin1")) ? how : Effect.succeed("fine")),
    check: Effect.void
  })
})

describe("the search", () => {
  const bad = (text: string) => text.includes("twotwo")

  it.live("finds what breaks, and the smallest input that does it", () =>
    Effect.gen(function* () {
      for (const how of [Effect.fail(new Broken({ what: "no" })), Effect.die(new Error("thrown"))]) {
        const found = yield* Effect.flip(Effect.scoped(run(fragile(bad, how), { seed: 7, seconds: 30 })))
        assert.instanceOf(found, Found)
        assert.match(found.what, /^no$|thrown/)
        assert.strictEqual(Buffer.from(found.input ?? []).toString(), "twotwo")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(replay(fragile(bad, how), Buffer.from("a twotwo")))))
      }
    })
  )

  it.live("tries the same inputs for the same seed", () =>
    Effect.gen(function* () {
      const tried = Effect.fnUntraced(function* (seed: number) {
        const inputs: Array<string> = []
        const target = fragile((text) => inputs.push(text) === 0, Effect.die("never"))
        yield* Effect.scoped(run(target, { seed, seconds: 30, inputs: 200 }))
        return inputs
      })
      assert.deepStrictEqual(yield* tried(3), yield* tried(3))
      assert.notDeepEqual(yield* tried(3), yield* tried(4))
    })
  )

  it.live("sees memory that is kept", () =>
    Effect.gen(function* () {
      const kept: Array<object> = []
      const keep = (): boolean => kept.push(Array.from({ length: 3_000 }, () => ({}))) === 0
      const found = yield* Effect.flip(
        Effect.scoped(run(fragile(keep, Effect.die("never")), { seed: 1, seconds: 30, inputs: 1_000 }))
      )
      assert.match(found.what, /the heap grew by/)
    })
  )
})
