/** What strangers who make up peers can cause, and what they cannot. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap, Schema } from "effect"
import type { Address } from "../../../src/core/peers/Address.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Roster from "../../../src/core/peers/Roster.ts"
import { hostLimit, limits } from "../../../src/core/peers/Budget.ts"
import { runs } from "../../support/Generators.ts"
import { delays } from "../../../src/core/peers/Redial.ts"

const self = NodeId.make("m")
const member = NodeId.make("z")

interface Dialled {
  readonly at: number
  readonly key: string
  readonly address: Address
}

/** A roster in virtual time, whose dials end as `answer` says, after `takes` ms. */
class World {
  now = 0
  readonly dials: Array<Dialled> = []
  private links = 0
  private readonly pending: Array<{ readonly at: number; readonly dial: Dialled }> = []
  roster: Roster.Roster
  private readonly answer: (dial: Dialled) => NodeId | { readonly retryAfter: number } | undefined
  private readonly takes: number

  constructor(
    answer: (dial: Dialled) => NodeId | { readonly retryAfter: number } | undefined = () => undefined,
    peers: ReadonlyArray<Address> = [],
    takes = 5
  ) {
    this.answer = answer
    this.takes = takes
    const [roster, actions] = Roster.initial(
      { self, mdns: true, mdnsTimeout: 30_000, interval: 30_000, peers },
      this.now
    )
    this.roster = roster
    this.carry(actions)
  }

  event(event: Roster.Event): void {
    const [roster, actions] = Roster.step(this.roster, event)
    this.roster = roster
    this.carry(actions)
  }

  appears(id: string, addresses: ReadonlyArray<Address>, near: ReadonlyArray<string> = []): void {
    this.event({ _tag: "Appeared", node: NodeId.make(id), addresses, near, protocol: 2, now: this.now })
  }

  until(time: number): void {
    for (;;) {
      this.pending.sort((a, b) => a.at - b.at)
      const at = Math.min(Roster.deadline(this.roster), this.pending[0]?.at ?? Infinity)
      if (at > time) break
      this.now = Math.max(at, this.now)
      const ending = this.pending[0]
      if (ending === undefined || ending.at > this.now) this.event({ _tag: "Tick", now: this.now })
      else {
        this.pending.shift()
        this.end(ending.dial)
      }
    }
    this.now = time
  }

  private end(dial: Dialled): void {
    const answer = this.answer(dial)
    const { now } = this
    const link = ++this.links
    if (typeof answer === "string") {
      this.event({ _tag: "Established", link, node: answer, key: dial.key, form: 2, now })
    } else {
      const ended = { _tag: "Ended", link, key: dial.key, random: 0.5, now } as const
      this.event(answer === undefined ? { ...ended, ending: "lost" } : { ...ended, ending: "refused", ...answer })
    }
  }

  private carry(actions: ReadonlyArray<Roster.Action>): void {
    for (const action of actions) {
      if (action._tag !== "Dial") continue
      const dial = { at: this.now, key: action.key, address: action.address }
      this.dials.push(dial)
      this.pending.push({ at: this.now + this.takes, dial })
    }
  }
}

/** The most of these times that lie within a window. */
const mostWithin = (times: ReadonlyArray<number>, window: number): number => {
  let most = 0
  let from = 0
  for (const [to, at] of times.entries()) {
    while ((times[from] ?? at) < at - window) from++
    most = Math.max(most, to - from + 1)
  }
  return most
}

/** Floods of 10,000 peers: each names the nth one. */
const floods: ReadonlyArray<
  readonly [string, (n: number) => readonly [ReadonlyArray<Address>, ReadonlyArray<string>]]
> = [
  ["ports of its own host", (n) => [[{ host: "10.0.0.66", port: 1024 + n }], ["10.0.0.66"]]],
  ["one port of its own host", () => [[{ host: "10.0.0.66", port: 9090 }], ["10.0.0.66"]]],
  ["hosts of the network", (n) => [[{ host: `10.1.${n >> 8}.${n & 255}`, port: 9090 }], []]],
  ["ports of one other host", (n) => [[{ host: "10.0.0.7", port: 1024 + n }], []]],
  [
    "eight addresses each",
    (n) => [Array.from({ length: 8 }, (_, k) => ({ host: `10.${k}.${n >> 8}.${n & 255}`, port: 9090 })), []]
  ]
]

