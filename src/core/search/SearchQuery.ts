/**
 * What a query looks for, and how well a text fits to it.
 *
 * A query is plain words. A text fits when it has all of them; the last word may be the beginning of one, for it is
 * still being typed. A part in a script without spaces is looked for as it stands, anywhere in a run. No text is a
 * wrong query: every punctuation mark only separates words.
 */
import * as Tokens from "./Tokens.ts"

/** Tokens of a query, at most: the others are not looked for. */
const mostTokens = 64

/** Tokens that follow each other; of the last one, the beginning is enough where `isPrefix` says so. */
export interface Phrase {
  readonly tokens: ReadonlyArray<string>
  readonly isPrefix: boolean
}

export interface Query {
  /** The words, and the parts in scripts without spaces: all of them are looked for. */
  readonly terms: ReadonlyArray<Phrase>
  /** All of the query, as it stands. */
  readonly whole: Phrase
  /** Whether the last term is a word, which may still be being typed. */
  readonly isTyping: boolean
}

/**
 * How well a text fits, from the best: it has the query as it stands, or as a beginning; or all its words, or the last
 * one as a beginning.
 */
export const ranks = { phrase: 4, phraseBegins: 3, words: 2, wordsBegin: 1, none: 0 } as const

/** What a text of a query looks for; nothing when it has no words. */
export const fromText = (text: string): Query => {
  const terms: Array<Phrase> = []
  const whole: Array<string> = []
  let isTyping = false
  let isOpen = false
  for (const part of Tokens.partsOf(text)) {
    if (whole.length >= mostTokens) break
    const tokens = part.tokens.slice(0, mostTokens - whole.length)
    // A run that is longer goes on after its last pair; a single character may begin a pair.
    const term = {
      tokens: tokens.length > 1 ? tokens.slice(0, -1) : tokens,
      isPrefix: part.isRun && tokens.length === 1
    }
    terms.push(term)
    whole.push(...tokens)
    isTyping = !part.isRun
    isOpen = tokens.length > 1
  }
  const isPrefix = terms.at(-1)?.isPrefix === true
  return { terms, whole: { tokens: isOpen ? whole.slice(0, -1) : whole, isPrefix }, isTyping }
}

/** Whether a query looks for nothing. */
export const isEmpty = ({ terms }: Query): boolean => terms.length === 0

/** The terms of a query; the last word as a beginning, if it may be one. */
export const beginnings = ({ terms, isTyping }: Query): ReadonlyArray<Phrase> =>
  terms.map((term, index) => (isTyping && index === terms.length - 1 ? { ...term, isPrefix: true } : term))

/** The positions in a text where a phrase begins. */
export const positionsOf = (tokens: ReadonlyArray<string>, phrase: Phrase): ReadonlyArray<number> => {
  const positions: Array<number> = []
  for (let at = 0; at + phrase.tokens.length <= tokens.length; at++) if (isAt(tokens, at, phrase)) positions.push(at)
  return positions
}

const isAt = (tokens: ReadonlyArray<string>, at: number, { tokens: wanted, isPrefix }: Phrase): boolean =>
  wanted.every((token, index) => {
    const other = tokens[at + index] ?? ""
    return other === token || (isPrefix && index === wanted.length - 1 && other.startsWith(token))
  })

/** How well a text with these tokens fits to a query. */
export const rankOf = (tokens: ReadonlyArray<string>, query: Query): number => {
  const has = (phrase: Phrase) => tokens.some((_, at) => isAt(tokens, at, phrase))
  if (isEmpty(query) || !beginnings(query).every(has)) return ranks.none
  if (has(query.whole)) return ranks.phrase
  if (query.isTyping && has({ ...query.whole, isPrefix: true })) return ranks.phraseBegins
  return query.terms.every(has) ? ranks.words : ranks.wordsBegin
}

/**
 * A condition for each rank, from the best: texts that fit to all phrases of `all`, and to none of those of `not`, have
 * it.
 */
export interface Level {
  readonly rank: number
  readonly all: ReadonlyArray<Phrase>
  readonly not: ReadonlyArray<ReadonlyArray<Phrase>>
}

/** The levels of a query. They exclude each other. */
export const levelsOf = (query: Query): ReadonlyArray<Level> => {
  if (isEmpty(query)) return []
  const { terms, whole, isTyping } = query
  const begun = [{ ...whole, isPrefix: true }]
  const levels: Array<Level> = [{ rank: ranks.phrase, all: [whole], not: [] }]
  if (isTyping) levels.push({ rank: ranks.phraseBegins, all: begun, not: [[whole]] })
  if (terms.length === 1) return levels
  const better = isTyping ? begun : [whole]
  levels.push({ rank: ranks.words, all: terms, not: [better] })
  if (isTyping) levels.push({ rank: ranks.wordsBegin, all: beginnings(query), not: [terms, better] })
  return levels
}
