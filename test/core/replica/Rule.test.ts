import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import * as Rule from "../../../src/core/replica/Rule.ts"
import { fewHlcs, oneOf, operation, ownOperation, runs } from "../../support/Generators.ts"

/** Operations of which some have the same HLC, and some the same content as well. */
const rival = Arbitrary.map(Arbitrary.all([oneOf(operation, ownOperation), fewHlcs]), ([each, hlc]) => ({
  ...each,
  hlc
}))

for (const [name, { order, slotOf, ignores }] of Object.entries<Rule.Rule>(Rule.rules)) {
  describe(`the rule ${name}`, () => {
    it.prop(
      "has a total order",
      [rival, rival, rival],
      ([a, b, c]) => {
        assert.strictEqual(order(a, a), 0)
        assert.strictEqual(order(a, b) + order(b, a), 0)
        const [least, middle, greatest] = [a, b, c].sort(order)
        if (least === undefined || middle === undefined || greatest === undefined) return assert.fail()
        assert.isAtMost(order(least, middle), 0)
        assert.isAtMost(order(middle, greatest), 0)
        assert.isAtMost(order(least, greatest), 0)
        const isSame = Hlc.HlcOrder(a.hlc, b.hlc) === 0 && Digest.content(a) === Digest.content(b)
        assert.strictEqual(order(a, b) === 0, isSame)
      },
      runs(3000)
    )

    it.prop(
      "finds the slot and the effect of an operation in that operation alone",
      [rival],
      ([each]) => {
        const copy = structuredClone(each)
        assert.strictEqual(slotOf(copy), slotOf(each))
        assert.strictEqual(ignores(copy), ignores(each))
      },
      runs(500)
    )
  })
}
