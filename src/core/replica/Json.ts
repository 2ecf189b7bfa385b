/**
 * JSON as a canonical text: two values are equal exactly when their texts are.
 *
 * Object keys stand in one fixed order (integer-like keys ascending, then the others by code unit), numbers and strings in
 * the form of ECMA-262 `JSON.stringify`: a number beyond the range of doubles is `null`. The idea is that of RFC 8785; only
 * the place of integer-like keys differs.
 *
 * Two kinds of numbers would lose something as doubles: integers with more digits than a double holds, and -0.0. `parseExact`
 * keeps them as their text, and `canonical` writes that text. `withDoubles` gives the text as it is without them: what a
 * replica that reads every number as a double makes of it.
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
 * Reads untrusted JSON. Fails with a reason for a text that is not JSON, or is nested more than `maxDepth` deep.
 *
 * The value does not depend on earlier parses in this process: `JSON.parse` of V8 13.6 is not that sure.
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

/**
 * Calls `found` with the extent of each number outside strings that may be one which a double would change: a long integer, or a
 * zero with a sign. A scan without allocation: what has no such number is only looked at.
 */
const eachLongNumber = (text: string, found: (start: number, end: number) => void): void => {
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

/** Reads the text with every key replaced by a number of its own, and then puts the keys back. Throws as `JSON.parse` does. */
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

/** A piece of a text: from `start` up to and without `end`. */
export interface Extent {
  readonly start: number
  readonly end: number
}

/**
 * Finds where the value ends that begins at `start`, by its brackets and strings alone: also when what is in them is not JSON,
 * however deep. None where the brackets are never closed. Takes no recursion and allocates nothing.
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
 * Canonical text with U+FFFD for each half of a surrogate pair. In canonical text such a half, and nothing else, is written
 * with an escape of four digits that begins with `d`.
 */
export const wellFormedText = (text: CanonicalJson): CanonicalJson =>
  text.includes("\\ud")
    ? CanonicalJson.make(
        text.replace(/\\(?:u(d[0-9a-f]{3})|.)/g, (escape, half?: string) => (half === undefined ? escape : "\ufffd"))
      )
    : text

const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
const colon = 0x3a
const plus = 0x2b
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
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

const isDigit = (unit: number): boolean => unit >= zero && unit <= 0x39

/** Whether a code unit may stand in a number, after its first one. */
const isOfNumber = (unit: number): boolean =>
  isDigit(unit) || unit === dot || unit === minus || unit === plus || unit === 0x65 || unit === 0x45

const isSpace = (unit: number): boolean => unit === 0x20 || (unit >= 0x09 && unit <= 0x0d)

const hasEscape = (text: string, start: number, end: number): boolean => {
  for (let index = start + 1; index < end; index++) if (text.charCodeAt(index) === backslash) return true
  return false
}

const isNestedWithin = (value: unknown, depth: number): boolean => {
  if (!Predicate.isObjectOrArray(value) || isExactNumber(value)) return true
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((item) => isNestedWithin(item, depth - 1))
  for (const key in value) if (!isNestedWithin(value[key], depth - 1)) return false
  return true
}

/** Whether the keys stand in order already, as they do in all that comes from a node of this kind: then nothing is copied. */
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
