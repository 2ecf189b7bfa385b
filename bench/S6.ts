/** S6: every node of a mesh writes at once: how often each operation crosses the wire. */
import { Nodes, until } from "../test/support/Nodes.ts"
import { ask } from "../test/support/Request.ts"
import { median, type Options, type Report, report } from "./Report.ts"

/** Writes to a node, a few at a time, as applications do. */
const writeAll = async (home: string, count: number): Promise<void> => {
  let left = count
  const writer = async () => {
    while (left-- > 0) {
      const answer = await ask(home, "POST", "/notes", { content: `${left} ${"x".repeat(200)}` })
      if (answer?.status !== 200) throw new Error(`a write was refused: ${answer?.body}`)
    }
  }
  await Promise.all([writer(), writer(), writer(), writer()])
}

/** Operations that a node says it has sent. */
const sentBy = (log: string): number =>
  log
    .split("\n")
    .filter((line) => line.includes("operations sent"))
    .reduce((sum, line) => sum + Number(/"count":(\d+)/.exec(line)?.[1] ?? 0), 0)

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const count = quick ? 4 : 8
  const writes = quick ? 200 : 1_000
  const rounds = quick ? 1 : 3
  const copies: Array<number> = []
  const times: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    const nodes = new Nodes()
    try {
      const all: Array<Awaited<ReturnType<ReturnType<Nodes["make"]>["start"]>>> = []
      for (let n = 0; n < count; n++) {
        const env = {
          FERAL_SYNC_PEERS: all.map(({ address }) => address).join(),
          FERAL_SYNC_LOG: "json",
          FERAL_SYNC_LOG_LEVEL: "debug"
        }
        all.push(await nodes.make(env).start())
      }
      await until(
        "the mesh is complete",
        () => Promise.all(all.map((node) => node.status())),
        (statuses) => statuses.every(({ peers }) => peers.filter(({ state }) => state === "live").length === count - 1),
        60_000
      )
      const began = performance.now()
      await Promise.all(all.map(({ home }) => writeAll(home, writes)))
      await until(
        "everybody has everything",
        () => Promise.all(all.map((node) => node.status())),
        (statuses) => statuses.every(({ counts }) => counts.notes === count * writes),
        120_000
      )
      times.push(performance.now() - began)
      await Promise.all(all.map((node) => node.stop()))
      const sent = all.reduce((sum, { log }) => sum + sentBy(log), 0)
      copies.push(sent / (count * (count - 1) * writes))
      tell(`round ${round + 1} of ${rounds}: ${copies.at(-1)?.toFixed(3)} copies`)
    } finally {
      await nodes.dispose()
    }
  }
  return report(
    {
      id: "S6",
      title: "mesh",
      what: `${count} nodes, all connected, each writes ${writes} notes at once; counted is what is sent, from the logs`,
      quick
    },
    [
      { name: "copies of an operation that reach a node", unit: "", values: copies },
      { name: "from the first write until all have all", unit: "ms", values: times }
    ],
    [{ name: "copies", value: median(copies), atMost: 1.1 }]
  )
}
