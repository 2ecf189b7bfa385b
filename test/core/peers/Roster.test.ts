import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Address } from "../../../src/core/peers/Address.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Roster from "../../../src/core/peers/Roster.ts"
import { runs } from "../../support/Generators.ts"

const self = NodeId.make("m")
const lower = NodeId.make("a")
const higher = NodeId.make("z")
const at = (host: string): Address => ({ host, port: 9090 })

/** Feeds events to a roster and collects what it asks for. */
const world = (options: Partial<Roster.Options> = {}) => {
  const [first, actions] = Roster.initial(
    { self, mdns: true, mdnsTimeout: 30_000, interval: 30_000, peers: [], ...options },
    0
  )
  let roster = first
  const asked = [...actions]
  return {
    roster: () => roster,
    asked,
    /** The hosts dialled since the last call. */
    dials: () => asked.splice(0).flatMap((action) => (action._tag === "Dial" ? [action.address.host] : [])),
    event: (event: Roster.Event) => {
      const [next, more] = Roster.step(roster, event)
      roster = next
      asked.push(...more)
    }
  }
}
const appeared = (node: NodeId, host: string, now: number): Roster.Event => ({
  _tag: "Appeared",
  node,
  addresses: [at(host)],
  protocol: 2,
  now
})
const tick = (now: number): Roster.Event => ({ _tag: "Tick", now })
const established = (link: number, node: NodeId, key: string | undefined, now: number): Roster.Event => ({
  _tag: "Established",
  link,
  node,
  key,
  form: 2,
  now
})
const ended = (link: number, key: string | undefined, ending: Roster.Ending, now: number): Roster.Event => ({
  _tag: "Ended",
  link,
  key,
  ending,
  random: 0,
  now
})

