import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { escapeControls, oneLine, replaceControls } from "../../../src/core/text/Printable.ts"

const steers: ReadonlyArray<readonly [name: string, character: string]> = [
  ["escape", "\u001b"],
  ["carriage return", "\r"],
  ["line feed", "\n"],
  ["delete", "\u007f"],
  ["next line", "\u0085"],
  ["control sequence introducer", "\u009b"],
  ["soft hyphen", "\u00ad"],
  ["Arabic letter mark", "\u061c"],
  ["Mongolian vowel separator", "\u180e"],
  ["zero width space", "\u200b"],
  ["left-to-right mark", "\u200e"],
  ["right-to-left mark", "\u200f"],
  ["line separator", "\u2028"],
  ["paragraph separator", "\u2029"],
  ["left-to-right embedding", "\u202a"],
  ["pop directional formatting", "\u202c"],
  ["right-to-left override", "\u202e"],
  ["word joiner", "\u2060"],
  ["right-to-left isolate", "\u2067"],
  ["pop directional isolate", "\u2069"],
  ["nominal digit shapes", "\u206f"],
  ["byte order mark", "\ufeff"],
  ["interlinear annotation", "\ufff9"],
  ["a tag", "\u{e0041}"],
  ["half of a surrogate pair", "\ud800"]
]

const stays: ReadonlyArray<readonly [name: string, text: string]> = [
  ["Latin with accents", "Žluťoučký kůň, naïve"],
  ["Arabic", "مرحبا بالعالم"],
  ["Persian with a zero width non-joiner", "می\u200cخواهم"],
  ["Hebrew", "שלום עולם"],
  ["Hindi", "नमस्ते दुनिया"],
  ["Chinese", "你好，世界"],
  ["Arabic number sign", "\u0600\u0661"],
  ["a family of emoji", "👨\u200d👩\u200d👧"],
  ["an emoji with a variation selector", "❤\ufe0f"]
]

describe("Printable", () => {
  for (const [name, character] of steers) {
    it(`${name} never reaches a terminal`, () => {
      const text = `a${character}b`
      assert.match(escapeControls(text), /^a(\\u[0-9a-f]{4})+b$/)
      assert.notInclude(oneLine(text), character)
      assert.strictEqual(replaceControls(text), "a\ufffdb")
    })
  }

  for (const [name, text] of stays) {
    it(`${name} stays as it is`, () => {
      assert.deepStrictEqual([escapeControls(text), oneLine(text)], [text, text])
    })
  }

  it("a line stays one line", () => {
    assert.strictEqual(oneLine("a\r\nb\nc\td"), "a⏎b⏎c d")
  })

  it.prop("an escaped JSON text has the same value", [Schema.String], ([text]) => {
    // Half a surrogate pair is escaped by `JSON.stringify` already.
    assert.strictEqual(JSON.parse(escapeControls(JSON.stringify(text))), text)
  })

  it.prop("what is escaped once is left alone the second time", [Schema.String], ([text]) => {
    assert.strictEqual(escapeControls(escapeControls(text)), escapeControls(text))
    assert.strictEqual(oneLine(oneLine(text)), oneLine(text))
  })
})
