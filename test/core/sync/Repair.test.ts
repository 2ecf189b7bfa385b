import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option } from "effect"
import { canonical } from "../../../src/core/replica/Json.ts"
import { slotOf, type Slot } from "../../../src/core/replica/Merge.ts"
import { type Operation, OpId } from "../../../src/core/replica/Operation.ts"
import * as Ranges from "../../../src/core/replica/Ranges.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { integer, runs } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, rows, settle } from "../../support/Settle.ts"

const a = node("a")
const b = node("b")

/** Two replicas that hold the same `count` rows and claim the same, linked and at rest. */
const level = (count: number, options: Partial<Session.Options> = {}) => {
  const clock = { now: 1_000_000 }
  const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
  const kinds = ["notes", "episodes", "weather"]
  left.append(
    Array.from({ length: count }, (_, n) => write(a, { wall: n + 1, counter: 0 }, `row-${n}`, kinds[n % kinds.length]))
  )
  right.apply({ operations: [...left.state.values()], coverage: left.clock, quarantined: [] })
  const link = new Link(left, right, () => clock.now, options)
  settle([link], clock)
  const again = () => {
    link.notify(0)
    link.notify(1)
    settle([link], clock)
  }
  return { clock, left, right, link, again, sent: () => link.ends.map((end) => end.sentOperations) }
}

const nth = (replica: NaiveReplica, n: number): readonly [Slot, Operation] => {
  const entries = [...replica.state]
  const entry = entries[n % entries.length]
  if (entry === undefined) throw new Error("an empty replica")
  return entry
}

const lose = (replica: NaiveReplica, n: number) => replica.damage((state) => state.delete(nth(replica, n)[0]))
const spoil = (replica: NaiveReplica, n: number) => {
  const [slot, operation] = nth(replica, n)
  const data = Option.getOrThrow(canonical({ content: `rot ${n}` }, 4))
  replica.damage((state) => state.set(slot, { ...operation, data }))
}

