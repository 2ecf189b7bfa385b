/** The mutants of `npm run mutants` still fit the program. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { mutants } from "../../scripts/mutants/Mutants.ts"

describe("mutants", () => {
  for (const { name, file, from, to } of mutants) {
    it(name, () => {
      const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")
      assert.strictEqual(text.split(from).length, 2)
      assert.notStrictEqual(from, to)
    })
  }
})
