/**
 * The columns that a kind can have: how each is stored, read, written and shown.
 *
 * Reading is lenient: a value that is missing or of another type gets the default, for a row written by another
 * implementation must never hide the others. Writing is strict: input that does not fit the schema is refused.
 */
import { Predicate, Result, Schema } from "effect"
import { isWellFormed, parse, wellFormed } from "./Json.ts"
import { maxDataDepth } from "./Operation.ts"

/** One column. `Row` is its schema for reads of applications, `Input` for their writes. */
export interface Column<Row extends Schema.Constraint, Input extends Schema.Constraint> {
  /** How `data` holds it: `json` is a text of JSON, `real` a number that may have a fraction, `any` whatever came. */
  readonly stored: "text" | "json" | "number" | "real" | "any"
  /** The default of a missing value, for reads and writes. */
  readonly byDefault: Row["Type"]
  readonly row: Row
  readonly input: Input
  /** The value in a row, from the value in `data`. */
  readonly read: (value: unknown) => Row["Type"]
  /** The words of which an input is one. */
  readonly choices?: ReadonlyArray<string>
  /** The least and the greatest number of an input. */
  readonly range?: { readonly from: number; readonly to?: number }
  readonly means?: Meaning
}

/**
 * What a column is to those who read a row: a word for its sort, more than the text says, who said it, or how long it
 * took (ms).
 */
export type Meaning = "label" | "detail" | "source" | "duration"

/** Columns by name, in the order in which rows and views have them. */
export interface Columns {
  readonly [name: string]: Column<Schema.ConstraintCodec<unknown>, Schema.ConstraintCodec<unknown>>
}

/** No other program could read half of a surrogate pair. Keys of objects are looked at too. */
const isText = Schema.makeFilter(
  (value: unknown) =>
    isWellFormed(value) || "contains half of a surrogate pair: cut text between characters, or use toWellFormed"
)

const AnyText = Schema.String.check(isText)

/** Text that says something: more than white space. */
const Text = AnyText.check(Schema.makeFilter((text) => text.trim() !== "" || "has no text"))

/** A JSON object, or a list. */
const Json = Schema.Union([Schema.Record(Schema.String, Schema.Unknown), Schema.Array(Schema.Unknown)])
export const JsonInput = Json.check(
  Schema.makeFilter((value: unknown) => notJson(value, "it", maxDataDepth) ?? true),
  isText
)

/**
 * What is in a value that JSON has no form for, and where. Written in silence, it would come back as something else.
 */
const notJson = (value: unknown, at: string, depth: number): string | undefined => {
  if (value === null || Predicate.isString(value) || Predicate.isBoolean(value)) return undefined
  const what = Predicate.isNumber(value)
    ? Number.isFinite(value)
      ? undefined
      : String(value)
    : Predicate.isObjectOrArray(value)
      ? nameOf(value)
      : value === undefined
        ? "undefined"
        : `a ${typeof value}`
  if (what !== undefined) return `is not JSON: ${at} is ${what}`
  if (!Predicate.isObjectOrArray(value)) return undefined
  if (depth === 0) return `is nested more than ${maxDataDepth} deep`
  const parts: Iterable<readonly [number | string, unknown]> = Array.isArray(value)
    ? value.entries()
    : Object.entries(value)
  for (const [key, part] of parts) {
    const found = notJson(part, at === "it" ? String(key) : `${at}.${key}`, depth - 1)
    if (found !== undefined) return found
  }
  return undefined
}

/** The class of an object that is neither plain nor a list: a Date, a Map. */
const nameOf = (value: object): string | undefined => {
  const parent: unknown = Object.getPrototypeOf(value)
  if (Array.isArray(value) || parent === null || parent === Object.prototype) return undefined
  return `a ${value.constructor.name || "class"}`
}

const ofText = (byDefault: string) => ({
  stored: "text" as const,
  byDefault,
  row: Schema.String,
  read: (value: unknown): string => textOf(value, byDefault)
})

