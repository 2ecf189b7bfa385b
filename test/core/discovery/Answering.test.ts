/** When and to whom answers leave, and what makes them superfluous (RFC 6762 sections 5.4, 6 and 7), in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import type { Packet, Question, ResourceRecord } from "../../../src/core/discovery/DnsRecord.ts"
import { enumeration, serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { linkAt, linkOf, Machine, neighbour } from "../../support/DnsSdWorld.ts"

const link = linkOf(1)
const second = 1000
const instance = `feral-me.${serviceType}`
const host = "feral-me.local"
const browse = { name: serviceType, type: "PTR" } as const
const list = { name: enumeration, type: "PTR" } as const
const pointer: ResourceRecord = { type: "PTR", name: serviceType, ttl: 4500, flush: false, target: instance }
const types: ResourceRecord = { type: "PTR", name: enumeration, ttl: 4500, flush: false, target: serviceType }

/** A machine past its announcements and first questions. */
const settled = (on = link, at = 10 * second) => {
  const machine = new Machine("me", 9090, [on])
  machine.until(at)
  machine.takeSent()
  return machine
}
const shown = ({ answers, additionals }: Packet) => [answers, additionals].map((part) => part.map(({ type }) => type))

describe("answers to the asker alone", () => {
  const alone = (question: Question): Question => ({ ...question, isUnicast: true })

  it("leave when the querier asks for that and the group got the record a short time ago, whole and with the flush bit", () => {
    const machine = settled()
    machine.hears(link, { questions: [alone({ name: instance, type: "SRV" })] })
    const [sent, ...rest] = machine.takeSent()
    assert.deepStrictEqual([sent?.to, rest], [neighbour, []])
    assert.deepStrictEqual(sent && shown(sent.packet), [["SRV"], ["A", "NSEC"]])
    assert.deepStrictEqual(sent?.packet.questions, [])
    assert.isTrue(sent?.packet.answers.every(({ flush, ttl }) => flush && ttl === 120))
  })

  it("go to the group when a quarter of the time to live has passed since the group got the record", () => {
    // Announced last after 3,820 ms.
    for (const [at, isAlone] of [
      [33_800, true],
      [33_830, false]
    ] as const) {
      const machine = settled(link, at)
      machine.hears(link, { questions: [alone({ name: instance, type: "SRV" })] })
      assert.strictEqual(machine.takeSent("response")[0]?.to !== undefined, isAlone)
    }
  })

  it("go to the group when one of the questions wants that, and when the querier shares our host or is not a neighbour", () => {
    const machine = settled()
    machine.hears(link, { questions: [alone({ name: instance, type: "SRV" }), { name: instance, type: "TXT" }] })
    assert.deepStrictEqual(
      machine.takeSent("response").map(({ to }) => to),
      [undefined]
    )
    for (const address of [link.address, "192.0.2.1"]) {
      machine.until(machine.now + 2 * second)
      machine.takeSent()
      machine.hears(link, { questions: [alone({ name: instance, type: "SRV" })] }, { address, port: 5353 })
      assert.deepStrictEqual(
        machine.takeSent("response").map(({ to }) => to),
        [undefined],
        address
      )
    }
  })

  it("a querier with its own port that is not a neighbour gets no answer: we do not reflect", () => {
    const machine = settled()
    machine.hears(link, { questions: [browse] }, { address: "192.0.2.1", port: 40_000 })
    machine.until(12 * second)
    assert.deepStrictEqual(machine.takeSent("response"), [])
  })

  it("over IPv6, neighbours are those with a link-local address of the same interface", () => {
    const ipv6 = linkAt("eth0", "fe80::1")
    for (const [address, count] of [
      ["fe80::9%eth0", 1],
      ["fe80::9%eth1", 0],
      ["2001:db8::9", 0]
    ] as const) {
      const machine = settled(ipv6)
      machine.hears(ipv6, { questions: [browse] }, { address, port: 40_000 })
      assert.strictEqual(machine.takeSent("response").length, count, address)
    }
  })
})

describe("what the asker knows", () => {
  it("may come in several packets: the answer waits 400 to 500 ms for the rest", () => {
    for (const chance of [0, 0.999]) {
      const machine = settled()
      machine.random = () => chance
      machine.hears(link, { questions: [browse], isTruncated: true })
      machine.until(12 * second)
      assert.deepStrictEqual(
        machine.takeSent("response").map(({ at }) => Math.round(at)),
        [10_400 + Math.round(100 * chance)]
      )
    }
  })

  it("in the second or third packet counts as well, and only for the host that says it", () => {
    const rest = { questions: [], answers: [pointer] }
    const machine = settled()
    machine.hears(link, { questions: [browse], isTruncated: true })
    machine.until(10_300)
    machine.hears(link, { questions: [], answers: [], isTruncated: true })
    machine.until(10_600)
    machine.hears(link, rest)
    machine.until(12 * second)
    assert.deepStrictEqual(machine.takeSent("response"), [])

    machine.hears(link, { questions: [browse], isTruncated: true })
    machine.hears(link, rest, { address: "10.0.0.201", port: 5353 })
    machine.until(14 * second)
    assert.strictEqual(machine.takeSent("response").length, 1)
  })

  it("is waited for from a few hosts at a time; the others are answered at once", () => {
    const machine = settled()
    for (let index = 0; index < 40; index++) {
      machine.hears(link, { questions: [browse], isTruncated: true }, { address: `10.0.0.${index + 2}`, port: 5353 })
    }
    machine.until(10_200)
    assert.strictEqual(machine.takeSent("response").length, 1)
    machine.until(15 * second)
    // Those who were waited for hear the same, once the record may leave again.
    assert.strictEqual(machine.takeSent("response").length, 1)
  })

  it("of several questions leaves those that it does not answer", () => {
    const machine = settled()
    machine.hears(link, { questions: [browse, list], answers: [pointer] })
    machine.until(12 * second)
    const [sent, ...rest] = machine.takeSent("response")
    assert.deepStrictEqual([sent?.packet.answers, rest], [[types], []])
  })
})

