import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option, Result } from "effect"
import { canonical, emptyObject, parse, shapeOf } from "../../../src/core/replica/Json.ts"
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
} from "../../support/Generators.ts"

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** Whether two JSON values are the same but for the order of keys. */
const isSame = (a: unknown, b: unknown): boolean => {
  if (!isObject(a) || !isObject(b)) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  return left.size === right.size && [...left].every(([key, value]) => right.has(key) && isSame(value, right.get(key)))
}

const parsed = (text: string): unknown => Result.getOrThrow(parse(text, Infinity))

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
      assert.isTrue(isSame(parsed(text), valueOf(node)))
      assert.strictEqual(textFrom(parsed(text)), text)
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
      assert.strictEqual(textFrom(parsed(left)), textFrom(parsed(right)))
      assert.isTrue(isSame(parsed(textFrom(parsed(left))), parsed(left)))
    }
    assert.include(textFrom(parsed(`{"b":{"__proto__":{"x":1}},"a":0}`)), `"__proto__":{"x":1}`)
    assert.notStrictEqual(textFrom(parsed(`{"__proto__":1}`)), textFrom({}))
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
      assert.strictEqual(textFrom(parsed(written)), text)
    }
  })

  it("leaves the value as it was", () => {
    const value = parsed(`{"b":[{"d":1,"c":2}],"a":1}`)
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

/** A key as JSON in one of its many spellings: some characters plain, others as escapes. */
const spelled = (key: string, choice: ReadonlyArray<number>): string =>
  `"${Array.from({ length: key.length }, (_, index) => {
    const unit = key.charAt(index)
    const escape = `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
    return (choice[index % choice.length] ?? 0) === 0 ? escape : JSON.stringify(unit).slice(1, -1)
  }).join("")}"`

/** The text of a tree, with its keys spelled in one of their ways. */
const spelledTextOf = (node: Tree, choice: ReadonlyArray<number>): string => {
  if (node === null || typeof node !== "object") return JSON.stringify(node)
  return "items" in node
    ? `[${node.items.map((item) => spelledTextOf(item, choice)).join()}]`
    : `{${node.entries.map(([key, item]) => `${spelled(key, choice)} : ${spelledTextOf(item, choice)}`).join()}}`
}

describe("parse", () => {
  it.prop(
    "gives the value that the text says, however its keys are spelled and whatever was read before",
    [tree, Arbitrary.array(integer(0, 2), { minLength: 1, maxLength: 4 })],
    ([node, choice]) => {
      assert.isTrue(isSame(parsed(textOf(node)), valueOf(node)))
      assert.isTrue(isSame(parsed(spelledTextOf(node, choice)), valueOf(node)))
    },
    runs(5000)
  )

  it("tells an escaped key from a backslash that an object of the same shape had there before", () => {
    for (const key of ["\\", '"', "a", "\n", "\\", "\u2028"]) {
      const text = `{"a":1,${spelled(key, [0])}:[{"b":1,${spelled(key, [1])}:2}]}`
      assert.deepStrictEqual(
        parsed(text),
        Object.fromEntries([
          ["a", 1],
          [
            key,
            [
              Object.fromEntries([
                ["b", 1],
                [key, 2]
              ])
            ]
          ]
        ])
      )
    }
  })

  it("of equal keys the last one counts, however it is spelled", () => {
    for (const [text, value] of [
      [`{"\\u0031":1,"1":2}`, `{"1":2}`],
      [`{"1":1,"\\u0031":2}`, `{"1":2}`],
      [`{"a":1,"b":2,"\\u0061":3}`, `{"a":3,"b":2}`],
      [`{"k1":1,"\\u006b0":2,"k2":{"k0":3}}`, `{"k1":1,"k0":2,"k2":{"k0":3}}`],
      [`{"\\u005f_proto__":{"x":1}}`, `{"__proto__":{"x":1}}`]
    ] as const) {
      assert.strictEqual(JSON.stringify(parsed(text)), value)
    }
  })

  it.prop(
    "refuses whatever JSON.parse refuses, and nothing else",
    [
      Arbitrary.array(
        element("[", "]", "{", "}", '"', '"', '"', "\\", "\\n", "\\u0061", "a", ":", ":", ",", "1", " "),
        {
          maxLength: 24
        }
      )
    ],
    ([parts]) => {
      for (const text of [parts.join(""), `{"a":1,"\\n":[${parts.join("")}]}`]) {
        const isJson = Result.isSuccess(Result.try({ try: (): unknown => JSON.parse(text), catch: () => text }))
        assert.strictEqual(Result.isSuccess(parse(text, 100)), isJson, text)
      }
    },
    runs(10_000, 30)
  )

  it("refuses what is too deep before it builds it", () => {
    assert.deepStrictEqual(parse("[".repeat(8 * 1024 * 1024), 36), Result.fail("JSON nested more than 36 deep"))
    assert.deepStrictEqual(parse("[".repeat(36), 36), Result.fail("not JSON"))
    assert.isTrue(Result.isSuccess(parse(`${"[".repeat(36)}${"]".repeat(36)}`, 36)))
  })
})

const isWithin = (text: string, maxDepth: number): boolean => shapeOf(text, maxDepth) !== "deep"

/** Whether brackets are nested at most so deep, found out one character at a time. */
const isWithinReference = (text: string, maxDepth: number): boolean => {
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

describe("the depth of a text", () => {
  it.prop(
    "is the depth of what the text says",
    [tree, integer(0, 6)],
    ([node, bound]) => {
      assert.strictEqual(isWithin(textOf(node), bound), depthOf(node) <= bound)
      assert.strictEqual(isWithin(JSON.stringify(valueOf(node), null, "\t"), bound), depthOf(node) <= bound)
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
      assert.strictEqual(isWithin(text, bound), isWithinReference(text, bound))
    },
    runs(10_000, 40)
  )

  it("a text within the bound is within it however it is opened", () => {
    for (const open of ["[", `{"a":`]) {
      assert.isTrue(isWithin(open.repeat(36), 36))
      assert.isFalse(isWithin(open.repeat(37), 36))
    }
    assert.isTrue(isWithin(`"${"[".repeat(100)}"`, 0))
    assert.isTrue(isWithin(`"\\"${"[".repeat(100)}"`, 0))
    assert.isFalse(isWithin(`"\\\\"[`, 0))
    assert.isTrue(isWithin("[],".repeat(1000), 1))
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
      for (const whole of [long, `"${long}`, `"${long}"`, `\\${long}`]) assert.isTrue(isWithin(whole, 1))
    })
  }
})
