/** Networks in which some nodes have an application with kinds of every rule, and others have not. */
import { assert, describe, it } from "@effect/vitest"
import { scenarioOf } from "./Scenario.ts"
import { simulate } from "./Simulation.ts"

describe("kinds of an application", () => {
  it("of every rule keep every promise", { timeout: 120_000 }, () => {
    for (let seed = 50; seed <= 150; seed += 50) {
      const scenario = scenarioOf(seed)
      assert.isTrue(scenario.own)
      // The kinds of applications in place of some of the others.
      const happenings = scenario.happenings.map((timed, index) =>
        timed.happening._tag === "Write" && index % 2 === 0 && !timed.happening.isLarge
          ? { ...timed, happening: { ...timed.happening, kind: "dreams" as const } }
          : timed
      )
      const { broken } = simulate({ ...scenario, happenings })
      assert.isUndefined(broken, `seed ${seed}`)
    }
  })
})