describe("what others say", () => {
  it("while our answer waits is not said again, when it holds as long", () => {
    for (const [ttl, count] of [
      [4500, 0],
      [4499, 1]
    ] as const) {
      const machine = settled()
      machine.asked(link, list)
      machine.until(10_010)
      machine.told(link, { ...types, ttl })
      machine.until(12 * second)
      assert.strictEqual(machine.takeSent("response").length, count, `${ttl}`)
    }
  })

  it("does not silence what is ours alone", () => {
    const machine = settled()
    machine.asked(link, { name: instance, type: "SRV" })
    machine.asked(link, { name: instance, type: "SRV" })
    machine.told(link, { type: "SRV", name: instance, ttl: 120, flush: true, port: 9090, target: host })
    machine.until(12 * second)
    assert.strictEqual(machine.takeSent("response").length, 2)
  })
})

describe("packets", () => {
  it("answers that wait leave together; many questions of one packet have one answer", () => {
    const machine = settled()
    machine.asked(link, browse)
    machine.until(10_010)
    machine.random = () => 0.99
    machine.asked(link, list)
    machine.until(12 * second)
    assert.deepStrictEqual(
      machine.takeSent("response").map(({ at, packet }) => [at, packet.answers.length]),
      [[10_070, 2]]
    )
    machine.hears(link, {
      questions: [
        { name: instance, type: "SRV" },
        { name: instance, type: "TXT" },
        { name: host, type: "A" }
      ]
    })
    assert.deepStrictEqual(
      machine.takeSent("response").map(({ packet }) => shown(packet)),
      [[["SRV", "TXT", "A"], ["NSEC"]]]
    )
  })

  it("the flush bit is on every record that is ours alone and on none that others have too", () => {
    const machine = new Machine("me", 9090, [linkOf(1, 0, ["fd00::1"])])
    machine.until(10 * second)
    for (const question of [browse, list, { name: host, type: "OTHER" }] as const) machine.asked(link, question)
    machine.until(12 * second)
    for (const { packet } of machine.takeSent("response")) {
      for (const { type, flush } of [...packet.answers, ...packet.additionals]) {
        assert.strictEqual(flush, type !== "PTR", type)
      }
    }
  })

  it("say which types there are not, and nothing of it where there are all", () => {
    const both = linkOf(1, 0, ["fd00::1"])
    const machine = settled(both)
    machine.asked(both, { name: host, type: "A" })
    assert.deepStrictEqual(
      machine.takeSent("response").map(({ packet }) => shown(packet)),
      [[["A"], ["AAAA"]]]
    )
    machine.asked(both, { name: host, type: "OTHER" })
    assert.deepStrictEqual(machine.takeSent("response")[0]?.packet.answers, [
      { type: "NSEC", name: host, ttl: 120, flush: true, types: ["A", "AAAA"] }
    ])
    const ipv6 = linkAt("eth0", "fe80::1")
    const other = settled(ipv6)
    other.asked(ipv6, { name: host, type: "A" })
    assert.deepStrictEqual(other.takeSent("response")[0]?.packet.answers, [
      { type: "NSEC", name: host, ttl: 120, flush: true, types: ["AAAA"] }
    ])
    other.asked(ipv6, { name: instance, type: "AAAA" })
    assert.deepStrictEqual(other.takeSent("response")[0]?.packet.answers, [
      { type: "NSEC", name: instance, ttl: 4500, flush: true, types: ["TXT", "SRV"] }
    ])
  })

  it("an address that is gone is taken back with the announcements, and never after", () => {
    const machine = new Machine("me", 9090, [linkOf(1, 0, ["10.0.0.50", "fd00::1"])])
    machine.until(10 * second)
    machine.takeSent()
    machine.event({ _tag: "Links", links: [link] })
    machine.until(20 * second)
    const sent = machine.takeSent("response")
    assert.strictEqual(sent.length, 3)
    for (const { packet } of sent) {
      assert.deepStrictEqual(
        packet.answers.flatMap((record) => ("address" in record ? [[record.address, record.ttl]] : [])),
        [
          ["10.0.0.1", 120],
          ["10.0.0.50", 0],
          ["fd00::1", 0]
        ]
      )
    }
    machine.asked(link, { name: host, type: "ANY" })
    assert.deepStrictEqual(
      machine.takeSent("response").map(({ packet }) => shown(packet)),
      [[["A"], ["NSEC"]]]
    )
  })

  it("after sleep, everything starts from the beginning on every link", () => {
    const machine = settled()
    machine.event({ _tag: "Resumed" })
    machine.until(20 * second)
    const sent = machine.takeSent()
    const times = (fits: (packet: Packet) => boolean) =>
      sent.filter(({ packet }) => fits(packet)).map(({ at }) => at - 10_000)
    assert.deepStrictEqual(
      times(({ authorities }) => authorities.length > 0),
      [70, 320, 570]
    )
    assert.deepStrictEqual(
      times(({ kind }) => kind === "response"),
      [820, 1820, 3820]
    )
    assert.deepStrictEqual(
      times(({ questions }) => questions.some(({ type }) => type === "PTR")),
      [70, 1070, 3070, 7070]
    )
  })
})
