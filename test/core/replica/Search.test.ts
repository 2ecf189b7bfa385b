import { assert, describe, it } from "@effect/vitest"
import * as Search from "../../../src/core/replica/Search.ts"
import { anyText, operation, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"

describe("Search", () => {
  it("a query is words, without case, accents and signs", () => {
    assert.deepStrictEqual(Search.wordsOf('  ZÜRICH "e-mail" OR (x) NEAR* \0 '), [
      "zurich",
      "e",
      "mail",
      "or",
      "x",
      "near"
    ])
    assert.deepStrictEqual(Search.wordsOf('"*(^'), [])
    assert.lengthOf(Search.wordsOf("w ".repeat(1_000)), Search.maxWords)
  })

  it("all words are wanted, the last one as a beginning", () => {
    const text = "Water the plants in Zürich"
    for (const query of ["water", "WAT", "plants wat", "the zuri"])
      assert.isTrue(Search.matches(text, Search.wordsOf(query)))
    for (const query of ["", "wat plants", "ater", "water tea"])
      assert.isFalse(Search.matches(text, Search.wordsOf(query)))
  })

  it("what is searched of each kind, and nothing of what is deleted", () => {
    const of = (kind: string, data: object, op_type: "insert" | "delete" = "insert") =>
      Search.textOf({
        ...write(node("a"), { wall: 1, counter: 0 }, "r", kind, op_type),
        data: JSON.stringify(data) as never
      })
    assert.strictEqual(of("notes", { content: "a\0b", tags: '["t"]', source: "no" }), "a b\nt")
    assert.strictEqual(of("knowledge", { subject: "s", predicate: "p", object: "o" }), "s\np\no")
    assert.strictEqual(of("episodes", { summary: "s", detail: "d", event_type: "no" }), "s\nd")
    assert.isUndefined(of("execution_log", { args: "x" }))
    assert.isUndefined(of("plans", { content: "x" }))
    assert.isUndefined(of("notes", { content: "x" }, "delete"))
  })

  it("a snippet is where the word is, in one line", () => {
    const text = `${"before ".repeat(100)}the Needle\n${"after ".repeat(100)}`
    const snippet = Search.snippetOf(text, ["needle"])
    assert.match(snippet, /^….* the Needle after .*…$/)
    assert.isAtMost(snippet.length, 122)
    assert.strictEqual(Search.snippetOf(" a\n b ", ["b"]), "a b")
  })

  it.prop(
    "no query and no row is a wrong one",
    [anyText, operation],
    ([query, row]) => {
      const words = Search.wordsOf(query)
      const text = Search.textOf(row) ?? ""
      Search.matches(text, words)
      assert.isAtMost(Search.snippetOf(query, words).length, 122)
      // Cutting again changes nothing: the words are those that the index has.
      assert.deepStrictEqual(Search.wordsOf(words.join(" ")), words)
    },
    runs(1_000)
  )
})
