import { assert, describe, it } from "@effect/vitest"
import * as DnsSd from "../../../src/core/discovery/DnsSd.ts"
import { packetOf, type Packet, type Question, type ResourceRecord } from "../../../src/core/discovery/DnsRecord.ts"
import { enumeration, serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { linkAt, linkOf, Machine, Network } from "../../support/DnsSdWorld.ts"

const link = linkOf(1)
const second = 1000
const hour = 3600 * second

/** The records of a node that is not ours, as existing FERAL nodes announce them. */
const records = {
  pointer: (label: string, ttl = 4500): ResourceRecord => ({
    type: "PTR",
    name: serviceType,
    ttl,
    flush: false,
    target: `${label}.${serviceType}`
  }),
  service: (label: string, port = 9090, ttl = 120): ResourceRecord => ({
    type: "SRV",
    name: `${label}.${serviceType}`,
    ttl,
    flush: true,
    port,
    target: `${label}.local`
  }),
  text: (label: string, strings: ReadonlyArray<string>, ttl = 4500): ResourceRecord => ({
    type: "TXT",
    name: `${label}.${serviceType}`,
    ttl,
    flush: true,
    strings
  }),
  address: (label: string, address: string, ttl = 120): ResourceRecord => ({
    type: address.includes(":") ? "AAAA" : "A",
    name: `${label}.local`,
    ttl,
    flush: true,
    address
  }),
  all: (id: string, host: number, port = 9090): ReadonlyArray<ResourceRecord> => [
    records.pointer(`feral-${id}`),
    records.service(`feral-${id}`, port),
    records.text(`feral-${id}`, [`node_id=${id}`, "version=1.0.0"]),
    records.address(`feral-${id}`, `10.0.0.${host}`)
  ]
}

const types = ({ answers }: Packet) => answers.map(({ type }) => type)
/** A machine past its announcements and first questions, its notes empty. */
const settled = () => {
  const machine = new Machine("me", 9090, [link])
  machine.until(10 * second)
  machine.takeSent()
  return machine
}

describe("DnsSd: announcements", () => {
  it("leave when the names are ours, then after 1 and 2 seconds, and never again", () => {
    const machine = new Machine("me", 9090, [link])
    machine.until(10 * hour)
    const announced = machine.takeSent("response")
    assert.deepStrictEqual(
      announced.map(({ at }) => at),
      [820, 1820, 3820]
    )
    for (const { packet } of announced) assert.deepStrictEqual(packet, announced[0]?.packet)
  })

  it("say the port, the TXT record and the addresses of their own link, each with its time to live", () => {
    const links = [linkOf(1, 0, ["fd00::1"]), linkOf(7, 1)]
    const machine = new Machine("me", 9123, links)
    machine.until(second)
    const [first, other] = machine.sent.filter(({ packet }) => packet.kind === "response")
    assert.strictEqual(first?.link, links[0]?.key)
    const instance = `feral-me.${serviceType}`
    const unique = { flush: true, ttl: 120 }
    assert.deepStrictEqual(
      first?.packet,
      packetOf("response", {
        answers: [
          { type: "PTR", name: serviceType, flush: false, ttl: 4500, target: instance },
          { type: "SRV", name: instance, ...unique, port: 9123, target: "feral-me.local" },
          { type: "TXT", name: instance, flush: true, ttl: 4500, strings: ["node_id=me", "version=1.0.0", "p=2"] },
          { type: "A", name: "feral-me.local", ...unique, address: "10.0.0.1" },
          { type: "AAAA", name: "feral-me.local", ...unique, address: "fd00::1" }
        ]
      })
    )
    assert.strictEqual(other?.link, links[1]?.key)
    assert.deepStrictEqual(
      other?.packet.answers.flatMap((record) => ("address" in record ? [record.address] : [])),
      ["10.0.1.7"]
    )
  })

  it("are made anew on a link that comes, and on one whose addresses change; not on one that stays", () => {
    const machine = settled()
    const joined = linkOf(5, 3)
    machine.event({ _tag: "Links", links: [link, joined] })
    machine.until(11 * second)
    assert.deepStrictEqual(
      machine.sent.filter(({ packet }) => packet.kind === "response").map((sent) => sent.link),
      [joined.key]
    )
    machine.until(20 * second)
    machine.takeSent()
    const changed = { ...link, addresses: [...link.addresses, "fd00::9"] }
    machine.event({ _tag: "Links", links: [changed, joined] })
    const [sent, ...rest] = machine.takeSent()
    assert.deepStrictEqual(rest, [])
    assert.deepStrictEqual(sent === undefined ? [] : types(sent.packet), ["PTR", "SRV", "TXT", "A", "AAAA"])
  })
})

describe("DnsSd: answers", () => {
  const instance = `feral-me.${serviceType}`
  const host = "feral-me.local"
  const cases: ReadonlyArray<readonly [Question, answers: ReadonlyArray<string>, additionals: ReadonlyArray<string>]> =
    [
      [{ name: serviceType, type: "PTR" }, ["PTR"], ["SRV", "TXT", "A", "NSEC"]],
      [{ name: serviceType, type: "ANY" }, ["PTR"], ["SRV", "TXT", "A", "NSEC"]],
      [{ name: "_FERAL._TCP.LOCAL", type: "PTR" }, ["PTR"], ["SRV", "TXT", "A", "NSEC"]],
      [{ name: instance, type: "SRV" }, ["SRV"], ["A", "NSEC"]],
      [{ name: instance, type: "TXT" }, ["TXT"], []],
      [{ name: instance.toUpperCase(), type: "ANY" }, ["SRV", "TXT"], ["A", "NSEC"]],
      [{ name: host, type: "A" }, ["A"], ["NSEC"]],
      [{ name: host, type: "ANY" }, ["A"], ["NSEC"]],
      [{ name: host, type: "AAAA" }, ["NSEC"], []],
      [{ name: host, type: "OTHER" }, ["NSEC"], []],
      [{ name: instance, type: "A" }, ["NSEC"], []],
      [{ name: instance, type: "OTHER" }, ["NSEC"], []],
      [{ name: enumeration, type: "PTR" }, ["PTR"], []],
      [{ name: enumeration, type: "ANY" }, ["PTR"], []]
    ]
  for (const [question, answers, additionals] of cases) {
    it(`${question.type} ${question.name}`, () => {
      const machine = settled()
      machine.asked(link, question)
      const { at, packet } = machine.takeSent()[0] ?? (machine.until(11 * second), machine.takeSent()[0]) ?? {}
      assert.isDefined(packet)
      if (packet === undefined || at === undefined) return
      assert.deepStrictEqual(types(packet), answers)
      assert.deepStrictEqual(
        packet.additionals.map(({ type }) => type),
        additionals
      )
      // A record that others may have too waits, so that answers do not collide.
      if (answers[0] === "PTR") assert.isTrue(at >= 10_020 && at < 10_120, `at ${at}`)
      else assert.strictEqual(at, 10_000)
      machine.until(15 * second)
      assert.deepStrictEqual(machine.takeSent("response"), [])
    })
  }

  it("nothing is said to questions about others, and about names that others have too", () => {
    const machine = settled()
    for (const question of [
      { name: `feral-you.${serviceType}`, type: "ANY" },
      { name: "feral-you.local", type: "A" },
      { name: "_http._tcp.local", type: "PTR" },
      { name: serviceType, type: "SRV" },
      { name: serviceType, type: "OTHER" },
      { name: enumeration, type: "A" }
    ] as const) {
      machine.asked(link, question)
    }
    machine.until(15 * second)
    assert.deepStrictEqual(machine.takeSent("response"), [])
  })

  it("nothing is said that the asker knows for at least half of its time", () => {
    const machine = settled()
    const pointer = records.pointer("feral-me")
    machine.asked(link, { name: serviceType, type: "PTR" }, [{ ...pointer, ttl: 2250 }])
    machine.until(11 * second)
    assert.deepStrictEqual(machine.takeSent("response"), [])
    machine.asked(link, { name: serviceType, type: "PTR" }, [{ ...pointer, ttl: 2249 }])
    machine.until(12 * second)
    assert.strictEqual(machine.takeSent("response").length, 1)
    // Another port is not what we would say.
    machine.until(14 * second)
    machine.asked(link, { name: instance, type: "SRV" }, [records.service("feral-me", 9090)])
    machine.asked(link, { name: instance, type: "SRV" }, [records.service("feral-me", 9091)])
    assert.strictEqual(machine.takeSent("response").length, 1)
  })

  it("a record leaves at most once per second and link, and what is asked sooner leaves then", () => {
    const machine = settled()
    for (let ms = 0; ms < 3000; ms += 10) {
      machine.until(10 * second + ms)
      machine.asked(link, { name: instance, type: "SRV" })
    }
    machine.until(20 * second)
    assert.deepStrictEqual(
      machine.takeSent("response").map(({ at }) => at),
      [10_000, 11_000, 12_000, 13_000]
    )
  })

  it("links do not share the limit", () => {
    const other = linkOf(1, 4)
    const machine = new Machine("me", 9090, [link, other])
    machine.until(10 * second)
    machine.takeSent()
    for (const on of [link, other]) machine.asked(on, { name: instance, type: "TXT" })
    assert.deepStrictEqual(
      machine.sent.map((sent) => sent.link),
      [link.key, other.key]
    )
  })

  it("a querier with its own port is answered alone, with its id and its question, valid for a short time", () => {
    const machine = settled()
    const asker = { address: "10.0.0.9", port: 40_000 }
    const question = { name: serviceType, type: "PTR" } as const
    machine.hears(link, { kind: "query", id: 77, questions: [question, { name: "other.local", type: "A" }] }, asker)
    const [sent, ...rest] = machine.takeSent()
    assert.deepStrictEqual(rest, [])
    assert.deepStrictEqual(sent?.to, asker)
    assert.strictEqual(sent?.packet.id, 77)
    assert.deepStrictEqual(sent?.packet.questions, [question])
    const all = [...(sent?.packet.answers ?? []), ...(sent?.packet.additionals ?? [])]
    assert.deepStrictEqual(
      all.map(({ type }) => type),
      ["PTR", "SRV", "TXT", "A", "NSEC"]
    )
    assert.isTrue(all.every(({ ttl, flush }) => ttl === 10 && !flush))
    // Not a way to make us flood somebody.
    for (let count = 0; count < 50; count++) {
      machine.hears(link, { kind: "query", questions: [question] }, asker)
    }
    assert.deepStrictEqual(machine.takeSent(), [])
    machine.until(10_100)
    machine.hears(link, { kind: "query", questions: [question] }, asker)
    assert.strictEqual(machine.takeSent().length, 1)
  })
})

describe("DnsSd: questions", () => {
  for (const chance of [0, 0.5, 0.999]) {
    it(`the first leaves within 20 to 120 ms, then after 1, 2, 4 ... seconds up to an hour (chance ${chance})`, () => {
      const machine = new Machine("me", 9090, [])
      machine.random = () => chance
      machine.event({ _tag: "Links", links: [link] })
      machine.until(10 * hour)
      const asked = machine.takeSent("query").map(({ at }) => at)
      assert.approximately(asked[0] ?? 0, 20 + 100 * chance, 0.001)
      const gaps = asked.slice(1).map((at, index) => Math.round(at - (asked[index] ?? 0)) / second)
      assert.deepStrictEqual(gaps.slice(0, 13), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600])
      assert.isTrue(gaps.slice(12).every((gap) => gap === 3600))
      assert.isAbove(gaps.length, 18)
    })
  }

  it("of a newcomer are answered soon, however short ago the others have spoken", () => {
    for (let start = 900; start < 6 * second; start += 130) {
      const network = new Network()
      network.join("old", 1)
      network.until(start)
      const { seen } = network.join("new", 2)
      network.until(start + 300)
      assert.strictEqual(seen[0]?.sighting._tag, "Appeared", `${start}`)
    }
  })

  it("name what is known, so that it is not said again", () => {
    const machine = new Machine("me", 9090, [link])
    machine.told(link, ...records.all("you", 2))
    machine.until(500)
    const [query] = machine.takeSent("query")
    const browse = { name: serviceType, type: "PTR" } as const
    assert.deepStrictEqual(query?.packet.questions, [browse, { ...browse, isUnicast: true }])
    assert.deepStrictEqual(
      query?.packet.answers.map((record) => ("target" in record ? record.target : "")),
      [`feral-me.${serviceType}`, `feral-you.${serviceType}`]
    )
    machine.until(1.2 * hour)
    // Heard long ago: it is asked for anew.
    const last = machine.takeSent("query").findLast(({ packet }) => packet.questions[0]?.type === "PTR")
    assert.isAbove(last?.at ?? 0, 2250 * second)
    assert.strictEqual(last?.packet.answers.length, 1)
  })

  it("what an instance lacks is asked for by name, until it is there", () => {
    const machine = settled()
    machine.told(link, records.pointer("feral-you"))
    machine.until(10_200)
    const missing = (): ReadonlyArray<string> =>
      machine.takeSent("query").flatMap(({ packet }) => packet.questions.map(({ name, type }) => `${type} ${name}`))
    assert.deepStrictEqual(missing(), [`SRV feral-you.${serviceType}`, `TXT feral-you.${serviceType}`])
    machine.told(link, records.service("feral-you"))
    machine.until(11_200)
    assert.deepStrictEqual(missing(), [`TXT feral-you.${serviceType}`, "A feral-you.local", "AAAA feral-you.local"])
    machine.told(link, records.text("feral-you", ["node_id=you"]))
    machine.until(13_200)
    assert.deepStrictEqual(missing(), ["A feral-you.local", "AAAA feral-you.local"])
    assert.deepStrictEqual(machine.takeSeen(), [])
    machine.told(link, records.address("feral-you", "10.0.0.2"))
    assert.deepStrictEqual(machine.takeSeen(), ["13200 Appeared you p1 10.0.0.2:9090"])
    machine.until(90 * second)
    assert.isFalse(missing().some((text) => text.includes("feral-you")))
  })

  it("a question without answers is given up after a few tries, and taken up when the record is announced again", () => {
    const machine = settled()
    machine.told(link, records.pointer("feral-you"))
    machine.until(600 * second)
    const asked = () =>
      machine.takeSent("query").filter(({ packet }) => packet.questions.some(({ type }) => type === "SRV"))
    assert.strictEqual(asked().length, 4)
    machine.told(link, records.pointer("feral-you"))
    machine.until(1200 * second)
    assert.strictEqual(asked().length, 4)
  })

  it("a record is asked for again at 80, 85, 90 and 95 % of its time, and then it is gone", () => {
    for (const chance of [0, 1]) {
      const machine = new Machine("me", 9090, [link])
      machine.until(10 * second)
      machine.takeSent()
      machine.random = () => chance
      machine.told(link, ...records.all("you", 2))
      machine.until(140 * second)
      const refreshes = machine
        .takeSent("query")
        .filter(({ packet }) => packet.questions.some(({ name }) => name.startsWith("feral-you.")))
      // The SRV record and the address in one packet each time.
      assert.deepStrictEqual(
        refreshes.map(({ packet }) => packet.questions.filter(({ type }) => type !== "PTR").map(({ type }) => type)),
        Array.from({ length: 4 }, () => ["SRV", "A"])
      )
      assert.deepStrictEqual(
        refreshes.map(({ at }) => Math.round((at - 10_000) / 12) / 100),
        [80, 85, 90, 95].map((percent) => percent + 2 * chance)
      )
      assert.deepStrictEqual(machine.takeSeen(), [
        "10000 Appeared you p1 10.0.0.2:9090",
        `${130 * second} Vanished you`
      ])
    }
  })
})

