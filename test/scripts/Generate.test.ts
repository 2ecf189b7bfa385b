import { assert, describe, it } from "@effect/vitest"
import { generate } from "../../scripts/mutants/Generate.ts"

/** What a text becomes by each of its mutants. */
const mutated = (text: string): ReadonlyArray<string> =>
  generate("a.ts", text).map(({ start, end, to }) => text.slice(0, start) + to + text.slice(end))

describe("generated mutants", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["a < b", ["a <= b"]],
    ["a === b", ["a !== b"]],
    ["a && b", ["a || b"]],
    ["a ?? b", ["(a)"]],
    ["!a", ["!!a"]],
    ["a ? 3 : 4", ["true ? 3 : 4", "false ? 3 : 4"]],
    ["if (a) f()", ["if (true) f()", "if (false) f()", "if (a) ;"]],
    ["x = true", [";", "x = false"]],
    ["const n = 1", ["const n = 2"]],
    ["xs.filter(f).some(g)", [";", "xs.filter(f).every(g)", "xs.some(g)"]],
    ["i++", ["i--"]],
    ["switch (a) { case 7: f() }", ["switch (a) { case 7: break }", "switch (a) { case 7: ; }"]]
  ]
  for (const [text, expected] of cases) it(text, () => assert.deepStrictEqual(mutated(text), expected))

  it("types, texts and limits are not mutated", () => {
    const text = `import { a } from "b"
type T = 1 | true
interface I { readonly x: 0 }
const limit: 0 | 64 = 64
const name = "a < b" as const`
    assert.deepStrictEqual(mutated(text), [])
  })

  it("names the line", () => {
    assert.deepStrictEqual(
      generate("a.ts", "f\n\na - b").map(({ file, line, from, to }) => [file, line, from, to]),
      [["a.ts", 3, "-", "+"]]
    )
  })
})
