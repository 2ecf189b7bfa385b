/** S8: memory of a node: while a million operations go across, and at rest among twenty peers. */
import { Nodes, until } from "../test/support/Nodes.ts"
import * as Pair from "./Pair.ts"
import { peakMib, residentMib, sleep } from "./Processes.ts"
import { published } from "./Published.ts"
import { type Options, type Report, report } from "./Report.ts"

const bulk = async (count: number) => {
  const nodes = new Nodes()
  try {
    const a = await Pair.full(nodes, count)
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await Pair.holds(b, count, 600_000)
    return [peakMib(a.pid), peakMib(b.pid)] as const
  } finally {
    await nodes.dispose()
  }
}

const idle = async (peers: number, seconds: number) => {
  const nodes = new Nodes()
  try {
    const hub = await nodes.make({}, published()).start()
    for (let n = 0; n < peers; n++) await nodes.make({ FERAL_SYNC_PEERS: hub.address }).start()
    await until(
      "all are connected",
      () => hub.status(),
      (status) => status.peers.filter(({ state }) => state === "live").length === peers,
      120_000
    )
    await sleep(seconds * 1_000)
    return residentMib(hub.pid)
  } finally {
    await nodes.dispose()
  }
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const count = quick ? 50_000 : 1_000_000
  const peers = quick ? 3 : 20
  const [sender, receiver] = await bulk(count)
  tell(`${count} operations: sender ${Math.round(sender)} MiB, receiver ${Math.round(receiver)} MiB`)
  const atRest = await idle(peers, quick ? 5 : 60)
  tell(`at rest: ${Math.round(atRest)} MiB`)
  return report(
    {
      id: "S8",
      title: "memory",
      what: `Resident memory: at its most while ${count} operations go from a node to an empty one, and of a node at rest with ${peers} peers`,
      quick
    },
    [
      { name: "sender, at its most", unit: "MiB", values: [sender] },
      { name: "receiver, at its most", unit: "MiB", values: [receiver] },
      { name: "at rest", unit: "MiB", values: [atRest] }
    ],
    [
      { name: "bulk (MiB)", value: Math.max(sender, receiver), atMost: 220 },
      { name: "at rest (MiB)", value: atRest, atMost: 120 }
    ],
    [
      "The nodes of the bulk run from source, the one at rest from the published package: from source Node strips the types at the start, which takes some 15 MiB more."
    ]
  )
}
