/** Rows of unknown kinds for which there is no room: kept out, not claimed, and taken when there is room again. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, HashMap } from "effect"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { sizeOf } from "../../../src/services/store/Sizes.ts"
import { unlimited } from "../../../src/services/store/Opaque.ts"
import { integer, runs } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, settle } from "../../support/Settle.ts"

const opaque = "of_a_newer_version"

/** The bytes of one row of these tests. */
const one = sizeOf(write(node("a"), { wall: 1_000, counter: 0 }, "row-00", opaque))

/** A history of a node: rows of an unknown kind where a step is 1. */
const history = (origin: string, steps: ReadonlyArray<number>): ReadonlyArray<Operation> =>
  steps.map((step, n) =>
    write(
      node(origin),
      { wall: 1_000 + n, counter: 0 },
      `row-${String(n % 100).padStart(2, "0")}`,
      step === 1 ? opaque : "notes"
    )
  )

const opaqueRows = (replica: NaiveReplica) => [...replica.state.values()].filter(({ table }) => table === opaque)

/** What a replica claims of a history it holds, or something that wins over it. */
const assertPrefix = (replica: NaiveReplica, all: ReadonlyArray<Operation>) => {
  for (const operation of all) {
    if (!VectorClock.covers(replica.clock, operation.hlc)) continue
    const isHeld = [...replica.state.values()].some(
      ({ table, row_id, hlc }) =>
        table === operation.table &&
        row_id === operation.row_id &&
        (table === opaque
          ? hlc.wall === operation.hlc.wall && hlc.node === operation.hlc.node
          : hlc.wall >= operation.hlc.wall)
    )
    assert.isTrue(isHeld, `${operation.table} ${operation.hlc.wall} of ${operation.hlc.node} is claimed and not there`)
  }
}

describe("rows of unknown kinds beyond the quota", () => {
  it.prop(
    "are never claimed, keep no other row out, and arrive when the quota is raised",
    [
      Arbitrary.array(integer(0, 1), { minLength: 1, maxLength: 40 }),
      Arbitrary.array(integer(0, 1), { minLength: 0, maxLength: 40 }),
      integer(0, 12),
      integer(0, 12)
    ],
    ([first, second, perOrigin, total]) => {
      const clock = { now: 1_000_000 }
      const [a, b] = [new NaiveReplica(node("a")), new NaiveReplica(node("b"))] as const
      const all = [...history("a", first), ...history("c", second)]
      a.append(history("a", first))
      a.append(history("c", second))
      b.quota = { origin: perOrigin * one, total: total * one }
      const connect = () => {
        clock.now += 60_000
        const link = new Link(a, b, () => clock.now, { maxFrameBytes: 1_000 })
        settle([link], clock)
        return link
      }
      const link = connect()
      const counts = ["a", "c"].map((origin) => opaqueRows(b).filter(({ hlc }) => hlc.node === origin).length)
      for (const count of counts) assert.isAtMost(count, perOrigin)
      assert.isAtMost(opaqueRows(b).length, total)
      assertPrefix(b, all)
      const isIn = (replica: NaiveReplica) =>
        [...replica.state.values()].filter(({ table }) => table === "notes").length
      assert.strictEqual(isIn(b), isIn(a))
      const isFull = opaqueRows(b).length < opaqueRows(a).length
      for (const end of link.ends) {
        assert.strictEqual(end.divergences, 0)
        assert.strictEqual(Session.view(end.session).overQuota !== undefined, isFull)
      }
      // The same once more changes nothing.
      const before = VectorClock.toRecord(b.clock)
      connect()
      assert.deepStrictEqual(VectorClock.toRecord(b.clock), before)
      b.quota = unlimited
      connect()
      assertConverged([a, b])
    },
    runs(300)
  )

  it("are told to both sides, with their origin and the next step", () => {
    const clock = { now: 1_000_000 }
    const [a, b] = [new NaiveReplica(node("a")), new NaiveReplica(node("b"))] as const
    a.append(history("a", [1, 1, 1]))
    b.quota = { origin: one, total: 10 * one }
    const link = new Link(a, b, () => clock.now)
    settle([link], clock)
    const [there, here] = link.ends.map(({ session }) => Session.view(session).overQuota)
    assert.include(there?.message ?? "", "rows of unknown kinds from a are held back by b")
    assert.include(here?.message ?? "", "feral-sync purge")
    assert.strictEqual(here?.where, "here")
    assert.strictEqual(Session.view(link.ends[0].session).lag, 0)
  })

  it("come in the same session as soon as a purge has made room", () => {
    const clock = { now: 1_000_000 }
    const [a, b] = [new NaiveReplica(node("a")), new NaiveReplica(node("b"))] as const
    const junk = [0, 1, 2, 3].map((n) => write(node("c"), { wall: 2_000 + n, counter: 0 }, `row-0${n}`, "junk"))
    b.apply({ operations: junk, coverage: VectorClock.empty, quarantined: [] })
    a.append(history("a", [1, 0, 1, 1]))
    b.quota = { origin: 10 * one, total: 5 * one }
    const link = new Link(a, b, () => clock.now)
    settle([link], clock)
    assert.isAbove(HashMap.size(b.overQuota) + HashMap.size(link.ends[1].session.inbound.overQuota), 0)
    assert.isBelow(opaqueRows(b).length, 3)
    b.purge({ kind: write(node("c"), { wall: 1, counter: 0 }, "x", "junk").table })
    settle([link], clock)
    assert.strictEqual(opaqueRows(b).length, 3)
    assert.isTrue(VectorClock.includes(b.clock, a.clock))
    assert.isUndefined(Session.view(link.ends[1].session).overQuota)
    assert.isUndefined(Session.view(link.ends[0].session).overQuota)
  })
})
