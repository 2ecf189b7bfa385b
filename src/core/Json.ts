/**
 * JSON as a canonical text: two values are equal exactly when their texts are.
 *
 * Object keys stand in one fixed order (integer-like keys ascending, then the others by code unit), numbers and strings in
 * the form of ECMA-262 `JSON.stringify`: a number beyond the range of doubles is `null`. The idea is that of RFC 8785; only
 * the place of integer-like keys differs.
 */
import { Option, Predicate, Schema } from "effect"

/** Canonical JSON text. Only `canonical` makes it. */
export const CanonicalJson = Schema.String.pipe(Schema.brand("CanonicalJson"))
export type CanonicalJson = typeof CanonicalJson.Type

/** The text of the empty object. */
export const emptyObject = CanonicalJson.make("{}")

/** The canonical text of what `JSON.parse` made, or none when it is nested more than `maxDepth` deep. */
export const canonical = (value: unknown, maxDepth: number): Option.Option<CanonicalJson> =>
  isNestedWithin(value, maxDepth)
    ? Option.some(CanonicalJson.make(JSON.stringify(isSorted(value) ? value : sorted(value))))
    : Option.none()

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

const isNestedWithin = (value: unknown, depth: number): boolean => {
  if (!Predicate.isObjectOrArray(value)) return true
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((item) => isNestedWithin(item, depth - 1))
  for (const key in value) if (!isNestedWithin(value[key], depth - 1)) return false
  return true
}

/** Whether the keys stand in order already, as they do in all that comes from a node of this kind: then nothing is copied. */
const isSorted = (value: unknown): boolean => {
  if (!Predicate.isObjectOrArray(value)) return true
  if (Array.isArray(value)) return value.every(isSorted)
  let previous = ""
  for (const key in value) {
    if (key < previous || !isSorted(value[key])) return false
    previous = key
  }
  return true
}

/** A copy with the keys in order. `fromEntries` makes a property even of `__proto__`. */
const sorted = (value: unknown): unknown => {
  if (!Predicate.isObjectOrArray(value)) return value
  if (Array.isArray(value)) return value.map(sorted)
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]))
}
