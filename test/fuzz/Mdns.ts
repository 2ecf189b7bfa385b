/**
 * Packets against discovery but for its socket: the codec, the reading of what it decodes, and the machine.
 *
 * What must hold: whatever was heard, all that the machine then sends can be written, its next deadline lies ahead, and after a
 * long silence it remembers nobody.
 */
import dnsPacket from "dns-packet"
import { Effect, Option } from "effect"
import { isDeepStrictEqual } from "node:util"
import * as DnsSd from "../../src/core/discovery/DnsSd.ts"
import type { Packet } from "../../src/core/discovery/DnsRecord.ts"
import { serviceType } from "../../src/core/discovery/ServiceRecords.ts"
import { encode, packetFrom } from "../../src/services/discovery/Packets.ts"
import { question } from "../support/DnsPackets.ts"
import { linkOf, Machine } from "../support/DnsSdWorld.ts"
import { Broken, type Fed, type Target } from "./Fuzz.ts"
import { ofBytes } from "./Mutation.ts"

const link = linkOf(1)

/** A packet as the codec decodes it; none when it cannot. */
const read = (bytes: Uint8Array): Packet | undefined =>
  Option.getOrUndefined(
    Option.flatMap(Option.liftThrowable(() => dnsPacket.decode(Buffer.from(bytes)))(), (decoded) =>
      Option.fromUndefinedOr(packetFrom(decoded))
    )
  )

/** What two nodes say to each other when they start, and what others ask. */
const corpus = (): ReadonlyArray<Uint8Array> => {
  const machine = new Machine("you", 9090, [link])
  machine.hears(link, packetOf(question(7, serviceType)), { address: "10.0.0.9", port: 4000 })
  machine.until(5_000)
  const packets = [...machine.takeSent(), ...DnsSd.goodbye(machine.state)]
  const sent = packets.map(({ packet }) => encode(packet))
  const names = [serviceType, `feral-me.${serviceType}`, "_services._dns-sd._udp.local", "10.in-addr.arpa", "x"]
  return [...sent, ...names.map((name, index) => question(index, name))]
}

/** A packet without what nobody of our kind reads. */
const asRead = ({ questions, answers, additionals, ...packet }: Packet): Packet => ({
  ...packet,
  questions: questions.map((question) => ({ isUnicast: false, ...question })),
  answers: answers.filter(({ type }) => type !== "NSEC"),
  additionals: additionals.filter(({ type }) => type !== "NSEC")
})

const packetOf = (bytes: Uint8Array): Packet => {
  const packet = read(bytes)
  if (packet === undefined) throw new Error("a packet of ours cannot be read")
  return packet
}

const open = Effect.sync((): Fed => {
  const machine = new Machine("me", 9090, [link])
  const feed = Effect.fnUntraced(function* (input: Uint8Array) {
    const packet = read(input)
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
      const bytes = yield* Effect.try({
        try: () => encode(packet),
        catch: (error) => new Broken({ what: `${String(error)}: cannot be written: ${JSON.stringify(packet)}` })
      })
      if (!isDeepStrictEqual(read(bytes), asRead(packet))) {
        return yield* new Broken({ what: `a packet of ours is read as another: ${JSON.stringify(packet)}` })
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
      : Effect.fail(new Broken({ what: "a node is remembered forever" }))
  })
  return { feed, check }
})

export const mdns: Target = { name: "mdns", corpus: corpus(), mutations: [ofBytes], open }
