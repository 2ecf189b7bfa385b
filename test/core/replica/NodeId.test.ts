import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { byCodePoint, isPlainText, NodeId, utf8Length } from "../../../src/core/replica/NodeId.ts"
import { anyText, integer, nodeId, plainText, runs } from "../../support/Generators.ts"

const isNodeId = Schema.is(NodeId)
const bytesOf = (text: string): Buffer => Buffer.from(text, "utf8")

/** Whether `text` is printable and well-formed, read character by character. */
const isPrintable = (text: string): boolean =>
  Array.from(text).every((character) => {
    const point = character.codePointAt(0) ?? 0
    const isControl = point < 0x20 || (point >= 0x7f && point <= 0x9f) || point === 0x2028 || point === 0x2029
    return !isControl && !(point >= 0xd800 && point <= 0xdfff)
  })

describe("NodeId", () => {
  it.prop(
    "accepts 1 to 128 bytes of printable, well-formed text, and nothing else",
    [anyText, integer(1, 8)],
    ([text, times]) => {
      const id = text.repeat(times)
      const expected = id !== "" && bytesOf(id).length <= 128 && isPrintable(id) && id !== "__proto__"
      assert.strictEqual(isNodeId(id), expected)
    },
    runs(5000)
  )

  it.prop("whatever the generators call a node id is one", [nodeId], ([id]) => isNodeId(id), runs(2000))

  for (const [bytes, character] of [
    [1, "a"],
    [2, "é"],
    [3, "€"],
    [4, "\u{1f600}"]
  ] as const) {
    it(`the bound counts bytes: characters of ${bytes}`, () => {
      const full = character.repeat(Math.floor(128 / bytes)) + "a".repeat(128 % bytes)
      assert.strictEqual(bytesOf(full).length, 128)
      assert.isTrue(isNodeId(full))
      assert.isFalse(isNodeId(`${full}a`))
      assert.isTrue(isNodeId(character))
    })
  }

  it("refuses what is not a name", () => {
    const refused = ["", "__proto__", "a\0", "a\nb", "\t", "\u007f", "\u0085", "\u2028", "\u2029", "\ud800", "a\udfff"]
    for (const text of refused) assert.isFalse(isNodeId(text), JSON.stringify(text))
    for (const value of [undefined, null, 1, {}, ["a"]]) assert.isFalse(isNodeId(value))
  })

  it("accepts colons, spaces and names that objects have", () => {
    for (const text of [
      "a:b",
      "::",
      " ",
      "a b",
      "constructor",
      "toString",
      "__proto",
      "0",
      "\u00a0",
      "\ufeff",
      "\uffff"
    ]) {
      assert.isTrue(isNodeId(text), JSON.stringify(text))
    }
  })

  it.prop(
    "plain text is bounded by any number of bytes exactly",
    [plainText(24), integer(0, 24)],
    ([text, maxBytes]) => assert.strictEqual(isPlainText(text, maxBytes), bytesOf(text).length <= maxBytes),
    runs(3000)
  )

  it.prop(
    "utf8Length counts bytes",
    [anyText],
    ([text]) => assert.strictEqual(utf8Length(text.toWellFormed()), bytesOf(text).length),
    runs(3000)
  )
})

describe("byCodePoint", () => {
  it.prop(
    "is the order of the UTF-8 bytes",
    [plainText(40), plainText(40), plainText(8)],
    ([a, b, prefix]) => {
      assert.strictEqual(byCodePoint(a, b), Buffer.compare(bytesOf(a), bytesOf(b)))
      assert.strictEqual(byCodePoint(prefix + a, prefix + b), Buffer.compare(bytesOf(a), bytesOf(b)))
    },
    runs(5000)
  )

  it.prop(
    "is a total order, of text that is not well-formed too",
    [anyText, anyText, anyText],
    ([a, b, c]) => {
      assert.strictEqual(byCodePoint(a, a), 0)
      assert.strictEqual(byCodePoint(a, b) === 0, a === b)
      assert.strictEqual(byCodePoint(a, b) + byCodePoint(b, a), 0)
      const [low = "", middle = "", high = ""] = [a, b, c].sort(byCodePoint)
      assert.isTrue(byCodePoint(low, middle) <= 0 && byCodePoint(middle, high) <= 0 && byCodePoint(low, high) <= 0)
    },
    runs(5000)
  )

  it("ranks characters beyond U+FFFF above U+E000 to U+FFFF, where code units do not", () => {
    assert.strictEqual(byCodePoint("\uffff", "\u{10000}"), -1)
    assert.strictEqual(byCodePoint("a\u{1f600}", "a\ue000"), 1)
    assert.strictEqual(byCodePoint("\u{d7ff}", "\ue000"), -1)
    assert.strictEqual(byCodePoint("a", "a:"), -1)
    assert.deepStrictEqual(["\uffff", "\u{10000}"].sort(), ["\u{10000}", "\uffff"])
  })
})
