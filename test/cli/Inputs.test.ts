/** What the command line is given is checked like the inputs of the library. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { freshHome, run } from "../support/Nodes.ts"
import { wrong } from "../support/WrongInputs.ts"

describe("inputs of the command line", () => {
  let home: string
  let remove: () => void
  beforeAll(() => {
    ;({ home, remove } = freshHome())
  })
  afterAll(() => remove())

  it.each(wrong.flatMap(([what, , , , args]) => (args === undefined ? [] : [{ what, args }])))(
    "$what is refused",
    async ({ args }) => {
      const { code, stdout, stderr } = await run(["--json", ...args], { FERAL_HOME: home })
      assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
      assert.oneOf(JSON.parse(stderr)._tag, ["InputInvalid", "Usage"])
    }
  )
})
