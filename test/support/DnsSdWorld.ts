/**
 * Nodes on virtual links, in virtual time: what one sends, everybody on the link hears a millisecond later, the sender too.
 */
import * as DnsSd from "../../src/core/discovery/DnsSd.ts"
import type { Sighting } from "../../src/core/discovery/Sightings.ts"
import type { Link } from "../../src/core/discovery/Link.ts"
import { packetOf, type Packet, type Question, type ResourceRecord } from "../../src/core/discovery/DnsRecord.ts"
import type { Querier } from "../../src/core/discovery/Responder.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"

/** A link in 10.0.<net>.0/24. */
export const linkOf = (host: number, net = 0, addresses: ReadonlyArray<string> = []): Link =>
  linkAt(`eth${net}`, `10.0.${net}.${host}`, 24, addresses)

/** A link over the family of an address. */
export const linkAt = (scope: string, address: string, prefix = 0, others: ReadonlyArray<string> = []): Link => ({
  key: `${scope} ${address}`,
  family: address.includes(":") ? "IPv6" : "IPv4",
  scope,
  address,
  prefix,
  addresses: [address, ...others],
  networks: [],
  own: []
})

export interface Sent {
  readonly at: number
  readonly packet: Packet
  readonly to: Querier | undefined
}

/** One node, fed by hand. */
export class Machine {
  state: DnsSd.DnsSd
  now = 0
  /** What chance says, each time. */
  random: () => number = () => 0.5
  readonly sent: Array<Sent & { readonly link: string }> = []
  readonly seen: Array<{ readonly at: number; readonly sighting: Sighting }> = []
  /** Others who use our names. */
  readonly duplicates: Array<{ readonly at: number; readonly host: string; readonly port: number }> = []

  constructor(id: string, port: number, links: ReadonlyArray<Link>) {
    this.state = DnsSd.initial(NodeId.make(id), port)
    this.event({ _tag: "Links", links })
  }

  event(event: Untimed<DnsSd.Event>): void {
    const [state, actions] = DnsSd.step(this.state, { ...event, now: this.now, random: this.random() })
    this.state = state
    for (const action of actions) {
      if (action._tag === "Duplicated") this.duplicates.push({ at: this.now, ...action.address })
      else if (action._tag !== "Send") this.seen.push({ at: this.now, sighting: action })
      else this.sent.push({ at: this.now, link: action.link, packet: action.packet, to: action.to })
    }
  }

  /** Lets time pass, with a tick whenever one is wanted. */
  until(time: number): void {
    for (let at = DnsSd.deadline(this.state); at <= time; at = DnsSd.deadline(this.state)) {
      if (at < this.now) throw new Error("a deadline in the past")
      this.now = at
      this.event({ _tag: "Tick" })
    }
    this.now = time
  }

  /** A packet comes from a neighbour. */
  hears(link: Link, packet: Partial<Packet>, from: Querier = neighbour): void {
    const isDirect = from.port !== neighbour.port
    const arrival = { link: link.key, packet: packetOf(packet.kind ?? "query", packet), from, isDirect }
    this.event({ _tag: "Packets", packets: [arrival] })
  }

  /** A response comes in. */
  told(link: Link, ...answers: ReadonlyArray<ResourceRecord>): void {
    this.hears(link, { kind: "response", answers })
  }

  /** A question comes in. */
  asked(link: Link, question: Question, known: ReadonlyArray<ResourceRecord> = []): void {
    this.hears(link, { kind: "query", questions: [question], answers: known })
  }

  /** What was sent since the last call. */
  takeSent(kind?: Packet["kind"] | "probe"): ReadonlyArray<Sent> {
    const kindOf = ({ kind, authorities }: Packet) => (authorities.length > 0 ? "probe" : kind)
    return this.sent.splice(0).filter(({ packet }) => kind === undefined || kindOf(packet) === kind)
  }

  /** What was seen since the last call, as text. */
  takeSeen(): ReadonlyArray<string> {
    return this.seen.splice(0).map(({ at, sighting }) => {
      const who = `${at} ${sighting._tag} ${sighting.nodeId}`
      return sighting._tag === "Vanished"
        ? who
        : `${who} p${sighting.protocol} ${sighting.addresses.map(({ host, port }) => `${host}:${port}`).join(" ")}`
    })
  }
}

/** Who sends what nobody else has sent. */
export const neighbour: Querier = { address: "10.0.0.200", port: 5353 }

type Untimed<E> = E extends unknown ? Omit<E, "now" | "random"> : never

/** A packet for all, or for one. */
interface Underway {
  readonly at: number
  readonly packet: Packet
  readonly from: Querier
  readonly to: Querier | undefined
}

/** Nodes that hear each other on one link each. */
export class Network {
  now = 0
  /** Packets of each node that are on their way, or have arrived. */
  private readonly collected = new Map<Machine, number>()
  private readonly nodes: Array<{ readonly machine: Machine; readonly link: Link; isThere: boolean }> = []
  private readonly underway: Array<Underway> = []

  join(id: string, host: number, port = 9000 + host): Machine {
    const link = linkOf(host)
    const machine = new Machine(id, port, [])
    machine.now = this.now
    machine.event({ _tag: "Links", links: [link] })
    this.admit(machine, host)
    return machine
  }

  /** A node comes that has lived on another network until now. */
  admit(machine: Machine, host: number): void {
    this.now = machine.now
    this.collected.set(machine, machine.sent.length)
    this.nodes.push({ machine, link: linkOf(host), isThere: true })
  }

  /** A node is gone; with or without a goodbye. */
  leave(machine: Machine, farewell: boolean): void {
    for (const node of this.nodes) {
      if (node.machine !== machine) continue
      node.isThere = false
      if (farewell) this.post(node.link, DnsSd.goodbye(machine.state))
    }
  }

  until(time: number): void {
    for (;;) {
      for (const { machine, link } of this.nodes) this.collect(machine, link)
      const at = Math.min(
        ...this.underway.map((packet) => packet.at),
        ...this.nodes.filter(({ isThere }) => isThere).map(({ machine }) => DnsSd.deadline(machine.state))
      )
      if (at > time) break
      this.now = at
      const arriving = this.underway.filter((packet) => packet.at <= at)
      this.underway.splice(0, this.underway.length, ...this.underway.filter((packet) => packet.at > at))
      for (const { machine, link, isThere } of this.nodes) {
        if (!isThere) continue
        machine.now = at
        for (const { packet, from, to } of arriving) {
          if (to === undefined || to.address === link.address) machine.hears(link, packet, from)
        }
        if (DnsSd.deadline(machine.state) <= at) machine.event({ _tag: "Tick" })
      }
    }
    this.now = time
    for (const { machine } of this.nodes) machine.now = time
  }

  /** Puts on the link what a node has sent. Its list has to stay whole meanwhile. */
  private collect(machine: Machine, link: Link): void {
    const from = this.collected.get(machine) ?? 0
    this.post(link, machine.sent.slice(from))
    this.collected.set(machine, machine.sent.length)
  }

  private post(
    { address }: Link,
    sends: ReadonlyArray<{ readonly packet: Packet; readonly to: Querier | undefined }>
  ): void {
    const from = { address, port: neighbour.port }
    for (const { packet, to } of sends) this.underway.push({ at: this.now + 1, packet, from, to })
  }
}
