/** S4: nodes that hold the same meet again: what that costs, and that it does not depend on how much they hold. */
import { at } from "../test/support/Stores.ts"
import { Link, write } from "../test/support/Network.ts"
import { NaiveReplica } from "../test/support/NaiveReplica.ts"
import { type Node, Nodes } from "../test/support/Nodes.ts"
import * as VectorClock from "../src/core/replica/VectorClock.ts"
import { equal, met } from "./Pair.ts"
import { median, type Measure, type Options, type Report, report } from "./Report.ts"
import * as Rows from "./Rows.ts"

/** Bytes that two equal replicas send until both are at rest: the text of the frames of both sides. */
const greetingBytes = (origins: number): number => {
  const operations = Array.from({ length: origins }, (_, n) =>
    write(Rows.originOf(n), at(1_700_000_000_000 + n), `row-${n}`)
  )
  const through = VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))
  const [left, right] = [0, 1].map((n) => {
    const replica = new NaiveReplica(Rows.originOf(n))
    replica.apply({ operations, coverage: through, quarantined: [] })
    return replica
  })
  if (left === undefined || right === undefined) throw new Error("no replicas")
  let now = 1_700_000_100_000
  const link = new Link(left, right, () => now)
  for (let turn = 0; turn < 100; turn++) {
    while (link.deliver(0) || link.deliver(1)) continue
    now += 10
    link.tick(0)
    link.tick(1)
  }
  if (!link.ends.every(({ established }) => established)) throw new Error("the two did not meet")
  return link.ends.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
}

/** How long the two take from the start of the second one's process until both are at rest (ms). */
const reconnect = async (a: Node, b: Node): Promise<number> => {
  await b.stop()
  await b.start()
  const began = performance.now()
  await met(a, b)
  return performance.now() - began
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const sizes = quick ? [1_000, 30_000] : [1_000, 10_000, 100_000, 1_000_000]
  const rounds = quick ? 5 : 9
  const measures: Array<Measure> = []
  const times: Array<number> = []
  for (const size of sizes) {
    const nodes = new Nodes()
    try {
      const [a, b] = await equal(nodes, size, 5)
      await b.start()
      const values: Array<number> = []
      for (let round = 0; round < rounds; round++) values.push(await reconnect(a, b))
      measures.push({ name: `${size.toLocaleString("en")} rows: ready to live`, unit: "ms", values })
      times.push(median(values))
      tell(`${size} rows: ${Math.round(median(values))} ms`)
    } finally {
      await nodes.dispose()
    }
  }
  const counts = [1, 10, 100, 1_000, 10_000]
  const bytes = counts.map(greetingBytes)
  for (const [index, origins] of counts.entries()) {
    measures.push({ name: `${origins} origins: bytes of both sides`, unit: "bytes", values: [bytes[index] ?? 0] })
  }
  return report(
    {
      id: "S4",
      title: "nothing new",
      what: "Two nodes that hold the same rows meet again. The time begins when the second one says that it is ready, and ends when it shows the first as live; the bytes are those of the frames of the protocol, of both sides, without TLS",
      quick
    },
    measures,
    [
      { name: "time with most rows against fewest", value: (times.at(-1) ?? 0) / (times[0] ?? 1), atMost: 1.5 },
      { name: "bytes in all, with the most of 1 to 10,000 origins", value: Math.max(...bytes), atMost: 600 }
    ]
  )
}
