import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import { parse } from "../../../src/core/replica/Json.ts"
import { Operation, OperationOrder, fromWire, maxDataDepth, toWire } from "../../../src/core/replica/Operation.ts"
import {
  anyText,
  arrange,
  element,
  nodeId,
  oneOf,
  operation,
  operations,
  order,
  runs,
  tree,
  treeEntries,
  valueOf,
  wideOperation
} from "../../support/Generators.ts"

const anyOperation = oneOf(operation, wideOperation, wideOperation)
const isOperation = Schema.is(Operation)

const wire = {
  op_id: "o1",
  table: "notes",
  op_type: "insert",
  row_id: "r1",
  data: { id: "r1", content: "x" },
  hlc: "1:2:a:b",
  origin_node: "a:b",
  timestamp: 1.5
}
const keys = Object.keys(wire)

/** Read by our own reader, for keys with escapes: see `Json.parse`. */
const objectOf = (text: string): Record<string, unknown> => Object(Result.getOrThrow(parse(text, 64)))

const failureOf = (value: unknown): string =>
  Result.match(fromWire(value), { onFailure: (reason) => reason, onSuccess: () => "" })
const assertRefused = (value: unknown, reason?: string): void => {
  const failure = failureOf(value)
  assert.notStrictEqual(failure, "", JSON.stringify(value))
  if (reason !== undefined) assert.include(failure, reason)
}

