/** S5: one old operation, of an origin that nobody has met, is on one node and not on the other. */
import { Nodes, until } from "../test/support/Nodes.ts"
import { ask } from "../test/support/Request.ts"
import { toWire } from "../src/core/replica/Operation.ts"
import { equal, met } from "./Pair.ts"
import { median, type Measure, type Options, type Report, report } from "./Report.ts"
import * as Rows from "./Rows.ts"

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const sizes = quick ? [1_000, 30_000] : [1_000, 100_000, 1_000_000]
  const rounds = quick ? 5 : 9
  const measures: Array<Measure> = []
  const times: Array<number> = []
  for (const size of sizes) {
    const nodes = new Nodes()
    try {
      const [a, b] = await equal(nodes, size, 5)
      await b.start()
      await met(a, b)
      const values: Array<number> = []
      for (let round = 0; round < rounds; round++) {
        await b.stop()
        // Older than everything that is there.
        const old = Rows.operation(10_000_000 + round, 1)
        const hlc = { wall: 1_600_000_000_000 + round, counter: 0, node: Rows.originOf(0xabc000 + round) }
        const answer = await ask(a.home, "POST", "/archive/take", { lines: [toWire({ ...old, hlc })] })
        if (answer?.status !== 200) throw new Error(`it was not taken: ${answer?.body}`)
        await b.start()
        const began = performance.now()
        await until(
          "it is there",
          () => b.status(),
          ({ counts }) => counts.notes === size + round + 1,
          60_000
        )
        values.push(performance.now() - began)
      }
      measures.push({ name: `${size.toLocaleString("en")} rows`, unit: "ms", values })
      times.push(median(values))
      tell(`${size} rows: ${Math.round(median(values))} ms`)
    } finally {
      await nodes.dispose()
    }
  }
  return report(
    {
      id: "S5",
      title: "one missing",
      what: "Two nodes are equal but for one old operation. From when the one that lacks it is ready until it has it",
      quick
    },
    measures,
    [{ name: "time with most rows against fewest", value: (times.at(-1) ?? 0) / (times[0] ?? 1), atMost: 1.5 }]
  )
}
