/** Plain English in the documents: short sentences, no riddles, and a README of one sitting. */
import { assert, describe, it } from "@effect/vitest"
import { documents, read, sentencesOf, withoutBlocks, wordsOf } from "../support/Markdown.ts"

/** A sentence has one idea: under 25 words is the aim, and this is the limit. */
const mostWords = 30

const riddles = /\b(nobody|whoever|somebody|whosoever)\b/gi

/** Footnotes quote the titles of tests. */
const withoutFootnotes = (text: string): string => text.split(/^\[\^[a-z]+\]: /m)[0] ?? ""

describe("the documents", () => {
  for (const document of documents) {
    it(`${document} has no sentence over ${mostWords} words`, () => {
      const long = sentencesOf(read(document))
        .filter((sentence) => wordsOf(sentence) > mostWords)
        .map((sentence) => `${wordsOf(sentence)}: ${sentence}`)
      assert.deepStrictEqual(long, [])
    })

    it(`${document} has no riddles`, () => {
      const found = [...withoutFootnotes(withoutBlocks(read(document))).matchAll(riddles)].map(([word]) => word)
      assert.deepStrictEqual(found, [])
    })
  }

  it("the sentences are found in what Markdown makes of them", () => {
    const text = [
      "# A heading. With two parts",
      "",
      "One sentence with `a.b` and `c`, `d` or `e` in it. Another",
      "one[^note], of two lines! 1.5 is no end.",
      "",
      "- An item",
      "  of two lines",
      "- **Bold**: an item with [a link](target.md).",
      "",
      "| a table. | it has | none |",
      "",
      "```",
      "Code. Has none.",
      "```",
      "",
      "[^note]: A footnote. Has none."
    ].join("\n")
    assert.deepStrictEqual(sentencesOf(text), [
      "One sentence with `code` in it.",
      "Another one, of two lines!",
      "1.5 is no end.",
      "An item of two lines",
      "Bold: an item with a link."
    ])
    assert.strictEqual(wordsOf("One sentence – with `code`, and 2 more."), 7)
  })

  it("README.md has at most 200 lines, and tables under 120 columns", () => {
    const lines = read("README.md").trimEnd().split("\n")
    assert.isAtMost(lines.length, 200)
    const wide = lines.filter((line) => line.startsWith("|") && line.length >= 120)
    assert.deepStrictEqual(wide, [])
  })
})
