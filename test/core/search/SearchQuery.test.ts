import { assert, describe, it } from "@effect/vitest"
import * as Query from "../../../src/core/search/SearchQuery.ts"
import * as Tokens from "../../../src/core/search/Tokens.ts"
import { anyText, runs } from "../../support/Generators.ts"
import * as Scripts from "../../support/Scripts.ts"

const rank = (text: string, query: string) => Query.rankOf(Tokens.of(text), Query.fromText(query))

describe("Query", () => {
  it("all words are wanted, the last one as a beginning", () => {
    const text = "Water the plants in Zürich"
    for (const query of ["water", "WAT", "plants wat", "the zuri", 'the "in"']) assert.isAbove(rank(text, query), 0)
    for (const query of ["", "wat plants", "ater", "water tea", '"*(^']) assert.strictEqual(rank(text, query), 0)
  })

  it("ranks what stands as it was asked before all words, and whole words before beginnings", () => {
    const { phrase, phraseBegins, words, wordsBegin, none } = Query.ranks
    const cases = [
      ["water the plants", "water the plants", phrase],
      ["water the plants", "the pla", phraseBegins],
      ["water the plants", "plants water", words],
      ["water the plants", "plants wat", wordsBegin],
      ["water the plants", "plants cat", none],
      ["plantation", "plant", phraseBegins],
      ["a plant", "plant", phrase],
      ["项目会议 记录", "会议 记录", phrase],
      ["会议和记录", "会议 记录", words],
      ["会记录议", "会议", none],
      ["会 议", "会议", none],
      ["会议", "会 议", words],
      ["会，议", "会 议", phrase]
    ] as const
    for (const [text, query, expected] of cases) assert.strictEqual(rank(text, query), expected, `${text}: ${query}`)
  })

  it("looks for so many words at most", () => {
    assert.lengthOf(Query.fromText("w ".repeat(1_000)).terms, 64)
    assert.lengthOf(Query.fromText("会".repeat(1_000)).terms, 1)
  })

  it.prop(
    "a part of a run is found exactly where it is a part of it",
    [Scripts.run, Scripts.run, Scripts.run],
    ([before, part, after]) => {
      const inside = Tokens.partsOf(part)
      // What combines with its neighbours is no part of its own.
      if (inside.length !== 1 || Tokens.partsOf(`${before}${part}${after}`).length !== 1) return
      const characters = (text: string) =>
        Tokens.of(text)
          .map((token) => String.fromCodePoint(token.codePointAt(0) ?? 0))
          .join("")
      const text = characters(`${before}${part}${after}`)
      assert.strictEqual(rank(text, part) > 0, text.includes(characters(part)), `${text}: ${part}`)
    },
    runs(3_000)
  )

  it.prop(
    "a text is found by itself, by its words, and by the beginning of its last word; each level is one rank",
    [Scripts.words, Scripts.words, anyText],
    ([words, others, any]) => {
      for (const text of [words, any]) {
        const query = Query.fromText(text)
        assert.strictEqual(rank(text, text), Query.isEmpty(query) ? Query.ranks.none : Query.ranks.phrase)
        assert.strictEqual(Query.isEmpty(query), Tokens.of(text).length === 0)
      }
      for (const text of [others, any]) {
        const tokens = Tokens.of(text)
        const query = Query.fromText(words)
        const has = (phrases: ReadonlyArray<Query.Phrase>) =>
          phrases.every((phrase) => Query.positionsOf(tokens, phrase).length > 0)
        const levels = Query.levelsOf(query).filter(({ all, not }) => has(all) && !not.some(has))
        assert.deepStrictEqual(
          levels.map(({ rank }) => rank),
          Query.rankOf(tokens, query) === 0 ? [] : [Query.rankOf(tokens, query)]
        )
      }
    },
    runs(3_000)
  )
})
