/** Tests that no promise is broken in the scenarios of a row of seeds. */
import { assert, describe, it } from "@effect/vitest"
import { setImmediate } from "node:timers/promises"
import { scenarioOf } from "./Scenario.ts"
import { simulate } from "./Simulation.ts"

/** How many seeds one test plays. */
const each = 25

/** For them, also where they get only the time that others leave (ms). They compute, and wait for nothing: this ends a loop. */
const timeout = 900_000

export const seeds = (from: number, count: number): void => {
  describe("every promise is kept", () => {
    for (let first = from; first < from + count; first += each) {
      const last = Math.min(first + each, from + count) - 1
      it(`from seed ${first} to seed ${last}`, { timeout }, async () => {
        const failures: Array<string> = []
        for (let seed = first; seed <= last; seed++) {
          const { broken } = simulate(scenarioOf(seed))
          if (broken !== undefined) failures.push(`npm run simulate -- --seed ${seed} --seeds 1: ${broken}`)
          // A seed blocks this process while it is played: whoever waits for its reports gets them in between.
          await setImmediate()
        }
        assert.deepStrictEqual(failures, [])
      })
    }
  })
}