describe("Repair", () => {
  it("a row that one side lost comes back from the other, for a few rows and no clock", () => {
    const { left, right, again, link, sent } = level(3_000)
    const [before, clocks] = [sent(), [left.clock, right.clock]]
    const all = rows(left)
    lose(right, 1_234)
    again()
    assert.deepStrictEqual(rows(right), all)
    assertConverged([left, right])
    for (const [index, count] of sent().entries()) assert.isAtMost(count - (before[index] ?? 0), Ranges.leafRows)
    assert.deepStrictEqual([left.clock, right.clock].map(VectorClock.toRecord), clocks.map(VectorClock.toRecord))
    assert.isFalse(link.ends.some((end) => Session.view(end.session).diverged))
    assert.deepStrictEqual(
      link.ends.map((end) => end.divergences),
      [2, 2]
    )
  })

  it.prop(
    "whatever rows are lost or changed on either side, both end with the same rows",
    [integer(1, 120), Arbitrary.array(Arbitrary.all([integer(0, 3), integer(0, 1_000)]), { maxLength: 30 })],
    ([count, damages]) => {
      const { left, right, again } = level(count, { maxFrameBytes: 2_000 })
      const all = new Set(left.state.keys())
      const leftHas = new Set(all)
      for (const [what, n] of damages) {
        if (left.state.size === 0 || right.state.size === 0) break
        if (what === 0) lose(left, n)
        else if (what === 1) lose(right, n)
        else spoil(what === 2 ? left : right, n)
      }
      const union = new Set([...left.state.keys(), ...right.state.keys()])
      assert.isTrue(union.size <= leftHas.size)
      again()
      assertConverged([left, right])
      assert.deepStrictEqual(new Set(left.state.keys()), union)
    },
    runs(1_000)
  )

  it("a whole state that was lost comes back in frames of the usual size", () => {
    const { left, right, again } = level(2_000, { maxFrameBytes: 4_096 })
    right.damage((state) => state.clear())
    again()
    assertConverged([left, right])
    assert.strictEqual(right.state.size, 2_000)
  })

  it("what is repaired at one node reaches the next one, though no clock moves", () => {
    const { left, right, link, clock } = level(300)
    const third = new NaiveReplica(node("c"))
    const links = [link, new Link(right, third, () => clock.now)]
    settle(links, clock)
    assertConverged([left, right, third])
    for (const replica of [right, third]) lose(replica, 77)
    for (const each of links) for (const side of [0, 1] as const) each.notify(side)
    settle(links, clock)
    assertConverged([left, right, third])
    assert.strictEqual(third.state.size, 300)
  })

  it("writes that go on meanwhile are no obstacle", () => {
    const { left, right, link, clock } = level(500)
    for (let n = 0; n < 5; n++) lose(right, n * 90)
    link.notify(1)
    for (let n = 0; n < 200; n++) {
      if (n % 3 === 0) left.append([write(a, { wall: clock.now + n, counter: 0 }, `live-${n}`)])
      link.notify(0)
      link.deliver(n % 2 === 0 ? 1 : 0)
      clock.now += 3
      link.tick(0)
      link.tick(1)
    }
    settle([link], clock)
    assertConverged([left, right])
  })

  it("with a peer that does not name it nothing is said, and the difference is shown", () => {
    const { left, right, link, clock } = level(50)
    for (const end of link.ends) {
      end.session = { ...end.session, repair: { ...end.session.repair, isSupported: false } }
    }
    lose(right, 7)
    link.notify(0)
    link.notify(1)
    settle([link], clock)
    assert.isTrue(link.ends.every((end) => Session.view(end.session).diverged))
    assert.strictEqual(right.state.size, left.state.size - 1)
  })

  it("a peer whose rows never become the same is asked a few times, more and more rarely, and stays shown", () => {
    const { left, right, link, clock } = level(40)
    const started = clock.now
    let begun = 0
    // It tells a digest of its own whatever happens.
    for (let turn = 0; turn < 40; turn++) {
      const claim = VectorClock.empty
      const lie: Wire.Message = {
        type: "sync_ack",
        seq: Option.none(),
        clock: claim,
        digest: Option.some("0123456789abcdef"),
        rows: Option.none(),
        held: VectorClock.empty
      }
      link.event(0, { _tag: "Received", now: clock.now, text: Wire.encode(lie) })
      clock.now += 60_000
      link.ends[0].session = { ...link.ends[0].session, aliveAt: clock.now }
      link.ends[1].session = { ...link.ends[1].session, aliveAt: clock.now }
      const before = link.ends[0].session.repair.attempts
      for (let n = 0; n < 20; n++) {
        clock.now += 10
        link.tick(0)
        while (link.deliver(1));
        link.tick(1)
        link.ends[0].inbox.length = 0
      }
      begun += link.ends[0].session.repair.attempts - before
    }
    assert.isAbove(clock.now - started, 2_000_000)
    assert.isAtLeast(begun, 2)
    assert.isAtMost(begun, 5)
    assert.isTrue(Session.view(link.ends[0].session).diverged)
    assert.deepStrictEqual(rows(left), rows(right))
  })

  it("a peer that tells ranges without end is not answered without end", () => {
    const { link, clock, sent } = level(400)
    const before = link.ends[0].sentBytes
    const operations = sent()[0] ?? 0
    const told: Wire.Message = {
      type: "sync_ranges",
      round: 3,
      ranges: [{ ...Ranges.whole, count: 399, digest: { high: 1, low: 1 }, settle: false }]
    }
    for (let n = 0; n < 2_500; n++) {
      link.event(0, { _tag: "Received", now: clock.now, text: Wire.encode({ ...told, round: n % 3 === 0 ? 0 : 3 }) })
      clock.now += 10
      link.tick(0)
      link.tick(0)
      assert.isAtMost(link.ends[0].session.repair.tasks.length, 4_096)
      link.ends[1].inbox.length = 0
    }
    // 25 seconds: the first message of a dialogue was taken five or six times, and 256 frames of each.
    assert.isAtMost(link.ends[0].sentBytes - before, 6 * 256 * 4_000)
    assert.strictEqual(sent()[0], operations)
  })

  it("the rows of an unknown kind are told apart one by one", () => {
    const { left, right, again } = level(0)
    const twins = [1, 2, 3].map((n) => write(a, { wall: n, counter: 0 }, "storm", "weather"))
    left.append(twins)
    right.apply({ operations: twins, coverage: left.clock, quarantined: [] })
    again()
    assertConverged([left, right])
    right.damage((state) => state.delete(slotOf(twins[1] ?? write(a, { wall: 1, counter: 0 }, "x"))))
    again()
    assertConverged([left, right])
    assert.strictEqual(right.state.size, 3)
  })

  it("different contents under one HLC: the rule decides, on both sides alike", () => {
    const { left, right, again } = level(30)
    const [slot, operation] = nth(left, 3)
    right.damage((state) => state.set(slot, { ...operation, op_id: OpId.make("another") }))
    again()
    assertConverged([left, right])
  })
})
