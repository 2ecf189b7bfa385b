/** What is asked, and what is not, because others ask it or because it is known (RFC 6762 sections 5.2, 7.2, 7.3, 10.4). */
import { assert, describe, it } from "@effect/vitest"
import { packetSize, type ResourceRecord, sizeOf } from "../../../src/core/discovery/DnsRecord.ts"
import { serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { linkOf, Machine, neighbour, Network, type Sent } from "../../support/DnsSdWorld.ts"

const link = linkOf(1)
const second = 1000
const hour = 3600 * second
const browse = { name: serviceType, type: "PTR" } as const

const pointerTo = (id: string): ResourceRecord => ({
  type: "PTR",
  name: serviceType,
  ttl: 4500,
  flush: false,
  target: `feral-${id}.${serviceType}`
})
const recordsOf = (id: string, host: number): ReadonlyArray<ResourceRecord> => {
  const [name, target] = [`feral-${id}.${serviceType}`, `feral-${id}.local`]
  return [
    pointerTo(id),
    { type: "SRV", name, ttl: 120, flush: true, port: 9090, target },
    { type: "TXT", name, ttl: 4500, flush: true, strings: [`node_id=${id}`, "p=2"] },
    { type: "A", name: target, ttl: 120, flush: true, address: `10.0.0.${host}` }
  ]
}
const isPointer = (record: ResourceRecord) => record.type === "PTR"
const isBrowsing = ({ packet }: Sent) => packet.questions.some(({ type }) => type === "PTR")
const settled = () => {
  const machine = new Machine("me", 9090, [link])
  machine.until(10 * second)
  machine.takeSent()
  return machine
}

describe("what is known", () => {
  it("is named in as many packets as it takes, each of which fits into a frame; all but the last say that more follows", () => {
    const machine = new Machine("me", 9090, [link])
    const ids = Array.from({ length: 60 }, (_, index) => `${index}-${"x".repeat(30)}`)
    for (const id of ids) machine.told(link, pointerTo(id))
    machine.until(200)
    const packets = machine
      .takeSent("query")
      .filter((sent) => isBrowsing(sent) || sent.packet.questions.length === 0)
      .map(({ packet }) => packet)
    assert.isAbove(packets.length, 3)
    assert.deepStrictEqual(
      packets.map(({ isTruncated }) => isTruncated),
      packets.map((_, index) => index < packets.length - 1)
    )
    assert.isTrue(packets.slice(1).every(({ questions }) => questions.length === 0))
    const known = packets.flatMap(({ answers }) => answers)
    assert.strictEqual(new Set(known.map((record) => "target" in record && record.target)).size, ids.length + 1)
    for (const { answers, questions } of packets) {
      const sizes = [...answers.filter(isPointer), ...questions].map((entry) => sizeOf(entry))
      assert.isAtMost(
        sizes.reduce((sum, size) => sum + size, packetSize.header),
        packetSize.most
      )
    }
  })

  it("by two nodes that ask each other about many is not said again", () => {
    const network = new Network()
    const nodes = Array.from({ length: 25 }, (_, index) => network.join(`${index}-${"x".repeat(30)}`, index + 1))
    for (const [index, node] of nodes.entries()) node.random = () => ((index * 37) % 100) / 100
    network.until(60 * second)
    const late = network.join("late", 100)
    network.until(70 * second)
    assert.strictEqual(late.state.browser.seen.peers.size, nodes.length)
    const from = nodes.map(({ sent }) => sent.length)
    // It asks again, after 1, 3 and 7 seconds, and names all of them.
    network.until(90 * second)
    const answers = nodes.flatMap(({ sent }, index) =>
      sent.slice(from[index]).filter(({ packet }) => packet.kind === "response" && packet.answers.some(isPointer))
    )
    assert.deepStrictEqual(answers, [])
  })
})

describe("what others ask", () => {
  const next = (machine: Machine) => {
    machine.until(machine.now + hour)
    return machine.takeSent("query").find(isBrowsing)?.at
  }

  it("is not asked again: their answers are for us as well", () => {
    const [quiet, machine] = [settled(), settled()]
    assert.strictEqual(next(quiet), 15_070)
    machine.hears(link, { questions: [browse] })
    // As if it had asked itself, just now: the next one is sixteen seconds away.
    assert.strictEqual(next(machine), 26_000)
  })

  it("is asked when they know a node that we do not, or want a unicast answer, or run on our host", () => {
    const others = [
      { questions: [browse], answers: [pointerTo("unknown")] },
      { questions: [{ ...browse, isUnicast: true }] },
      { questions: [browse], isTruncated: true },
      { questions: [{ ...browse, type: "ANY" as const }] }
    ]
    for (const other of others) {
      const machine = settled()
      machine.hears(link, other)
      assert.strictEqual(next(machine), 15_070)
    }
    const machine = settled()
    machine.hears(link, { questions: [browse] }, { address: link.address, port: 5353 })
    assert.strictEqual(next(machine), 15_070)
    machine.until(machine.now + 1)
    machine.hears(link, { questions: [browse] }, { ...neighbour, port: 40_000 })
    assert.strictEqual(machine.takeSent("query").length, 0)
  })
})

describe("a node that is not at its announced address", () => {
  const you = NodeId.make("you")

  it("is asked for four times, and gone after ten seconds without an answer", () => {
    const machine = settled()
    machine.told(link, ...recordsOf("you", 2))
    machine.until(20 * second)
    machine.takeSent()
    machine.takeSeen()
    machine.event({ _tag: "Doubted", nodeId: you })
    machine.until(40 * second)
    const asked = machine
      .takeSent("query")
      .filter(({ packet }) => packet.questions.some(({ name }) => name.startsWith("feral-you.")))
    assert.deepStrictEqual(
      asked.map(({ at }) => Math.round((at - 20_000) / 500) / 2),
      [0.5, 3, 5.5, 8]
    )
    assert.deepStrictEqual(machine.takeSeen(), [`${30 * second} Vanished you`])
    assert.isFalse(machine.seen.some(({ sighting }) => sighting._tag === "Vanished" && sighting.isGoodbye))
  })

  it("is asked for by one of many who doubt", () => {
    const network = new Network()
    const nodes = Array.from({ length: 20 }, (_, index) => network.join(`n${index}`, index + 1))
    for (const [index, node] of nodes.entries()) node.random = () => ((index * 37) % 100) / 100
    network.until(20 * second)
    const [lost, ...others] = nodes
    if (lost === undefined) throw new Error("no nodes")
    network.leave(lost, false)
    const isAbout = ({ packet, at }: Sent) =>
      at >= 20 * second && packet.questions.some(({ name }) => name.startsWith("feral-n0."))
    for (const node of others) node.event({ _tag: "Doubted", nodeId: NodeId.make("n0") })
    network.until(40 * second)
    assert.isTrue(
      others.every(({ seen }) => seen.some(({ sighting: { _tag, nodeId } }) => _tag === "Vanished" && nodeId === "n0"))
    )
    const asked = others.flatMap(({ sent }) => sent.filter(isAbout))
    assert.isAtLeast(asked.length, 4)
    assert.isAtMost(asked.length, 12)
  })

  it("stays when it answers, and is asked for no more", () => {
    const machine = settled()
    machine.told(link, ...recordsOf("you", 2))
    machine.takeSeen()
    machine.event({ _tag: "Doubted", nodeId: you })
    // Another doubt changes nothing.
    machine.until(11 * second)
    machine.event({ _tag: "Doubted", nodeId: you })
    machine.told(link, ...recordsOf("you", 2))
    machine.takeSent()
    machine.until(90 * second)
    assert.deepStrictEqual(machine.takeSeen(), [])
    assert.isFalse(machine.takeSent("query").some(({ packet }) => packet.questions.some(({ type }) => type === "SRV")))
  })

  it("an unknown node changes nothing", () => {
    const machine = settled()
    machine.event({ _tag: "Doubted", nodeId: you })
    assert.deepStrictEqual(machine.takeSent(), [])
  })

  it("a network that was cut for long is found again soon: silent nodes are asked for", () => {
    const machine = settled()
    machine.told(link, ...recordsOf("you", 2))
    machine.until(131 * second)
    const lostAt = machine.seen.at(-1)?.at ?? 0
    assert.isTrue(machine.seen.at(-1)?.sighting._tag === "Vanished" && lostAt === 130 * second)
    machine.until(200 * second)
    const browsing = machine
      .takeSent("query")
      .filter((sent) => isBrowsing(sent) && sent.at > lostAt)
      .map(({ at }) => at - lostAt)
    assert.deepStrictEqual(browsing.slice(0, 4), [70, 1070, 3070, 7070])
    // A goodbye is no reason to look.
    const other = settled()
    other.told(link, ...recordsOf("you", 2))
    other.until(100 * second)
    other.takeSent()
    other.told(link, ...recordsOf("you", 2).map((record) => ({ ...record, ttl: 0 })))
    other.until(110 * second)
    assert.deepStrictEqual(other.takeSent("query"), [])
  })
})
