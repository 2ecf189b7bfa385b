/** Probing, simultaneous probes and conflicts (RFC 6762 sections 8.1, 8.2 and 9), packet by packet and in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as DnsSd from "../../../src/core/discovery/DnsSd.ts"
import { compare } from "../../../src/core/discovery/NameProbe.ts"
import type { ResourceRecord } from "../../../src/core/discovery/DnsRecord.ts"
import { serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { linkAt, linkOf, Machine, neighbour, Network } from "../../support/DnsSdWorld.ts"
import { element, integer, oneOf, runs } from "../../support/Generators.ts"

const link = linkOf(1)
const second = 1000
const instance = `feral-me.${serviceType}`
const host = "feral-me.local"

const service = (port: number): ResourceRecord => ({
  type: "SRV",
  name: instance,
  ttl: 120,
  flush: true,
  port,
  target: host
})
const address = (text: string): ResourceRecord => ({
  type: text.includes(":") ? "AAAA" : "A",
  name: host,
  ttl: 120,
  flush: true,
  address: text
})
const text: ResourceRecord = {
  type: "TXT",
  name: instance,
  ttl: 4500,
  flush: true,
  strings: ["node_id=me", "version=1.0.0", "p=2"]
}
const ours = [service(9090), text, address("10.0.0.1")]

/** Somebody wants our names. */
const probed = (machine: Machine, ...authorities: ReadonlyArray<ResourceRecord>) =>
  machine.hears(link, { kind: "query", questions: [{ name: instance, type: "ANY" }], authorities })

const probing = () => new Machine("me", 9090, [link])
/** Announced, with nothing left to say. */
const holding = () => {
  const machine = probing()
  machine.until(10 * second)
  machine.takeSent()
  return machine
}
const times = (sent: ReadonlyArray<{ readonly at: number }>) => sent.map(({ at }) => at)

describe("probing", () => {
  for (const chance of [0, 0.999]) {
    it(`three probes leave 250 ms apart, the first within 250 ms, before anything is claimed (chance ${chance})`, () => {
      const machine = new Machine("me", 9090, [])
      machine.random = () => chance
      machine.event({ _tag: "Links", links: [link] })
      machine.until(2 * second)
      const sent = machine.sent.filter(({ packet }) => packet.authorities.length > 0 || packet.kind === "response")
      const [first = 0, ...rest] = times(sent)
      assert.isTrue(first > 0 && first < 250)
      assert.deepStrictEqual(
        rest.map((at) => Math.round(at - first)),
        [250, 500, 750, 1750]
      )
      assert.deepStrictEqual(
        sent.map(({ packet }) => packet.kind),
        ["query", "query", "query", "response", "response"]
      )
    })
  }

  it("a probe asks for any record of our names, and proposes those that we are to have, without the flush bit", () => {
    const machine = new Machine("me", 9090, [linkOf(1, 0, ["fd00::1"])])
    machine.until(200)
    const [probe] = machine.takeSent("probe")
    assert.deepStrictEqual(probe?.packet.questions, [
      { name: instance, type: "ANY" },
      { name: host, type: "ANY" }
    ])
    const proposed = probe?.packet.authorities ?? []
    assert.deepStrictEqual(
      proposed.map(({ type }) => type),
      ["SRV", "TXT", "A", "AAAA"]
    )
    assert.isTrue(proposed.every(({ flush }) => !flush))
    assert.deepStrictEqual(probe?.packet.answers, [])
  })

  it("nothing is answered for before it is ours, and no goodbye is said", () => {
    const machine = probing()
    machine.until(100)
    machine.asked(link, { name: instance, type: "SRV" })
    machine.asked(link, { name: serviceType, type: "PTR" })
    machine.hears(link, { questions: [{ name: instance, type: "TXT" }] }, { address: neighbour.address, port: 40_000 })
    machine.until(800)
    assert.deepStrictEqual(machine.takeSent("response"), [])
    assert.deepStrictEqual(DnsSd.goodbye(machine.state), [])
  })

  it("each link is probed for itself; one that changes its addresses keeps its names", () => {
    const machine = holding()
    const other = linkOf(1, 1)
    machine.event({ _tag: "Links", links: [{ ...link, addresses: [link.address, "fd00::1"] }, other] })
    machine.until(12 * second)
    assert.deepStrictEqual(
      [...new Set(machine.sent.filter(({ packet }) => packet.authorities.length > 0).map((sent) => sent.link))],
      [other.key]
    )
  })
})

