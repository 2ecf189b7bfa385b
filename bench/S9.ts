/** S9: one peer reads 10 KB/s: what that costs the sender, and the others. */
import { connect, createServer, type AddressInfo } from "node:net"
import { Nodes, type Node, until } from "../test/support/Nodes.ts"
import { write } from "../test/support/Writer.ts"
import { residentMib, sleep } from "./Processes.ts"
import { at, median, type Options, type Report, report } from "./Report.ts"

const bytesPerSecond = 10_000

/** A way to a port on which what comes back trickles. */
const trickle = async (target: number) => {
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1")
    near.pipe(far)
    near.on("error", () => far.destroy()).on("close", () => far.destroy())
    far.on("error", () => near.destroy()).on("close", () => near.destroy())
    far.on("data", (data: Buffer) => {
      near.write(data)
      far.pause()
      setTimeout(() => far.resume(), (data.length / bytesPerSecond) * 1_000)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

/** From a write on one node until the other has it, as the status of both shows (ms). */
const latencies = async (from: Node, to: Node, count: number) => {
  const values: Array<number> = []
  for (let n = 0; n < count; n++) {
    const before = (await to.status()).counts.notes
    const began = performance.now()
    await write(from, `${n} ${"x".repeat(200)}`)
    for (;;) {
      const { counts } = await to.status()
      if (counts.notes > before) break
      await sleep(1)
    }
    values.push(performance.now() - began)
  }
  return values
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const count = quick ? 50 : 200
  const megabytes = quick ? 10 : 60
  const nodes = new Nodes()
  let slow: Awaited<ReturnType<typeof trickle>> | undefined
  try {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await until(
      "they are connected",
      () => a.status(),
      ({ peers }) => peers.some(({ state }) => state === "live")
    )
    await latencies(a, b, Math.ceil(count / 4))
    const alone = await latencies(a, b, count)
    slow = await trickle(a.port)
    await nodes.make({ FERAL_SYNC_PEERS: `127.0.0.1:${slow.port}` }).start()
    await until(
      "the slow one is there",
      () => a.status(),
      ({ peers }) => peers.length === 2,
      60_000
    )
    const before = residentMib(a.pid)
    for (let n = 0; n < megabytes * 10; n++) await write(a, `${n} ${"y".repeat(100_000)}`)
    const grown = residentMib(a.pid) - before
    const beside = await latencies(a, b, count)
    tell(
      `alone ${median(alone).toFixed(1)} ms, beside a slow one ${median(beside).toFixed(1)} ms, grown by ${grown.toFixed(0)} MiB`
    )
    return report(
      {
        id: "S9",
        title: "slow peer",
        what: `A node writes ${megabytes} MB while one of its two peers reads ${bytesPerSecond / 1_000} KB/s; latency is from a write until the other peer has it, over the local interfaces of both`,
        quick
      },
      [
        { name: "latency without it, p50", unit: "ms", values: [median(alone)] },
        { name: "latency beside it, p50", unit: "ms", values: [median(beside)] },
        { name: "latency without it, p99", unit: "ms", values: [at(alone, 0.99)] },
        { name: "latency beside it, p99", unit: "ms", values: [at(beside, 0.99)] },
        { name: "growth of the sender", unit: "MiB", values: [grown] }
      ],
      [
        { name: "p50 beside it against without", value: median(beside) / median(alone), atMost: 1.5 },
        { name: "growth of the sender (MiB)", value: grown, atMost: 96 }
      ]
    )
  } finally {
    slow?.close()
    await nodes.dispose()
  }
}
