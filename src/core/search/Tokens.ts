/**
 * The words of a text, as they are indexed and looked for.
 *
 * Texts that look alike have the same words: compatibility forms, case, accents and vowel points make no difference,
 * and invisible characters are left out. In scripts without spaces between words, a run of characters becomes its
 * overlapping pairs and its last character. So every part of a run is found, by consecutive pairs or by the beginning
 * of one. A pair never goes over a space or a punctuation mark. A pictograph is a word. Everything else separates
 * words.
 */
import * as Characters from "./Characters.ts"

/** UTF-16 units of a word that count. */
const mostUnits = 128

/** Of the letters in it, all are those of English: only their case changes. */
const isPlain = /^[\s!-~]*$/

/** Pieces of texts that were folded, to fold them once. */
const pieces = new Map<string, string>()
const mostPieces = 10_000

const foldedPiece = (piece: string): string => {
  const known = pieces.get(piece)
  if (known !== undefined) return known
  if (pieces.size >= mostPieces) pieces.clear()
  const folded = Characters.fold(piece)
  pieces.set(piece, folded)
  return folded
}

/** A piece that folding changed: where it is in the folded text, and in the text as it was. */
interface Change {
  readonly start: number
  readonly end: number
  readonly from: number
  readonly to: number
}

/** The form of a text that counts. `note` hears of every change, in the order of the text. */
const folded = (text: string, note?: (change: Change) => void): string => {
  if (isPlain.test(text)) return text.toLowerCase()
  let result = ""
  let kept = 0
  for (let index = 0; index < text.length;) {
    const codePoint = text.codePointAt(index) ?? 0
    const single = index + Characters.unitsOf(codePoint)
    let end = single
    for (let next = text.codePointAt(end); next !== undefined && Characters.joins(next); next = text.codePointAt(end)) {
      end += Characters.unitsOf(next)
    }
    if (end > single || Characters.isChanged(codePoint)) {
      result += text.slice(kept, index)
      const start = result.length
      result += foldedPiece(text.slice(index, end))
      note?.({ start, end: result.length, from: index, to: end })
      kept = end
    }
    index = end
  }
  return result + text.slice(kept)
}

/** A part of a folded text without a separator in it. */
export interface Part {
  readonly start: number
  readonly end: number
  /** Whether it is of a script that puts no spaces between words. */
  readonly isRun: boolean
}

/** Where the part ends that begins at `start` with a character of this kind. */
const endOf = (text: string, start: number, kind: Characters.Kind): number => {
  let end = start + Characters.unitsOf(text.codePointAt(start) ?? 0)
  const next = () => Characters.kindOf(text.codePointAt(end))
  if (kind === "region") return next() === "region" ? end + 2 : end
  if (kind === "pictograph" || kind === "separator") return end
  const same = kind === "run" ? "run" : "word"
  while (next() === same || next() === "mark") end += Characters.unitsOf(text.codePointAt(end) ?? 0)
  return end
}

const parts = (text: string): ReadonlyArray<Part> => {
  const found: Array<Part> = []
  for (let index = 0; index < text.length;) {
    const kind = Characters.kindOf(text.codePointAt(index))
    const end = endOf(text, index, kind)
    if (kind !== "separator") found.push({ start: index, end, isRun: kind === "run" })
    index = end
  }
  return found
}

/** The places of the tokens of a part, in the folded text. */
const placesIn = (text: string, { start, end, isRun }: Part): ReadonlyArray<readonly [number, number]> => {
  if (!isRun) return [[start, end - start > mostUnits ? cut(text, start + mostUnits) : end]]
  const places: Array<readonly [number, number]> = []
  for (let index = start; index < end;) {
    const second = index + Characters.unitsOf(text.codePointAt(index) ?? 0)
    const after = second < end ? second + Characters.unitsOf(text.codePointAt(second) ?? 0) : end
    places.push([index, after])
    index = second
  }
  return places
}

/** An index that does not part a surrogate pair. */
const cut = (text: string, index: number): number => ((text.codePointAt(index - 1) ?? 0) > 0xffff ? index - 1 : index)

/** The parts of a text, with the tokens of each. */
export const partsOf = (
  text: string
): ReadonlyArray<{ readonly tokens: ReadonlyArray<string>; readonly isRun: boolean }> => {
  const form = folded(text)
  return parts(form).map((part) => ({
    tokens: placesIn(form, part).map(([start, end]) => form.slice(start, end)),
    isRun: part.isRun
  }))
}

/** The tokens of a text, in their order. They have no space in them, and of ASCII only small letters and digits. */
export const of = (text: string): ReadonlyArray<string> => {
  const form = folded(text)
  const tokens: Array<string> = []
  for (const part of parts(form)) for (const [start, end] of placesIn(form, part)) tokens.push(form.slice(start, end))
  return tokens
}

/** The same, and where in the text each of them is: the index of its first UTF-16 unit, and the one after its last. */
export const placed = (text: string) => {
  const changes: Array<Change> = []
  const form = folded(text, (change) => changes.push(change))
  const tokens: Array<string> = []
  const places: Array<readonly [number, number]> = []
  let index = 0
  for (const part of parts(form)) {
    for (const [start, end] of placesIn(form, part)) {
      tokens.push(form.slice(start, end))
      // Tokens of a run overlap: the next one may begin before this one ends.
      while ((changes[index]?.end ?? Infinity) <= start) index++
      places.push([originOf(changes, index, start, "from"), originOf(changes, index, end, "to")])
    }
  }
  return { tokens, places }
}

/** Where a place in the folded text was before: `side` says which end of a piece that was changed counts. */
const originOf = (changes: ReadonlyArray<Change>, index: number, place: number, side: "from" | "to"): number => {
  let at = index
  const isBefore = ({ start }: Change) => (side === "from" ? start <= place : start < place)
  for (let change = changes[at]; change !== undefined && isBefore(change); change = changes[at]) {
    if (place < change.end || (side === "to" && place === change.end)) return change[side]
    at++
  }
  const last = changes[at - 1]
  return last === undefined ? place : last.to + place - last.end
}
