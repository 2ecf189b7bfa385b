/** Plain English in the documents, the program and the names of tests: short sentences, no riddles, the terms of the field. */
import { assert, describe, it } from "@effect/vitest"
import type { Completions } from "effect/cli"
import { grammar } from "../support/Cli.ts"
import { documents, read, sentencesOf, withoutBlocks, wordsOf } from "../support/Markdown.ts"
import { namesIn, sourcesIn, textsOf } from "../support/Sources.ts"

/** A sentence has one idea: under 25 words is the aim, and this is the limit. */
const mostWords = 30

/** The same for a sentence that the program prints. */
const mostPrinted = 25

/** Words that hide who is meant. */
const riddles = /\b(nobody|whoever|whosoever|somebody|someone|anybody|anyone|everybody|everyone)\b/gi

/** Names that the program no longer uses: the field has a term for each. */
const formerNames = [
  "door",
  "ear",
  "voice",
  "asker",
  "carrier",
  "overStore",
  "stranger",
  "visitor",
  "farewell",
  "tops",
  "beater",
  "beatsOwn",
  "isSpoken",
  "isLevel",
  "twinOf",
  "parseReading",
  "openedAt",
  "isWanted",
  "isSo"
]

/**
 * The same, where prose needs the word or a column of the database bears it: the program has no such name. Not among them:
 * `meet`, which a lattice has, and `Host`, which DNS-SD has.
 */
const formerWords = ["twin", "touched", "hear", "tell", "learn", "Life"]

/** A name, alone or as a word of a longer name, in its singular and plural. */
const former = new RegExp(
  formerNames
    .flatMap((name) => [`(?<![A-Za-z])${name}`, `${name.charAt(0).toUpperCase()}${name.slice(1)}`])
    .map((name) => `${name}s?(?![a-z])`)
    .join("|"),
  "g"
)

/** Where an expression matches a text, with the line of each. */
const linesWith = (text: string, expression: RegExp): ReadonlyArray<string> =>
  text.split("\n").flatMap((line, index) => (line.search(expression) === -1 ? [] : [`${index + 1}: ${line.trim()}`]))

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

describe("the program", () => {
  for (const source of sourcesIn("src")) {
    it(`${source.path} is in plain English`, () => {
      const long = textsOf(source)
        .flatMap((text) => text.split(/(?<=[.!?])\s+|\n/))
        .filter((sentence) => wordsOf(sentence) > mostPrinted)
      assert.deepStrictEqual(long, [])
      assert.deepStrictEqual(linesWith(source.text, riddles), [])
      assert.deepStrictEqual(linesWith(source.text, former), [])
      const names = namesIn(source)
      assert.deepStrictEqual(
        formerWords.filter((word) => names.has(word)),
        []
      )
    })
  }

  it("every command, flag and argument has a description in the help", () => {
    const empty = (path: string, command: Completions.CommandDescriptor): ReadonlyArray<string> => {
      const all = [command, ...command.flags, ...command.arguments]
      return [
        ...all.filter(({ description = "" }) => description.trim() === "").map(({ name }) => `${path}: ${name}`),
        ...command.subcommands.flatMap((sub) => empty(`${path} ${sub.name}`, sub))
      ]
    }
    assert.deepStrictEqual(empty(grammar.command.name, grammar.command), [])
  })

  it("former names are found in names and comments, and not in other words", () => {
    const found = ["door.open()", "const openDoors = 1", "class Ear {}", "// a stranger", "new OverStore()"]
    const other = ["doorway", "clear", "hear", "search", "earth", "invoice", "Carriers_".toLowerCase().slice(2)]
    for (const text of found) assert.lengthOf(linesWith(text, former), 1, text)
    for (const text of other) assert.lengthOf(linesWith(text, former), 0, text)
  })

  it("names are found in what is declared and used, and not in comments and texts", () => {
    const text = [
      "// hear",
      "const one = { twin: learn.tell }",
      "interface Life<A> {",
      "  touched(first: A): typeof other",
      "}",
      'const two = "SELECT column"'
    ].join("\n")
    const found = ["one", "twin", "learn", "tell", "Life", "A", "touched", "first", "other", "two"]
    assert.deepStrictEqual([...namesIn({ path: "Example.ts", text })].sort(), found.sort())
  })

  it("texts are found in what the language makes of them", () => {
    const text = [
      'import { a } from "not a text"',
      'const one = "two words"',
      "const sum = `a ${one} b` + one + ' and c'",
      'const nested = `of ${one === "" ? "none at all" : "x"} here`',
      'const sql = "SELECT one FROM other"'
    ].join("\n")
    assert.deepStrictEqual(textsOf({ path: "Example.ts", text }), [
      "two words",
      "a x b… and c",
      "of x here",
      "none at all"
    ])
  })
})

describe("the tests", () => {
  // This file names the words.
  for (const source of sourcesIn("test").filter(({ path }) => path !== "test/docs/Style.test.ts")) {
    it(`${source.path} has no riddles in its names and messages`, () => {
      const found = textsOf(source).filter((text) => text.search(riddles) !== -1)
      assert.deepStrictEqual(found, [])
    })
  }
})
