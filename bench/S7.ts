/** S7: from the start of the process until a node serves, and until a command has ended. */
import { Nodes } from "../test/support/Nodes.ts"
import * as Commands from "./Commands.ts"
import { published } from "./Published.ts"
import { median, type Measure, type Options, type Report, report } from "./Report.ts"
import * as Rows from "./Rows.ts"

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const sizes = quick ? [1_000, 30_000] : [1_000, 100_000, 1_000_000]
  const rounds = quick ? 2 : 7
  const measures: Array<Measure> = []
  const times: Array<number> = []
  // The quick form runs from source, where there is nothing to build.
  const program = quick ? [] : published()
  for (const size of sizes) {
    const nodes = new Nodes()
    try {
      const node = nodes.make({}, program)
      await Rows.fill(node.home, size, 5)
      await node.start()
      const values: Array<number> = []
      for (let round = 0; round < rounds; round++) {
        await node.stop()
        const began = performance.now()
        await node.start()
        values.push(performance.now() - began)
      }
      measures.push({ name: `${size.toLocaleString("en")} rows`, unit: "ms", values })
      times.push(median(values))
      tell(`${size} rows: ${Math.round(median(values))} ms`)
    } finally {
      await nodes.dispose()
    }
  }
  const commands = await Commands.run(quick ? 3 : 15)
  return report(
    {
      id: "S7",
      title: "start of a node, and commands",
      what: `From the start of the process until the node says that it is ready, ${quick ? "from source" : "as it is in the package"}; and until a command has ended, as it is in the package`,
      quick
    },
    [...measures, ...commands.measures],
    [
      { name: "start with most rows (ms)", value: times.at(-1) ?? 0, atMost: 600 },
      { name: "time with most rows against fewest", value: (times.at(-1) ?? 0) / (times[0] ?? 1), atMost: 1.3 },
      ...commands.goals
    ]
  )
}
