/** Says in one line at the end of a run how many tests were left out, why, and how to run them too. */
import type { Reporter, TestModule } from "vitest/node"
import { missing } from "./Needs.ts"

export default class LeftOut implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const count = modules.reduce((sum, module) => sum + [...module.children.allTests("skipped")].length, 0)
    const wants = count > 0 ? missing() : undefined
    if (wants !== undefined) {
      console.log(`${count} tests were left out: they need ${wants}. To run all of them: sudo .ci/run`)
    }
  }
}
