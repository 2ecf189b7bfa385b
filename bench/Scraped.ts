/**
 * What it costs a node that its metrics are read: processor time of one reading of `/metrics`, with as many rows as S1 moves and a peer,
 * and what share that is of S1 when it is read every second while S1 runs.
 *
 *   node bench/Scraped.ts [OPERATIONS]
 */
import { request } from "node:http"
import { join } from "node:path"
import { type Node, Nodes } from "../test/support/Nodes.ts"
import * as Pair from "./Pair.ts"
import { cpuMs } from "./Processes.ts"

const [count = 30_000] = process.argv.slice(2).map(Number)
const readings = 500

const read = ({ home }: Node) =>
  new Promise<void>((resolve, reject) => {
    request({ socketPath: join(home, "feral-sync.sock"), path: "/metrics" }, (response) =>
      response.resume().on("end", resolve)
    )
      .on("error", reject)
      .end()
  })

const nodes = new Nodes()
try {
  const a = await Pair.full(nodes, count)
  const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
  const began = performance.now()
  const before = [cpuMs(a.pid), cpuMs(b.pid)] as const
  await Pair.holds(b, count)
  const seconds = (performance.now() - began) / 1000
  const used = [cpuMs(a.pid) - before[0], cpuMs(b.pid) - before[1]] as const
  const [sender, receiver] = await Promise.all(
    [a, b].map(async (node) => {
      for (let n = 0; n < readings / 10; n++) await read(node)
      const start = cpuMs(node.pid)
      for (let n = 0; n < readings; n++) await read(node)
      return (cpuMs(node.pid) - start) / readings
    })
  )
  const share = (each: number | undefined, all: number) => `${(((each ?? 0) * seconds * 100) / all).toFixed(2)} %`
  console.log(
    `S1: ${count} operations in ${seconds.toFixed(1)} s; processor time ${used.map(Math.round).join(" and ")} ms`
  )
  console.log(`one reading: ${sender?.toFixed(2)} ms at the sender, ${receiver?.toFixed(2)} ms at the receiver`)
  console.log(`read every second: ${share(sender, used[0])} of the sender, ${share(receiver, used[1])} of the receiver`)
} finally {
  await nodes.dispose()
}
