/**
 * Scans of a JSON text that is not parsed: where its strings, values and numbers are. None of them recurses or
 * allocates, so that they can be made of any text, however long or deep.
 */

export const quote = 0x22
export const comma = 0x2c
const backslash = 0x5c
export const colon = 0x3a
const plus = 0x2b
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const openBracket = 0x5b
const closeBracket = 0x5d
export const openBrace = 0x7b
export const closeBrace = 0x7d

/**
 * The checks before `JSON.parse`, which would build every level: whether brackets are nested more than `maxDepth`
 * deep, and whether a key is written with an escape. A scan without allocation.
 */
export const shapeOf = (text: string, maxDepth: number): "plain" | "deep" | "escaped keys" => {
  let depth = 0
  let hasEscapedKey = false
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === quote) {
      const end = endOfString(text, index)
      if (!hasEscapedKey && isKey(text, end)) hasEscapedKey = hasEscape(text, index, end)
      index = end
    } else if (unit === openBrace || unit === openBracket) {
      if (++depth > maxDepth) return "deep"
    } else if (unit === closeBrace || unit === closeBracket) depth--
  }
  return hasEscapedKey ? "escaped keys" : "plain"
}

/**
 * Calls `found` with the extent of each number outside strings that may be one which a double would change: a long
 * integer, or a zero with a sign. A scan without allocation: what has no such number is only looked at.
 */
export const eachLongNumber = (text: string, found: (start: number, end: number) => void): void => {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === quote) index = endOfString(text, index)
    else if (isDigit(unit) || unit === minus) {
      const start = index
      while (isOfNumber(text.charCodeAt(index + 1))) index++
      const isZero = unit === minus && text.charCodeAt(start + 1) === zero
      if (isZero || index - start >= 15) found(start, index + 1)
    }
  }
}

/** A piece of a text: from `start` up to and without `end`. */
export interface Extent {
  readonly start: number
  readonly end: number
}

/**
 * Finds where the value ends that begins at `start`, by its brackets and strings alone: also when what is in them is
 * not JSON, however deep. None where the brackets are never closed. Takes no recursion and allocates nothing.
 */
export const endOfValue = (text: string, start: number): number | undefined => {
  let depth = 0
  for (let index = start; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === quote) {
      index = endOfString(text, index)
      if (index >= text.length) return undefined
    } else if (unit === openBrace || unit === openBracket) depth++
    else if (unit === closeBrace || unit === closeBracket) {
      // The bracket that closes what is around this value.
      if (depth === 0) return index
      depth--
    } else if (unit === comma && depth === 0) return index
    else continue
    if (depth === 0 && unit !== quote) return index + 1
  }
  return depth === 0 ? text.length : undefined
}

/** The index of the next unit that is not white space. */
export const skipSpace = (text: string, start: number): number => {
  let index = start
  while (isSpace(text.charCodeAt(index))) index++
  return index
}

/** The index of the quote that ends the string that starts at `start`. */
export const endOfString = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

/** Whether the string that ends at `end` is followed by a colon: it is a key then, in all that is JSON. */
export const isKey = (text: string, end: number): boolean => {
  let next = end + 1
  while (isSpace(text.charCodeAt(next))) next++
  return text.charCodeAt(next) === colon
}

const isDigit = (unit: number): boolean => unit >= zero && unit <= 0x39

/** Whether a code unit may stand in a number, after its first one. */
const isOfNumber = (unit: number): boolean =>
  isDigit(unit) || unit === dot || unit === minus || unit === plus || unit === 0x65 || unit === 0x45

const isSpace = (unit: number): boolean => unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)

const hasEscape = (text: string, start: number, end: number): boolean => {
  for (let index = start + 1; index < end; index++) if (text.charCodeAt(index) === backslash) return true
  return false
}
