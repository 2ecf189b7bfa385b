import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as RateLimit from "../../../src/core/peers/RateLimit.ts"
import { runs } from "../../support/Generators.ts"

const { limits } = RateLimit

/** The state after so many failures of one network, each as soon as it was allowed, and the time of the last one. */
const afterFailures = (count: number, network = "a") => {
  let limit = RateLimit.empty
  let now = 1_000
  for (let n = 0; n < count; n++) {
    now += RateLimit.waitOf(limit, network, now)
    limit = RateLimit.fail(limit, network, now)
  }
  return { limit, now }
}

describe("RateLimit", () => {
  it("a person may mistype: the first failures cost no time", () => {
    for (let count = 0; count <= limits.free; count++) {
      const { limit, now } = afterFailures(count)
      assert.strictEqual(RateLimit.waitOf(limit, "a", now), 0)
    }
  })

  it("after that the wait doubles, up to the cap", () => {
    const waits = Array.from({ length: 9 }, (_, n) => {
      const { limit, now } = afterFailures(limits.free + 1 + n)
      return RateLimit.waitOf(limit, "a", now)
    })
    assert.deepStrictEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  it("a wait is over when it is over, and other networks have none", () => {
    const { limit, now } = afterFailures(limits.free + 3)
    assert.strictEqual(RateLimit.waitOf(limit, "b", now), 0)
    assert.strictEqual(RateLimit.waitOf(limit, "a", now + 3_999), 1)
    assert.strictEqual(RateLimit.waitOf(limit, "a", now + 4_000), 0)
  })

  it("a proof that holds clears the network, and that one alone", () => {
    const { limit, now } = afterFailures(10)
    const both = RateLimit.fail(limit, "b", now)
    const cleared = RateLimit.clear(both, "a")
    assert.strictEqual(RateLimit.waitOf(cleared, "a", now), 0)
    assert.deepStrictEqual([...cleared.keys()], ["b"])
  })

  it("a good while without a failure is forgiven", () => {
    const { limit, now } = afterFailures(20)
    const later = now + limits.memory
    assert.strictEqual(RateLimit.waitOf(RateLimit.fail(limit, "a", later), "a", later), 0)
    assert.strictEqual(RateLimit.waitOf(RateLimit.fail(limit, "a", later - 1), "a", later - 1), limits.cap)
  })

  it("a local clock that is set back locks no client out", () => {
    const { limit, now } = afterFailures(20)
    assert.strictEqual(RateLimit.waitOf(limit, "a", now - 365 * 86_400_000), 0)
  })

  it("of many networks those that failed last are remembered", () => {
    let limit = afterFailures(10, "first").limit
    for (let n = 0; n < limits.networks; n++) limit = RateLimit.fail(limit, `${n}`, 10_000_000)
    assert.strictEqual(limit.size, limits.networks)
    assert.isFalse(limit.has("first"))
    assert.isTrue(limit.has("0"))
  })

  it.prop(
    "a client that tries without pause has few of its proofs checked, and is never told to wait longer than the cap",
    [Schema.Array(Schema.Natural).check(Schema.isMinLength(1), Schema.isMaxLength(400))],
    ([pauses]) => {
      let limit = RateLimit.empty
      let now = 1_000_000
      let looked = 0
      for (const pause of pauses) {
        now += pause % 3_000
        const wait = RateLimit.waitOf(limit, "a", now)
        assert.isTrue(wait >= 0 && wait <= limits.cap)
        if (wait > 0) continue
        looked++
        limit = RateLimit.fail(limit, "a", now)
      }
      const time = now - 1_000_000
      assert.isAtMost(looked, limits.free + 2 + Math.log2(limits.cap / limits.first) + time / limits.cap)
      assert.strictEqual(limit.size, 1)
    },
    runs(2_000, 60)
  )
})
