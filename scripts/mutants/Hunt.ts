/**
 * Plays seeds until an oracle finds a promise broken, in the tree that it lies in. Prints what was found as JSON. A crash finds
 * nothing: anybody sees it.
 *
 *   node scripts/mutants/Hunt.ts COUNT
 */
import { scenarioOf } from "../../test/simulation/Scenario.ts"
import { simulate } from "../../test/simulation/Simulation.ts"

const count = Number(process.argv[2])
let crashes = 0
let found: { readonly seed: number; readonly oracle: string; readonly broken: string } | undefined
for (let seed = 1; seed <= count && found === undefined; seed++) {
  const { broken = "", oracle } = simulate(scenarioOf(seed))
  if (oracle !== undefined) found = { seed, oracle, broken }
  else if (broken !== "") crashes++
}
console.log(JSON.stringify({ found: found ?? null, crashes }))
