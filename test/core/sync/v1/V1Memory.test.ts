/** What an existing FERAL node is asked with. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Hlc from "../../../../src/core/replica/Hlc.ts"
import * as V1Memory from "../../../../src/core/sync/v1/V1Memory.ts"
import * as VectorClock from "../../../../src/core/replica/VectorClock.ts"
import { integer } from "../../../support/Generators.ts"
import { node } from "../../../support/Network.ts"

const origins = ["us", "early", "third", "fourth"].map(node)
const [self = node(""), peer = node("")] = origins

/** A clock with these wall times, in the order of `origins`; none for 0. */
const clockOf = (walls: ReadonlyArray<number>) =>
  walls.reduce(
    (clock, wall, index) => VectorClock.advance(clock, origins[index] ?? self, { wall, counter: 0 }),
    VectorClock.empty
  )

const Walls = Arbitrary.array(integer(0, 9), { minLength: 4, maxLength: 4 })

describe("an early node, which uses the mark for its own id for all origins", () => {
  it.prop(
    "is asked with a mark that is before everything new that it has, of whatever origin",
    [Walls, Walls, Walls],
    ([complete, moved, ours]) => {
      const theirs = clockOf(complete.map((wall, index) => wall + (moved[index] ?? 0)))
      const before = clockOf(complete)
      const memory = { ...V1Memory.none, clock: before, complete: before, received: before, wholeAt: 0, wholeSize: 0 }
      const claimed = clockOf(ours)
      const { clock, isWhole } = V1Memory.ask(memory, { ours: claimed, theirs, peer, self }, 1)
      assert.isFalse(isWhole)
      const mark = VectorClock.get(clock, peer)
      for (const [index, origin] of origins.entries()) {
        const isNew = (moved[index] ?? 0) > 0 && origin !== self
        const has =
          origin === peer
            ? VectorClock.get(before, origin)
            : VectorClock.get(VectorClock.merge(before, claimed), origin)
        const last = VectorClock.get(theirs, origin)
        if (isNew && Hlc.isAfter(last, has)) assert.isFalse(Hlc.isAfter(mark, has), `${origin} is asked too late`)
      }
    }
  )
})