describe("Roster", () => {
  it("a paused node is not dialled until it is resumed, and then at once", () => {
    const { event, dials } = world({ paused: new Set([higher]) })
    event(appeared(higher, "10.0.0.1", 1_000))
    event(tick(3_600_000))
    assert.deepStrictEqual(dials(), [])
    event({ _tag: "Paused", now: 3_600_001, nodes: new Set() })
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    event({ _tag: "Paused", now: 3_600_002, nodes: new Set([higher]) })
    event(ended(1, `mdns ${higher}`, "lost", 3_600_003))
    event(tick(7_200_000))
    assert.deepStrictEqual(dials(), [])
  })

  it("the nodes that have proved themselves are remembered up to a bound, and counted", () => {
    const { event, roster } = world()
    for (let n = 0; n < Roster.kept.proven + 20; n++) {
      const id = NodeId.make(`x${n}`)
      event(appeared(id, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, n))
      event(established(n, id, `mdns ${id}`, n))
      // Those that came first are still there when they are forgotten.
      if (n > 60) event({ _tag: "Vanished", node: NodeId.make(`x${n - 30}`), now: n })
    }
    const { proven, counts } = roster()
    assert.strictEqual(proven.size, Roster.kept.proven)
    const found = [...Roster.candidatesOf(roster())].filter(({ source }) => source === "mdns")
    const known = found.filter(({ node }) => node !== undefined && proven.has(node)).length
    assert.deepStrictEqual(counts, { proven: known, unproven: found.length - known })
  })

  it("a candidate that waits after failures is dialled at once when it is hurried", () => {
    const { event, dials, roster } = world()
    event(appeared(higher, "10.0.0.1", 1_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    const key = `mdns ${higher}`
    event(ended(1, key, "refused", 2_000))
    assert.isAbove(Roster.deadline(roster()), 2_100)
    event({ _tag: "Hurried", now: 2_100, key })
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
  })

  for (const ending of ["lost", "refused", "exchanged"] as const) {
    it(`a node that announces itself again, where it was, is not dialled sooner for that: ${ending}`, () => {
      /** When it is dialled, if every dial ends so. */
      const dialled = (isRepeated: boolean): ReadonlyArray<number> => {
        const { event, dials } = world()
        const times: Array<number> = []
        for (let now = 0; now <= 60_000; now += 100) {
          event(now === 0 || isRepeated ? appeared(higher, "10.0.0.1", now) : tick(now))
          event(tick(now))
          for (const _ of dials()) {
            times.push(now)
            event(ended(times.length, `mdns ${higher}`, ending, now))
          }
        }
        return times
      }
      assert.isAbove(dialled(false).length, 1)
      assert.deepStrictEqual(dialled(true), dialled(false))
    })
  }

  it("a node that is asked to stay away does so for as long, and not less than it would have", () => {
    for (const [retryAfter, random, before, due] of [
      [20_000, 0, 19_999, 20_000],
      [20_000, 0.9, 20_899, 20_900],
      // The delay after a refusal is longer.
      [1_000, 0, 2_499, 2_500]
    ] as const) {
      const { event, dials } = world({ mdns: false, peers: [at("10.0.0.1")] })
      assert.deepStrictEqual(dials(), ["10.0.0.1"])
      const end = { _tag: "Ended", link: 1, key: "static 10.0.0.1:9090", ending: "refused" } as const
      event({ ...end, random, now: 0, retryAfter })
      event(tick(before))
      assert.deepStrictEqual(dials(), [])
      event(tick(due))
      assert.deepStrictEqual(dials(), ["10.0.0.1"])
    }
  })

  it("the static list waits for mDNS, exactly as long as it is told to", () => {
    const { event, dials, roster } = world({ peers: [at("10.0.0.1"), at("10.0.0.2")] })
    assert.strictEqual(Roster.deadline(roster()), 30_000)
    event(tick(29_999))
    assert.deepStrictEqual(dials(), [])
    assert.strictEqual(roster().static, "waiting")
    event(tick(30_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1", "10.0.0.2"])
    assert.strictEqual(roster().static, "active")
  })

  it("the static list is not used while mDNS knows a peer, and is after the last one vanished for long", () => {
    const { event, dials, roster } = world({ peers: [at("10.0.0.1")] })
    event(appeared(higher, "10.0.0.9", 1_000))
    assert.deepStrictEqual(dials(), ["10.0.0.9"])
    event(established(1, higher, `mdns ${higher}`, 1_100))
    event(tick(60_000))
    assert.deepStrictEqual(dials(), [])
    event({ _tag: "Vanished", node: higher, now: 70_000 })
    event(tick(99_999))
    assert.deepStrictEqual(dials(), [])
    event(tick(100_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    assert.strictEqual(roster().static, "active")
  })

  it("without mDNS the static list is used at once", () => {
    assert.deepStrictEqual(world({ mdns: false, peers: [at("10.0.0.1")] }).dials(), ["10.0.0.1"])
    const { event, dials, roster } = world({ peers: [at("10.0.0.1")] })
    event({ _tag: "MdnsUnavailable", now: 10 })
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    assert.strictEqual(roster().mdns, "unavailable")
    event({ _tag: "MdnsAvailable", now: 20 })
    assert.strictEqual(roster().mdns, "on")
  })

  it("the lower id dials at once, the higher one after five seconds", () => {
    const { event, dials } = world()
    event(appeared(higher, "10.0.0.9", 1_000))
    assert.deepStrictEqual(dials(), ["10.0.0.9"])
    event(appeared(lower, "10.0.0.1", 1_000))
    event(tick(5_999))
    assert.deepStrictEqual(dials(), [])
    event(tick(6_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
  })

  it("a node that has just started dials at once: it has not been announced, so no other node can", () => {
    const { event, dials } = world()
    event(appeared(lower, "10.0.0.1", 749))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
  })

  it("a node that is connected already is not dialled", () => {
    const { event, dials, roster } = world()
    event(appeared(lower, "10.0.0.1", 900))
    event(established(1, lower, undefined, 1_000))
    event(tick(5_900))
    assert.deepStrictEqual(dials(), [])
    assert.strictEqual(Roster.deadline(roster()), Infinity)
    event(ended(1, undefined, "lost", 6_000))
    assert.isTrue(Roster.deadline(roster()) < 7_000)
    event(tick(7_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
  })

  it("a node that announces other addresses while it is dialled is not dialled a second time", () => {
    const { event, asked } = world()
    // Nodes that wait for some time before they are dialled: as they become due, they and the newest one take turns.
    const waiting = ["a", "b", "c"].map((name) => NodeId.make(name))
    for (const node of waiting) event(appeared(node, `10.0.1.${node}`, 100_000))
    event(appeared(higher, "10.0.0.1", 101_000))
    event(appeared(higher, "10.0.0.2", 102_000))
    event(tick(110_000))
    const dialled = asked.flatMap((action) => (action._tag === "Dial" ? [action.key] : []))
    assert.deepStrictEqual(
      dialled,
      [higher, ...waiting].map((node) => `mdns ${node}`)
    )
  })

  it("an old name that leads to a node with a name of its own is not dialled any more", () => {
    const { event, asked } = world()
    const dialled = () => asked.splice(0).flatMap((action) => (action._tag === "Dial" ? [action.key] : []))
    const old = NodeId.make("old")
    event({ _tag: "Appeared", node: old, addresses: [at("10.0.0.1")], protocol: 1, now: 0 })
    assert.deepStrictEqual(dialled(), [`mdns ${old}`])
    event({ _tag: "Established", link: 1, node: higher, key: `mdns ${old}`, form: 1, now: 100 })
    event({ _tag: "Appeared", node: higher, addresses: [at("10.0.0.1")], protocol: 1, now: 200 })
    event(ended(1, `mdns ${old}`, "exchanged", 300))
    for (let now = 1_000; now <= 120_000; now += 1_000) event(tick(now))
    assert.deepStrictEqual([...new Set(dialled())], [`mdns ${higher}`])
  })

  it("a node that announces no address is not dialled until it does", () => {
    const { event, dials } = world()
    event({ _tag: "Appeared", node: higher, addresses: [], protocol: 2, now: 0 })
    event(tick(60_000))
    assert.deepStrictEqual(dials(), [])
    event(appeared(higher, "10.0.0.1", 61_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
  })

  it("of two simultaneous connections the one that the lower id dialled stays", () => {
    const drops = (peer: NodeId): ReadonlyArray<Roster.Action> => {
      const { event, asked } = world()
      event(appeared(peer, "10.0.0.9", 0))
      event(tick(5_000))
      asked.splice(0)
      event(established(1, peer, `mdns ${peer}`, 5_100))
      event(established(2, peer, undefined, 5_200))
      return asked
    }
    // Toward a higher id our own connection stays, toward a lower id theirs does.
    assert.deepStrictEqual(drops(higher), [{ _tag: "Drop", link: 2 }])
    assert.deepStrictEqual(drops(lower), [{ _tag: "Drop", link: 1 }])
  })

  it("a peer that dials again after a while has lost the older connection", () => {
    const { event, asked } = world()
    event(appeared(higher, "10.0.0.9", 0))
    event(established(1, higher, `mdns ${higher}`, 100))
    asked.splice(0)
    event(established(2, higher, undefined, 60_000))
    assert.deepStrictEqual(asked, [{ _tag: "Drop", link: 1 }])
  })

  it("a static entry and a discovered peer that turn out to be one node are dialled once", () => {
    const { event, dials } = world({ mdns: false, peers: [at("10.0.0.1")] })
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    event(established(1, higher, "static 10.0.0.1:9090", 100))
    event(appeared(higher, "10.0.0.1", 200))
    event(tick(10_000))
    assert.deepStrictEqual(dials(), [])
  })

  it("no address is dialled twice at a time, and the node that answers there is known by both names", () => {
    const { event, dials, roster, asked } = world({ peers: [at("10.0.0.1"), at("10.0.0.2")], mdnsTimeout: 1_000 })
    event(tick(1_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1", "10.0.0.2"])
    event(appeared(higher, "10.0.0.1", 1_100))
    assert.deepStrictEqual(dials(), [], "it is being dialled, as a static entry")
    event(ended(1, "static 10.0.0.1:9090", "lost", 1_200))
    assert.deepStrictEqual(dials(), [], "it has just failed")
    event(tick(1_325))
    const by = asked.flatMap((action) => (action._tag === "Dial" ? [action.key] : []))[0]
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    event(tick(2_000))
    assert.deepStrictEqual(dials(), [], "it is being dialled, by one of its names")
    event(established(2, higher, by, 2_100))
    assert.strictEqual(Roster.candidateOf(roster(), "static 10.0.0.1:9090")?.node, higher)
    event(tick(60_000))
    assert.deepStrictEqual(dials(), [])
    event(ended(2, by, "lost", 90_000))
    event(tick(91_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
  })

  it("the first failure of a discovered node asks whether it is still there; no other one, and no refusal", () => {
    const { event, asked } = world({ peers: [at("10.0.0.7")], mdnsTimeout: 0 })
    const doubts = () => asked.splice(0).filter(({ _tag }) => _tag === "Reconfirm")
    event(appeared(higher, "10.0.0.9", 0))
    const key = `mdns ${higher}`
    event(ended(1, key, "refused", 10))
    assert.deepStrictEqual(doubts(), [])
    event(established(2, higher, key, 20_000))
    event(ended(2, key, "lost", 90_000))
    event(ended(3, key, "lost", 91_000))
    assert.deepStrictEqual(doubts(), [{ _tag: "Reconfirm", node: higher }])
    event(ended(4, key, "lost", 92_000))
    event(ended(5, "static 10.0.0.7:9090", "lost", 92_000))
    assert.deepStrictEqual(doubts(), [])
    // A connection that came in counts too.
    event(appeared(lower, "10.0.0.1", 93_000))
    event(established(6, lower, undefined, 93_100))
    event(ended(6, undefined, "lost", 94_000))
    assert.deepStrictEqual(doubts(), [{ _tag: "Reconfirm", node: lower }])
  })

  it("delays double up to the cap, and start afresh after a good minute", () => {
    const { event, roster } = world({ mdns: false, peers: [at("10.0.0.1")] })
    const key = "static 10.0.0.1:9090"
    let now = 0
    const delays: Array<number> = []
    for (let n = 0; n < 10; n++) {
      event(ended(n, key, "lost", now))
      delays.push(Roster.deadline(roster()) - now)
      now = Roster.deadline(roster())
      event(tick(now))
    }
    assert.deepStrictEqual(delays, [125, 250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000])
    event(established(11, higher, key, now))
    event(ended(11, key, "lost", now + 60_000))
    assert.strictEqual(Roster.deadline(roster()) - now - 60_000, 0 + 125)
  })

  it("a refusal is not tried again within two seconds, and our own address never", () => {
    const { event, roster } = world({ mdns: false, peers: [at("10.0.0.1")] })
    event(ended(1, "static 10.0.0.1:9090", "refused", 0))
    assert.isAtLeast(Roster.deadline(roster()), 2_000)
    event(tick(60_000))
    event(ended(2, "static 10.0.0.1:9090", "self", 60_000))
    assert.strictEqual(Roster.deadline(roster()), Infinity)
  })

  it("the next address of a peer is tried after a failure", () => {
    const { event, dials } = world()
    event({ _tag: "Appeared", node: higher, addresses: [at("10.0.0.1"), at("10.0.0.2")], protocol: 2, now: 0 })
    event(ended(1, `mdns ${higher}`, "lost", 10))
    event(tick(1_000))
    assert.deepStrictEqual(dials(), ["10.0.0.1", "10.0.0.2"])
  })

  it("what an address did before it proved itself delays that address, by a minute at most, and no other", () => {
    for (const [ending, retryAfter] of [
      ["refused", 0],
      ["refused", 3_600_000],
      ["lost", 0],
      ["lost", 3_600_000]
    ] as const) {
      const { event, dials, roster } = world()
      const [bad, good] = [at("10.0.0.1"), at("10.0.0.2")]
      const key = `mdns ${higher}`
      event({ _tag: "Appeared", node: higher, addresses: [bad, good], protocol: 2, now: 0 })
      const refuse = (address: Address, now: number) =>
        event({ _tag: "Ended", link: 1, key, address, ending, random: 0.99, now, retryAfter })
      assert.deepStrictEqual(dials(), ["10.0.0.1"])
      refuse(bad, 0)
      assert.deepStrictEqual(dials(), ["10.0.0.2"], "at once")
      refuse(good, 0)
      for (let due = dials(); due.length > 0; due = dials()) for (const dialled of due) refuse(at(dialled), 0)
      let now = 0
      for (let n = 0; n < 20; n++) {
        const due = Roster.deadline(roster())
        assert.isAtMost(due - now, 60_000)
        now = due
        event(tick(now))
        for (let due = dials(); due.length > 0; due = dials()) for (const dialled of due) refuse(at(dialled), now)
      }
      // Seen anew at the same addresses and one more: what was asked of the old ones still holds.
      event({ _tag: "Appeared", node: higher, addresses: [bad, good, at("10.0.0.3")], protocol: 2, now })
      assert.deepStrictEqual(dials(), ["10.0.0.3"])
    }
  })

  it("an existing FERAL node is synced every interval, at once when something is left, and soon after local writes", () => {
    const { event, dials, roster } = world()
    event({ _tag: "Appeared", node: lower, addresses: [at("10.0.0.1")], protocol: 1, now: 0 })
    assert.deepStrictEqual(dials(), ["10.0.0.1"], "it is not waited for, though its id is lower")
    event({ _tag: "Established", link: 1, node: lower, key: `mdns ${lower}`, form: 1, now: 10 })
    event({ _tag: "Established", link: 2, node: lower, key: undefined, form: 1, now: 20 })
    event(ended(1, `mdns ${lower}`, "unfinished", 30))
    event(ended(2, undefined, "unfinished", 30))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    event(ended(3, `mdns ${lower}`, "exchanged", 100))
    assert.strictEqual(Roster.deadline(roster()), 30_100)
    event({ _tag: "Written", now: 200 })
    assert.strictEqual(Roster.deadline(roster()), 1_100)
    event(tick(1_100))
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    event(ended(4, `mdns ${lower}`, "exchanged", 1_200))
    event({ _tag: "Written", now: 20_000 })
    assert.deepStrictEqual(dials(), ["10.0.0.1"])
    // A node that is in trouble is not bothered by every write.
    event(ended(5, `mdns ${lower}`, "lost", 20_100))
    event({ _tag: "Written", now: 20_101 })
    assert.deepStrictEqual(dials(), [])
  })

  const endings = ["lost", "refused", "self", "duplicate", "exchanged", "unfinished"] as const
  const Step = Schema.Tuple([Schema.Natural, Schema.Natural, Schema.Natural])
  it.prop(
    "in any order of events: no node is dialled twice at a time, nothing throws, and no deadline is missed",
    [Schema.Array(Step).check(Schema.isMaxLength(80))],
    ([steps]) => {
      const { event, asked, roster } = world({ peers: [at("10.0.0.1"), at("10.0.0.2")] })
      const nodes = [lower, higher, self, NodeId.make("b")]
      const dialling = new Map<string, number>()
      let now = 0
      let links = 0
      for (const [kind, which, extra] of steps) {
        now += extra % 7_000
        const node = nodes[which % nodes.length] ?? lower
        const keys = [...dialling.keys()]
        const key = keys[which % Math.max(1, keys.length)]
        switch (kind % 7) {
          case 0:
            event(appeared(node, `10.0.1.${extra % 3}`, now))
            break
          case 1:
            event({ _tag: "Vanished", node, now })
            break
          case 2:
            event(established(++links, node, key, now))
            break
          case 3:
            event(ended(links, key, endings[extra % endings.length] ?? "lost", now))
            if (key !== undefined) dialling.delete(key)
            break
          case 4:
            event({ _tag: extra % 2 === 0 ? "MdnsUnavailable" : "MdnsAvailable", now })
            break
          default:
            event(tick(now))
        }
        for (const action of asked.splice(0)) {
          if (action._tag !== "Dial") continue
          const known = Roster.candidateOf(roster(), action.key) !== undefined
          assert.isTrue(known, "only a candidate is dialled")
          assert.isFalse(dialling.has(action.key) && Roster.candidateOf(roster(), action.key)?.source === "static")
          dialling.set(action.key, now)
        }
        event(tick(now))
        for (const action of asked.splice(0)) if (action._tag === "Dial") dialling.set(action.key, now)
        assert.isAbove(Roster.deadline(roster()), now)
      }
    },
    runs(2_000)
  )
})
