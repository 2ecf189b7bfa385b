/**
 * JSON as a canonical text: two values are equal exactly when their texts are.
 *
 * Object keys stand in one fixed order (integer-like keys ascending, then the others by code unit), numbers and strings in
 * the form of ECMA-262 `JSON.stringify`. The idea is that of RFC 8785; only the place of integer-like keys differs.
 */
import { Option, Predicate, Schema } from "effect"

/** Canonical JSON text. Only `canonical` makes it. */
export const CanonicalJson = Schema.String.pipe(Schema.brand("CanonicalJson"))
export type CanonicalJson = typeof CanonicalJson.Type

/** The text of the empty object. */
export const emptyObject = CanonicalJson.make("{}")

/** The canonical text of what `JSON.parse` made, or none when it is nested more than `maxDepth` deep. */
export const canonical = (value: unknown, maxDepth: number): Option.Option<CanonicalJson> => {
  const sorted = sort(value, maxDepth)
  return sorted === tooDeep ? Option.none() : Option.some(CanonicalJson.make(JSON.stringify(sorted)))
}

/**
 * Whether brackets in `text` are nested at most `maxDepth` deep. A scan without allocation, to be made before
 * `JSON.parse`, which would build every level.
 */
export const isWithinDepth = (text: string, maxDepth: number): boolean => {
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === quote) index = endOfString(text, index)
    else if (unit === openBrace || unit === openBracket) {
      if (++depth > maxDepth) return false
    } else if (unit === closeBrace || unit === closeBracket) depth--
  }
  return true
}

const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** The index of the quote that ends the string that starts at `start`. */
const endOfString = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

const tooDeep = Symbol("tooDeep")

/** The value with its keys in order; the very same value when they already are. */
const sort = (value: unknown, depth: number): unknown => {
  if (!Predicate.isObjectOrArray(value)) return value
  if (depth === 0) return tooDeep
  const entries = Object.entries(value)
  let changed = false
  for (const entry of entries) {
    const sorted = sort(entry[1], depth - 1)
    if (sorted === tooDeep) return tooDeep
    if (sorted !== entry[1]) {
      entry[1] = sorted
      changed = true
    }
  }
  if (Array.isArray(value)) return changed ? entries.map(([, item]) => item) : value
  for (let index = 1; index < entries.length; index++) {
    if (keyOf(entries, index - 1) > keyOf(entries, index)) changed = true
  }
  return changed ? Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))) : value
}

const keyOf = (entries: ReadonlyArray<readonly [string, unknown]>, index: number): string => entries[index]?.[0] ?? ""
