import { assert, describe, it } from "@effect/vitest"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Operation from "../../../src/core/replica/Operation.ts"
import {
  anyText,
  arrange,
  integer,
  oneOf,
  operation,
  operations,
  order,
  runs,
  wideOperation
} from "../../support/Generators.ts"

const anyOperation = oneOf(operation, operation, wideOperation)

const sum = (all: Iterable<Operation.Operation>): Digest.Digest => {
  let total = Digest.empty
  for (const each of all) total = Digest.add(total, Digest.ofOperation(each))
  return total
}

/** What the digest of an operation speaks about: all of it, with an update taken for an insert. */
const meaning = (of: Operation.Operation): string =>
  Operation.toWire({ ...of, op_type: of.op_type === "update" ? "insert" : of.op_type })

/** Small numbers from a seed, the same in every run. */
const generator = (seed: number) => (below: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}

const row: Operation.Operation = {
  op_id: Operation.OpId.make("o1"),
  table: Operation.Kind.make("notes"),
  op_type: "insert",
  row_id: Operation.RowId.make("r1"),
  data: Operation.Operation.fields.data.make("{}"),
  hlc: { wall: 1_700_000_000_000, counter: 0, node: NodeId.make("a") },
  timestamp: 1.5
}

describe("Digest as a sum", () => {
  it.prop(
    "does not depend on order or grouping",
    [operations, order, integer(0, 24)],
    ([all, keys, at]) => {
      assert.deepStrictEqual(sum(arrange(all, keys)), sum(all))
      assert.deepStrictEqual(Digest.add(sum(all.slice(0, at)), sum(all.slice(at))), sum(all))
      assert.deepStrictEqual(Digest.add(sum(all.slice(at)), sum(all.slice(0, at))), sum(all))
    },
    runs(2000)
  )

  it.prop(
    "subtracting undoes adding, and empty is nothing",
    [anyText, anyText],
    ([left, right]) => {
      const [a, b] = [Digest.fingerprint(left), Digest.fingerprint(right)]
      assert.deepStrictEqual(Digest.subtract(Digest.add(a, b), b), a)
      assert.deepStrictEqual(Digest.add(Digest.subtract(a, b), b), a)
      assert.deepStrictEqual(Digest.subtract(a, a), Digest.empty)
      assert.deepStrictEqual(Digest.add(a, Digest.empty), a)
      assert.deepStrictEqual(Digest.add(a, b), Digest.add(b, a))
    },
    runs(3000)
  )

  it.prop(
    "is 16 hexadecimal digits, a different text for every digest",
    [anyText],
    ([text]) => {
      const digest = Digest.fingerprint(text)
      assert.match(Digest.toText(digest), /^[0-9a-f]{16}$/)
      const [high, low] = [Digest.toText(digest).slice(0, 8), Digest.toText(digest).slice(8)]
      assert.deepStrictEqual({ high: parseInt(high, 16), low: parseInt(low, 16) }, digest)
    },
    runs(2000)
  )

  it("lanes wrap around, and keep their zeros in text", () => {
    const top = { high: 0xffffffff, low: 1 }
    assert.deepStrictEqual(Digest.add(top, { high: 1, low: 0 }), { high: 0, low: 1 })
    assert.deepStrictEqual(Digest.subtract(Digest.empty, { high: 1, low: 2 }), { high: 0xffffffff, low: 0xfffffffe })
    assert.strictEqual(Digest.toText({ high: 1, low: 0xab }), "00000001000000ab")
  })
})

describe("Digest of an operation", () => {
  it.prop(
    "is equal exactly when the operations mean the same",
    [anyOperation, anyOperation],
    ([a, b]) => {
      const isEqual = Digest.toText(Digest.ofOperation(a)) === Digest.toText(Digest.ofOperation(b))
      assert.strictEqual(isEqual, meaning(a) === meaning(b))
      const isSameContent = meaning({ ...a, hlc: row.hlc }) === meaning({ ...b, hlc: row.hlc })
      assert.strictEqual(Digest.content(a) === Digest.content(b), isSameContent)
    },
    runs(5000)
  )

  it.prop(
    "changes with any one field",
    [anyOperation, anyOperation],
    ([a, b]) => {
      const { wall, counter, node } = b.hlc
      const changes: ReadonlyArray<Partial<Operation.Operation>> = [
        { op_id: b.op_id },
        { table: b.table },
        { op_type: b.op_type },
        { row_id: b.row_id },
        { data: b.data },
        { timestamp: b.timestamp },
        { hlc: { ...a.hlc, wall } },
        { hlc: { ...a.hlc, counter } },
        { hlc: { ...a.hlc, node } }
      ]
      for (const change of changes) {
        const changed = { ...a, ...change }
        const isEqual = Digest.toText(Digest.ofOperation(changed)) === Digest.toText(Digest.ofOperation(a))
        assert.strictEqual(isEqual, meaning(changed) === meaning(a))
      }
    },
    runs(3000)
  )

  it.prop(
    "is the fingerprint of the HLC and the content as one text",
    [anyOperation],
    ([of]) => {
      const text = `${Hlc.toText(of.hlc)}\0${Digest.content(of)}`
      assert.deepStrictEqual(Digest.ofOperation(of), Digest.fingerprint(text))
    },
    runs(2000)
  )

  it("an update is an insert, a delete is not", () => {
    assert.deepStrictEqual(Digest.ofOperation({ ...row, op_type: "update" }), Digest.ofOperation(row))
    assert.notDeepEqual(Digest.ofOperation({ ...row, op_type: "delete" }), Digest.ofOperation(row))
  })

  it.prop(
    "sees two rows that exchanged a field",
    [anyOperation, anyOperation],
    ([a, b]) => {
      for (const key of ["op_id", "row_id", "data", "timestamp", "hlc"] as const) {
        const exchanged = [
          { ...a, [key]: b[key] },
          { ...b, [key]: a[key] }
        ]
        const isSame = exchanged.map(meaning).sort().join() === [a, b].map(meaning).sort().join()
        assert.strictEqual(Digest.toText(sum(exchanged)) === Digest.toText(sum([a, b])), isSame)
      }
    },
    runs(3000)
  )
})

