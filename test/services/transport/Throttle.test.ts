import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Throttle from "../../../src/services/transport/Throttle.ts"

it.effect("each key passes once in an interval", () =>
  Effect.gen(function* () {
    const throttle = Throttle.make(1000)
    const passed: Array<string> = []
    const knock = (key: string) =>
      throttle.pass(
        key,
        Effect.sync(() => void passed.push(key))
      )
    yield* Effect.forEach(["a", "a", "b", "a"], knock)
    assert.deepStrictEqual(passed, ["a", "b"])
    yield* TestClock.adjust(999)
    yield* knock("a")
    assert.deepStrictEqual(passed, ["a", "b"])
    yield* TestClock.adjust(1)
    yield* Effect.forEach(["a", "a"], knock)
    assert.deepStrictEqual(passed, ["a", "b", "a"])
  })
)

it.effect("only the last thousand or so of many keys are remembered", () =>
  Effect.gen(function* () {
    const throttle = Throttle.make(1000)
    let passed = 0
    const knock = (key: number) =>
      throttle.pass(
        `${key}`,
        Effect.sync(() => void passed++)
      )
    for (let key = 0; key < 5000; key++) yield* knock(key)
    assert.strictEqual(passed, 5000)
    yield* knock(4999)
    assert.strictEqual(passed, 5000)
    yield* knock(0)
    assert.strictEqual(passed, 5001)
  })
)
