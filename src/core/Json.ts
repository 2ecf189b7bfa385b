/**
 * JSON as a canonical text: two values are equal exactly when their texts are.
 *
 * Object keys stand in one fixed order (integer-like keys ascending, then the others by code unit), numbers and strings in
 * the form of ECMA-262 `JSON.stringify`: a number beyond the range of doubles is `null`. The idea is that of RFC 8785; only
 * the place of integer-like keys differs.
 */
import { Option, Predicate, Result, Schema } from "effect"

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
 * Reads JSON that somebody else wrote. Fails with a reason for what is no JSON, or is nested more than `maxDepth` deep.
 *
 * The value is what the text says, whatever was parsed before it in this process: `JSON.parse` of V8 13.6 is not that sure.
 * After `{"a":1,"\\":1}` it reads the second key of `{"a":1,"\n":1}` as a backslash, for it compares the key that it expects
 * with the text of the next key before the escapes are resolved. So it never gets to see a key with an escape.
 */
export const parse = (text: string, maxDepth: number): Result.Result<unknown, string> => {
  const shape = shapeOf(text, maxDepth)
  if (shape === "deep") return Result.fail(`JSON nested more than ${maxDepth} deep`)
  return Result.try({
    try: (): unknown => (shape === "plain" ? JSON.parse(text) : parseEscapedKeys(text)),
    catch: () => "not JSON"
  })
}

/**
 * What has to be known before `JSON.parse`, which would build every level: whether brackets are nested more than `maxDepth`
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

/** Reads the text with every key replaced by a number of its own, and then puts the keys back. Throws as `JSON.parse` does. */
const parseEscapedKeys = (text: string): unknown => {
  const numbers = new Map<string, number>()
  const keys: Array<string> = []
  const parts: Array<string> = []
  let copied = 0
  for (let start = text.indexOf('"'); start !== -1;) {
    const end = endOfString(text, start)
    if (isKey(text, end)) {
      const key = String(JSON.parse(text.slice(start, end + 1)))
      const number = numbers.get(key) ?? keys.push(key) - 1
      numbers.set(key, number)
      // With a letter before it, so that the order of keys is kept, and of equal keys the last one counts.
      parts.push(text.slice(copied, start), `"k${number}"`)
      copied = end + 1
    }
    start = text.indexOf('"', end + 1)
  }
  return withKeys(JSON.parse(parts.join("") + text.slice(copied)), keys)
}

const withKeys = (value: unknown, keys: ReadonlyArray<string>): unknown => {
  if (!Predicate.isObjectOrArray(value)) return value
  if (Array.isArray(value)) return value.map((item) => withKeys(item, keys))
  return Object.fromEntries(
    Object.entries(value).map(([number, item]) => [keys[Number(number.slice(1))] ?? "", withKeys(item, keys)])
  )
}

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
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

/** Whether the string that ends at `end` is followed by a colon: it is a key then, in all that is JSON. */
const isKey = (text: string, end: number): boolean => {
  let next = end + 1
  while (isSpace(text.charCodeAt(next))) next++
  return text.charCodeAt(next) === colon
}

const isSpace = (unit: number): boolean => unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)

const hasEscape = (text: string, start: number, end: number): boolean => {
  for (let index = start + 1; index < end; index++) if (text.charCodeAt(index) === backslash) return true
  return false
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
