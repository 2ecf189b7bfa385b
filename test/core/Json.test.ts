import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option } from "effect"
import { canonical, emptyObject, isWithinDepth } from "../../src/core/Json.ts"
import {
  depthOf,
  element,
  integer,
  order,
  runs,
  shuffled,
  textOf,
  tree,
  valueOf,
  type Tree
} from "../support/Generators.ts"

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** Whether two values of `JSON.parse` are the same but for the order of keys. */
const isSame = (a: unknown, b: unknown): boolean => {
  if (!isObject(a) || !isObject(b)) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  return left.size === right.size && [...left].every(([key, value]) => right.has(key) && isSame(value, right.get(key)))
}

const textFrom = (value: unknown): string => Option.getOrThrow(canonical(value, Infinity))

/** Every tree that differs from `node` in one leaf, one key or one item, and in nothing else. */
const variants = (node: Tree): ReadonlyArray<Tree> => {
  if (node === null || typeof node !== "object") return [node === 0 ? 1 : 0, { items: [node] }]
  if ("items" in node) {
    const { items } = node
    return [
      { items: [...items, null] },
      ...items.map((_, at) => ({ items: items.toSpliced(at, 1) })),
      ...items.flatMap((item, at) => variants(item).map((other) => ({ items: items.with(at, other) })))
    ]
  }
  const { entries } = node
  return [
    { entries: [...entries, [unusedKey(entries.map(([key]) => key)), null]] },
    ...entries.map((_, at) => ({ entries: entries.toSpliced(at, 1) })),
    ...entries.flatMap(([key, value], at) =>
      variants(value).map((other) => ({ entries: entries.with(at, [key, other]) }))
    )
  ]
}

const unusedKey = (keys: ReadonlyArray<string>): string => `${keys.join()}+`

describe("canonical JSON", () => {
  it.prop(
    "is the same text for every order of keys",
    [tree, order],
    ([node, keys]) => assert.strictEqual(textFrom(valueOf(shuffled(node, keys))), textFrom(valueOf(node))),
    runs(5000)
  )

  it.prop(
    "reads back as the value, and is its own canonical text",
    [tree],
    ([node]) => {
      const text = textFrom(valueOf(node))
      assert.isTrue(isSame(JSON.parse(text), valueOf(node)))
      assert.strictEqual(textFrom(JSON.parse(text)), text)
    },
    runs(5000)
  )

  it.prop(
    "differs wherever values differ",
    [tree, tree],
    ([a, b]) => {
      assert.strictEqual(textFrom(valueOf(a)) === textFrom(valueOf(b)), isSame(valueOf(a), valueOf(b)))
      for (const other of variants(a)) assert.notStrictEqual(textFrom(valueOf(other)), textFrom(valueOf(a)))
    },
    runs(3000)
  )

  it("takes keys that objects treat in ways of their own", () => {
    for (const [left, right] of [
      [`{"__proto__":1,"a":2}`, `{"a":2,"__proto__":1}`],
      [`{"10":1,"9":2,"b":{"01":0,"1":1}}`, `{"b":{"1":1,"01":0},"9":2,"10":1}`],
      [`{"toJSON":1,"constructor":{"z":1,"y":2}}`, `{"constructor":{"y":2,"z":1},"toJSON":1}`],
      [`{"\\ud800":1,"\ue000":2,"\u{10000}":3}`, `{"\u{10000}":3,"\ue000":2,"\\ud800":1}`]
    ] as const) {
      assert.strictEqual(textFrom(JSON.parse(left)), textFrom(JSON.parse(right)))
      assert.isTrue(isSame(JSON.parse(textFrom(JSON.parse(left))), JSON.parse(left)))
    }
    assert.include(textFrom(JSON.parse(`{"b":{"__proto__":{"x":1}},"a":0}`)), `"__proto__":{"x":1}`)
    assert.notStrictEqual(textFrom(JSON.parse(`{"__proto__":1}`)), textFrom({}))
    assert.strictEqual(textFrom({}), emptyObject)
  })

  it("one number has one text", () => {
    for (const [written, text] of [
      ["1.0", "1"],
      ["-0", "0"],
      ["1e2", "100"],
      ["1E-7", "1e-7"],
      ["0.1e1", "1"],
      ["9007199254740993", "9007199254740992"]
    ] as const) {
      assert.strictEqual(textFrom(JSON.parse(written)), text)
    }
  })

  it("leaves the value as it was", () => {
    const value = JSON.parse(`{"b":[{"d":1,"c":2}],"a":1}`)
    textFrom(value)
    assert.strictEqual(JSON.stringify(value), `{"b":[{"d":1,"c":2}],"a":1}`)
  })

  it.prop(
    "refuses a value exactly when it is nested deeper than the bound",
    [tree, integer(0, 6)],
    ([node, bound]) => assert.strictEqual(Option.isSome(canonical(valueOf(node), bound)), depthOf(node) <= bound),
    runs(5000)
  )
})

/** What `isWithinDepth` says, found out one character at a time. */
const isWithinDepthReference = (text: string, maxDepth: number): boolean => {
  let depth = 0
  let inString = false
  let escaped = false
  for (const character of text) {
    if (escaped) escaped = false
    else if (inString) {
      if (character === "\\") escaped = true
      if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if ("[{".includes(character)) depth++
    else if ("]}".includes(character)) depth--
    if (depth > maxDepth) return false
  }
  return true
}

describe("isWithinDepth", () => {
  it.prop(
    "is the depth of what the text says",
    [tree, integer(0, 6)],
    ([node, bound]) => {
      assert.strictEqual(isWithinDepth(textOf(node), bound), depthOf(node) <= bound)
      assert.strictEqual(isWithinDepth(JSON.stringify(valueOf(node), null, "\t"), bound), depthOf(node) <= bound)
    },
    runs(5000)
  )

  it.prop(
    "agrees with a reading character by character, of texts that are no JSON too",
    [
      Arbitrary.array(element("[", "]", "{", "}", '"', '"', "\\", "\\", "a", ":", ",", "\u{1f600}"), { maxLength: 60 }),
      integer(0, 4)
    ],
    ([parts, bound]) => {
      const text = parts.join("")
      assert.strictEqual(isWithinDepth(text, bound), isWithinDepthReference(text, bound))
    },
    runs(10_000, 40)
  )

  it("a text within the bound is within it however it is opened", () => {
    for (const open of ["[", `{"a":`]) {
      assert.isTrue(isWithinDepth(open.repeat(36), 36))
      assert.isFalse(isWithinDepth(open.repeat(37), 36))
    }
    assert.isTrue(isWithinDepth(`"${"[".repeat(100)}"`, 0))
    assert.isTrue(isWithinDepth(`"\\"${"[".repeat(100)}"`, 0))
    assert.isFalse(isWithinDepth(`"\\\\"[`, 0))
    assert.isTrue(isWithinDepth("[],".repeat(1000), 1))
  })

  // Anything but a linear scan takes minutes here.
  for (const [name, text] of [
    ["backslashes", "\\"],
    ["quotes", '"'],
    ["escaped quotes", '\\"'],
    ["backslashes between quotes", '"\\\\\\'],
    ["brackets that open and close", "[]"],
    ["brackets that close", "]"],
    ["letters", "a"]
  ] as const) {
    it(`reads 2 MiB of ${name} at once, in a string or not`, { timeout: 5000 }, () => {
      const long = text.repeat((2 * 1024 * 1024) / text.length)
      for (const whole of [long, `"${long}`, `"${long}"`, `\\${long}`]) assert.isTrue(isWithinDepth(whole, 1))
    })
  }
})
