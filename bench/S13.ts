/**
 * What it costs a node that its metrics are read: S1 with `/metrics` of both nodes read every second, and S1 without, in turns; and
 * what share of S1 one reading takes.
 *
 *   node bench/Scraped.ts [--quick]
 *
 * The share is exact enough for its goal. The rates are what a user sees; they have the spread of S1.
 */
import { type Node, Nodes } from "../test/support/Nodes.ts"
import { metricsOf } from "../test/support/Request.ts"
import * as Pair from "./Pair.ts"
import { cpuMs } from "./Processes.ts"
import { median, report, table } from "./Report.ts"

const quick = process.argv.includes("--quick")
const count = quick ? 30_000 : 100_000
const rounds = quick ? 3 : 10
const readings = quick ? 100 : 500
const everyMs = 1_000

interface Run {
  readonly rate: number
  readonly seconds: number
  readonly sender: number
  readonly receiver: number
}

/** S1 once: how fast, and what processor time it took (ms). Readers begin with it, so that the shortest run has a reading. */
const once = async (a: Node, b: Node, isRead: boolean): Promise<Run> => {
  const before = [cpuMs(a.pid), cpuMs(b.pid)] as const
  const began = performance.now()
  let reading: Promise<unknown> = Promise.resolve()
  const readBoth = () => (reading = Promise.all([metricsOf(a.home), metricsOf(b.home)]))
  if (isRead) void readBoth()
  const timer = isRead ? setInterval(() => void readBoth(), everyMs) : undefined
  await Pair.holds(b, count)
  const seconds = (performance.now() - began) / 1000
  clearInterval(timer)
  await reading
  return { rate: count / seconds, seconds, sender: cpuMs(a.pid) - before[0], receiver: cpuMs(b.pid) - before[1] }
}

/** Processor time of one reading (ms). */
const each = async (node: Node): Promise<number> => {
  for (let n = 0; n < readings / 10; n++) await metricsOf(node.home)
  const start = cpuMs(node.pid)
  for (let n = 0; n < readings; n++) await metricsOf(node.home)
  return (cpuMs(node.pid) - start) / readings
}

const nodes = new Nodes()
const runs = { without: [] as Array<Run>, read: [] as Array<Run> }
const cost = { sender: [] as Array<number>, receiver: [] as Array<number> }
try {
  const a = await Pair.full(nodes, count)
  for (let round = 0; round < rounds; round++) {
    // Which goes first changes, so that a machine that becomes slower favours neither.
    for (const isRead of round % 2 === 0 ? [false, true] : [true, false]) {
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      runs[isRead ? "read" : "without"].push(await once(a, b, isRead))
      if (isRead) {
        cost.sender.push(await each(a))
        cost.receiver.push(await each(b))
      }
      await b.stop()
    }
    console.error(`  round ${round + 1} of ${rounds}`)
  }
} finally {
  await nodes.dispose()
}

const ratios = runs.read.map(({ rate }, round) => rate / (runs.without[round]?.rate ?? Number.NaN))
/** Of the processor time of a run, the part of a reading each second (%). */
const shares = (side: "sender" | "receiver") =>
  runs.without.map(
    ({ seconds, [side]: all }, round) => ((cost[side][round] ?? Number.NaN) * seconds * 1_000 * 100) / everyMs / all
  )
const parts = { sender: shares("sender"), receiver: shares("receiver") }

console.log(
  table(
    report(
      {
        id: "S1 with metrics",
        title: "what reading them costs",
        what: `S1 with ${count} operations, without readers and with /metrics of both nodes read every second, in turns`,
        quick
      },
      [
        { name: "node to node, without readers", unit: "operations/s", values: runs.without.map(({ rate }) => rate) },
        { name: "node to node, read every second", unit: "operations/s", values: runs.read.map(({ rate }) => rate) },
        { name: "the second to the first, of each round", unit: "", values: ratios },
        { name: "one reading at the sender", unit: "ms", values: cost.sender },
        { name: "one reading at the receiver", unit: "ms", values: cost.receiver },
        { name: "share of the processor time of the sender", unit: "%", values: parts.sender },
        { name: "share of the processor time of the receiver", unit: "%", values: parts.receiver }
      ],
      [
        { name: "share of the sender (%)", value: median(parts.sender), atMost: 2 },
        { name: "share of the receiver (%)", value: median(parts.receiver), atMost: 2 }
      ]
    )
  )
)
