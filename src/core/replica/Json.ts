/**
 * JSON as a canonical text: two values are equal exactly when their texts are.
 *
 * Object keys stand in one fixed order (integer-like keys ascending, then the others by code unit), numbers and strings
 * in the form of ECMA-262 `JSON.stringify`: a number beyond the range of doubles is `null`. The idea is that of RFC
 * 8785; only the place of integer-like keys differs.
 *
 * Two kinds of numbers would lose something as doubles: integers with more digits than a double holds, and -0.0.
 * `parseExact` keeps them as their text, and `canonical` writes that text. `withDoubles` gives the text as it is
 * without them: what a replica that reads every number as a double makes of it.
 */
import { Option, Predicate, Result, Schema } from "effect"
import {
  closeBrace,
  colon,
  comma,
  eachLongNumber,
  endOfString,
  endOfValue,
  type Extent,
  isKey,
  openBrace,
  quote,
  shapeOf,
  skipSpace
} from "./JsonScan.ts"

export { endOfValue, type Extent, shapeOf, skipSpace } from "./JsonScan.ts"

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
 * Reads untrusted JSON. Fails with a reason for a text that is not JSON, or is nested more than `maxDepth` deep.
 *
 * The value does not depend on earlier parses in this process: `JSON.parse` of V8 13.6 is not that sure. After
 * `{"a":1,"\\":1}` it reads the second key of `{"a":1,"\n":1}` as a backslash, for it compares the key that it expects
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

/** The same, with numbers that a double would change kept as their text (`JSON.rawJSON`), for relaying. */
export const parseExact = (text: string, maxDepth: number): Result.Result<unknown, string> => {
  if (!mayBeExact(text)) return parse(text, maxDepth)
  const shape = shapeOf(text, maxDepth)
  if (shape === "deep") return Result.fail(`JSON nested more than ${maxDepth} deep`)
  return Result.try({
    try: (): unknown => (shape === "plain" ? JSON.parse(text, keepExact) : parseEscapedKeys(text, keepExact)),
    catch: () => "not JSON"
  })
}

/** Whether this is a number that `parseExact` kept as its text. */
export const isExactNumber = (value: unknown): value is { readonly rawJSON: string } => JSON.isRawJSON(value)

/** The number as a double, when it is one that was kept as its text; any other value as it is. */
export const asDouble = (value: unknown): unknown => (isExactNumber(value) ? Number(value.rawJSON) : value)

/** Canonical JSON text with every number as a double. Texts that are equal after this say the same to every replica. */
export const withDoubles = (text: CanonicalJson): string => {
  let done = ""
  let copied = 0
  eachLongNumber(text, (start, end) => {
    const source = text.slice(start, end)
    if (exactText(source) === undefined) return
    done += text.slice(copied, start) + JSON.stringify(Number(source))
    copied = end
  })
  return copied === 0 ? text : done + text.slice(copied)
}

const mayBeExact = (text: string): boolean => {
  let isFound = false
  eachLongNumber(text, () => (isFound = true))
  return isFound
}

/** Digits of the longest integer that is kept: Python reads no longer one. A longer one becomes a double. */
const maxDigits = 4_300

/** The text of a number that a double would change; none for all others. */
const exactText = (source: string): string | undefined => {
  if (/^-0(?:\.0*)?(?:[eE][-+]?\d+)?$/.test(source)) return "-0.0"
  if (source.length <= 15 || source.length > maxDigits || !/^-?\d+$/.test(source)) return undefined
  return String(Number(source)) === source ? undefined : source
}

const keepExact = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
  const exact = typeof value === "number" && context?.source !== undefined ? exactText(context.source) : undefined
  return exact === undefined ? value : JSON.rawJSON(exact)
}

/** ECMA-262, not yet in the types of TypeScript. */
declare global {
  interface JSON {
    rawJSON(text: string): { readonly rawJSON: string }
    isRawJSON(value: unknown): boolean
  }
}

