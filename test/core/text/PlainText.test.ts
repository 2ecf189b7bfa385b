import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as PlainText from "../../../src/core/text/PlainText.ts"

describe("PlainText", () => {
  it.prop("what is UTF-8 is taken as it is, without a byte order mark", [Schema.String], ([any]) => {
    const text = any.toWellFormed().replaceAll(/[\0\ufeff]/g, "")
    const bytes = new TextEncoder().encode(text)
    assert.deepStrictEqual(PlainText.decode(bytes), Result.succeed(text))
    const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes])
    assert.deepStrictEqual(PlainText.decode(marked), Result.succeed(text))
  })

  const utf16 = Buffer.from("correct horse\r\n", "utf16le")
  for (const [name, bytes, problem] of [
    ["UTF-16 with a byte order mark", Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]), /UTF-16$/],
    ["UTF-16, big end first", Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()]), /UTF-16$/],
    ["UTF-16 without a mark", utf16, /NUL bytes/],
    ["a NUL byte", Buffer.from("a\0b"), /NUL bytes/],
    ["Latin-1", Buffer.from("caf\xe9", "latin1"), /not UTF-8/],
    ["a character cut in two", Buffer.from("é").subarray(0, 1), /not UTF-8/],
    ["a surrogate in UTF-8", Buffer.from([0xed, 0xa0, 0x80]), /not UTF-8/]
  ] as const) {
    it(`${name} is refused`, () => {
      const { problem: said, nextStep } = Result.getOrThrow(Result.flip(PlainText.decode(bytes)))
      assert.match(said, problem)
      assert.strictEqual(nextStep, "save it as UTF-8")
    })
  }
})
