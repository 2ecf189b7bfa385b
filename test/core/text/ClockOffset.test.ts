import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { amount, signed, zoneDifference } from "../../../src/core/text/ClockOffset.ts"
import { ClockDrift, clockNextStep, nextSteps } from "../../../src/core/sync/SyncFailure.ts"

const minute = 60_000
const hour = 60 * minute

describe("ClockOffset", () => {
  const offsets: ReadonlyArray<readonly [offset: number, words: string, isZone: boolean]> = [
    [hour, "1 h", true],
    [hour + 12_345, "1 h", true],
    [-hour + 800, "1 h", true],
    [30 * minute, "30 min", true],
    [45 * minute - 59_000, "45 min", true],
    [-(5 * hour + 30 * minute), "5 h 30 min", true],
    [5 * hour + 45 * minute, "5 h 45 min", true],
    [26 * hour, "26 h", true],
    [27 * hour, "97200 s", false],
    [301_000, "301 s", false],
    [15 * minute, "900 s", false],
    [-52 * minute, "3120 s", false],
    [hour + 2 * minute, "3720 s", false],
    [0, "0 s", false]
  ]
  for (const [offset, words, isZone] of offsets) {
    it(`${offset} ms is ${words}, ${isZone ? "a wrong time zone" : "a clock that runs badly"}`, () => {
      assert.strictEqual(amount(offset), words)
      assert.strictEqual(clockNextStep(offset), isZone ? nextSteps.ClockZone : nextSteps.ClockDrift)
    })
  }

  it.prop("a zone is a whole number of quarters, close by, and the same both ways", [Schema.Int], ([offset]) => {
    const zone = zoneDifference(offset)
    assert.strictEqual(zoneDifference(-offset), zone === undefined ? undefined : -zone)
    if (zone === undefined) return
    assert.strictEqual(Math.abs(zone % (15 * minute)), 0)
    assert.isAtMost(Math.abs(offset - zone), minute)
  })

  it("has a sign, and milliseconds where it is small", () => {
    assert.deepStrictEqual([0, 12, -9_999, 10_000, -hour, hour + 5].map(signed), [
      "0 ms",
      "+12 ms",
      "-9999 ms",
      "+10 s",
      "-1 h",
      "+1 h"
    ])
  })

  it("a drift of one hour names the time zone", () => {
    const { message } = new ClockDrift({ remote: hour + 3_000, local: 0, limit: 300_000 })
    assert.strictEqual(message, `a clock is 1 h ahead of ours (allowed: 300 s); ${nextSteps.ClockZone}`)
  })
})