describe("DnsSd: sightings", () => {
  it("a node shows when everything is there, in whatever order it comes, and again when it changes", () => {
    const machine = settled()
    const all = records.all("you", 2)
    machine.told(link, ...all.toReversed())
    assert.deepStrictEqual(machine.takeSeen(), ["10000 Appeared you p1 10.0.0.2:9090"])
    machine.told(link, ...all)
    assert.deepStrictEqual(machine.takeSeen(), [])
    machine.told(link, records.service("feral-you", 9191))
    assert.deepStrictEqual(machine.takeSeen(), ["10000 Appeared you p1 10.0.0.2:9191"])
    machine.told(link, records.text("feral-you", ["node_id=you", "p=2"]))
    assert.deepStrictEqual(machine.takeSeen(), ["10000 Appeared you p2 10.0.0.2:9191"])
    machine.told(link, records.text("feral-you", ["node_id=them", "p=2"]))
    assert.deepStrictEqual(machine.takeSeen(), ["10000 Vanished you", "10000 Appeared them p2 10.0.0.2:9191"])
  })

  it("the additional records count as well", () => {
    const machine = settled()
    const [pointer, ...additionals] = records.all("you", 2)
    machine.hears(link, { kind: "response", answers: pointer === undefined ? [] : [pointer], additionals })
    assert.deepStrictEqual(machine.takeSeen(), ["10000 Appeared you p1 10.0.0.2:9090"])
  })

  it("addresses are best first: the same subnet, IPv4, IPv6, link-local", () => {
    const machine = settled()
    const addresses = ["FE80::2", "fd00::2", "192.168.7.2", "10.0.0.2"]
    machine.told(link, ...records.all("you", 2), ...addresses.map((address) => records.address("feral-you", address)))
    assert.deepStrictEqual(machine.takeSeen(), [
      "10000 Appeared you p1 10.0.0.2:9090 192.168.7.2:9090 fd00::2:9090 fe80::2%eth0:9090"
    ])
  })

  it("no packet of a network makes us dial ourselves, all nodes or none", () => {
    const machine = settled()
    const [pointer, service, text] = records.all("you", 2)
    const bad = ["127.0.0.1", "127.9.9.9", "::1", "::", "::ffff:127.0.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.251"]
    for (const address of [...bad, "255.255.255.255", "ff02::fb"]) {
      if (pointer === undefined || service === undefined || text === undefined) throw new Error("no records")
      machine.told(link, pointer, service, text, records.address("feral-you", address))
      assert.deepStrictEqual(machine.takeSeen(), [], address)
    }
  })

  it("on loopback, nodes meet at 127.0.0.1", () => {
    const loopback = linkAt("lo", "127.0.0.1", 8)
    const machine = new Machine("me", 9090, [loopback])
    const { pointer, service, text, address } = records
    machine.told(loopback, pointer("feral-you"), service("feral-you"), text("feral-you", ["node_id=you"]))
    machine.told(loopback, address("feral-you", "127.0.0.1"), address("feral-you", "::1"))
    assert.deepStrictEqual(machine.takeSeen(), ["0 Appeared you p1 127.0.0.1:9090 ::1:9090"])
  })

  it("a node on two links is one node, and stays while one of them does", () => {
    const other = linkOf(1, 4)
    const machine = new Machine("me", 9090, [link, other])
    machine.told(link, ...records.all("you", 2))
    const { pointer, service, text, address } = records
    machine.told(other, pointer("feral-you"), service("feral-you"), text("feral-you", ["node_id=you"]))
    machine.told(other, address("feral-you", "10.0.4.2"))
    assert.deepStrictEqual(machine.takeSeen(), [
      "0 Appeared you p1 10.0.0.2:9090",
      "0 Appeared you p1 10.0.0.2:9090 10.0.4.2:9090"
    ])
    machine.event({ _tag: "Links", links: [other] })
    assert.deepStrictEqual(machine.takeSeen(), ["0 Appeared you p1 10.0.4.2:9090"])
    machine.event({ _tag: "Links", links: [] })
    assert.deepStrictEqual(machine.takeSeen(), ["0 Vanished you"])
    const { instances, hosts } = machine.state.browser.cache
    assert.deepStrictEqual([instances.size, hosts.size], [0, 0])
  })

  it("a port that is none is not taken, nor is a response from another port than that of multicast DNS", () => {
    const machine = settled()
    machine.told(link, ...records.all("you", 2, 0))
    machine.hears(link, { kind: "response", answers: records.all("them", 3) }, { address: "10.0.0.3", port: 4000 })
    const questions = [{ name: serviceType, type: "PTR" }] as const
    machine.hears(link, { kind: "response", questions }, { address: "10.0.0.3", port: 4000 })
    machine.until(30 * second)
    assert.deepStrictEqual(machine.takeSeen(), [])
    assert.deepStrictEqual(machine.takeSent("response"), [])
  })

  it("an address that replaces another shows at once, and the old one is gone after a second", () => {
    const machine = settled()
    machine.told(link, ...records.all("you", 2))
    machine.until(15 * second)
    machine.takeSeen()
    machine.told(link, records.address("feral-you", "10.0.0.3"))
    machine.until(20 * second)
    assert.deepStrictEqual(machine.takeSeen(), [
      "15000 Appeared you p1 10.0.0.2:9090 10.0.0.3:9090",
      "16000 Appeared you p1 10.0.0.3:9090"
    ])
  })

  it("the id is that of the TXT record, or of the name where it has none; an invalid id is ignored", () => {
    const sighted = (label: string, strings: ReadonlyArray<string>) => {
      const machine = settled()
      machine.told(link, records.pointer(label), records.service(label), records.address(label, "10.0.0.2"))
      machine.told(link, records.text(label, strings))
      return machine.takeSeen().map((text) => text.split(" ")[2])
    }
    assert.deepStrictEqual(sighted("something else", ["node_id=you"]), ["you"])
    assert.deepStrictEqual(sighted("feral-name", ["Node_ID=you", "node_id=them"]), ["you"])
    assert.deepStrictEqual(sighted("feral-name", ["version=1.0.0", "node_id"]), ["name"])
    assert.deepStrictEqual(sighted("feral-name", []), ["name"])
    assert.deepStrictEqual(sighted("name", []), [])
    assert.deepStrictEqual(sighted("feral-", []), [])
    for (const id of ["", "a\nb", "__proto__", "x".repeat(129)]) {
      assert.deepStrictEqual(sighted("feral-name", [`node_id=${id}`]), [], id)
    }
  })

  it("a node that never sends its TXT record is known by its name in the end", () => {
    const machine = settled()
    machine.told(link, records.pointer("feral-you"), records.service("feral-you"))
    machine.told(link, records.address("feral-you", "10.0.0.2"))
    machine.until(17 * second)
    assert.deepStrictEqual(machine.takeSeen(), [])
    machine.until(18 * second)
    assert.strictEqual(machine.takeSeen().length, 1)
    machine.told(link, records.text("feral-you", ["node_id=them"]))
    assert.deepStrictEqual(machine.takeSeen(), ["18000 Vanished you", "18000 Appeared them p1 10.0.0.2:9090"])
  })

  it("a node with our name or our id is not shown", () => {
    const machine = settled()
    machine.told(link, ...records.all("me", 2))
    machine.told(link, ...records.all("ME", 2))
    const { pointer, service, text, address } = records
    machine.told(link, pointer("other"), service("other"), text("other", ["node_id=me"]), address("other", "10.0.0.2"))
    machine.until(60 * second)
    assert.deepStrictEqual(machine.takeSeen(), [])
  })
})

