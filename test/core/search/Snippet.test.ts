import { assert, describe, it } from "@effect/vitest"
import * as Query from "../../../src/core/search/SearchQuery.ts"
import * as Snippet from "../../../src/core/search/Snippet.ts"
import { anyText, runs } from "../../support/Generators.ts"
import * as Scripts from "../../support/Scripts.ts"

const of = (text: string, query: string) => {
  const { snippet, marked } = Snippet.of(text, Query.fromText(query))
  return { snippet, words: marked.map(([start, end]) => snippet.slice(start, end)) }
}

describe("Snippet", () => {
  it("is where the words are, in one line", () => {
    const text = `${"before ".repeat(100)}the Needle\n${"after ".repeat(100)}`
    const { snippet, words } = of(text, "needle")
    assert.match(snippet, /^….* the Needle after .*…$/)
    assert.isAtMost(snippet.length, 122)
    assert.deepStrictEqual(words, ["Needle"])
    assert.deepStrictEqual(of(" a\n b ", "b"), { snippet: "a b", words: ["b"] })
  })

  it("marks what was found, in the letters of the text", () => {
    assert.deepStrictEqual(of("Tea in Zürich is ﬁne, e\u0301te\u0301", "zurich fine ete").words, [
      "Zürich",
      "ﬁne",
      "e\u0301te\u0301"
    ])
    assert.deepStrictEqual(of("项目会议记录显示系统性能", "系统性能").words, ["系统性能"])
    assert.deepStrictEqual(of("water the plants, the plan", "the pla").words, ["the plants", "the plan"])
    assert.deepStrictEqual(of("nothing here", "tea").words, [])
  })

  it("of a long text, its beginning is looked through", () => {
    assert.deepStrictEqual(of(`${"x".repeat(300_000)} tea`, "tea").words, [])
  })

  it.prop(
    "no text and no query is a wrong one, and the marks are inside",
    [anyText, Scripts.words, Scripts.words],
    ([any, words, query]) => {
      for (const text of [any, words]) {
        const { snippet, marked } = Snippet.of(text, Query.fromText(query))
        assert.isTrue(snippet.isWellFormed())
        assert.isAtMost(snippet.length, 122)
        let before = 0
        for (const [start, end] of marked) {
          assert.isAtLeast(start, before)
          assert.isAbove(end, start)
          assert.isAtMost(end, snippet.length)
          before = end
        }
      }
    },
    runs(1_000)
  )
})
