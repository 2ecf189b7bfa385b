/** Rows that no clock covers, as an import of what a lost node wrote makes them. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import { slotOf } from "../../../src/core/replica/Merge.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { integer, runs } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, rows, settle } from "../../support/Settle.ts"

/** How a link is set up; `newOrigins`, `isFull` and `maxRecvBytes` are of its second end. */
type Options = Partial<Session.Options> & { readonly newOrigins?: number; readonly isFull?: boolean }

const lost = node("lost")

/** What a node that is no more has written: `count` rows. */
const legacy = (count: number): ReadonlyArray<Operation> =>
  Array.from({ length: count }, (_, n) => write(lost, { wall: n + 1, counter: 0 }, `row-${n}`))

const take = (replica: NaiveReplica, operations: ReadonlyArray<Operation>) =>
  replica.apply({ operations, coverage: VectorClock.empty, quarantined: [] })

/** Two replicas with some history in common, linked and at rest. */
const pair = () => {
  const clock = { now: 1_000_000 }
  const replicas = [new NaiveReplica(node("a")), new NaiveReplica(node("b"))] as const
  replicas[0].append([write(node("a"), { wall: 900_000, counter: 0 }, "of a")])
  const connect = () => {
    clock.now += 60_000
    const link = new Link(replicas[0], replicas[1], () => clock.now)
    settle([link], clock)
    return link
  }
  connect()
  return { clock, replicas, connect }
}

const sent = (link: Link) => link.ends.reduce((sum, { sentOperations }) => sum + sentOperations, 0)
const sentBytes = (link: Link) => link.ends.reduce((sum, end) => sum + end.sentBytes, 0)

describe("rows that no clock covers", () => {
  it("are sent once, and not again at the next connection", () => {
    const { replicas, connect } = pair()
    take(replicas[0], legacy(1_000))
    const first = connect()
    assert.strictEqual(sent(first), 1_000)
    assertConverged(replicas)
    const again = connect()
    assert.strictEqual(sent(again), 0)
    assert.isBelow(sentBytes(again), 4_096)
  })

  it("are not sent again when something else was written meanwhile", () => {
    const { clock, replicas, connect } = pair()
    take(replicas[0], legacy(500))
    connect()
    for (const replica of replicas)
      replica.append([write(replica.id, { wall: clock.now, counter: 0 }, `new of ${replica.id}`)])
    assert.strictEqual(sent(connect()), 2)
    assertConverged(replicas)
  })

  it("do not keep lost rows of any origin from being repaired", () => {
    const { clock, replicas, connect } = pair()
    take(replicas[0], legacy(1))
    connect()
    for (const replica of replicas) {
      const link = connect()
      const [slot] = [...replica.state.keys()]
      const all = rows(replica)
      replica.damage((state) => slot !== undefined && state.delete(slot))
      assert.notDeepEqual(rows(replica), all)
      for (const index of [0, 1] as const) link.notify(index)
      settle([link], clock)
      assert.deepStrictEqual(rows(replica), all)
    }
  })

  it.prop(
    "whatever was imported where, replaced or lost, both end equal, and meet again without sending a row",
    [Arbitrary.array(Arbitrary.all([integer(0, 1), integer(0, 3), integer(0, 19)]), { maxLength: 24 })],
    ([happenings]) => {
      const { clock, replicas, connect } = pair()
      const history = legacy(20)
      let counter = 0
      for (const [side, what, n] of happenings) {
        const replica = replicas[side === 0 ? 0 : 1]
        const operation = history[n]
        if (operation === undefined) continue
        if (what === 0) take(replica, [operation])
        else if (what === 1) take(replica, history.slice(n))
        else if (what === 2)
          replica.append([write(replica.id, { wall: clock.now, counter: counter++ }, operation.row_id)])
        else replica.damage((state) => state.delete(slotOf(operation)))
        if (n % 5 === 0) connect()
      }
      connect()
      assertConverged(replicas)
      const link = connect()
      assert.strictEqual(sent(link), 0)
      assert.isFalse(link.ends.some((end) => Session.view(end.session).diverged))
    },
    runs(200)
  )
})

