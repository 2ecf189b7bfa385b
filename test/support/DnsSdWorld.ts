/**
 * Nodes on virtual links, in virtual time: what one sends, everybody on the link hears a millisecond later, the sender too.
 */
import * as DnsSd from "../../src/core/DnsSd.ts"
import type { Sighting } from "../../src/core/dnssd/Sightings.ts"
import type { Link } from "../../src/core/dnssd/Link.ts"
import type { Packet, Question, ResourceRecord } from "../../src/core/dnssd/Record.ts"
import type { Asker, Send } from "../../src/core/dnssd/Responder.ts"
import { NodeId } from "../../src/core/NodeId.ts"

/** A link in 10.0.<net>.0/24. */
export const linkOf = (host: number, net = 0, addresses: ReadonlyArray<string> = []): Link => {
  const address = `10.0.${net}.${host}`
  return { key: `eth${net} ${address}`, scope: `eth${net}`, address, prefix: 24, addresses: [address, ...addresses] }
}

export interface Sent {
  readonly at: number
  readonly packet: Packet
  readonly to: Asker | undefined
}

/** One node, fed by hand. */
export class Machine {
  state: DnsSd.DnsSd
  now = 0
  /** What chance says, each time. */
  random: () => number = () => 0.5
  readonly sent: Array<Sent & { readonly link: string }> = []
  readonly seen: Array<{ readonly at: number; readonly sighting: Sighting }> = []

  constructor(id: string, port: number, links: ReadonlyArray<Link>) {
    this.state = DnsSd.initial(NodeId.make(id), port)
    this.event({ _tag: "Links", links })
  }

  event(
    event: { readonly _tag: "Links"; readonly links: ReadonlyArray<Link> } | { readonly _tag: "Tick" } | Heard
  ): void {
    const [state, actions] = DnsSd.step(this.state, { ...event, now: this.now, random: this.random() })
    this.state = state
    for (const action of actions) {
      if (action._tag !== "Send") this.seen.push({ at: this.now, sighting: action })
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

  hears(link: Link, packet: Partial<Packet>, asker?: Asker): void {
    this.event({ _tag: "Packet", link: link.key, packet: { ...nothing, ...packet }, asker })
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
  takeSent(kind?: Packet["kind"]): ReadonlyArray<Sent> {
    return this.sent.splice(0).filter(({ packet }) => kind === undefined || packet.kind === kind)
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

export interface Heard {
  readonly _tag: "Packet"
  readonly link: string
  readonly packet: Packet
  readonly asker: Asker | undefined
}

const nothing: Packet = { kind: "query", id: 0, questions: [], answers: [], additionals: [] }

/** Nodes that hear each other on one link each. */
export class Network {
  now = 0
  /** Packets of each node that are on their way, or have arrived. */
  private readonly collected = new Map<Machine, number>()
  private readonly nodes: Array<{ readonly machine: Machine; readonly link: Link; isThere: boolean }> = []
  private readonly underway: Array<{ readonly at: number; readonly packet: Packet }> = []

  join(id: string, host: number, port = 9000 + host): Machine {
    const link = linkOf(host)
    const machine = new Machine(id, port, [])
    machine.now = this.now
    machine.event({ _tag: "Links", links: [link] })
    this.nodes.push({ machine, link, isThere: true })
    return machine
  }

  /** A node is gone; with or without a goodbye. */
  leave(machine: Machine, farewell: boolean): void {
    for (const node of this.nodes) if (node.machine === machine) node.isThere = false
    if (farewell) this.post(DnsSd.goodbye(machine.state))
  }

  until(time: number): void {
    for (;;) {
      for (const { machine } of this.nodes) this.collect(machine)
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
        for (const { packet } of arriving) machine.event({ _tag: "Packet", link: link.key, packet, asker: undefined })
        if (DnsSd.deadline(machine.state) <= at) machine.event({ _tag: "Tick" })
      }
    }
    this.now = time
    for (const { machine } of this.nodes) machine.now = time
  }

  /** Puts on the link what a node has sent. Its list has to stay whole meanwhile. */
  private collect(machine: Machine): void {
    const from = this.collected.get(machine) ?? 0
    for (const { packet } of machine.sent.slice(from)) this.underway.push({ at: this.now + 1, packet })
    this.collected.set(machine, machine.sent.length)
  }

  private post(sends: ReadonlyArray<Send>): void {
    for (const { packet } of sends) this.underway.push({ at: this.now + 1, packet })
  }
}