const ofNumber = (byDefault: number) => ({
  byDefault,
  row: Schema.Finite,
  read: (value: unknown): number => numberOf(value, byDefault)
})

/** Text that every input has. */
export const text = { ...ofText(""), input: Text } satisfies Columns[string]

/** Text that may be left out. It may be empty where that is the default. */
export const textOr = (byDefault: string) =>
  ({ ...ofText(byDefault), input: Schema.optionalKey(byDefault === "" ? AnyText : Text) }) satisfies Columns[string]

/** One of some words, which may be left out. Rows of other nodes may have any text. */
export const oneOf = (words: readonly [string, ...Array<string>], byDefault: string) => {
  const expected = `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`
  const Word = Schema.String.check(
    Schema.makeFilter((word) => words.includes(word) || `${JSON.stringify(word)} is not ${expected}`)
  )
  return { ...ofText(byDefault), input: Schema.optionalKey(Word), choices: words } satisfies Columns[string]
}

const numberThat = (fits: (value: number) => boolean, problem: string) =>
  Schema.optionalKey(Schema.Finite.check(Schema.makeFilter((value) => fits(value) || `${value} ${problem}`)))

/** A number from 0 to 1. */
export const share = (byDefault: number) => {
  const input = numberThat((value) => value >= 0 && value <= 1, "is not a number from 0 to 1")
  return { ...ofNumber(byDefault), stored: "real", input, range: { from: 0, to: 1 } } satisfies Columns[string]
}

/** A number that is not negative. */
export const amount = (byDefault: number) => {
  const input = numberThat((value) => value >= 0, "is less than 0")
  return { ...ofNumber(byDefault), stored: "number", input, range: { from: 0 } } satisfies Columns[string]
}

/**
 * A list of texts, none by default. Some nodes write it as a text of JSON. A value that is not a list counts as one
 * text, so that nothing is left out.
 */
export const texts = {
  stored: "json",
  byDefault: [],
  row: Schema.Array(Schema.String),
  input: Schema.optionalKey(Schema.Array(Text)),
  read: (column): ReadonlyArray<string> => {
    if (column === "") return []
    const value = jsonOf(column)
    if (Array.isArray(value)) return value.map((item) => textOf(item, JSON.stringify(item)))
    if (Predicate.isString(column)) return [textOf(column, "")]
    return Predicate.isObject(value) ? [JSON.stringify(value)] : []
  }
} satisfies Column<Schema.$Array<typeof Schema.String>, Schema.Constraint>

/** A JSON object or list, `{}` by default. Any other value that was written as a text is shown under `value`. */
export const json = {
  stored: "json",
  byDefault: {},
  row: Json,
  input: Schema.optionalKey(JsonInput),
  read: (column): typeof Json.Type => {
    if (column === "") return {}
    const value = jsonOf(column)
    if (Array.isArray(value)) return value
    if (Predicate.isObject(value)) return value
    return Predicate.isString(column) ? { value } : {}
  }
} satisfies Column<typeof Json, Schema.Constraint>

/** What other implementations write: shown as it is where there is some, and never written here. */
export const foreign = {
  stored: "any",
  byDefault: undefined,
  row: Schema.optionalKey(Schema.Unknown),
  input: Schema.Never,
  read: wellFormed
} satisfies Columns[string]

/** A column with a meaning. */
export const meaning = <C extends Columns[string]>(means: Meaning, column: C) => ({ ...column, means })

/** Half a surrogate pair is not a character: other programs reject it, so it shows as U+FFFD. */
const textOf = (value: unknown, byDefault: string): string =>
  Predicate.isString(value) ? value.toWellFormed() : byDefault

/** A finite number, or the default. */
export const numberOf = (value: unknown, byDefault: number): number =>
  Number.isFinite(value) ? Number(value) : byDefault

/** The value of a text of JSON; another text stands for itself. */
const jsonOf = (column: unknown): unknown =>
  wellFormed(Predicate.isString(column) ? Result.getOrElse(parse(column, maxDataDepth), (): unknown => column) : column)