describe("what is known to be under way", () => {
  /** Ways in which rows that no clock covers stay away for a while, or for good, and nothing was lost. */
  const ways: ReadonlyArray<
    readonly [string, (replicas: ReturnType<typeof pair>["replicas"], now: number) => Options]
  > = [
    [
      "more new origins than may be taken at once",
      ([a]) => {
        const origins = Array.from({ length: 40 }, (_, n) => write(node(`lost${n}`), { wall: 1, counter: 0 }, `r${n}`))
        take(a, origins)
        return { newOrigins: 3 }
      }
    ],
    [
      "rows of a third node that are ahead of the clock",
      ([a], now) => {
        take(a, [write(lost, { wall: now + 400_000, counter: 0 }, "early")])
        return {}
      }
    ],
    [
      "rows that are too large for the other side",
      ([a]) => {
        const data = CanonicalJson.make(`{"content":"${"x".repeat(8_000)}"}`)
        take(a, [{ ...write(lost, { wall: 1, counter: 0 }, "large"), data }])
        return { maxRecvBytes: 4_096 }
      }
    ],
    [
      "a disk without room",
      ([a]) => {
        take(a, legacy(5))
        return { isFull: true }
      }
    ],
    [
      "many frames, one at a time",
      ([a]) => {
        take(a, legacy(200))
        return { credit: { bytes: 1, frames: 1 }, maxFrameBytes: 1_300 }
      }
    ]
  ]

  for (const [name, prepare] of ways) {
    it(`${name}: no alarm, and what else one side has lost comes back`, () => {
      const { clock, replicas } = pair()
      const [shared] = replicas[0].state.keys()
      const atFirst = rows(replicas[0])
      const { newOrigins, isFull = false, maxRecvBytes, ...options } = prepare(replicas, clock.now)
      const each = [{}, maxRecvBytes === undefined ? {} : { maxRecvBytes }] as const
      const link = new Link(...replicas, () => clock.now, options, { each })
      if (newOrigins !== undefined) link.newOrigins[1] = newOrigins
      link.ends[1].isFull = isFull
      const rest = (rounds: number, check: () => void = () => undefined) => {
        for (let round = 0; round < rounds; round++) {
          settle([link], clock)
          clock.now += 3_500
          for (const index of [0, 1] as const) {
            link.event(index, { _tag: "Alive", now: clock.now, isAnswer: true })
            link.tick(index)
            assert.strictEqual(link.ends[index].session.phase, "open")
          }
          check()
        }
      }
      rest(20, () => {
        assert.deepStrictEqual(
          link.ends.map(({ divergences }) => divergences),
          [0, 0]
        )
      })
      // A disk has room again; all else that was missing still is, or comes in its time.
      link.ends[1].isFull = false
      replicas[0].damage((state) => shared !== undefined && state.delete(shared))
      link.notify(0)
      rest(60)
      assert.includeMembers([...rows(replicas[0])], [...atFirst])
      // Rows were compared because of two pairs of digests at most, and then never again.
      const before = sentBytes(link)
      rest(60)
      assert.isBelow(sentBytes(link) - before, 200)
    })
  }

  it("a difference that nothing explains is told, also after something was under way", () => {
    const { clock, replicas, connect } = pair()
    take(replicas[0], legacy(40))
    const link = connect()
    assertConverged(replicas)
    const [slot] = [...replicas[1].state.keys()]
    replicas[1].damage((state) => slot !== undefined && state.delete(slot))
    for (const index of [0, 1] as const) link.notify(index)
    settle([link], clock)
    assert.isAbove(link.ends[0].divergences + link.ends[1].divergences, 0)
  })
})
