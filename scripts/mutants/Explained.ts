/** Generated mutants that change nothing that can be seen, each with the reason. */
export interface Explained {
  readonly file: string
  /** A part of the line that no other line of the file has with the same change. */
  readonly line: string
  readonly from: string
  readonly to: string
  readonly why: string
}

export const explained: ReadonlyArray<Explained> = [
  {
    file: "src/core/discovery/Answer.ts",
    line: "return records.length === 0 ? sets",
    from: "records.length === 0",
    to: "false",
    why: "without records, all sets stay but those that say nothing"
  },
  {
    file: "src/core/discovery/CacheIntake.ts",
    line: "if (known === undefined) return false",
    from: "false",
    to: "true",
    why: "the cache is made anew with what it had"
  },
  {
    file: "src/core/discovery/Sightings.ts",
    line: "if (kept < seen.entries.size)",
    from: "kept < seen.entries.size",
    to: "true",
    why: "where no entry is gone, the loop finds none"
  },
  {
    file: "src/core/search/SearchQuery.ts",
    line: "if (isTyping) levels.push({ rank: ranks.phraseBegins",
    from: "isTyping",
    to: "true",
    why: "a query that ends in a run ends in a pair of characters: as a beginning it fits the same, and the level is excluded"
  },
  {
    file: "src/core/search/SearchQuery.ts",
    line: "if (isTyping) levels.push({ rank: ranks.wordsBegin",
    from: "isTyping",
    to: "true",
    why: "the same: the level is excluded"
  },
  {
    file: "src/core/search/SearchQuery.ts",
    line: "const better = isTyping ? begun : [whole]",
    from: "isTyping",
    to: "true",
    why: "the same: as a beginning it fits the same"
  },
  {
    file: "src/core/search/Snippet.ts",
    line: "return before >= 0xd800 && before < 0xdc00",
    from: "<",
    to: "<=",
    why: "it differs in texts that are not well-formed, of which either end is as good"
  },
  {
    file: "src/services/store/SqliteBackend.ts",
    line: "if (missing.length > 0) yield*",
    from: "missing.length > 0",
    to: "true",
    why: "a transaction without statements writes nothing"
  },
  {
    file: "src/services/store/StoreState.ts",
    line: "if (outdated.length === 0) return before",
    from: "outdated.length === 0",
    to: "false",
    why: "the same state, made anew"
  }
]
