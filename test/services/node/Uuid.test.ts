import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { TestClock } from "effect/testing"
import { Uuid } from "../../../src/services/node/Uuid.ts"

/** `count` identifiers in a row. */
const take = (count: number) =>
  Effect.gen(function* () {
    const uuid = yield* Uuid
    const all: Array<string> = []
    for (let index = 0; index < count; index++) all.push(yield* uuid.next)
    return all
  })

describe("Uuid", () => {
  it.effect("is of version 7, and begins with the time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(0x0123_4567_89ab)
      for (const uuid of yield* take(500)) {
        assert.match(uuid, /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      }
    }).pipe(Effect.provide(Uuid.layer))
  )

  it.effect("grows, also within a millisecond and when the clock steps back", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      const all = yield* take(20_000)
      yield* TestClock.setTime(1_000)
      all.push(...(yield* take(100)))
      yield* TestClock.setTime(60_000)
      all.push(...(yield* take(100)))
      assert.deepStrictEqual(all, [...new Set(all)].sort())
      assert.strictEqual(all.at(-1)?.slice(0, 13), "00000000-ea60")
    }).pipe(Effect.provide(Uuid.layer))
  )

  it.effect("differs between processes; a seed repeats it", () =>
    Effect.gen(function* () {
      const fresh = Effect.provide(take(3), Uuid.layer, { local: true })
      assert.notDeepEqual(yield* fresh, yield* fresh)
      const seeded = (seed: string) =>
        Effect.provide(take(3), Uuid.layerRandom, { local: true }).pipe(Random.withSeed(seed))
      assert.deepStrictEqual(yield* seeded("a"), yield* seeded("a"))
      assert.notDeepEqual(yield* seeded("a"), yield* seeded("b"))
    })
  )
})
