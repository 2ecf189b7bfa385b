import { assert, describe, it } from "@effect/vitest"
import * as Characters from "../../../src/core/search/Characters.ts"
import * as Tokens from "../../../src/core/search/Tokens.ts"
import { anyText, runs } from "../../support/Generators.ts"
import * as Scripts from "../../support/Scripts.ts"

describe("Tokens", () => {
  const cases: ReadonlyArray<readonly [text: string, tokens: ReadonlyArray<string>]> = [
    ["Hello C++ POL-358 GB/s", ["hello", "c", "pol", "358", "gb", "s"]],
    ['AND NEAR( "x" -y *', ["and", "near", "x", "y"]],
    ["Zürich e\u0301te\u0301 ﬁne Straße STRASSE İı", ["zurich", "ete", "fine", "strasse", "strasse", "ii"]],
    ["ΤΣΆΪ Οδός", ["τσαι", "οδοσ"]],
    ["Ёлка Май", ["елка", "маи"]],
    ["שָׁלוֹם العَرَبِيّة ســلام", ["שלום", "العربية", "سلام"]],
    ["हिन्दी தமிழ்", ["हिन्दी", "தமிழ்"]],
    ["soft\u00adhyphen zero\u200bwidth \ufeffbom", ["softhyphen", "zerowidth", "bom"]],
    ["①２½ ＡＢＣ №", ["121", "2", "abc", "no"]],
    ["🫖 pot 👨‍👩‍👧 👍🏽 🇩🇪 1️⃣", ["🫖", "pot", "👨", "👩", "👧", "👍", "🇩🇪", "1"]],
    ["会议记录", ["会议", "议记", "记录", "录"]],
    ["会 议、记录", ["会", "议", "记录", "录"]],
    ["iPhone手机2024年", ["iphone", "手机", "机", "2024", "年"]],
    ["ｶﾞｷﾞ か\u3099 カナー", ["ガギ", "ギ", "が", "カナ", "ナー", "ー"]],
    ["한국어 한국어", ["한국", "국어", "어", "한국", "국어", "어"]],
    ["ไทย", ["ไท", "ทย", "ย"]],
    ["…—!?", []]
  ]
  for (const [text, tokens] of cases) {
    it(`of ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(Tokens.of(text), tokens)
    })
  }

  it("of a word without an end, its beginning", () => {
    assert.deepStrictEqual(Tokens.of("x".repeat(1_000)), ["x".repeat(128)])
    assert.deepStrictEqual(Tokens.of(`${"é".repeat(127)}\u{10400}`), [`${"e".repeat(127)}`])
  })

  it("the folding of every character stays as it is, and is made of letters that are kept", () => {
    for (let codePoint = 0; codePoint < 0x11_0000; codePoint += codePoint < 0x3_0000 ? 1 : 97) {
      const folded = Characters.fold(String.fromCodePoint(codePoint))
      if (Characters.fold(folded) !== folded) assert.fail(codePoint.toString(16))
    }
  })

  it.prop(
    "no text has a token that an index would read in another way, and its tokens are those of all ways to write it",
    [anyText, Scripts.words],
    ([any, words]) => {
      for (const text of [any, words]) {
        const tokens = Tokens.of(text)
        for (const token of tokens) {
          assert.match(token, /^[a-z0-9\u0080-\u{10ffff}]+$/u)
          assert.isTrue(token.isWellFormed())
        }
        for (const form of ["NFC", "NFD"] as const) assert.deepStrictEqual(Tokens.of(text.normalize(form)), tokens)
      }
    },
    runs(3_000)
  )

  it.prop(
    "every token is where it is said to be",
    [Scripts.words],
    ([text]) => {
      const { tokens, places } = Tokens.placed(text)
      assert.deepStrictEqual(tokens, Tokens.of(text))
      let before = 0
      for (const [index, [start, end]] of places.entries()) {
        assert.isAtLeast(start, before)
        assert.isAbove(end, start)
        assert.isAtMost(end, text.length)
        assert.isTrue(Characters.fold(text.slice(start, end)).includes(tokens[index] ?? ""), text)
        before = start
      }
    },
    runs(2_000)
  )
})