describe("simultaneous probes", () => {
  it("whose records are earlier waits for a second, then probes from the start", () => {
    const machine = probing()
    machine.until(330)
    assert.deepStrictEqual(times(machine.takeSent("probe")), [70, 320])
    probed(machine, text, service(9091))
    machine.until(3 * second)
    assert.deepStrictEqual(times(machine.takeSent("probe")), [1330, 1580, 1830])
  })

  it("whose records are later goes on", () => {
    const machine = probing()
    machine.until(330)
    probed(machine, text, service(9089))
    machine.until(3 * second)
    assert.deepStrictEqual(times(machine.takeSent("probe")), [70, 320, 570])
  })

  it("a node on the same port differs in the address, and that decides", () => {
    for (const [rival, count] of [
      ["10.0.0.0", 3],
      ["10.0.0.2", 5]
    ] as const) {
      const machine = probing()
      machine.until(330)
      probed(machine, text, service(9090), address(rival))
      machine.until(3 * second)
      assert.strictEqual(machine.takeSent("probe").length, count)
    }
  })

  it("the same records are no contest: our own probe on another interface, or the same bytes", () => {
    const machine = new Machine("me", 9090, [link, linkAt("eth1", "10.0.0.77", 24)])
    machine.until(330)
    probed(machine, ...ours)
    // What we propose on the other link is heard here.
    probed(machine, service(9090), address("10.0.0.77"))
    machine.until(3 * second)
    assert.deepStrictEqual(times(machine.takeSent("probe")), [70, 70, 320, 320, 570, 570])
    assert.deepStrictEqual(machine.duplicates, [])
  })

  it("of two nodes with one id that start together, one has the names, and both say that there are two", () => {
    const network = new Network()
    const [first, other] = [network.join("same", 1), network.join("same", 2)]
    network.until(20 * second)
    const announcing = [first, other].filter(({ sent }) => sent.some(({ packet }) => packet.kind === "response"))
    assert.strictEqual(announcing.length, 1)
    // They differ in the port, and 9002 is the later one.
    assert.strictEqual(announcing[0], other)
    assert.deepStrictEqual(
      [first, other].map(({ duplicates }) => duplicates.at(-1)?.host),
      ["10.0.0.2", "10.0.0.1"]
    )
  })

  const record: Arbitrary.Arbitrary<ResourceRecord> = oneOf<ResourceRecord>(
    Arbitrary.map(integer(1, 65_535), service),
    Arbitrary.map(element("10.0.0.1", "9.255.0.1", "10.0.0.10", "::1", "fe80::1", "fd00::2:0", "2001:db8::"), address),
    Arbitrary.map(element("a=1", "b", "", "é"), (text) => ({
      type: "TXT",
      name: instance,
      ttl: 120,
      flush: true,
      strings: [text]
    }))
  )
  const records = Arbitrary.array(record, { maxLength: 4 })
  it.prop(
    "the order of record sets is total: both sides find the same winner",
    [records, records, records],
    ([a, b, c]) => {
      assert.strictEqual(Math.sign(compare(a, b)), -Math.sign(compare(b, a)) + 0)
      assert.strictEqual(compare(a, a.toReversed()), 0)
      if (compare(a, b) <= 0 && compare(b, c) <= 0) assert.isAtMost(compare(a, c), 0)
    },
    runs(4000)
  )

  it("records are compared as bytes: by type, then numbers, and more records are later than fewer", () => {
    assert.isBelow(compare([address("10.0.0.9")], [address("10.0.0.10")]), 0)
    assert.isBelow(compare([address("fe80::1")], [address("fe80::1:0")]), 0)
    assert.isBelow(compare([address("200.0.0.1")], [address("::1")]), 0)
    assert.isBelow(compare([address("::1")], [service(1)]), 0)
    assert.isBelow(compare([service(255)], [service(256)]), 0)
    assert.isBelow(compare([service(1)], [service(1), service(2)]), 0)
    assert.isBelow(compare([], [service(1)]), 0)
  })
})

