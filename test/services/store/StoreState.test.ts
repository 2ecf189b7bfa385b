/** What a store knows without looking at its rows. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as StoreState from "../../../src/services/store/StoreState.ts"
import * as Planning from "../../../src/services/store/Planning.ts"
import { integer } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"

describe("the state of a store", () => {
  it.prop(
    "the clock goes on after everything that was taken, or claimed of an origin that is known, whatever came of it",
    [Arbitrary.array(Arbitrary.all([integer(0, 3), integer(1, 50), integer(0, 1)]), { minLength: 1, maxLength: 20 })],
    ([steps]) => {
      let state = StoreState.empty
      let highest = Hlc.zero
      const known = new Set<number>()
      for (const [origin, wall, isClaim] of steps) {
        const timestamp = { wall, counter: 0 }
        const operations = isClaim === 1 ? [] : [write(node(`n${origin}`), timestamp, "row")]
        const through =
          isClaim === 1 ? VectorClock.advance(VectorClock.empty, node(`n${origin}`), timestamp) : VectorClock.empty
        state = Planning.plan(
          state,
          StoreState.noneCurrent,
          { operations, coverage: through, quarantined: [] },
          node("self")
        ).state
        if (isClaim === 0) known.add(origin)
        if (known.has(origin)) highest = Hlc.latest(highest, timestamp)
        assert.deepStrictEqual(StoreState.highWater(state), highest)
      }
    }
  )
})
