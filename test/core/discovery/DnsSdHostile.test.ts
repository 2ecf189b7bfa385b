/** What a machine makes of packets that nobody should send: nothing that throws, and nothing without bounds. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as DnsSd from "../../../src/core/discovery/DnsSd.ts"
import { maxInstances, newInstances } from "../../../src/core/discovery/CacheIntake.ts"
import { maxAddresses } from "../../../src/core/discovery/Link.ts"
import { isName, type Packet, type Question, type ResourceRecord } from "../../../src/core/discovery/DnsRecord.ts"
import { enumeration, serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { linkOf, Machine, neighbour } from "../../support/DnsSdWorld.ts"
import { anyText, element, integer, oneOf, runs } from "../../support/Generators.ts"

const link = linkOf(1)
const other = linkOf(1, 1)

const label = element("feral-me", "feral-you", "feral-them", "FERAL-YOU", "x", "feral-", "a.b")
const instance = Arbitrary.map(label, (text) => `${text}.${serviceType}`)
const host = Arbitrary.map(label, (text) => `${text}.local`)
const name = oneOf<string>(
  instance,
  host,
  element(serviceType, enumeration, "", ".", "a..b", "local", "_FERAL._tcp.LOCAL", `.${serviceType}`),
  element("x".repeat(64), `${"y".repeat(63)}.${serviceType}`, "z.".repeat(150), "\ud800.local", "\0"),
  anyText
)
const ttl = oneOf(element(0, 1, 2, 120, 4500, 4294967295), integer(0, 10_000))
const address = oneOf<string>(
  element("10.0.0.2", "10.0.0.3", "127.0.0.1", "::1", "fe80::1", "FE80::1", "fd00::1", "0.0.0.0", "224.0.0.1"),
  element("", "256.1.1.1", "1.2.3", ":", "10.0.0.2 ", "999.999.999.999"),
  anyText
)
const text = oneOf<string>(
  element("node_id=you", "node_id=", "node_id", "NODE_ID=them", "node_id=me", "p=2", "p=999", "p=-1", "=", ""),
  anyText
)
const record: Arbitrary.Arbitrary<ResourceRecord> = Arbitrary.map(
  Arbitrary.all({
    type: element("PTR", "SRV", "TXT", "A", "AAAA"),
    // Most records name each other, so that more than their shape is tested.
    name: oneOf(name, instance, host, element(serviceType)),
    target: oneOf(name, instance, host),
    ttl,
    flush: element(true, false),
    port: element(0, 1, 9090, 65_535),
    address,
    strings: Arbitrary.array(text, { maxLength: 4 })
  }),
  ({ type, target, port, address, strings, ...common }): ResourceRecord => {
    switch (type) {
      case "PTR":
        return { ...common, type, target }
      case "SRV":
        return { ...common, type, port, target }
      case "TXT":
        return { ...common, type, strings }
      case "A":
      case "AAAA":
        return { ...common, type, address }
    }
  }
)
const question: Arbitrary.Arbitrary<Question> = Arbitrary.all({
  name,
  type: element("PTR", "SRV", "TXT", "A", "AAAA", "ANY", "OTHER"),
  isUnicast: element(false, true)
})
const packet: Arbitrary.Arbitrary<Packet> = Arbitrary.all({
  kind: element("query", "response", "response"),
  id: integer(0, 65_535),
  isTruncated: element(false, false, true),
  questions: Arbitrary.array(question, { maxLength: 3 }),
  answers: Arbitrary.array(record, { maxLength: 8 }),
  authorities: Arbitrary.array(record, { maxLength: 2 }),
  additionals: Arbitrary.array(record, { maxLength: 4 })
})
const stroke = Arbitrary.all({
  packet,
  on: element(link.key, link.key, other.key, "nowhere"),
  isAlone: element(false, false, true),
  sender: element("10.0.0.9", "10.0.0.1", "192.0.2.1", "fe80::9%eth0"),
  wait: oneOf(element(0, 1, 999, 1000, 96_000, 120_000, 3_600_000), integer(0, 5000)),
  random: element(0, 0.3, 0.999)
})

/** What we send has to be sound, whatever made us send it. */
const assertSound = ({ questions, answers, authorities, additionals }: Packet) => {
  assert.isAtMost(questions.length, 16)
  for (const { name } of questions) assert.isTrue(isName(name), JSON.stringify(name))
  for (const sent of [...answers, ...authorities, ...additionals]) {
    assert.isTrue(isName(sent.name) && Number.isInteger(sent.ttl) && sent.ttl >= 0 && sent.ttl <= 4500)
    if ("target" in sent) assert.isTrue(isName(sent.target), JSON.stringify(sent.target))
  }
}

