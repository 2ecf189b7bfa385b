/** Coverage of origins without rows: it names nothing, spreads nowhere, and can be forgotten at any time. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap, Option, Schema } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import type { DeltaRequest } from "../../../src/core/replica/Replica.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as Coverage from "../../../src/core/sync/Coverage.ts"
import * as Repair from "../../../src/core/sync/Repair.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { limits, partsOf } from "../../../src/core/sync/Wire.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, settle } from "../../support/Settle.ts"

const [a, b, c, x, y] = [node("a"), node("b"), node("c"), node("x"), node("y")]
const at = (wall: number): Hlc.Timestamp => ({ wall, counter: 0 })
const covering = (...operations: ReadonlyArray<Operation>) =>
  VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, { wall: hlc.wall, counter: hlc.counter }]))
const take = (replica: NaiveReplica, ...operations: ReadonlyArray<Operation>) =>
  replica.apply({ operations, coverage: covering(...operations), quarantined: [] })
const inSync = (link: Link) => link.ends.map(({ session }) => Repair.isInSync(session))

describe("coverage of origins without rows", () => {
  /** What each side knows of it before the two meet. */
  const starts: ReadonlyArray<readonly [string, (left: NaiveReplica, right: NaiveReplica) => void]> = [
    [
      "one side saw it lose, the other never heard of it",
      (left) => take(left, write(x, at(1), "row"), write(y, at(2), "row"))
    ],
    [
      "one side saw it lose, the other still has the row",
      (left, right) => {
        take(left, write(x, at(1), "row"), write(y, at(2), "row"))
        take(right, write(x, at(1), "row"))
      }
    ],
    [
      "both saw it lose, one of them further",
      (left, right) => {
        for (const replica of [left, right]) take(replica, write(x, at(1), "row"), write(y, at(2), "row"))
        take(left, write(x, at(3), "row", "episodes"), write(y, at(2), "row", "episodes"))
      }
    ],
    [
      "one side covers what never was",
      (left) => left.apply({ operations: [], coverage: VectorClock.fromEntries([[x, at(9)]]), quarantined: [] })
    ],
    [
      "it was deleted from a set that only grows",
      (left) => take(left, write(x, at(1), "row", "episodes", "delete"), write(y, at(2), "row"))
    ]
  ]
  for (const [name, prepare] of starts) {
    for (const isForgetful of [false, true]) {
      it(`${name}: both end equal, see each other level, and send nothing when they meet again${isForgetful ? ", where it is forgotten at once" : ""}`, () => {
        const clock = { now: 1_000_000 }
        const [left, right] = [new NaiveReplica(a, isForgetful), new NaiveReplica(b)]
        prepare(left, right)
        const link = new Link(left, right, () => clock.now)
        settle([link], clock)
        assertConverged([left, right])
        assert.deepStrictEqual(inSync(link), [true, true])
        const again = new Link(left, right, () => clock.now)
        settle([again], clock)
        assert.deepStrictEqual(
          again.ends.map(({ sentOperations }) => sentOperations),
          [0, 0]
        )
        assert.deepStrictEqual(inSync(again), [true, true])
        // Nothing but the hash of a clock is said.
        assert.isTrue(again.ends.every(({ sentBytes }) => sentBytes < 900))
      })
    }
  }

  it("is not passed on: what one member makes up ends with its session", () => {
    const clock = { now: 1_000_000 }
    const [evil, middle, other] = [new NaiveReplica(x), new NaiveReplica(b, true), new NaiveReplica(c, true)]
    middle.append([write(b, at(1), "row")])
    const invented = Array.from({ length: 300 }, (_, n) => [node(`made-up-${n}`), at(5)] as const)
    const links = [new Link(evil, middle, () => clock.now), new Link(middle, other, () => clock.now)]
    settle(links, clock)
    evil.apply({ operations: [], coverage: VectorClock.fromEntries(invented), quarantined: [] })
    // It names them in every way that it has.
    links[0]?.ends[1].inbox.push(
      JSON.stringify({ type: "sync_ack", vector_clock: VectorClock.toRecord(VectorClock.fromEntries(invented)) })
    )
    settle(links, clock)
    for (const replica of [middle, other]) assert.isAtMost(HashMap.size(replica.clock), 2)
    assert.isTrue(HashMap.isEmpty(links[1]?.ends[1].session.vouched ?? HashMap.empty()))
    assert.isFalse(links[1]?.ends.some(({ session }) => HashMap.has(session.known, node("made-up-0"))))
  })

  it("is written down once a row comes, by whatever way: the peer gives it only once", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b, true)]
    // It lost before the two met.
    take(left, write(x, at(3), "row"), write(y, at(4), "row"))
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    const frame = { type: "sync_data", seq: link.ends[1].session.inbound.seq, more: false, changes: [] }
    link.ends[1].inbox.push(JSON.stringify({ ...frame, through: { x: "3:0:x" } }))
    const { session } = link.ends[0]
    link.ends[0].session = { ...session, outbound: { ...session.outbound, seq: frame.seq + 1 } }
    settle([link], clock)
    assert.isFalse(HashMap.has(right.clock, x))
    assert.deepStrictEqual(VectorClock.get(link.ends[1].session.vouched, x), at(3))
    right.apply({ operations: [write(x, at(2), "late")], coverage: VectorClock.empty, quarantined: [] })
    link.notify(1)
    settle([link], clock)
    assert.deepStrictEqual(VectorClock.get(right.clock, x), at(3))
  })

  it("is told once the peer brings a row of it", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    take(left, write(x, at(3), "row"), write(y, at(4), "row"))
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    right.apply({ operations: [write(x, at(2), "late")], coverage: VectorClock.empty, quarantined: [] })
    link.notify(1)
    settle([link], clock)
    assertConverged([left, right])
    assert.deepStrictEqual(VectorClock.get(right.clock, x), at(3))
  })

  it("a clock of more origins than a session holds loses those of which there are no rows here, and ends no session", () => {
    const clock = VectorClock.fromEntries(
      Array.from({ length: limits.origins + 50 }, (_, n) => [node(`o${n}`), at(1)] as const)
    )
    const replica = new NaiveReplica(a)
    const mine = Array.from({ length: 100 }, (_, n) => write(node(`o${n}`), at(1), `row-${n}`))
    take(replica, ...mine)
    const kept = Coverage.withinLimit(replica.snapshot(), clock)
    assert.strictEqual(HashMap.size(kept), limits.origins)
    assert.isTrue(mine.every(({ hlc }) => HashMap.has(kept, hlc.node)))
    // What is told bit by bit is cut so that every message is taken.
    assert.isTrue(partsOf(clock, Infinity).every((part) => HashMap.size(part) <= limits.origins))
  })

  it.prop(
    "replicas that forget it at any time end equal, in any order, and see each other level",
    [Schema.Array(Schema.Natural).check(Schema.isMinLength(30), Schema.isMaxLength(200))],
    ([choices]) => {
      let index = 0
      const pick = (n: number): number => (choices[index++ % choices.length] ?? 0) % n
      const clock = { now: 1_000_000 }
      const replicas = [
        new NaiveReplica(a, pick(2) === 0),
        new NaiveReplica(b, true),
        new NaiveReplica(c, pick(2) === 0)
      ]
      const [first, second, third] = replicas as [NaiveReplica, NaiveReplica, NaiveReplica]
      let wall = 1_000
      // Few rows, so that nearly everything loses.
      const append = (replica: NaiveReplica) =>
        replica.append([write(replica.id, at(++wall), `row-${pick(2)}`, pick(3) === 0 ? "episodes" : "notes")])
      const links = [
        new Link(first, second, () => clock.now),
        new Link(second, third, () => clock.now),
        new Link(third, first, () => clock.now)
      ]
      for (let n = 0; n < 60; n++) {
        const link = links[pick(3)]
        const side = pick(2) === 0 ? 0 : 1
        switch (pick(5)) {
          case 0:
            append(replicas[pick(3)] ?? first)
            break
          case 1:
            link?.notify(side)
            break
          case 2:
            clock.now += pick(400)
            link?.tick(side)
            break
          default:
            link?.deliver(side)
        }
      }
      settle(links, clock, pick)
      assertConverged(replicas)
      for (const link of links) {
        assert.deepStrictEqual(inSync(link), [true, true])
        assert.deepStrictEqual(
          link.ends.map(({ divergences }) => divergences),
          [0, 0]
        )
        assert.isTrue(link.ends.every(({ session }) => Session.view(session).state === "live"))
      }
    }
  )
})

describe("coverage that grows without rows", () => {
  /** Remembers nothing of what was written before the last commit. */
  class Forgetful extends NaiveReplica {
    override delta(request: DeltaRequest) {
      const delta = super.delta(request)
      const isRemembered = request.since >= delta.snapshot.version - 1
      return isRemembered ? delta : { ...delta, changedOrigins: Option.none() }
    }
  }

  it("reaches the peer, also where more was written than is remembered", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new Forgetful(a), new Forgetful(b)]
    for (const replica of [left, right]) take(replica, write(x, at(1), "kept"))
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    for (const wall of [3, 4, 5]) {
      left.apply({ operations: [], coverage: VectorClock.fromEntries([[x, at(wall)]]), quarantined: [] })
    }
    link.notify(0)
    settle([link], clock)
    assert.deepStrictEqual(VectorClock.get(right.snapshot().vectorClock, x), at(5))
  })
})