/** Pairs of equal 32-bit lanes among `count` random ones: about count^2 / 2^33, and hardly ever five deviations more. */
const assertSpread = (digests: ReadonlyArray<Digest.Digest>): void => {
  const count = digests.length
  assert.strictEqual(new Set(digests.map(Digest.toText)).size, count)
  for (const lane of [new Set(digests.map(({ high }) => high)), new Set(digests.map(({ low }) => low))]) {
    const pairs = (count * count) / 2 ** 33
    assert.isBelow(count - lane.size, pairs + 5 * Math.sqrt(pairs) + 5)
  }
}

describe("fingerprint", () => {
  it("tells 400,000 rows apart, in each lane as well as chance would", { timeout: 60_000 }, () => {
    assertSpread(
      Array.from({ length: 400_000 }, (_, index) =>
        Digest.ofOperation({
          ...row,
          row_id: Operation.RowId.make(`r${index % 1000}`),
          hlc: { ...row.hlc, wall: row.hlc.wall + Math.floor(index / 1000) }
        })
      )
    )
  })

  it("stays what it is: peers of different versions compare digests", () => {
    for (const [text, digest] of [
      ["", "412e9149b15d94a7"],
      ["a", "20297c53414560ff"],
      ["\u{1f600}\0", "b28d61ef81b5b803"]
    ] as const) {
      assert.strictEqual(Digest.toText(Digest.fingerprint(text)), digest)
    }
    assert.strictEqual(Digest.toText(Digest.ofOperation(row)), "3768d3d92a11da3d")
  })

  const random = generator(7)
  const letters = Array.from({ length: 400 }, () => random(65536))
  const families: ReadonlyArray<readonly [string, (index: number) => string]> = [
    ["numbers", String],
    ["numbers that stand in front", (index) => `${index}${"x".repeat(300)}`],
    ["numbers that stand behind", (index) => `${"x".repeat(300)}${index}`],
    ["lengths of one character", (index) => "\0".repeat(index % 300) + "a".repeat(index / 300)],
    ["two units of any value", (index) => String.fromCharCode(index & 0xffff, index >> 4)],
    ["units that differ in high bits", (index) => String.fromCharCode(...bits(index, 17).map((bit) => bit << 15))],
    ["units that differ in low bits", (index) => String.fromCharCode(...bits(index, 17))],
    [
      "bits far apart",
      (index) =>
        bits(index, 17)
          .map((bit) => (bit === 0 ? "aaaaaaaaaaa" : "aaaaabaaaaa"))
          .join("")
    ],
    [
      "swapped neighbours",
      (index) =>
        bits(index, 17)
          .map((bit) => (bit === 0 ? "abcd" : "badc"))
          .join("")
    ]
  ]
  for (const [name, textOf] of families) {
    it(`tells apart ${name}`, { timeout: 60_000 }, () => {
      const texts = new Set(Array.from({ length: 40_000 }, (_, index) => textOf(index)))
      assertSpread(Array.from(texts, Digest.fingerprint))
    })
  }

  it("every bit of the text changes every bit of the fingerprint half of the time", () => {
    const flips = new Float64Array(64)
    let samples = 0
    for (let length = 1; length <= 40; length++) {
      for (let round = 0; round < 5; round++) {
        const units = Array.from({ length }, () => letters[random(letters.length)] ?? 0)
        const before = Digest.fingerprint(String.fromCharCode(...units))
        for (let bit = 0; bit < length * 16; bit++) {
          const at = bit >> 4
          const after = Digest.fingerprint(String.fromCharCode(...units.with(at, (units[at] ?? 0) ^ (1 << (bit & 15)))))
          const changed = [...bits(before.high ^ after.high, 32), ...bits(before.low ^ after.low, 32)]
          for (const [index, isChanged] of changed.entries()) flips[index] = (flips[index] ?? 0) + isChanged
          samples++
        }
      }
    }
    for (const [index, count] of flips.entries()) {
      assert.isTrue(Math.abs(count / samples - 0.5) < 0.01, `bit ${index}: ${count / samples}`)
    }
  })
})

const bits = (value: number, count: number): Array<number> =>
  Array.from({ length: count }, (_, at) => (value >>> at) & 1)
