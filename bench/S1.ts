/** S1: a node and an empty one, in two processes, over TLS, with SQLite on disk: how fast a history gets across. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Nodes } from "../test/support/Nodes.ts"
import * as Pair from "./Pair.ts"
import { cpuMs, peakMib } from "./Processes.ts"
import { median, type Options, type Report, report } from "./Report.ts"

/**
 * About the operations of a commit of the receiver: of the four frames that make it up when it is behind, as it is here. And those of
 * one frame, which is how a receiver that commits each by itself would do it.
 */
const perCommit = 1_600
const perFrame = 400

const plain = (home: string, perCommit: number): number => {
  const directory = mkdtempSync(join(tmpdir(), "feral-sync-bench-"))
  const script = new URL("Plain.ts", import.meta.url).pathname
  const args = [script, join(home, "sync.db"), join(directory, "plain.db"), `${perCommit}`]
  const out = execFileSync(process.execPath, args, { encoding: "utf8" })
  rmSync(directory, { recursive: true })
  return Number(out)
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const count = quick ? 30_000 : 100_000
  const rounds = quick ? 3 : 5
  const nodes = new Nodes()
  const rate = { node: [] as Array<number>, plain: [] as Array<number>, frames: [] as Array<number> }
  const ratios: Array<number> = []
  const cpu = { sender: [] as Array<number>, receiver: [] as Array<number> }
  const peak = { sender: 0, receiver: [] as Array<number> }
  try {
    const a = await Pair.full(nodes, count)
    for (let round = 0; round < rounds; round++) {
      rate.frames.push((count / plain(a.home, perFrame)) * 1000)
      const before = plain(a.home, perCommit)
      const sender = cpuMs(a.pid)
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      const receiver = cpuMs(b.pid)
      const began = performance.now()
      await Pair.holds(b, count)
      const took = performance.now() - began
      cpu.sender.push(((cpuMs(a.pid) - sender) * 100_000) / count)
      cpu.receiver.push(((cpuMs(b.pid) - receiver) * 100_000) / count)
      peak.receiver.push(peakMib(b.pid))
      peak.sender = peakMib(a.pid)
      await b.stop()
      const after = plain(a.home, perCommit)
      const plainMs = (before + after) / 2
      rate.node.push((count / took) * 1000)
      rate.plain.push((count / plainMs) * 1000)
      ratios.push(plainMs / took)
      tell(
        `round ${round + 1} of ${rounds}: ${Math.round((count / took) * 1000)} operations/s, ratio ${(plainMs / took).toFixed(2)}`
      )
    }
  } finally {
    await nodes.dispose()
  }
  return report(
    {
      id: "S1",
      title: "bulk",
      what: `${count} operations of 300 bytes, with random ids, of 5 origins, from a node to an empty one; the baseline is plain node:sqlite, inserting the same rows before and after each round`,
      quick
    },
    [
      { name: "node to node", unit: "operations/s", values: rate.node },
      { name: `plain node:sqlite, ${perCommit} in a commit, as in the node`, unit: "rows/s", values: rate.plain },
      { name: `plain node:sqlite, ${perFrame} in a commit`, unit: "rows/s", values: rate.frames },
      { name: "ratio", unit: "", values: ratios },
      { name: "processor time of the sender, for 100,000", unit: "ms", values: cpu.sender },
      { name: "processor time of the receiver, for 100,000", unit: "ms", values: cpu.receiver },
      { name: "peak memory of the sender", unit: "MiB", values: [peak.sender] },
      { name: "peak memory of the receiver", unit: "MiB", values: peak.receiver }
    ],
    [{ name: "ratio", value: median(ratios), atLeast: 0.6 }]
  )
}
