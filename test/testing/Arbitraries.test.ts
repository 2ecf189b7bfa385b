/** Schemas of the data derive arbitraries of their own, and the kit's values fit into other libraries. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as fc from "fast-check"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import * as Kind from "../../src/core/replica/Kind.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import * as Operation from "../../src/core/replica/Operation.ts"
import * as Arbitraries from "../../src/testing/Arbitraries.ts"
import * as MergeLaws from "../../src/testing/MergeLaws.ts"
import type { Subject } from "../../src/testing/Subject.ts"

const schemas = {
  "node ids": NodeId,
  kinds: Operation.Kind,
  "row ids": Operation.RowId,
  "operation ids": Operation.OpId,
  HLCs: Hlc.Hlc,
  operations: Operation.Operation
}

describe("arbitraries", () => {
  for (const [name, schema] of Object.entries(schemas))
    it.effect(`are derived from the schema of ${name}`, () =>
      Effect.gen(function* () {
        const values = yield* Arbitrary.sampleEffect(Arbitrary.schema(schema as Schema.Schema<unknown>), {
          count: 100,
          seed: 1
        })
        assert.lengthOf(values, 100)
        assert.isAbove(new Set(values.map((value) => JSON.stringify(value))).size, 50)
      })
    )

  it("are the same for the same seed", () => {
    const { wideVectorClock } = Arbitraries
    const [one, again, other] = [1, 1, 2].map((seed) =>
      JSON.stringify(Arbitraries.sample(wideVectorClock, { seed, size: 9 }))
    )
    assert.strictEqual(one, again)
    assert.notStrictEqual(one, other)
  })

  it("let fast-check check laws, and find what breaks one", () => {
    const drawn = fc.tuple(fc.nat(), fc.nat({ max: 12 }))
    const verdict = (subject: Subject) =>
      MergeLaws.laws(subject).map((law) => {
        const values = drawn.map(([seed, size]) => Arbitraries.sample(law.arbitrary, { seed, size }))
        const property = fc.property(values, (value) => law.holds(value))
        return fc.check(property, { numRuns: 100, seed: 1 }).failed
      })
    assert.notInclude(verdict(Kind.table.notes), true)
    assert.include(verdict({ name: "mine", rule: { slotOf: () => "", order: () => 1 } }), true)
  })
})