describe("DnsSd: goodbye", () => {
  it("takes back what is ours alone, on each link", () => {
    const machine = new Machine("me", 9090, [link, linkOf(1, 2)])
    assert.deepStrictEqual(DnsSd.goodbye(machine.state), [], "nothing was announced yet")
    machine.until(second)
    const sends = DnsSd.goodbye(machine.state)
    assert.deepStrictEqual(
      sends.map((send) => send.link),
      [link.key, linkOf(1, 2).key]
    )
    for (const { packet } of sends) {
      assert.strictEqual(packet.kind, "response")
      assert.deepStrictEqual(types(packet), ["PTR", "SRV", "TXT", "A"])
      assert.isTrue(packet.answers.every(({ ttl, name }) => ttl === 0 && name !== enumeration))
    }
  })

  it("is believed after one second, however often it comes", () => {
    const machine = settled()
    machine.told(link, ...records.all("you", 2))
    machine.takeSeen()
    const goodbye = records.all("you", 2).map((record) => ({ ...record, ttl: 0 }))
    machine.told(link, ...goodbye)
    machine.until(10_500)
    machine.told(link, ...goodbye)
    machine.until(10_999)
    assert.deepStrictEqual(machine.takeSeen(), [])
    machine.until(60 * second)
    assert.deepStrictEqual(machine.takeSeen(), ["11000 Vanished you"])
    assert.isFalse(
      machine.takeSent("query").some(({ packet }) => packet.questions.some(({ name }) => name.includes("you")))
    )
  })

  it("is forgotten when the node announces itself within the second", () => {
    const machine = settled()
    machine.told(link, ...records.all("you", 2))
    machine.takeSeen()
    machine.told(link, ...records.all("you", 2).map((record) => ({ ...record, ttl: 0 })))
    machine.until(10_900)
    machine.told(link, ...records.all("you", 2))
    machine.until(60 * second)
    assert.deepStrictEqual(machine.takeSeen(), [])
  })

  it("of records that we do not hold changes nothing", () => {
    const machine = settled()
    machine.told(link, ...records.all("you", 2, 9090))
    machine.takeSeen()
    machine.told(link, records.service("feral-you", 9999, 0), records.address("feral-you", "10.0.0.99", 0))
    machine.told(link, records.pointer("feral-them", 0))
    machine.until(60 * second)
    assert.deepStrictEqual(machine.takeSeen(), [])
  })
})

