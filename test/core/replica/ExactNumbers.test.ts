import { assert, describe, it } from "@effect/vitest"
import { Option, Result, Schema } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import { canonical, type CanonicalJson, parse, parseExact, withDoubles } from "../../../src/core/replica/Json.ts"
import * as Merge from "../../../src/core/replica/Merge.ts"
import * as Operation from "../../../src/core/replica/Operation.ts"
import { readOperation } from "../../../src/core/replica/ExportFormat.ts"
import { exactColumnsOf } from "../../../src/core/replica/Row.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { node, write } from "../../support/Network.ts"
import { runs } from "../../support/Generators.ts"

const exact = (text: string): CanonicalJson =>
  Option.getOrThrow(canonical(Result.getOrThrow(parseExact(text, Infinity)), Infinity))
const plain = (text: string): CanonicalJson =>
  Option.getOrThrow(canonical(Result.getOrThrow(parse(text, Infinity)), Infinity))

const kept = [
  "9007199254740993",
  "-9007199254740993",
  "123456789012345678901234567890",
  "1000000000000000000000",
  "12345678901234567891",
  "-0.0"
]
const alike = ["0", "1.0", "1e5", "9007199254740992", "1732800000.1234567", "0.30000000000000004", "1e400", "-1.5e-7"]

const withData = (data: string): Operation.Operation => ({
  ...write(node("a"), { wall: 1, counter: 0 }, "r"),
  data: exact(data)
})

describe("numbers that a double would change", () => {
  it("are kept as they came, wherever they stand, and no others are", () => {
    for (const number of kept) {
      for (const text of [
        number,
        `[${number}]`,
        `{"a":{"b":[1,${number},"x"]},"c":${number}}`,
        `{"\\u0061":${number}}`
      ]) {
        assert.strictEqual(exact(text), text.replace("\\u0061", "a"))
        assert.strictEqual(exact(exact(text)), exact(text))
        assert.notStrictEqual(plain(text), exact(text))
      }
    }
    for (const number of alike) assert.strictEqual(exact(`[${number}]`), plain(`[${number}]`))
    for (const zero of ["-0", "-0.00", "-0e5", "-0.0E-3"]) assert.strictEqual(exact(`[${zero}]`), "[-0.0]")
    for (const text of [`["${kept.join()}"]`, `{"${kept[0] ?? ""}":1}`]) assert.strictEqual(exact(text), plain(text))
    assert.strictEqual(exact(`[${"9".repeat(5_000)}]`), "[null]", "no Python reads as many digits")
  })

  it.prop(
    "as doubles they are what a reader of doubles makes of them",
    [Schema.Array(Schema.Union([Schema.Literals([...kept, ...alike]), Schema.String]))],
    ([items]) => {
      const numbers: ReadonlyArray<string> = [...kept, ...alike]
      const texts = items.map((item) => (numbers.includes(item) ? item : JSON.stringify(item)))
      const text = `{"a":[${texts.join()}],"b":{${texts.map((value, at) => `"${at}":${value}`).join()}}}`
      assert.strictEqual(withDoubles(exact(text)), plain(text))
    },
    runs(1_000)
  )

  it("pass through the wire, an archive and an edit, digit for digit", () => {
    for (const number of kept) {
      const operation = withData(`{"id":"r","n":${number}}`)
      const text = Operation.toWire(operation)
      assert.include(text, `"n":${number}`)
      assert.strictEqual(
        Result.getOrThrow(readOperation(text, { bytes: 9_999, driftMs: 1, now: 1 })).data,
        operation.data
      )
      const frame = Wire.encodeData({ seq: 0, more: false, fresh: false, through: VectorClock.empty }, [text])
      const read = Result.getOrThrow(Wire.decode(frame))
      assert.deepStrictEqual(read.type === "sync_data" ? read.operations : [], [operation])
      assert.strictEqual(canonicalOf(exactColumnsOf(operation)), operation.data)
    }
  })

  it("count in a digest as the doubles that an older version keeps, and the digits win wherever they come", () => {
    for (const number of kept) {
      const whole = withData(`{"id":"r","n":${number}}`)
      const cut = { ...whole, data: plain(whole.data) }
      assert.deepStrictEqual(Digest.ofOperation(whole), Digest.ofOperation(cut))
      assert.isFalse(Merge.isConflict(whole, cut))
      for (const kind of ["notes", "episodes"] as const) {
        const [a, b] = [whole, cut].map((one) => ({ ...one, table: Operation.Kind.make(kind) }))
        if (a === undefined || b === undefined) return assert.fail()
        for (const order of [
          [a, b],
          [b, a],
          [b, a, b]
        ]) {
          assert.deepStrictEqual([...Merge.merge(new Map(), order).values()], [a])
        }
      }
    }
  })

  it("are no object, and no time", () => {
    const wire = Operation.toWire(withData("{}"))
    const read = (text: string) => Result.flatMap(parseExact(text, 40), Operation.fromWire)
    assert.isTrue(Result.isFailure(read(wire.replace('"data":{}', '"data":9007199254740993'))))
    const late = read(wire.replace(/"timestamp":[\d.]+/, '"timestamp":-0.0'))
    assert.isTrue(Result.isSuccess(late))
  })
})

const canonicalOf = (value: unknown) => Option.getOrThrow(canonical(value, 40))
