/**
 * S13: what S1 loses while the metrics of both nodes are read every second, which is more often than Prometheus reads.
 *
 * The rate is judged by the median of the rounds, each of which has a run with readers and one without, side by side. The spread
 * of S1 is larger than the goal, so the report says how far the median may be off, and judges the processor time of a reading too,
 * which is exact enough: what a node that is busy all the time does for readers is what the rate can lose.
 */
import { type Node, Nodes } from "../test/support/Nodes.ts"
import { metricsOf } from "../test/support/Request.ts"
import * as Pair from "./Pair.ts"
import { cpuMs } from "./Processes.ts"
import { at, median, type Options, type Report, report } from "./Report.ts"

const everyMs = 1_000

interface Run {
  readonly rate: number
  readonly seconds: number
  readonly sender: number
  readonly receiver: number
}

/** S1 once: how fast, and what processor time it took (ms). Readers begin with it, so that the shortest run has a reading. */
const once = async (a: Node, b: Node, count: number, isRead: boolean): Promise<Run> => {
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
const each = async (node: Node, readings: number): Promise<number> => {
  for (let n = 0; n < readings / 10; n++) await metricsOf(node.home)
  const start = cpuMs(node.pid)
  for (let n = 0; n < readings; n++) await metricsOf(node.home)
  return (cpuMs(node.pid) - start) / readings
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const [count, rounds, readings] = quick ? [30_000, 3, 100] : [100_000, 20, 500]
  const nodes = new Nodes()
  const runs = { without: [] as Array<Run>, read: [] as Array<Run> }
  const cost = { sender: [] as Array<number>, receiver: [] as Array<number> }
  try {
    const a = await Pair.full(nodes, count)
    for (let round = 0; round < rounds; round++) {
      // Which goes first changes, so that a machine that becomes slower favours neither.
      for (const isRead of round % 2 === 0 ? [false, true] : [true, false]) {
        const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
        runs[isRead ? "read" : "without"].push(await once(a, b, count, isRead))
        if (isRead) {
          cost.sender.push(await each(a, readings))
          cost.receiver.push(await each(b, readings))
        }
        await b.stop()
      }
      tell(`round ${round + 1} of ${rounds}`)
    }
  } finally {
    await nodes.dispose()
  }

  const losses = runs.read.map(({ rate }, round) => 100 * (1 - rate / (runs.without[round]?.rate ?? Number.NaN)))
  // Half of the distance of the quartiles, of so many rounds: how far their median may be off in 19 of 20 cases.
  const isOff = (1.57 * (at(losses, 0.75) - at(losses, 0.25))) / Math.sqrt(losses.length)
  /** Of the processor time of a run, the part of a reading each second (%). */
  const shares = (side: "sender" | "receiver") =>
    runs.without.map(
      ({ seconds, [side]: all }, round) => ((cost[side][round] ?? Number.NaN) * seconds * 1_000 * 100) / everyMs / all
    )
  const parts = { sender: shares("sender"), receiver: shares("receiver") }
  return report(
    {
      id: "S13",
      title: "what reading the metrics costs",
      what: `S1 with ${count} operations, without readers and with /metrics of both nodes read every second, in turns`,
      quick
    },
    [
      { name: "node to node, without readers", unit: "operations/s", values: runs.without.map(({ rate }) => rate) },
      { name: "node to node, read every second", unit: "operations/s", values: runs.read.map(({ rate }) => rate) },
      { name: "loss of rate, of each round", unit: "%", values: losses },
      { name: "one reading at the sender", unit: "ms", values: cost.sender },
      { name: "one reading at the receiver", unit: "ms", values: cost.receiver },
      { name: "share of the processor time of the sender", unit: "%", values: parts.sender },
      { name: "share of the processor time of the receiver", unit: "%", values: parts.receiver }
    ],
    [
      { name: "loss of rate (%)", value: median(losses), atMost: 2 },
      { name: "share of the sender (%)", value: median(parts.sender), atMost: 2 },
      { name: "share of the receiver (%)", value: median(parts.receiver), atMost: 2 }
    ],
    [
      `the median loss of rate may be off by ${isOff.toFixed(1)} %${isOff > 2 ? ": too much to judge it, so judge the shares" : ""}`
    ]
  )
}
