/**
 * Plays seeds until a promise is broken, in the tree that it lies in. Prints what was found as JSON.
 *
 *   node scripts/mutants/Hunt.ts COUNT
 */
import { scenarioOf } from "../../test/simulation/Scenario.ts"
import { simulate } from "../../test/simulation/Simulation.ts"

const count = Number(process.argv[2])
let found: { readonly seed: number; readonly broken: string } | undefined
for (let seed = 1; seed <= count && found === undefined; seed++) {
  const { broken } = simulate(scenarioOf(seed))
  if (broken !== undefined) found = { seed, broken }
}
console.log(JSON.stringify(found ?? null))
