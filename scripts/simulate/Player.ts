/** The thread that plays seeds: takes one at a time, and answers with what came of it. */
import { parentPort } from "node:worker_threads"
import { scenarioOf, type Wanted } from "../../test/simulation/Scenario.ts"
import { simulate } from "../../test/simulation/Simulation.ts"

parentPort?.on("message", ({ seed, wanted }: { readonly seed: number; readonly wanted: Wanted }) => {
  parentPort?.postMessage(simulate(scenarioOf(seed, wanted)))
})