describe("a flood of made-up peers", () => {
  for (const [what, made] of floods) {
    for (const takes of [5, 10_000]) {
      it(`of ${what}, which ${takes === 5 ? "refuse" : "never answer"}: dials are bounded, and honest peers come first`, () => {
        const friend = { host: "10.0.0.9", port: 9090 }
        const listed = { host: "10.0.0.8", port: 9090 }
        const newcomer = { host: "10.0.0.5", port: 9090 }
        const world = new World(({ address: { host } }) => (host === friend.host ? member : undefined), [listed], takes)
        world.appears(member, [friend], [friend.host])
        world.until(takes + 1_000)
        const since = world.now
        world.dials.splice(0)
        for (let n = 0; n < 10_000; n++) {
          if (n % 10 === 0) world.until(since + n / 10)
          world.appears(`x${n}`, ...made(n))
        }
        // Discovery keeps fewer; when it forgets one, a newcomer has room.
        for (let n = 0; n < 600; n++) world.event({ _tag: "Vanished", node: NodeId.make(`x${n}`), now: world.now })
        const came = world.now
        world.appears("newcomer", [newcomer], [newcomer.host])
        world.until(came + 5_000)
        assert.isTrue(world.dials.some(({ address, at }) => address.host === newcomer.host && at <= came + 5_000))

        world.until(came + 120_000)
        const strangers = world.dials.filter(({ key }) => key.startsWith("mdns x"))
        const times = strangers.map(({ at }) => at)
        const perSecond = 1000 / limits.near.every + 1000 / limits.far.every
        assert.isAtMost(mostWithin(times, 1_000), limits.near.burst + limits.far.burst + perSecond + 2)
        assert.isAtMost(mostWithin(times, 60_000), limits.near.burst + limits.far.burst + 60 * perSecond + 2)
        const byHost = Map.groupBy(strangers, ({ address }) => address.host)
        for (const dials of byHost.values()) {
          const most = hostLimit.burst + 60_000 / hostLimit.every + 1
          assert.isAtMost(
            mostWithin(
              dials.map(({ at }) => at),
              60_000
            ),
            most
          )
        }
        // Of what is kept, nothing grows with what was named.
        assert.isAtMost(HashMap.size(world.roster.candidates), Roster.kept.unproven + 3)
        assert.isAtMost(world.roster.agenda.size, 64 + 4 * HashMap.size(world.roster.candidates))
      })
    }
  }

  it("ids that change do not get one address dialled more often", () => {
    const world = new World()
    for (let n = 0; n < 600; n++) {
      world.appears(`x${n}`, [{ host: "10.0.0.66", port: 9090 }], ["10.0.0.66"])
      world.until(world.now + 1_000)
      world.event({ _tag: "Vanished", node: NodeId.make(`x${n}`), now: world.now })
    }
    // 0.19, 0.38, 0.75 ... seconds, up to half a minute.
    assert.isAtMost(world.dials.length, 8 + 600 / 20)
  })

  it("a made-up peer does not keep the static list from being used", () => {
    const world = new World(undefined, [{ host: "10.0.0.8", port: 9090 }])
    for (let n = 0; n < 60; n++) {
      world.appears(`x${n}`, [{ host: "10.0.0.66", port: 1024 + n }], ["10.0.0.66"])
      world.until(world.now + 1_000)
    }
    assert.deepStrictEqual(world.dials.find(({ key }) => key.startsWith("static"))?.at, 30_000)
  })
})

