/**
 * The part of a text where a query was found, in one line, and which characters of it are what was found.
 */
import * as Query from "./SearchQuery.ts"
import * as Tokens from "./Tokens.ts"

/**
 * A part of a text. `marked` are the places of what was found, as indices of UTF-16 units: the first, and the one after
 * the last.
 */
export interface Snippet {
  readonly snippet: string
  readonly marked: ReadonlyArray<readonly [start: number, end: number]>
}

/** Characters of a text that are looked through: of a longer one, the beginning. */
const looked = 200_000

/** About `length` characters of a text. */
export const of = (text: string, query: Query.Query, length = 120): Snippet => {
  const line = text.slice(0, looked).replace(/\s+/gu, " ").trim()
  const found = placesOf(line, query)
  const [first] = found
  const from =
    line.length <= length
      ? 0
      : boundary(line, Math.max(0, Math.min((first?.[0] ?? 0) - Math.floor(length / 4), line.length - length)))
  const to = boundary(line, Math.min(line.length, from + length))
  const part = line.slice(from, to).toWellFormed()
  const shift = (from > 0 ? 1 : 0) - from
  return {
    snippet: `${from > 0 ? "…" : ""}${part}${to < line.length ? "…" : ""}`,
    marked: found.flatMap(([start, end]) =>
      start < to && end > from ? [[Math.max(start, from) + shift, Math.min(end, to) + shift] as const] : []
    )
  }
}

/** An index that does not part a surrogate pair. */
const boundary = (text: string, index: number): number => {
  const before = text.charCodeAt(index - 1)
  const after = text.charCodeAt(index)
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000 ? index - 1 : index
}

/** Where the terms of a query are: those of the whole query where there are some. In their order, without overlaps. */
const placesOf = (text: string, query: Query.Query): ReadonlyArray<readonly [number, number]> => {
  const { tokens, places } = Tokens.placed(text)
  const inPhrase = { ...query.whole, isPrefix: query.whole.isPrefix || query.isTyping }
  const whole = query.terms.length > 1 ? Query.positionsOf(tokens, inPhrase) : []
  const phrases = whole.length > 0 ? [inPhrase] : Query.beginnings(query)
  const found = phrases.flatMap((phrase) =>
    Query.positionsOf(tokens, phrase).map(
      (at) => [places[at]?.[0] ?? 0, places[at + phrase.tokens.length - 1]?.[1] ?? 0] as const
    )
  )
  return joined(found.toSorted(([a], [b]) => a - b))
}

/** Places that overlap, or follow each other at once, as one. */
const joined = (places: ReadonlyArray<readonly [number, number]>): ReadonlyArray<readonly [number, number]> => {
  const result: Array<readonly [number, number]> = []
  for (const [start, end] of places) {
    const last = result.at(-1)
    if (last === undefined || start > last[1]) result.push([start, end])
    else result[result.length - 1] = [last[0], Math.max(last[1], end)]
  }
  return result
}