describe("conflicts", () => {
  it("names that are taken are not used: we say so, are silent for a minute, and try again", () => {
    const machine = probing()
    machine.until(400)
    machine.takeSent()
    machine.told(link, service(7777))
    assert.deepStrictEqual(machine.duplicates, [{ at: 400, host: neighbour.address, port: 7777 }])
    machine.until(60 * second)
    assert.deepStrictEqual(
      [...machine.sent].filter(({ packet }) => packet.authorities.length > 0),
      []
    )
    assert.deepStrictEqual(machine.takeSent("response"), [])
    machine.until(62 * second)
    assert.deepStrictEqual(times(machine.takeSent("probe")), [60_400, 60_650, 60_900])
    machine.until(70 * second)
    assert.deepStrictEqual(times(machine.takeSent("response")), [62_150, 64_150])
  })

  const hostile: ReadonlyArray<readonly [string, (machine: Machine, isProbing: boolean) => void]> = [
    ["answers each of our probes", (machine, isProbing) => isProbing && machine.told(link, service(7777))],
    ["always answers", (machine) => machine.told(link, service(7777), address("10.0.0.99"))],
    ["always probes, with later records", (machine) => probed(machine, text, service(65_535))],
    [
      "does both",
      (machine, isProbing) => (isProbing ? machine.told(link, service(7777)) : probed(machine, service(65_535)))
    ]
  ]
  for (const [what, acts] of hostile) {
    it(`a rival that ${what} delays the announcement by two minutes at most, and does not make it frequent`, () => {
      for (const begin of [probing, holding]) {
        const machine = begin()
        const [since, span] = [machine.now, 600 * second]
        machine.takeSent()
        machine.told(link, service(7777))
        for (let t = 0; t < span; t += 100) {
          machine.until(since + t)
          const probes = machine.sent.slice(-4).filter(({ packet }) => packet.authorities.length > 0)
          acts(
            machine,
            probes.some(({ at }) => at > machine.now - 250)
          )
        }
        const sent = machine.takeSent("response")
        const said = times(sent).map((at) => at - since)
        const gaps = [...said, span].map((at, index) => at - (said[index - 1] ?? 0))
        assert.isAtMost(Math.max(...gaps), 130 * second)
        // Probes are answered, for our names are ours.
        const announcements = sent.filter(({ packet }) => packet.answers.some(({ type }) => type === "PTR"))
        assert.isAtMost(announcements.length, 4 * 10 + 3)
      }
    })
  }

  it("an address that is not ours is a conflict as well: two nodes on the same port differ in nothing else", () => {
    const machine = probing()
    machine.until(400)
    machine.told(link, address("10.0.0.99"))
    assert.strictEqual(machine.duplicates.length, 1)
  })

  it("the owner of the names answers a probe at once, even with what it sent a moment ago", () => {
    const machine = holding()
    machine.asked(link, { name: instance, type: "ANY" })
    machine.until(10_200)
    machine.takeSent()
    probed(machine, service(1))
    machine.until(10_500)
    assert.deepStrictEqual(
      machine.takeSent("response").map(({ at, packet }) => [at, ...packet.answers.map(({ type }) => type)]),
      [[10_250, "SRV", "TXT"]]
    )
    assert.strictEqual(machine.duplicates.length, 1)
  })

  it("a node that sees its names in use probes again, and keeps them without an answer", () => {
    const machine = holding()
    machine.told(link, service(7777))
    machine.until(13 * second)
    assert.deepStrictEqual(
      times(machine.sent.filter(({ packet }) => packet.authorities.length > 0)),
      [10_070, 10_320, 10_570]
    )
    assert.deepStrictEqual(times(machine.takeSent("response")), [10_820, 11_820])
    assert.deepStrictEqual(machine.duplicates, [])
  })

  it("what says the same, takes leave, or is ours on another link is no conflict", () => {
    const machine = new Machine("me", 9090, [link, linkOf(1, 1)])
    machine.until(10 * second)
    machine.takeSent()
    machine.told(link, ...ours, address("10.0.1.1"), { ...service(7777), ttl: 0 })
    machine.told(link, { ...text, strings: ["node_id=me"] })
    machine.until(12 * second)
    assert.deepStrictEqual(machine.takeSent("probe"), [])
    assert.deepStrictEqual(machine.duplicates, [])
  })

  it("two networks that are joined: of two nodes with one id one stays, and both say so", () => {
    const [left, right] = [new Network(), new Network()]
    const [a, b] = [left.join("same", 1), right.join("same", 2)]
    for (const network of [left, right]) network.until(30 * second)
    const joined = new Network()
    joined.admit(a, 1)
    joined.admit(b, 2)
    joined.until(30 * second)
    // Somebody asks, and both answer.
    const asker = joined.join("asker", 3)
    joined.until(50 * second)
    assert.strictEqual(asker.state.browser.seen.peers.size, 1)
    assert.isTrue([a, b].every(({ duplicates }) => duplicates.length > 0))
    assert.strictEqual([a, b].filter(({ state }) => DnsSd.goodbye(state).length > 0).length, 1)
  })
})
