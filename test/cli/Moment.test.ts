import { assert, describe, it } from "@effect/vitest"
import * as Moment from "../../src/cli/Moment.ts"

const now = Date.UTC(2026, 10, 29, 8)
const seconds = now / 1000

describe("Moment", () => {
  const cases: ReadonlyArray<readonly [text: string, moment: number | undefined]> = [
    ["2h", seconds - 7_200],
    ["3d", seconds - 3 * 86_400],
    ["90m", seconds - 5_400],
    ["15 min", seconds - 900],
    ["1.5w", seconds - 907_200],
    ["1764403200", 1_764_403_200],
    ["0.25", 0.25],
    ["2026-11-29", Date.UTC(2026, 10, 29) / 1000],
    ["2026-11-29T08:00", seconds],
    ["2026-11-29 08:00:30", seconds + 30],
    ["2026-11-29T10:00+02:00", seconds],
    ["2026-11-29T08:00:00.500Z", seconds + 0.5],
    ["2026-13-01", undefined],
    ["yesterday", undefined],
    ["2x", undefined],
    ["-1", undefined],
    ["", undefined]
  ]
  for (const [text, moment] of cases) {
    it(JSON.stringify(text), () => {
      assert.strictEqual(Moment.fromText(text, now), moment)
    })
  }
})
