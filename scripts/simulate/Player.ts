/** The thread that plays seeds: takes one at a time, and answers with what came of it. */
import { parentPort } from "node:worker_threads"
import { scenarioOf } from "../../test/simulation/Scenario.ts"
import { simulate } from "../../test/simulation/Simulation.ts"

parentPort?.on("message", ({ seed, nodes }: { readonly seed: number; readonly nodes: number | undefined }) => {
  parentPort?.postMessage(simulate(scenarioOf(seed, { nodes })))
})
