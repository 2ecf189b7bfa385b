/** Whatever nodes write, and in whatever order a network tells of it: they end with the merge of all that was written. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Kind from "../../src/core/replica/Kind.ts"
import * as Merge from "../../src/core/replica/Merge.ts"
import { sample } from "../../src/testing/Arbitraries.ts"
import { history, schedule } from "../../src/testing/Schedule.ts"
import type { Subject } from "../../src/testing/Subject.ts"
import { SimulatedNetwork } from "../../src/testing/SimulatedNetwork.ts"
import { runs } from "../support/Generators.ts"

describe("a simulated network", () => {
  const own = (["fields", "counter", "set"] as const).map((rule): Subject => ({ name: `own ${rule}`, rule }))
  for (const kind of [...Kind.all, ...own])
    it.prop(
      `${kind.name}: comes to the merge of its history, whatever the schedule`,
      [history(kind), schedule()],
      ([written, steps]) => {
        const network = SimulatedNetwork.of(written).play(steps).settle()
        assert.deepStrictEqual(network.differences(Merge.of(written)), [], network.story.join("\n"))
      },
      runs(300)
    )

  it("tells what a node lacks, and what happened", () => {
    const written = sample(
      Arbitrary.filter(history(Kind.table.notes), ({ length }) => length > 2),
      { seed: 3 }
    )
    const network = SimulatedNetwork.of(written).settle()
    assert.lengthOf(
      network.story.filter((line) => line.includes("writes to") || line.includes("deletes in")),
      written.length
    )
    const foreign = Merge.of(written.map((operation) => ({ ...operation, timestamp: 9 })))
    const differences = network.differences(foreign)
    assert.lengthOf(differences, foreign.size * network.replicas.size)
    assert.match(differences[0] ?? "", /^node \w holds node "\w" at .*, and should hold node/)
  })
})
