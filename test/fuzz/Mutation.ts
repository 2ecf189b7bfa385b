/** Ways to make a new input of one that is known: blindly, by bytes, or with a view of its structure. */
import { Predicate, Result } from "effect"
import { parse } from "../../src/core/replica/Json.ts"
import type { Source } from "./Source.ts"

/** Makes an input of another one. `other` is one more that is known. */
export type Mutation = (input: Uint8Array, other: Uint8Array, source: Source) => Uint8Array

/** No input grows beyond this many bytes. */
export const maxLength = 64 * 1024

/** Bytes that mean something in one syntax or another, and those at the borders of their range. */
const telling = [
  0, 1, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x3a, 0x5b, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xed, 0xff
] as const

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Buffer.concat(parts)

const byteMutations: readonly [Mutation, ...ReadonlyArray<Mutation>] = [
  (input, _, source) => {
    const copy = Uint8Array.from(input)
    const at = source.below(copy.length)
    copy[at] = (copy[at] ?? 0) ^ (1 << source.below(8))
    return copy
  },
  (input, _, source) => input.with(source.below(input.length), source.pick(telling)),
  (input, _, source) => input.with(source.below(input.length), source.below(256)),
  (input, _, source) => {
    const at = source.below(input.length)
    return joined(input.slice(0, at), input.slice(at + 1 + source.below(16)))
  },
  (input, _, source) => input.slice(0, source.below(input.length)),
  (input, _, source) => {
    const at = source.below(input.length)
    return joined(input.slice(0, at), source.bytes(1 + source.below(8)), input.slice(at))
  },
  (input, _, source) => {
    const from = source.below(input.length)
    const piece = input.slice(from, from + 1 + source.below(32))
    const copies = Array.from({ length: source.pick([1, 2, 16, 256]) }, () => piece)
    return joined(input.slice(0, from), ...copies, input.slice(from))
  },
  (input, other, source) =>
    joined(input.slice(0, source.below(input.length)), other.slice(source.below(other.length + 1)))
]

/** One change of some bytes. */
export const ofBytes: Mutation = (input, other, source) =>
  input.length === 0 ? source.bytes(1 + source.below(16)) : source.pick(byteMutations)(input, other, source)

/** Changes lines: those that are JSON at times within their structure, the others by bytes. */
export const ofLines =
  (end: string): Mutation =>
  (input, other, source) => {
    const lines = Buffer.from(input).toString("latin1").split(end)
    const at = source.below(lines.length)
    const line = lines[at] ?? ""
    const others = Buffer.from(other).toString("latin1").split(end)
    const stranger = others[source.below(others.length)] ?? ""
    const changed = source.pick<() => ReadonlyArray<string>>([
      () => lines.toSpliced(at, 1),
      () => lines.toSpliced(at, 0, ...Array.from({ length: source.pick([1, 2, 40]) }, () => line)),
      () => lines.toSpliced(at, 1).toSpliced(source.below(lines.length), 0, line),
      () => lines.toSpliced(at, 0, stranger),
      () => lines.with(at, latin1(ofBytes(Buffer.from(line, "latin1"), other, source))),
      () => lines.with(at, withinJson(line, source)),
      () => lines.with(at, withinJson(line, source)),
      () => lines.with(at, withinJson(line, source))
    ])
    return Buffer.from(changed().join(end), "latin1")
  }

/** Changes what comes after a first byte that chooses one of some, and seldom the choice. */
export const afterFirstByte =
  (choices: number) =>
  (mutation: Mutation): Mutation =>
  (input, other, source) => {
    const first = source.below(20) === 0 ? source.below(choices) : (input[0] ?? 0)
    return joined(Uint8Array.of(first), mutation(input.slice(1), other.slice(1), source))
  }

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

/** Values of every type, and those that are one too many of something. */
const values: readonly [string, ...ReadonlyArray<string>] = [
  "null",
  ..."true false 0 -0 -1 1 1.5 1e308 1e999 9007199254740991 9007199254740993 18446744073709551616".split(" "),
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '"1:0:a"',
  '"0:0:"',
  '"notes"',
  '"delete"',
  "[]",
  "{}",
  '{"__proto__":1}',
  '{"\\\\":1,"a":2}',
  '{"\\n":1,"a":2}',
  '{"1":1,"\\u0031":2}',
  `"${"x".repeat(300)}"`,
  `"${"é".repeat(600)}"`,
  `${"[".repeat(40)}${"]".repeat(40)}`,
  `[${"0,".repeat(300)}0]`
]

/** A line of JSON with one of its values or keys replaced; the line itself when it is no JSON. */
const withinJson = (line: string, source: Source): string => {
  const value = Result.getOrUndefined(parse(Buffer.from(line, "latin1").toString("utf8"), 64))
  if (value === undefined) return line
  return Buffer.from(changed(value, source)).toString("latin1")
}

/** The text of a value with a change somewhere within it, more often deep than not. */
const changed = (value: unknown, source: Source): string => {
  if (!Predicate.isObjectOrArray(value) || source.below(6) === 0) return source.pick(values)
  if (Array.isArray(value)) {
    const texts = value.map((item) => JSON.stringify(item))
    if (value.length === 0 || source.below(5) === 0) return `[${[...texts, source.pick(values)].join()}]`
    const at = source.below(value.length)
    return `[${texts.with(at, changed(value[at], source)).join()}]`
  }
  const entries = Object.entries(value).map(([key, item]) => [JSON.stringify(key), JSON.stringify(item)] as const)
  const at = source.below(entries.length + 1)
  const [key, item] = Object.entries(value)[at] ?? []
  const next =
    key === undefined || source.below(8) === 0
      ? [...entries, [source.pick(['""', '"\\\\"', '"\\n"', '"__proto__"', '"id"', '"\\u0061"']), source.pick(values)]]
      : source.below(8) === 0
        ? entries.toSpliced(at, 1)
        : entries.with(at, [JSON.stringify(key), changed(item, source)])
  return `{${next.map((entry) => entry.join(":")).join()}}`
}
