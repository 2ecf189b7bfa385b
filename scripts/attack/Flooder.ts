/**
 * Announces made-up peers by multicast DNS, from addresses of the namespace that it runs in, and ends. Started by `Besieged.ts`.
 *
 *   node Flooder.ts '{"senders":[...],"peers":10000,"perSecond":1000,"targets":[{"host":"10.0.0.1","port":4000}]}'
 */
import dnsPacket, { type Answer } from "dns-packet"
import { createSocket } from "node:dgram"

export interface Orders {
  /** The addresses to send from: each one is a sender of its own to those who listen. */
  readonly senders: ReadonlyArray<string>
  readonly peers: number
  readonly perSecond: number
  /** The nth peer is at the nth of these; without a port it is at a port of its own. */
  readonly targets: ReadonlyArray<{ readonly host: string; readonly port?: number }>
  /** Begins the names, so that no two floods name the same peers. */
  readonly prefix: string
}

const group = "224.0.0.251"
const port = 5353
const perPacket = 5
const service = "_feral._tcp.local"

const { senders, peers, perSecond, targets, prefix } = JSON.parse(process.argv[2] ?? "") as Orders

const recordsOf = (n: number): ReadonlyArray<Answer> => {
  const { host = "10.0.0.1", port = 1024 + (n % 60_000) } = targets[n % targets.length] ?? {}
  const id = `${prefix}${n}`
  const name = `feral-${id}.${service}`
  const target = `feral-${id}.local`
  return [
    { type: "PTR", name: service, ttl: 4500, data: name },
    { type: "SRV", name, ttl: 120, flush: true, data: { port, target } },
    { type: "TXT", name, ttl: 4500, flush: true, data: [`node_id=${id}`, "version=1.0.0", "p=2"] },
    { type: "A", name: target, ttl: 120, flush: true, data: host }
  ]
}

const open = (address: string) =>
  new Promise<ReturnType<typeof createSocket>>((resolve) => {
    const socket = createSocket({ type: "udp4", reuseAddr: true })
    socket.on("error", () => {})
    socket.bind(port, address, () => {
      socket.setMulticastInterface(address)
      socket.setMulticastTTL(255)
      resolve(socket)
    })
  })

const sockets = await Promise.all(senders.map(open))
const since = performance.now()
for (let sent = 0, packets = 0; sent < peers;) {
  const due = Math.min(peers, ((performance.now() - since) / 1000) * perSecond)
  for (; sent < due; sent += perPacket, packets++) {
    const answers = Array.from({ length: perPacket }, (_, k) => recordsOf(sent + k)).flat()
    const bytes = dnsPacket.encode({ type: "response", flags: dnsPacket.AUTHORITATIVE_ANSWER, answers })
    sockets[packets % sockets.length]?.send(bytes, port, group)
  }
  await new Promise((resolve) => setTimeout(resolve, 5))
}
for (const socket of sockets) socket.close()
