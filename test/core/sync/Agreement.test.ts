/** When a session takes its peer for one that holds the same rows. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Merge from "../../../src/core/replica/Merge.ts"
import * as Agreement from "../../../src/core/sync/Agreement.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { integer, operations, runs } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, rows, settle } from "../../support/Settle.ts"

const [a, b] = [node("a"), node("b")]

const linked = (options: ConstructorParameters<typeof Link>[3] = {}) => {
  const clock = { now: 1_000_000 }
  const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
  left.append([1, 2, 3].map((wall) => write(a, { wall, counter: 0 }, `row-${wall}`)))
  right.append([write(b, { wall: 9, counter: 0 }, "row-1", "notes", "delete")])
  const link = () => new Link(left, right, () => clock.now, options)
  const reports = ({ ends }: Link) => ends.map(({ session }) => Agreement.reportOf(session))
  return { clock, left, right, link, reports }
}

describe("Agreement", () => {
  for (const revision of [1, 2] as const) {
    it(`both sides agree at their clock once everything was exchanged, in revision ${revision}`, () => {
      const { clock, left, right, link, reports } = linked({ revision })
      const first = link()
      assert.deepStrictEqual(reports(first), [undefined, undefined])
      settle([first], clock)
      assertConverged([left, right])
      for (const [index, report] of reports(first).entries()) {
        assert.strictEqual(report?.node, index === 0 ? b : a)
        for (const told of [report?.clock, report?.agreed]) {
          assert.strictEqual(told && VectorClock.compare(told, left.clock), "equal")
        }
      }
      // When they meet again, nothing but hashes of the clocks is told in revision 2.
      const again = link()
      settle([again], clock)
      assert.deepStrictEqual(
        reports(again).map((report) => report?.agreed && VectorClock.compare(report.agreed, left.clock)),
        ["equal", "equal"]
      )
    })
  }

  it("the side that took the last rows learns that both agree when it writes itself, or when they meet again", () => {
    for (const isMetAgain of [false, true]) {
      const { clock, left, right, link } = linked()
      const first = link()
      settle([first], clock)
      left.append([write(a, { wall: 100, counter: 0 }, "late")])
      settle([first], clock)
      assert.isDefined(Agreement.reportOf(first.ends[0].session)?.agreed)
      assert.isUndefined(Agreement.reportOf(first.ends[1].session)?.agreed)
      if (!isMetAgain) right.append([write(b, { wall: 101, counter: 0 }, "answer")])
      const last = isMetAgain ? link() : first
      settle([last], clock)
      const agreed = Agreement.reportOf(last.ends[1].session)?.agreed ?? VectorClock.empty
      assert.strictEqual(VectorClock.compare(agreed, left.clock), "equal")
    }
  })

  it("what was acknowledged is no agreement while rows differ, and is one when they were repaired", () => {
    const { clock, left, right, link, reports } = linked()
    settle([link()], clock)
    const all = rows(left)
    right.damage((state) => state.delete([...state.keys()][0] ?? ""))
    const again = link()
    let seen = 0
    for (let step = 0; step < 1_000 && rows(right).length < all.length; step++) {
      for (const report of reports(again)) {
        if (report === undefined) continue
        seen++
        assert.strictEqual(VectorClock.compare(report.clock, left.clock), "equal")
        assert.isUndefined(report.agreed)
      }
      if (!again.deliver(0) && !again.deliver(1)) {
        clock.now += 1_000
        again.tick(0)
        again.tick(1)
      }
    }
    assert.isAbove(seen, 0)
    settle([again], clock)
    assertConverged([left, right])
    assert.isDefined(reports(again)[0]?.agreed)
    assert.isDefined(reports(again)[1]?.agreed)
  })

  it.prop(
    "a node that agrees holds every row of ours, in any order of events",
    [operations, operations, Arbitrary.array(integer(0, 1_000), { maxLength: 60 })],
    ([ours, theirs, order]) => {
      const clock = { now: 2_000_000_000_000 }
      const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
      left.append(ours.filter((_, index) => index % 2 === 0))
      right.append(theirs.filter((_, index) => index % 2 === 0))
      const late = [...ours, ...theirs].filter((_, index) => index % 2 === 1)
      const link = new Link(left, right, () => clock.now, { maxDriftMs: Infinity })
      for (const choice of order) {
        const index = choice % 2 === 0 ? 0 : 1
        const operation = choice % 5 === 0 ? late.pop() : undefined
        if (operation !== undefined) (index === 0 ? left : right).append([operation])
        const end = link.ends[index]
        if (end.replica.version > end.session.local.version) link.notify(index)
        else link.deliver(index)
        for (const [side, other] of [right, left].entries()) {
          const session = link.ends[side]?.session
          const agreed = session && Agreement.reportOf(session)?.agreed
          if (agreed === undefined) continue
          for (const row of (side === 0 ? left : right).state.values()) {
            const held = other.state.get(Merge.slotOf(row))
            assert.isFalse(VectorClock.covers(agreed, row.hlc) && Merge.resolve(held, row) === "applied")
          }
        }
      }
    },
    runs(1500, 16)
  )

  it("there is news when the peer tells something, or when our rows become those of the peer, and not otherwise", () => {
    const { clock, left, link } = linked()
    const { ends } = link()
    const [{ session: opening }] = ends
    assert.isUndefined(Agreement.news(undefined, opening))
    const settled = link()
    settle([settled], clock)
    const [{ session }] = settled.ends
    assert.isDefined(Agreement.news(undefined, session))
    assert.isUndefined(Agreement.news(session, session))
    assert.isUndefined(Agreement.news(session, { ...session, now: session.now + 1, aliveAt: session.aliveAt + 1 }))
    left.append([write(a, { wall: 50, counter: 0 }, "row-9")])
    settled.notify(0)
    assert.isUndefined(Agreement.news(session, settled.ends[0].session))
    settle([settled], clock)
    assert.isDefined(Agreement.news(session, settled.ends[0].session)?.agreed)
  })
})
