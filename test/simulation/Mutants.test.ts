/** The mutants of `npm run mutants`, and those that `npm run mutate` takes for explained, still fit the program. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { explained } from "../../scripts/mutants/Explained.ts"
import { generate } from "../../scripts/mutants/Generate.ts"
import { mutants } from "../../scripts/mutants/Mutants.ts"

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")

describe("mutants", () => {
  for (const { name, file, from, to } of mutants) {
    it(name, () => {
      assert.strictEqual(read(file).split(from).length, 2)
      assert.notStrictEqual(from, to)
    })
  }

  for (const { file, line, from, to } of explained) {
    it(`${file}: ${line} → ${to}`, () => {
      const lines = read(file).split("\n")
      const made = generate(file, read(file)).filter((one) => one.from === from && one.to === to)
      const places = new Set(made.flatMap((one) => (lines[one.line - 1]?.includes(line) === true ? [one.line] : [])))
      assert.strictEqual(places.size, 1)
    })
  }
})
