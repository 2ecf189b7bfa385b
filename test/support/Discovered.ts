/** What nodes on a network know of each other, and how long it takes. */
import type { Host } from "./Namespaces.ts"
import { type Node, until } from "./Nodes.ts"

/** Shows a measured figure. */
export const figure = (what: string, value: number, unit = "ms"): void =>
  console.info(`${what}: ${Math.round(value * 10) / 10} ${unit}`.trim())

/** Waits until every node shows every other one, and until they are connected. */
export const mutual = (nodes: ReadonlyArray<Node>, how: "known" | "live", timeoutMs = 30_000) =>
  until(
    `every node is ${how}`,
    async () => {
      const all = await Promise.all(nodes.map((node) => node.status()))
      return all.flatMap(({ node_id, peers }) =>
        nodes
          .filter(({ id }) => id !== node_id)
          .filter(({ id }) => !peers.some((peer) => peer.node_id === id && (how === "known" || peer.state === "live")))
          .map(({ id }) => `${node_id} does not have ${id}`)
      )
    },
    (missing) => missing.length === 0,
    timeoutMs
  )

/** A packet of multicast DNS that was heard on a network: who sent it, and its bytes. */
export interface Overheard {
  readonly from: string
  readonly bytes: string
}

const listener = `
  const { createSocket } = require("node:dgram")
  for (const [type, group, local] of [["udp4", "224.0.0.251", undefined], ["udp6", "ff02::fb", "::%eth0"]]) {
    const socket = createSocket({ type, reuseAddr: true, ipv6Only: type === "udp6" })
    socket.on("message", (bytes, { address }) => console.log(JSON.stringify({ from: address, bytes: bytes.toString("base64") })))
    socket.bind(5353, () => socket.addMembership(group, local))
  }
  setTimeout(() => process.exit(0), Number(process.argv[1]))
`

/** Listens for a while. */
export const packetsOf = async (host: Host, ms: number): Promise<ReadonlyArray<Overheard>> => {
  const program = host.start(process.execPath, "-e", listener, `${ms}`)
  await program.ended
  return program.output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Overheard)
}
