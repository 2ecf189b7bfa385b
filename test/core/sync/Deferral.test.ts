/** Rows that one side cannot take: they are left out and named, and everything else flows. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, settle } from "../../support/Settle.ts"
import { runs } from "../../support/Generators.ts"

const a = node("a")
const b = node("b")
const c = node("c")

const large = (operation: Operation, size = 10_000): Operation => ({
  ...operation,
  data: CanonicalJson.make(`{"content":"${"x".repeat(size)}"}`)
})

const small = { maxRecvBytes: 4_096 }

const rowsOf = ({ state }: NaiveReplica) => [...state.values()].map(({ row_id }) => `${row_id}`).sort()

const linked = (left: NaiveReplica, right: NaiveReplica, clock: { now: number }, revision: 1 | 2 = 2) =>
  new Link(left, right, () => clock.now, { revision }, { each: [{}, small] })

describe("a row that is larger than the other side takes", () => {
  it("is left out and named by both, everything else flows, and no coverage passes it", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    for (let n = 1; n <= 20; n++) left.append([write(a, { wall: n, counter: 0 }, `row ${n}`)])
    left.append([large(write(a, { wall: 21, counter: 0 }, "large"))])
    for (let n = 22; n <= 40; n++) left.append([write(a, { wall: n, counter: 0 }, `row ${n}`)])
    right.append([write(b, { wall: 5, counter: 0 }, "of the right")])
    const link = linked(left, right, clock)
    settle([link], clock)
    assert.strictEqual(right.state.size, 40)
    assert.isFalse(rowsOf(right).includes("large"))
    assert.isFalse(VectorClock.covers(right.clock, { wall: 21, counter: 0, node: a }))
    assert.isTrue(VectorClock.covers(right.clock, { wall: 20, counter: 0, node: a }))
    assert.isTrue(VectorClock.covers(left.clock, { wall: 5, counter: 0, node: b }))
    const [ours, theirs] = link.ends.map(({ session }) => Session.view(session))
    assert.match(
      ours?.tooLarge?.message ?? "",
      /^1 row is larger than b accepts: notes large, 10\.\d kB; raise FERAL_SYNC_MAX_RECV_BYTES there$/
    )
    assert.match(theirs?.tooLarge?.message ?? "", /^1 row is larger than this node accepts from a: notes large, 10/)
    assert.strictEqual(ours?.lag, 1)
    assert.deepStrictEqual(
      link.ends.map(({ failure }) => failure),
      [undefined, undefined]
    )
    // Later writes go on, and nothing is sent twice.
    left.append([write(a, { wall: clock.now, counter: 0 }, "later")])
    link.notify(0)
    settle([link], clock)
    assert.include(rowsOf(right), "later")
    assert.strictEqual(link.ends[0].sentOperations, 40)
  })

  for (const [who, by] of [
    ["its origin", 0],
    ["the side that lacks it", 1]
  ] as const) {
    it(`and is overwritten by a small one of ${who}: all is well`, () => {
      const clock = { now: 1_000_000 }
      const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
      left.append([large(write(a, { wall: 1, counter: 0 }, "row"))])
      left.append([write(a, { wall: 2, counter: 0 }, "other")])
      const link = linked(left, right, clock)
      settle([link], clock)
      assert.deepStrictEqual(rowsOf(right), ["other"])
      const replica = by === 0 ? left : right
      replica.append([write(replica.id, { wall: clock.now, counter: 0 }, "row")])
      link.notify(by)
      settle([link], clock)
      // Whoever was told nothing new tells what changed with the next thing that happens.
      for (const index of [0, 1] as const) link.tick(index)
      settle([link], clock)
      assertConverged([left, right])
      for (const { session } of link.ends) assert.isUndefined(Session.view(session).tooLarge)
    })
  }

  it("arrives when the limit is raised", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append([large(write(a, { wall: 1, counter: 0 }, "row")), write(a, { wall: 2, counter: 0 }, "other")])
    settle([linked(left, right, clock)], clock)
    const again = new Link(left, right, () => clock.now)
    settle([again], clock)
    assertConverged([left, right])
    for (const { session } of again.ends) assert.isUndefined(Session.view(session).tooLarge)
  })

  it("is not claimed to third parties by a relay that cannot take it, and comes to them another way", () => {
    const clock = { now: 1_000_000 }
    const [left, middle, right] = [new NaiveReplica(a), new NaiveReplica(b), new NaiveReplica(c)]
    left.append([write(a, { wall: 1, counter: 0 }, "first"), large(write(a, { wall: 2, counter: 0 }, "large"))])
    left.append([write(a, { wall: 3, counter: 0 }, "last")])
    settle([linked(left, middle, clock), new Link(middle, right, () => clock.now)], clock)
    assert.deepStrictEqual(rowsOf(right), ["first", "last"])
    assert.isFalse(VectorClock.covers(right.clock, { wall: 2, counter: 0, node: a }))
    settle([new Link(left, right, () => clock.now)], clock)
    assertConverged([left, right])
  })

  it("is left out by a repair as well", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append([large(write(a, { wall: 1, counter: 0 }, "row")), write(a, { wall: 2, counter: 0 }, "other")])
    settle([new Link(left, right, () => clock.now)], clock)
    right.damage((state) => state.clear())
    const link = linked(left, right, clock)
    settle([link], clock)
    for (let n = 0; n < 50; n++) {
      clock.now += 200
      for (const index of [0, 1] as const) link.tick(index)
      settle([link], clock)
    }
    assert.deepStrictEqual(rowsOf(right), ["other"])
    assert.isDefined(Session.view(link.ends[0].session).tooLarge)
    assert.isUndefined(link.ends[0].failure)
  })

  it.prop(
    "whichever rows are too large: all others arrive, and the clock covers none of them",
    [Schema.Array(Schema.Boolean).check(Schema.isMaxLength(40))],
    ([sizes]) => {
      const clock = { now: 1_000_000 }
      const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
      sizes.forEach((isLarge, n) => {
        const operation = write(a, { wall: n + 1, counter: 0 }, `row ${n}`)
        left.append([isLarge ? large(operation, 4_000) : operation])
      })
      settle([linked(left, right, clock)], clock)
      assert.strictEqual(right.state.size, sizes.filter((isLarge) => !isLarge).length)
      const first = sizes.indexOf(true)
      const covered = VectorClock.get(right.clock, a)
      assert.strictEqual(covered.wall, first === -1 ? sizes.length : covered.wall)
      if (first !== -1) assert.isAtMost(covered.wall, first)
    },
    runs(200)
  )

  it("a peer that tells no limits is taken to have today's default", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append([large(write(a, { wall: 1, counter: 0 }, "fits"))])
    left.append([large(write(a, { wall: 2, counter: 0 }, "huge"), 8 * 1024 * 1024)])
    left.append([write(a, { wall: 3, counter: 0 }, "last")])
    const link = new Link(left, right, () => clock.now, { revision: 1 })
    settle([link], clock)
    assert.deepStrictEqual(rowsOf(right), ["fits", "last"])
    assert.isUndefined(link.ends[1].failure)
    assert.match(Session.view(link.ends[0].session).tooLarge?.message ?? "", /huge, 8\.4 MB/)
  })
})
