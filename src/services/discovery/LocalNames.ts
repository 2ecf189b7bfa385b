/**
 * Names that end in `.local`, resolved by multicast DNS: one question, asked from a port of its own (RFC 6762 section
 * 5.1), to which the host of that name answers directly. The resolver of the system does not know such names in a
 * container, and on some systems never.
 *
 * Any machine may answer. So only addresses are taken where a neighbour can be, as with what is announced, and few of
 * them.
 */
import { Effect } from "effect"
import { createSocket } from "node:dgram"
import { networkInterfaces } from "node:os"
import { nameKey, type Packet, packetOf } from "../../core/discovery/DnsRecord.ts"
import { isUsable, type Link, linksOf, maxAddresses } from "../../core/discovery/Link.ts"
import * as Packets from "./Packets.ts"

export interface Options {
  /** Names or addresses of the interfaces to ask on; empty for all that are up, but loopback. */
  readonly interfaces: ReadonlyArray<string>
  /** The UDP port: 5353, but in a network of one's own. */
  readonly port?: number | undefined
}

/** When the question is asked again, and how long an answer is waited for (ms). */
const repeats = [250, 1_000] as const
const within = 2_000

const group = "224.0.0.251"

/** The addresses that a packet of `from` gives for a name; link-local ones of IPv6 with their interface. */
export const addressesIn = (
  packet: Packet | undefined,
  name: string,
  link: Link,
  from: string
): ReadonlyArray<string> => {
  if (packet?.kind !== "response") return []
  const found = [...packet.answers, ...packet.additionals].flatMap((record) => {
    if ((record.type !== "A" && record.type !== "AAAA") || nameKey(record.name) !== nameKey(name)) return []
    if (!isUsable(link, record.address, from)) return []
    return [/^fe[89ab]/i.test(record.address) ? `${record.address}%${link.scope}` : record.address]
  })
  const unique = [...new Set(found)]
  const [ipv4, ipv6] = [false, true].map((isIPv6) => unique.filter((address) => address.includes(":") === isIPv6))
  return [...(ipv4 ?? []), ...(ipv6 ?? [])].slice(0, maxAddresses)
}

/** The addresses of a host, best first; none when it does not answer. */
export const resolve = (host: string, { interfaces, port = 5353 }: Options): Effect.Effect<ReadonlyArray<string>> => {
  const name = host.replace(/\.$/, "")
  const question = Packets.encode(
    packetOf("query", {
      questions: [
        { name, type: "A" },
        { name, type: "AAAA" }
      ]
    })
  )
  const ask = (link: Link) =>
    Effect.callback<ReadonlyArray<string>>((resume) => {
      const socket = createSocket("udp4")
      const send = () => socket.send(question, port, group, () => {})
      // Without a network there is no answer, which the time tells.
      socket.on("error", () => {})
      socket.on("message", (bytes, from) => {
        const addresses = addressesIn(Packets.decode(bytes), name, link, from.address)
        if (addresses.length > 0) resume(Effect.succeed(addresses))
      })
      const timers: Array<NodeJS.Timeout> = []
      socket.bind({ address: link.address, port: 0 }, () => {
        try {
          socket.setMulticastInterface(link.address)
          socket.setMulticastTTL(255)
        } catch {
          return
        }
        send()
        for (const after of repeats) timers.push(setTimeout(send, after))
      })
      return Effect.sync(() => {
        for (const timer of timers) clearTimeout(timer)
        socket.close()
      })
    })
  return Effect.suspend(() => {
    const links = linksOf(networkInterfaces(), interfaces).filter(({ family }) => family === "IPv4")
    return Effect.raceAllFirst(links.map(ask).concat(Effect.never))
  }).pipe(Effect.timeoutOrElse({ duration: within, orElse: () => Effect.succeed([]) }))
}