describe("DnsSd: together", () => {
  it("nodes that start at any time know each other within two seconds, and go on doing so", () => {
    const network = new Network()
    const nodes: Array<Machine> = []
    const everybodyKnowsEverybody = () => {
      for (const { state } of nodes) assert.strictEqual(state.browser.seen.peers.size, nodes.length - 1)
    }
    for (const starts of [[0, 1, 300, 1700], [60_000], [70_000, 70_000]]) {
      for (const start of starts) {
        network.until(start)
        nodes.push(network.join(`n${nodes.length}`, nodes.length + 1))
      }
      network.until(network.now + 2 * second)
      everybodyKnowsEverybody()
    }
    network.until(5 * hour)
    everybodyKnowsEverybody()
    for (const node of nodes) assert.strictEqual(node.seen.length, nodes.length - 1)
  })

  it("a network at rest is quiet", () => {
    const network = new Network()
    const nodes = Array.from({ length: 8 }, (_, index) => network.join(`n${index}`, index + 1))
    for (const [index, node] of nodes.entries()) node.random = () => ((index * 37) % 100) / 100
    network.until(3 * hour)
    for (const node of nodes) {
      assert.strictEqual(node.state.browser.seen.peers.size, 7)
      const times = node.sent.map(({ at }) => at).filter((at) => at > 60 * second)
      const busiest = Math.max(
        ...times.map((from) => times.filter((at) => at >= from && at < from + 60 * second).length)
      )
      assert.isBelow(busiest, 10)
      assert.isBelow(times.length / 179, 4, "packets per minute on average")
    }
  })

  it("a node that says goodbye is gone after a second, a silent one when its records expire, and one that comes back is seen", () => {
    const network = new Network()
    const [a, b, c] = [network.join("a", 1), network.join("b", 2), network.join("c", 3)]
    network.until(10 * second)
    a.takeSeen()
    network.leave(b, true)
    network.until(11_100)
    assert.deepStrictEqual(a.takeSeen(), ["11001 Vanished b"])
    network.leave(c, false)
    network.until(200 * second)
    const [gone, ...rest] = a.seen.splice(0)
    assert.deepStrictEqual(
      [gone?.sighting, rest],
      [{ _tag: "Vanished", nodeId: c.state.browser.self.nodeId, isGoodbye: false }, []]
    )
    assert.isBelow(gone?.at ?? Infinity, 131 * second)
    network.join("b", 2, 7777)
    network.until(202 * second)
    assert.deepStrictEqual(a.takeSeen(), ["200821 Appeared b p2 10.0.0.2:7777"])
  })

  it("our own packets change nothing when they come back", () => {
    const network = new Network()
    const machine = network.join("me", 1)
    network.join("you", 2)
    network.until(30 * second)
    const { sent } = machine
    assert.isAbove(sent.length, 5)
    for (const { packet } of [...sent, ...DnsSd.goodbye(machine.state)]) {
      const before = machine.state
      const count = sent.length
      machine.hears(linkOf(1), packet, { address: linkOf(1).address, port: 5353 })
      assert.strictEqual(sent.length, count)
      assert.strictEqual(machine.state.browser.cache, before.browser.cache)
      assert.strictEqual(machine.state.responder, before.responder)
    }
  })
})