describe("a stranger that answers for a member", () => {
  const real = { host: "10.0.0.9", port: 9090 }
  const false_ = Array.from({ length: 7 }, (_, n) => ({ host: `10.0.6.${n}`, port: 9090 }))
  const answers: ReadonlyArray<readonly [string, { readonly retryAfter: number } | undefined]> = [
    ["nothing", undefined],
    ["a refusal", { retryAfter: 0 }],
    ["come back in a second", { retryAfter: 1_000 }],
    ["come back in an hour", { retryAfter: 3_600_000 }],
    ["come back in eleven days", { retryAfter: 999_999_000 }]
  ]
  for (const [what, answer] of answers) {
    for (const near of [[], [real.host]]) {
      it(`with ${what} keeps it away for seconds, not more (${near.length === 0 ? "no node" : "it"} announces itself)`, () => {
        const world = new World(({ address }) => (address.host === real.host ? member : answer))
        world.appears(member, [...false_, real], near)
        world.until(60_000)
        const met = world.dials.find(({ address }) => address.host === real.host)
        assert.isAtMost(met?.at ?? Infinity, near.length === 0 ? 1_000 : 0)
      })
    }
  }

  it.prop(
    "at its own address binds that address alone, and for a minute at most",
    [Schema.Natural, Schema.Natural],
    ([seconds, random]) => {
      const world = new World()
      world.appears(member, [real], [real.host])
      world.dials.splice(0)
      const ended = { _tag: "Ended", link: 1, key: `mdns ${member}`, ending: "refused" } as const
      world.event({ ...ended, now: 5, random: (random % 1_000) / 1_000, retryAfter: seconds * 1000 })
      assert.isAtMost(Roster.deadline(world.roster), delays.unproved + 5)
      const elsewhere = { host: "10.0.0.10", port: 9090 }
      world.event({ _tag: "Appeared", node: member, addresses: [real, elsewhere], protocol: 2, now: 6 })
      assert.strictEqual(world.dials[0]?.address.host, elsewhere.host)
    }
  )
})

describe("ports of the host of a member", () => {
  const friend = { host: "10.0.0.9", port: 9090 }
  const met = (isDialled: boolean) => {
    const world = new World(({ address }) => (isDialled && address.port === friend.port ? member : undefined))
    if (isDialled) {
      world.appears(member, [friend], [friend.host])
      world.until(1_000)
    } else
      world.event({ _tag: "Established", link: 99, node: member, key: undefined, host: friend.host, form: 2, now: 0 })
    return world
  }

  it.prop(
    "that are announced under its id are dialled at the pace of strangers, whether it was dialled or came by itself",
    [Schema.Boolean, Schema.Natural],
    ([isDialled, seed]) => {
      const each = 1 + (seed % 8)
      const every = 20 + (seed % 100)
      const world = met(isDialled)
      const link = isDialled ? 1 : 99
      const key = isDialled ? `mdns ${member}` : undefined
      world.event({ _tag: "Ended", link, key, ending: "lost", random: 0.5, now: world.now })
      world.dials.splice(0)
      const since = world.now
      let port = 1_024
      while (world.now < since + 20_000) {
        const addresses = Array.from({ length: each }, () => ({ host: friend.host, port: port++ }))
        world.appears(member, addresses, [friend.host])
        world.until(world.now + every)
      }
      const others = world.dials.filter(({ address }) => address.port !== friend.port)
      const times = others.map(({ at }) => at)
      const ports = new Set(others.map(({ address }) => address.port))
      // The first port that it is announced with counts as its own, where it came by itself.
      assert.isAtMost(mostWithin(times, 20_000), hostLimit.burst + 20_000 / hostLimit.every + 8)
      assert.isAtMost(ports.size, hostLimit.burst + 20_000 / hostLimit.every + 2)
    },
    runs(100)
  )

  for (const isDialled of [true, false]) {
    it(`do not keep it from being met where it is, after it ${isDialled ? "was dialled" : "came by itself"}`, () => {
      const world = met(isDialled)
      world.appears(member, [friend], [friend.host])
      const key = isDialled ? `mdns ${member}` : undefined
      world.event({ _tag: "Ended", link: isDialled ? 1 : 99, key, ending: "lost", random: 0.5, now: world.now })
      for (let n = 0; n < 200; n++) world.appears(`x${n}`, [{ host: friend.host, port: 2_000 + n }], [friend.host])
      world.dials.splice(0)
      const since = world.now
      world.appears(member, [friend], [friend.host])
      world.until(since + 7_000)
      assert.isTrue(world.dials.some(({ address }) => address.port === friend.port))
    })
  }
})

describe("addresses that the user has named as plain", () => {
  const plain: Address = { host: "10.0.0.8", port: 9090, plain: true }
  it("are dialled as such wherever they are seen, and no others", () => {
    const world = new World(undefined, [plain])
    world.appears(member, [{ host: "10.0.0.8", port: 9090 }])
    world.appears("y", [{ host: "10.0.0.8", port: 9091 }])
    world.appears("w", [{ host: "10.0.0.7", port: 9090 }])
    assert.deepStrictEqual(
      world.dials.map(({ address }) => address),
      [plain, { host: "10.0.0.8", port: 9091 }, { host: "10.0.0.7", port: 9090 }]
    )
  })
})
