import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as Oddities from "../../../src/core/sync/Oddities.ts"
import { node, write } from "../../support/Network.ts"
import { runs } from "../../support/Generators.ts"

const self = node("self")
const opening: Oddities.Opening = { self, at: 1_000_000, maxDriftMs: 1_000 }

const taken = (writes: ReadonlyArray<Operation>, replaced: ReadonlyArray<Operation> = []): Oddities.Taken => ({
  writes,
  replaced,
  conflicts: 0,
  conflicting: new Set()
})
const own = (wall: number) => write(self, { wall, counter: 0 }, "row")
const counts = (batch: Oddities.Taken) => {
  const { cameBack, foreign, twice } = Oddities.add(Oddities.none, opening, batch)
  return [cameBack.count, foreign.count, twice.count]
}

describe("Oddities", () => {
  const cases: ReadonlyArray<readonly [string, Oddities.Taken, ReadonlyArray<number>]> = [
    ["what others wrote", taken([write(node("other"), { wall: 2_000_000, counter: 0 }, "row")]), [0, 0, 0]],
    ["own history that comes back after a restore", taken([own(500_000)]), [1, 0, 0]],
    ["the same, written under a clock that was a little ahead", taken([own(1_001_000)]), [1, 0, 0]],
    ["what another node writes under this id meanwhile", taken([own(1_001_001)]), [0, 1, 0]],
    ["another text of an own operation that was here", taken([own(1_002_000)], [own(1_002_000)]), [0, 0, 0]],
    ["two contents under one timestamp", { ...taken([]), conflicts: 3, conflicting: new Set([self]) }, [0, 0, 3]]
  ]
  for (const [name, batch, expected] of cases) {
    it(`${name}: ${expected.join(", ")}`, () => assert.deepStrictEqual(counts(batch), expected))
  }

  it("the first of each is named, and stays", () => {
    const first = Oddities.add(Oddities.none, opening, taken([write(self, { wall: 2_000_000, counter: 0 }, "one")]))
    const both = Oddities.add(first, opening, taken([write(self, { wall: 2_000_001, counter: 0 }, "two")]))
    assert.deepStrictEqual(both.foreign, { count: 2, first: "notes one" })
  })

  it.prop(
    "a restored node that gets back any of its own past raises no alarm",
    [Schema.Array(Schema.Natural).check(Schema.isMaxLength(50))],
    ([walls]) => {
      const batch = taken(walls.map((wall) => own(wall % (opening.at + opening.maxDriftMs + 1))))
      assert.deepStrictEqual(counts(batch), [walls.length, 0, 0])
    },
    runs(500)
  )
})
