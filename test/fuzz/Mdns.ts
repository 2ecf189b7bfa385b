/**
 * Packets against discovery but for its socket: the codec, the reading of what it decodes, and the machine.
 *
 * What must hold: whatever was heard, all that the machine then sends can be written, its next deadline lies ahead, and after a
 * long silence it remembers nobody.
 */
import { Effect } from "effect"
import { EventEmitter } from "node:events"
import type { Socket } from "node:dgram"
import multicastDns from "multicast-dns"
import * as DnsSd from "../../src/core/DnsSd.ts"
import type { Packet } from "../../src/core/dnssd/Record.ts"
import { serviceType } from "../../src/core/dnssd/Service.ts"
import { encodedQuestions, encodedRecords, packetFrom, type Decoded } from "../../src/services/discovery/Packets.ts"
import { question } from "../support/DnsPackets.ts"
import { linkOf, Machine } from "../support/DnsSdWorld.ts"
import { Broken, type Fed, type Target } from "./Fuzz.ts"
import { ofBytes } from "./Mutation.ts"

const link = linkOf(1)

/** The codec as it is used, on a socket that is none. */
class Codec {
  private readonly socket = new EventEmitter()
  private readonly mdns: multicastDns.MulticastDNS
  private onSent: (bytes: Uint8Array) => void = () => {}
  private readonly heard: Array<Decoded> = []

  constructor() {
    const inert = { send: (bytes: Uint8Array) => this.onSent(bytes), close: () => {} }
    this.mdns = multicastDns({
      socket: Object.assign(this.socket, inert) as unknown as Socket,
      multicast: false,
      bind: false
    })
    this.mdns.on("packet", (decoded: Decoded) => this.heard.push(decoded))
  }

  /** A packet as the codec decodes it; none when it cannot. */
  read(bytes: Uint8Array): Decoded | undefined {
    this.socket.emit("message", Buffer.from(bytes), { address: "10.0.0.9", port: 5353 })
    return this.heard.pop()
  }

  /** The bytes of a packet. What cannot be written is thrown by the codec where nobody catches it. */
  readonly write = ({ kind, id, questions, answers, additionals }: Packet): Effect.Effect<Uint8Array, Broken> =>
    Effect.callback<Uint8Array>((resume) => {
      const packet = {
        id,
        questions: encodedQuestions(questions),
        answers: encodedRecords(answers),
        additionals: encodedRecords(additionals)
      }
      this.onSent = (bytes) => resume(Effect.succeed(Uint8Array.from(bytes)))
      if (kind === "query") this.mdns.query(packet)
      else this.mdns.respond(packet)
    }).pipe(
      Effect.timeoutOrElse({
        duration: "2 seconds",
        orElse: () => Effect.fail(new Broken({ what: `this cannot be written: ${JSON.stringify(answers)}` }))
      })
    )
}

/** What two nodes say to each other when they start, and what others ask. */
const corpus = Effect.gen(function* () {
  const codec = new Codec()
  const machine = new Machine("you", 9090, [link])
  machine.hears(link, packetOf(codec, question(7, serviceType)), { address: "10.0.0.9", port: 4000 })
  machine.until(5_000)
  const packets = [...machine.takeSent(), ...DnsSd.goodbye(machine.state)]
  const sent = yield* Effect.forEach(packets, ({ packet }) => codec.write(packet))
  const names = [serviceType, `feral-me.${serviceType}`, "_services._dns-sd._udp.local", "10.in-addr.arpa", "x"]
  return [...sent, ...names.map((name, index) => question(index, name))]
})

const packetOf = (codec: Codec, bytes: Uint8Array): Packet => {
  const packet = packetFrom(codec.read(bytes) ?? {})
  if (packet === undefined) throw new Error("a packet of ours cannot be read")
  return packet
}

const open = Effect.sync((): Fed => {
  const codec = new Codec()
  const machine = new Machine("me", 9090, [link])
  const feed = Effect.fnUntraced(function* (input: Uint8Array) {
    const decoded = codec.read(input)
    if (decoded === undefined) return "no packet"
    const packet = packetFrom(decoded)
    if (packet === undefined) return "passed over"
    const first = input[0] ?? 0
    const asker = first % 4 === 0 ? { address: "10.0.0.9", port: 4000 } : undefined
    machine.hears(link, packet, asker)
    if (DnsSd.deadline(machine.state) <= machine.now) {
      return yield* new Broken({ what: "a deadline that does not lie ahead" })
    }
    machine.until(machine.now + first * 20)
    const sent = machine.takeSent()
    for (const { packet } of sent) {
      const read = codec.read(yield* codec.write(packet))
      if (read === undefined || packetFrom(read) === undefined) {
        return yield* new Broken({ what: "a packet of ours cannot be read" })
      }
    }
    const shape = [packet.questions, packet.answers, packet.additionals].map(({ length }) => Math.min(length, 3))
    return `${packet.kind} ${shape.join(" ")}, ${Math.min(sent.length, 3)} sent, ${machine.takeSeen().length > 0}`
  })
  const check = Effect.suspend(() => {
    machine.until(machine.now + 5_000_000)
    const { cache, seen } = machine.state.browser
    return cache.instances.size + cache.hosts.size + seen.peers.size === 0
      ? Effect.void
      : Effect.fail(new Broken({ what: "somebody is remembered for ever" }))
  })
  return { feed, check }
})

export const mdns: Target = { name: "mdns", corpus: await Effect.runPromise(corpus), mutations: [ofBytes], open }
