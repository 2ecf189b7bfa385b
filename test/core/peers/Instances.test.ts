import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Instances from "../../../src/core/peers/Instances.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { runs } from "../../support/Generators.ts"

const node = NodeId.make("node")
const { limits } = Instances

/** A third node that meets instances: each says when it began, as of the time when it is met. */
const met = (...lives: ReadonlyArray<readonly [instance: string, from: number, until: number]>) =>
  lives.reduce(
    (instances, [instance, from, until]) => Instances.begin(instances, node, { instance, from, until }),
    Instances.empty
  )

describe("Instances", () => {
  const cases: ReadonlyArray<readonly [string, Instances.Instances, boolean]> = [
    ["one that is met again and again", met(["a", 0, 10], ["a", 0, 60_000]), false],
    ["a restart", met(["a", 0, 50_000], ["b", 51_000, 100_000]), false],
    [
      "a restart whose old connection is read late",
      met(["a", 0, 50_000], ["b", 49_000, 60_000], ["a", 0, 58_000]),
      false
    ],
    [
      "three restarts",
      met(["a", 0, 20_000], ["b", 21_000, 40_000], ["c", 41_000, 60_000], ["d", 61_000, 62_000]),
      false
    ],
    ["two that are connected at once", met(["a", 0, 50_000], ["b", 10_000, 50_000]), true],
    ["two that come in turns", met(["a", 0, 20_000], ["b", 1_000, 30_000], ["a", 0, 40_000]), true],
    ["a copy that began long before it was met", met(["a", 0, 50_000], ["b", -3_600_000, 50_001]), true],
    ["two that are younger than the margin", met(["a", 0, 9_000], ["b", 1_000, 9_000]), false]
  ]
  for (const [name, instances, isCopied] of cases) {
    it(`${name}: ${isCopied ? "a copy" : "no copy"}`, () => {
      const now = Math.max(...[...(instances.get(node) ?? [])].map(({ until }) => until))
      assert.strictEqual(Instances.isCopied(instances, node, now), isCopied)
    })
  }

  it("when one of two copies has stopped, the other is let in after a while", () => {
    const copied = met(["a", 0, 50_000], ["b", 0, 50_000])
    const later = Instances.onInstance(copied, node, "a", 50_000 + limits.memory + 1)
    assert.isTrue(Instances.isCopied(copied, node, 50_000 + limits.memory))
    assert.isFalse(Instances.isCopied(later, node, 50_000 + limits.memory + 1))
  })

  it("a sign of life of what was never met, or was forgotten, says nothing", () => {
    assert.strictEqual(Instances.onInstance(Instances.empty, node, "a", 5).size, 0)
  })

  it("what is kept is bounded, in nodes and in instances", () => {
    let instances = Instances.empty
    for (let n = 0; n < limits.nodes + 10; n++) {
      instances = Instances.begin(instances, NodeId.make(`${n}`), { instance: "a", from: 0, until: n })
    }
    for (let n = 0; n < 100; n++) instances = Instances.begin(instances, node, { instance: `${n}`, from: n, until: n })
    assert.strictEqual(instances.size, limits.nodes)
    assert.strictEqual(instances.get(node)?.length, limits.instances)
  })

  it.prop(
    "restarts in any rhythm are no copies, and two directories that both go on are",
    [Schema.Array(Schema.Tuple([Schema.Natural, Schema.Natural, Schema.Natural])).check(Schema.isMaxLength(12))],
    ([script]) => {
      let instances = Instances.empty
      let now = 0
      script.forEach(([life, pause, late], n) => {
        const from = now
        now += life % 100_000
        // It is met at its end, and its last words are read up to the margin later.
        instances = Instances.begin(instances, node, { instance: `${n}`, from, until: now })
        instances = Instances.onInstance(instances, node, `${n}`, now + (late % limits.margin))
        assert.isFalse(Instances.isCopied(instances, node, now))
        now += pause % 10_000
      })
      const copied = ["x", "y", "x"].reduce((before, instance, n) => {
        const until = now + limits.margin + 1 + n
        return Instances.begin(before, node, { instance, from: now, until })
      }, instances)
      assert.isTrue(Instances.isCopied(copied, node, now + limits.margin + 3))
    },
    runs(1_000)
  )
})