describe("DnsSd, among strangers", () => {
  it.prop(
    "whatever comes, the machine goes on: sound packets, a deadline ahead, sightings in pairs, and no memory of it in the end",
    [Arbitrary.array(stroke, { minLength: 1, maxLength: 12 })],
    ([strokes]) => {
      const machine = new Machine("me", 9090, [link, other])
      const shown = new Set<string>()
      for (const { packet, on, isAlone, sender, wait, random } of strokes) {
        machine.random = () => random
        const from = { address: sender, port: isAlone ? 4000 : 5353 }
        machine.event({ _tag: "Packets", packets: [{ link: on, packet, from, isDirect: isAlone }] })
        assert.isAbove(DnsSd.deadline(machine.state), machine.now)
        machine.until(machine.now + wait)
        for (const { packet } of machine.takeSent()) assertSound(packet)
        for (const { sighting } of machine.seen.splice(0)) {
          if (sighting._tag === "Vanished") assert.isTrue(shown.delete(sighting.nodeId))
          else {
            shown.add(sighting.nodeId)
            assert.notStrictEqual<string>(sighting.nodeId, "me")
            assert.isTrue(sighting.addresses.length > 0 && sighting.addresses.length <= maxAddresses)
            for (const { host, port } of sighting.addresses) {
              assert.isTrue(port > 0 && port <= 65_535 && host !== "" && !/^(127\.|::|0\.|22)/.test(host), host)
            }
          }
        }
      }
      assert.deepStrictEqual([...shown].sort(), [...machine.state.browser.seen.peers.keys()].sort())
      machine.until(machine.now + 5_000_000)
      const {
        cache,
        seen: { peers }
      } = machine.state.browser
      assert.deepStrictEqual([cache.instances.size, cache.hosts.size, peers.size], [0, 0, 0])
    },
    runs(4000)
  )

  const pointer = (index: number): ResourceRecord => ({
    type: "PTR",
    name: serviceType,
    ttl: 4500,
    flush: false,
    target: `feral-${index}.${serviceType}`
  })
  const whole = (index: number): ReadonlyArray<ResourceRecord> => {
    const [name, target] = [`feral-${index}.${serviceType}`, `h${index}.local`]
    return [
      pointer(index),
      { type: "SRV", name, ttl: 120, flush: true, port: 9090, target },
      { type: "TXT", name, ttl: 4500, flush: true, strings: [`node_id=${index}`, "p=2"] },
      { type: "A", name: target, ttl: 120, flush: true, address: "10.0.0.2" }
    ]
  }

  it("a flood of names is bounded, costs few questions, and does not push out who can be dialled", () => {
    const machine = new Machine("me", 9090, [link])
    machine.told(link, ...whole(1))
    for (let index = 100; index < 20_000; index += 100) {
      const answers = Array.from({ length: 100 }, (_, offset) => pointer(index + offset))
      machine.hears(link, { kind: "response", answers }, { address: `10.0.0.${index % 7}`, port: neighbour.port })
      machine.until(machine.now + 10)
    }
    assert.strictEqual(machine.state.browser.cache.instances.size, maxInstances)
    machine.until(60_000)
    const sent = machine.takeSent("query")
    assert.isAtMost(sent.filter(({ packet }) => packet.questions.length > 0).length, 60_000 / 250 + 3)
    // What is known takes more packets than what is asked, but not without end.
    assert.isAtMost(sent.length, 60_000 / 250 + 100)
    for (const { packet } of sent) assert.isAtMost(packet.questions.length, 16)
    assert.deepStrictEqual(machine.takeSeen(), ["0 Appeared 1 p2 10.0.0.2:9090"])
  })

  it("of more nodes than are remembered, those heard of longest ago go", () => {
    const machine = new Machine("me", 9090, [link])
    for (let index = 0; index < maxInstances + 10; index++) {
      // The first one is heard of again and again.
      machine.told(link, pointer(0), ...whole(index))
      machine.until(machine.now + newInstances.every)
    }
    const {
      cache,
      seen: { peers }
    } = machine.state.browser
    assert.strictEqual(cache.instances.size, maxInstances)
    assert.strictEqual(cache.hosts.size, maxInstances)
    assert.strictEqual(peers.size, maxInstances)
    assert.deepStrictEqual(
      machine.takeSeen().flatMap((text) => /Vanished (\d+)$/.exec(text)?.[1] ?? []),
      Array.from({ length: 10 }, (_, index) => `${index + 1}`)
    )
  })

  it("senders that flood push out only what they announced themselves", () => {
    const machine = new Machine("me", 9090, [link])
    machine.told(link, ...whole(1))
    for (let index = 0; index < 4 * maxInstances; index++) {
      const flooder = { address: `10.0.0.${66 + (index % 8)}`, port: neighbour.port }
      machine.hears(link, { kind: "response", answers: whole(2 + index) }, flooder)
    }
    assert.strictEqual(machine.state.browser.cache.instances.size, maxInstances)
    assert.isFalse(machine.takeSeen().some((text) => text.endsWith("Vanished 1")))
  })

  it("a sender announces new nodes at a pace, and what is known of it is always heard", () => {
    const machine = new Machine("me", 9090, [link])
    const flood = () => {
      for (let index = 0; index < 1_000; index++) machine.told(link, ...whole(index))
    }
    const kept = () => Array.from(machine.state.browser.cache.instances.keys())
    flood()
    assert.lengthOf(kept(), newInstances.burst)
    machine.until(machine.now + 10 * newInstances.every)
    flood()
    assert.lengthOf(kept(), newInstances.burst + 10)
    // Another sender has a pace of its own.
    const answers = whole(5_000)
    machine.hears(link, { kind: "response", answers }, { address: "10.0.0.77", port: neighbour.port })
    assert.lengthOf(kept(), newInstances.burst + 11)
    // What is known is told again before it ends.
    machine.until(machine.now + 100_000)
    flood()
    machine.until(machine.now + 100_000)
    assert.isAtLeast(kept().length, newInstances.burst + 10)
  })

  it("addresses of one host are bounded", () => {
    const machine = new Machine("me", 9090, [link])
    machine.told(link, ...whole(1))
    for (let index = 0; index < 1000; index++) {
      const address = `10.${index >> 8}.9.${index & 255}`
      machine.told(link, { type: "A", name: "h1.local", ttl: 120, flush: false, address })
    }
    assert.strictEqual(machine.state.browser.cache.hosts.values().next().value?.addresses.size, maxAddresses * 2)
    assert.isAtMost(machine.takeSeen().length, maxAddresses * 2)
    assert.deepStrictEqual(
      Array.from(machine.state.browser.seen.peers.values(), ({ addresses }) => addresses.length),
      [maxAddresses]
    )
  })

  it("questions without end are answered once per second", () => {
    const machine = new Machine("me", 9090, [link])
    machine.until(10_000)
    machine.takeSent()
    for (let count = 0; count < 10_000; count++) {
      machine.asked(link, { name: serviceType, type: "ANY" })
      machine.asked(link, { name: `feral-me.${serviceType}`, type: "ANY" })
      machine.asked(link, { name: enumeration, type: "PTR" })
      machine.until(machine.now + 1)
    }
    for (const type of ["PTR", "SRV", "TXT", "A"] as const) {
      const times = machine.sent
        .filter(({ packet }) => packet.kind === "response")
        .flatMap(({ at, packet }) =>
          [...packet.answers, ...packet.additionals]
            .filter((record) => record.type === type && record.name !== enumeration)
            .map(() => at)
        )
      assert.isAtLeast(times.length, 9)
      for (const [index, at] of times.slice(1).entries()) assert.isAtLeast(at - (times[index] ?? 0), 1000)
    }
  })
})
