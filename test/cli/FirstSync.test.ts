/** What the log says while a node receives much. */
import { assert, describe, it } from "@effect/vitest"
import * as FirstSync from "../../src/cli/FirstSync.ts"

describe("FirstSync", () => {
  const at = (seconds: number, rows: number, missing: number) => ({ at: seconds * 1000, rows, missing })

  it("says how much is missing, then how fast it comes, and when it is there", () => {
    assert.isUndefined(FirstSync.factsOf(undefined, at(0, 5, 10)))
    assert.deepStrictEqual(FirstSync.factsOf(undefined, at(0, 0, 50_000))?.facts, { rows: 0, missing: 50_000 })
    assert.deepStrictEqual(FirstSync.factsOf(at(0, 0, 50_000), at(10, 20_000, 30_000))?.facts, {
      rows: 20_000,
      missing: 30_000,
      rate: 2_000,
      left: "15 s"
    })
    assert.deepStrictEqual(FirstSync.factsOf(at(10, 20_000, 30_000), at(20, 50_000, 0)), {
      message: "received what other nodes had",
      facts: { rows: 50_000 }
    })
  })

  it("takes the most that one peer has", () => {
    const lack = (operations: number) => ({ we_lack: { origins: 1, operations } })
    assert.strictEqual(FirstSync.missingOf([{}, lack(7), lack(9)]), 9)
    assert.strictEqual(FirstSync.missingOf([]), 0)
  })
})