/**
 * Reads the text with every key replaced by a number of its own, and then puts the keys back. Throws as `JSON.parse`
 * does.
 */
const parseEscapedKeys = (text: string, reviver?: typeof keepExact): unknown => {
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
  return withKeys(JSON.parse(parts.join("") + text.slice(copied), reviver), keys)
}

const withKeys = (value: unknown, keys: ReadonlyArray<string>): unknown => {
  if (!Predicate.isObjectOrArray(value) || isExactNumber(value)) return value
  if (Array.isArray(value)) return value.map((item) => withKeys(item, keys))
  return Object.fromEntries(
    Object.entries(value).map(([number, item]) => [keys[Number(number.slice(1))] ?? "", withKeys(item, keys)])
  )
}

/** The members of the object that a text holds, each value as an extent; none when the text is not one object. */
export const membersOf = (text: string): ReadonlyMap<string, Extent> | undefined => {
  const members = new Map<string, Extent>()
  let index = skipSpace(text, 0)
  if (text.charCodeAt(index) !== openBrace) return undefined
  index = skipSpace(text, index + 1)
  if (text.charCodeAt(index) !== closeBrace) {
    for (;;) {
      if (text.charCodeAt(index) !== quote) return undefined
      const end = endOfString(text, index)
      const key = Result.getOrElse(parse(text.slice(index, end + 1), 0), () => undefined)
      const at = skipSpace(text, end + 1)
      if (typeof key !== "string" || text.charCodeAt(at) !== colon) return undefined
      const start = skipSpace(text, at + 1)
      const over = endOfValue(text, start)
      if (over === undefined || over === start) return undefined
      members.set(key, { start, end: over })
      index = skipSpace(text, over)
      if (text.charCodeAt(index) === closeBrace) break
      if (text.charCodeAt(index) !== comma) return undefined
      index = skipSpace(text, index + 1)
    }
  }
  return skipSpace(text, index + 1) === text.length ? members : undefined
}

/** Whether every text in a value is well-formed, keys among them: no half of a surrogate pair. */
export const isWellFormed = (value: unknown): boolean => {
  if (Predicate.isString(value)) return value.isWellFormed()
  if (!Predicate.isObjectOrArray(value) || isExactNumber(value)) return true
  if (Array.isArray(value)) return value.every(isWellFormed)
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item))
}

/** The value with U+FFFD for each half of a surrogate pair. The same value when there is none. */
export const wellFormed = (value: unknown): unknown => {
  if (isWellFormed(value)) return value
  if (Predicate.isString(value)) return value.toWellFormed()
  if (!Predicate.isObjectOrArray(value) || isExactNumber(value)) return value
  if (Array.isArray(value)) return value.map(wellFormed)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toWellFormed(), wellFormed(item)]))
}

/**
 * Canonical text with U+FFFD for each half of a surrogate pair. In canonical text such a half, and nothing else, is
 * written with an escape of four digits that begins with `d`.
 */
export const wellFormedText = (text: CanonicalJson): CanonicalJson =>
  text.includes("\\ud")
    ? CanonicalJson.make(
        text.replace(/\\(?:u(d[0-9a-f]{3})|.)/g, (escape, half?: string) => (half === undefined ? escape : "\ufffd"))
      )
    : text

const isNestedWithin = (value: unknown, depth: number): boolean => {
  if (!Predicate.isObjectOrArray(value) || isExactNumber(value)) return true
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((item) => isNestedWithin(item, depth - 1))
  for (const key in value) if (!isNestedWithin(value[key], depth - 1)) return false
  return true
}

/**
 * Whether the keys stand in order already, as they do in all that comes from a node of this kind: then nothing is
 * copied.
 */
const isSorted = (value: unknown): boolean => {
  if (!Predicate.isObjectOrArray(value) || isExactNumber(value)) return true
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
  if (!Predicate.isObjectOrArray(value) || isExactNumber(value)) return value
  if (Array.isArray(value)) return value.map(sorted)
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]))
}