describe("Operation on the wire", () => {
  it.prop(
    "every operation round-trips, in every field",
    [anyOperation],
    ([made]) => {
      const read = Result.getOrThrow(fromWire(objectOf(toWire(made))))
      assert.deepStrictEqual(read, made)
      assert.isTrue(isOperation(read))
      assert.strictEqual(toWire(read), toWire(made))
      assert.deepStrictEqual(Digest.ofOperation(read), Digest.ofOperation(made))
    },
    runs(5000)
  )

  it.prop(
    "the text has exactly the eight keys, and one line",
    [anyOperation],
    ([made]) => {
      const fields = objectOf(toWire(made))
      assert.deepStrictEqual(Object.keys(fields), keys)
      assert.strictEqual(fields["origin_node"], made.hlc.node)
      assert.notInclude(toWire(made), "\n")
    },
    runs(2000)
  )

  it("refuses an operation before all time: no clock could ever ask for it", () => {
    assert.deepStrictEqual(fromWire({ ...wire, hlc: `0:0:${wire.origin_node}` }), Result.fail("hlc is zero"))
    assert.isTrue(Result.isSuccess(fromWire({ ...wire, hlc: `0:1:${wire.origin_node}` })))
  })

  it.prop(
    "the order of keys and unknown keys of the envelope change nothing",
    [anyOperation, order, oneOf(anyText, element("scope", "__proto__", "id")), tree],
    ([made, by, key, value]) => {
      const fields = objectOf(toWire(made))
      const entries = arrange(Object.entries(fields), by)
      const extra = key in wire ? [] : [[key, valueOf(value)] as const]
      assert.deepStrictEqual(fromWire(Object.fromEntries([...extra, ...entries])), Result.succeed(made))
    },
    runs(3000)
  )

  it.prop(
    "unknown keys of data are kept, in whatever order they came",
    [treeEntries],
    ([entries]) => {
      const data = { ...Object.fromEntries(entries.map(([key, value]) => [key, valueOf(value)])), ...wire.data }
      const read = Result.getOrThrow(fromWire({ ...wire, data }))
      assert.deepStrictEqual(read, Result.getOrThrow(fromWire({ ...wire, data: reversed(data) })))
      assert.deepStrictEqual(inOrder(objectOf(read.data)), inOrder(objectOf(JSON.stringify(data))))
      for (const [key] of entries) assert.isTrue(Object.hasOwn(objectOf(read.data), key))
    },
    runs(3000)
  )

  for (const key of keys) {
    it(`refuses an operation without ${key}, or with a ${key} of another type`, () => {
      const { [key]: _, ...without } = wire as Record<string, unknown>
      assertRefused(without, key)
      for (const value of [true, [], [wire.data], ...(key === "data" ? [1, "{}"] : [null, {}])]) {
        assertRefused({ ...wire, [key]: value }, key)
      }
      if (key !== "data" && key !== "timestamp") assertRefused({ ...wire, [key]: 1 }, key)
      if (key !== "data") assertRefused({ ...wire, [key]: "" }, key)
    })
  }

  it.prop(
    "no value whatsoever but an operation is taken",
    [tree, element(...keys)],
    ([node, key]) => {
      assertRefused(valueOf(node))
      const read = fromWire({ ...wire, [key]: valueOf(node) })
      if (Result.isSuccess(read)) assert.isTrue(isOperation(read.success))
    },
    runs(5000)
  )

  it("refuses values out of bounds", () => {
    const long = "é".repeat(129)
    for (const [key, values] of [
      ["table", ["", "é".repeat(33), "a\0", "\ud800"]],
      ["row_id", ["", long, "a\nb", "\u2028"]],
      ["op_id", ["", long, "\u0085"]],
      ["op_type", ["INSERT", "upsert", ""]],
      ["origin_node", ["", "é".repeat(65), "__proto__", "a\tb"]],
      ["timestamp", [NaN, Infinity, -Infinity, "1"]],
      ["hlc", ["", "1", "1:2", "1:2:", "x:2:a:b", "1:02:a:b", "-1:2:a:b", " 1:2:a:b"]]
    ] as const) {
      for (const value of values) assertRefused({ ...wire, [key]: value }, key)
    }
    const { data: _, ...rest } = wire
    for (const [key, value] of [
      ["table", "é".repeat(32)],
      ["row_id", "é".repeat(128)],
      ["op_id", "é".repeat(128)]
    ] as const) {
      assert.isTrue(Result.isSuccess(fromWire({ ...rest, data: {}, [key]: value })), key)
    }
  })

  it.prop(
    "the HLC names the origin, or the operation is refused",
    [nodeId, nodeId],
    ([a, b]) => {
      const read = fromWire({ ...wire, hlc: `1:2:${a}`, origin_node: b })
      assert.strictEqual(Result.isSuccess(read), a === b)
      if (Result.isFailure(read)) assert.include(read.failure, "origin_node")
    },
    runs(2000)
  )

  it.prop(
    "data.id names the row, or the operation is refused",
    [oneOf<unknown>(Arbitrary.map(tree, valueOf), element("r1", "r2", "", "R1"))],
    ([id]) => {
      const read = fromWire({ ...wire, data: { id } })
      assert.strictEqual(Result.isSuccess(read), id === "r1")
      if (Result.isFailure(read)) assert.strictEqual(read.failure, "data.id is not row_id")
    },
    runs(2000)
  )

  it("data may be null, or hold no id", () => {
    for (const op_type of ["insert", "update", "delete"]) {
      assert.strictEqual(Result.getOrThrow(fromWire({ ...wire, op_type, data: null })).data, "{}")
      assert.strictEqual(Result.getOrThrow(fromWire({ ...wire, op_type, data: {} })).data, "{}")
    }
  })

  it("bounds the nesting of data exactly", () => {
    const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}0${"}".repeat(levels)}`)
    assert.isTrue(Result.isSuccess(fromWire({ ...wire, data: nested(maxDataDepth) })))
    assertRefused({ ...wire, data: nested(maxDataDepth + 1) }, "nested")
  })

  it("a reason is short, however long the operation is", () => {
    const long = "x".repeat(1_000_000)
    for (const key of keys) {
      assert.isBelow(failureOf({ ...wire, [key]: long }).length, 400, key)
      assert.isBelow(failureOf({ ...wire, [key]: [long] }).length, 400, key)
    }
    assert.isBelow(failureOf(long).length, 400)
  })

  it("a number that no double holds is null, as JSON writes it", () => {
    assert.strictEqual(Result.getOrThrow(fromWire({ ...wire, data: JSON.parse('{"x":1e400}') })).data, '{"x":null}')
  })
})

describe("OperationOrder", () => {
  it.prop(
    "orders by HLC, whatever the content",
    [operations],
    ([all]) => {
      const sorted = all.toSorted(OperationOrder)
      for (const [index, { hlc }] of sorted.entries()) {
        const previous = sorted[index - 1]?.hlc ?? hlc
        assert.isTrue(previous.wall < hlc.wall || (previous.wall === hlc.wall && previous.counter <= hlc.counter))
      }
    },
    runs(1000)
  )
})

const inOrder = (data: object): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1))

const reversed = (data: object): object => Object.fromEntries(Object.entries(data).toReversed())
