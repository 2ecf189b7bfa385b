import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, HashMap, Result, Schema } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { parse } from "../../../src/core/replica/Json.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import {
  anyText,
  fewHlcs,
  fewNodes,
  fewTimestamps,
  hlc,
  nodeId,
  oneOf,
  timestamp,
  runs,
  vectorClock,
  wideVectorClock
} from "../../support/Generators.ts"
import { semilatticeLaws } from "../../../src/testing/SemilatticeLaws.ts"

type Clock = VectorClock.VectorClock

const isNodeId = Schema.is(NodeId)
const clock = oneOf(vectorClock, vectorClock, wideVectorClock)

/** A clock as plain data, from which equality is seen. */
const shown = (of: Clock): Record<string, string> => {
  const entries = Array.from(HashMap.entries(of), ([node, { wall, counter }]) => [node, `${wall}:${counter}`] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
const assertSame = (a: Clock, b: Clock): void => assert.deepStrictEqual(shown(a), shown(b))
const read = (record: { readonly [node: string]: string }) => VectorClock.fromRecord(record, isNodeId)

semilatticeLaws(
  "vector clocks",
  {
    arbitrary: clock,
    join: VectorClock.merge,
    equals: (a, b) => VectorClock.compare(a, b) === "equal",
    least: VectorClock.empty,
    includes: VectorClock.includes,
    show: (of) => JSON.stringify(shown(of))
  },
  runs(4000).arbitrary
)

describe("VectorClock as a join-semilattice", () => {
  it.prop(
    "merge takes the later timestamp of each origin",
    [clock, clock, fewNodes],
    ([a, b, node]) => {
      const both = VectorClock.merge(a, b)
      for (const at of [node, ...HashMap.keys(a), ...HashMap.keys(b)]) {
        const [left, right] = [VectorClock.get(a, at), VectorClock.get(b, at)]
        assert.deepStrictEqual(VectorClock.get(both, at), Hlc.TimestampOrder(left, right) < 0 ? right : left)
      }
      assert.isAtMost(HashMap.size(both), HashMap.size(a) + HashMap.size(b))
    },
    runs(3000)
  )

  it.prop(
    "includes is a partial order",
    [clock, vectorClock, vectorClock],
    ([a, b, c]) => {
      const { includes } = VectorClock
      assert.isTrue(includes(a, a) && includes(a, VectorClock.empty))
      if (includes(a, b) && includes(b, a)) assertSame(a, b)
      if (includes(a, b) && includes(b, c)) assert.isTrue(includes(a, c))
      // A chain, for three clocks drawn apart are rarely one.
      const [low, middle, high] = [a, VectorClock.merge(a, b), VectorClock.merge(VectorClock.merge(a, b), c)]
      assert.isTrue(includes(middle, low) && includes(high, middle) && includes(high, low))
    },
    runs(4000)
  )

  it.prop(
    "meet is the greatest lower bound, commutative, associative and idempotent",
    [clock, clock, clock],
    ([a, b, c]) => {
      const { includes, meet, merge } = VectorClock
      const both = meet(a, b)
      assert.isTrue(includes(a, both) && includes(b, both))
      assert.strictEqual(includes(both, c), includes(a, c) && includes(b, c))
      assertSame(both, meet(b, a))
      assertSame(meet(both, c), meet(a, meet(b, c)))
      assertSame(meet(a, a), a)
      assertSame(meet(a, merge(a, b)), a)
      assertSame(merge(a, both), a)
      assertSame(meet(a, VectorClock.empty), VectorClock.empty)
    },
    runs(4000)
  )

  it.prop(
    "compare says what includes says, from both sides",
    [vectorClock, oneOf(vectorClock, wideVectorClock)],
    ([a, b]) => {
      const mirrored = { equal: "equal", before: "after", after: "before", concurrent: "concurrent" } as const
      for (const [left, right] of [
        [a, b],
        [a, VectorClock.merge(a, b)],
        [a, a]
      ] as const) {
        const relation = VectorClock.compare(left, right)
        assert.strictEqual(VectorClock.compare(right, left), mirrored[relation])
        assert.strictEqual(relation === "equal" || relation === "after", VectorClock.includes(left, right))
        assert.strictEqual(relation === "equal" || relation === "before", VectorClock.includes(right, left))
        assert.strictEqual(relation === "equal", JSON.stringify(shown(left)) === JSON.stringify(shown(right)))
      }
    },
    runs(4000)
  )

  it("compares", () => {
    const [a, b] = [NodeId.make("a"), NodeId.make("b")]
    const one = { wall: 1, counter: 0 }
    const two = { wall: 1, counter: 1 }
    const left = VectorClock.fromEntries([[a, one]])
    const right = VectorClock.fromEntries([[b, two]])
    assert.strictEqual(VectorClock.compare(left, right), "concurrent")
    assert.strictEqual(VectorClock.compare(left, VectorClock.merge(left, right)), "before")
    assert.strictEqual(VectorClock.compare(VectorClock.advance(left, a, two), left), "after")
    assert.strictEqual(VectorClock.compare(left, VectorClock.fromEntries([[a, { ...one }]])), "equal")
  })
})

describe("VectorClock in use", () => {
  it.prop(
    "difference is what is missing, all of it and nothing else",
    [clock, clock],
    ([a, b]) => {
      const missing = VectorClock.difference(a, b)
      assert.isTrue(VectorClock.includes(VectorClock.merge(b, missing), a))
      assertSame(VectorClock.merge(b, missing), VectorClock.merge(a, b))
      for (const node of HashMap.keys(missing)) {
        const without = HashMap.remove(missing, node)
        assert.isFalse(VectorClock.includes(VectorClock.merge(b, without), a))
        assert.deepStrictEqual(VectorClock.get(missing, node), VectorClock.get(a, node))
      }
      assert.strictEqual(HashMap.isEmpty(missing), VectorClock.includes(b, a))
    },
    runs(4000)
  )

  it.prop(
    "covers what it was advanced to, and everything before, and nothing else that it did not cover",
    [clock, oneOf(hlc, fewHlcs), oneOf(hlc, fewHlcs)],
    ([before, seen, other]) => {
      const after = VectorClock.advance(before, seen.node, seen)
      assert.isTrue(VectorClock.covers(after, seen))
      assert.isTrue(VectorClock.covers(after, { ...Hlc.predecessor(seen), node: seen.node }))
      const isOlder = other.node === seen.node && !Hlc.isAfter(other, seen)
      assert.strictEqual(VectorClock.covers(after, other), isOlder || VectorClock.covers(before, other))
    },
    runs(5000)
  )

  it.prop(
    "never moves back",
    [clock, clock, nodeId, timestamp, fewNodes, fewTimestamps],
    ([a, b, node, at, fewNode, fewAt]) => {
      assert.isTrue(VectorClock.includes(VectorClock.merge(a, b), a))
      assert.isTrue(VectorClock.includes(VectorClock.advance(a, node, at), a))
      assert.isTrue(VectorClock.includes(VectorClock.advance(a, fewNode, fewAt), a))
      assertSame(VectorClock.advance(a, fewNode, VectorClock.get(a, fewNode)), a)
    },
    runs(4000)
  )

  it.prop(
    "entries in any order make the clock that merging them makes",
    [Arbitrary.array(Arbitrary.all([fewNodes, fewTimestamps]))],
    ([entries]) => {
      const built = VectorClock.fromEntries(entries)
      assertSame(VectorClock.fromEntries(entries.toReversed()), built)
      assertSame(
        entries.reduce((sum, [node, at]) => VectorClock.advance(sum, node, at), VectorClock.empty),
        built
      )
      for (const [node] of HashMap.entries(built)) assert.isTrue(Hlc.isAfter(VectorClock.get(built, node), Hlc.zero))
    },
    runs(3000)
  )

  it("does not change the clocks that it is given", () => {
    const [a, b] = [NodeId.make("a"), NodeId.make("b")]
    const left = VectorClock.fromEntries([[a, { wall: 1, counter: 0 }]])
    const right = VectorClock.fromEntries([
      [a, { wall: 2, counter: 0 }],
      [b, { wall: 2, counter: 0 }]
    ])
    const before = [shown(left), shown(right)]
    VectorClock.merge(left, right)
    VectorClock.merge(right, left)
    VectorClock.advance(left, b, { wall: 9, counter: 9 })
    VectorClock.difference(right, left)
    assert.deepStrictEqual([shown(left), shown(right)], before)
    assert.isTrue(HashMap.isEmpty(VectorClock.empty))
  })
})

describe("VectorClock on the wire", () => {
  it.prop(
    "round-trips through JSON, whatever the origins are called",
    [clock],
    ([of]) => {
      const text = JSON.stringify(VectorClock.toRecord(of))
      const record = Result.getOrThrow(parse(text, 1)) as Record<string, string>
      assertSame(Result.getOrThrow(read(record)), of)
      assert.strictEqual(Object.keys(record).length, HashMap.size(of))
    },
    runs(4000)
  )

  it("round-trips names that objects have", () => {
    for (const name of ["constructor", "toString", "hasOwnProperty", "0", "4294967295", "-1", " ", "a:b", "::"]) {
      const of = VectorClock.fromEntries([[NodeId.make(name), { wall: 1, counter: 2 }]])
      assertSame(Result.getOrThrow(read(JSON.parse(JSON.stringify(VectorClock.toRecord(of))))), of)
    }
  })

  it.prop(
    "takes an entry exactly when its key is a node id and its text names that node or none",
    [oneOf<string>(anyText, nodeId), oneOf<string>(nodeId, fewNodes, Arbitrary.Constant("")), fewTimestamps],
    ([key, named, at]) => {
      for (const name of [named, key]) {
        const record = Object.fromEntries([[key, Hlc.format(at, name)]])
        const expected = isNodeId(key) && (name === key || name === "")
        const result = read(record)
        assert.strictEqual(Result.isSuccess(result), expected)
        if (Result.isSuccess(result))
          assertSame(result.success, VectorClock.advance(VectorClock.empty, NodeId.make(key), at))
        else assert.strictEqual(result.failure, key)
      }
    },
    runs(4000)
  )

  it("names the entry that it refuses", () => {
    for (const [json, key] of [
      [`{"a":"1:0:a","b":"1:0:a"}`, "b"],
      [`{"__proto__":"1:0:__proto__"}`, "__proto__"],
      [`{"":"0:0:"}`, ""],
      [`{"a":""}`, "a"],
      [`{"a":"1:0"}`, "a"],
      [`{"a":"01:0:a"}`, "a"],
      [`{"a":"1:0:A"}`, "a"],
      [`{"a\\n":"1:0:a\\n"}`, "a\n"]
    ] as const) {
      assert.deepStrictEqual(read(JSON.parse(json)), Result.fail(key))
    }
  })

  it("an entry that has seen nothing is no entry", () => {
    assertSame(Result.getOrThrow(read({ a: "0:0:" })), VectorClock.empty)
    assertSame(Result.getOrThrow(read({ a: "0:0:a" })), VectorClock.empty)
  })
})
