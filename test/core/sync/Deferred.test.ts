/** Operations that a peer defers, because they are ahead of its clock: their origin hears of it. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap } from "effect"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { settle } from "../../support/Settle.ts"

const minute = 60_000

const large = CanonicalJson.make(`{"content":"${"x".repeat(8_000)}"}`)

for (const ahead of [6 * minute, 60 * minute, 24 * 60 * minute, 365 * 24 * 60 * minute, 10 * 365 * 24 * 60 * minute]) {
  describe(`a write ${ahead / minute} minutes ahead`, () => {
    for (const origin of [0, 1] as const) {
      it(`is told to its origin, the ${origin === 0 ? "dialler" : "server"}, and to it alone`, () => {
        const clock = { now: 1_000_000 }
        const replicas = [new NaiveReplica(node("a")), new NaiveReplica(node("b"))] as const
        const [writer, other] = origin === 0 ? replicas : [replicas[1], replicas[0]]
        writer.append([write(writer.id, { wall: clock.now + ahead, counter: 0 }, "early")])
        const link = new Link(...replicas, () => clock.now)
        settle([link], clock)
        const views = link.ends.map(({ session }) => Session.view(session))
        assert.strictEqual(views[origin]?.deferredOwn?.wall, writer.state.values().next().value?.hlc.wall)
        assert.isTrue(HashMap.has(views[1 - origin]?.deferred ?? HashMap.empty(), writer.id))
        assert.isUndefined(views[1 - origin]?.deferredOwn)
        assert.strictEqual(other.state.size, 0)
      })
    }
  })
}

describe("a write that a node has taken before", () => {
  for (const origin of [0, 1] as const) {
    it(`is not ahead for ${origin === 0 ? "its origin" : "who got it from its origin"}, when a comparison sends it again after a clock went back`, () => {
      const clock = { now: 1_000_000 }
      const early = clock.now + 10 * minute
      const replicas = [new NaiveReplica(node("a")), new NaiveReplica(node("b"))] as const
      const [a, b] = replicas
      const first = write(node("a"), { wall: early, counter: 0 }, "row")
      const later = { ...write(node("a"), { wall: early + 1, counter: 0 }, "row"), data: large }
      for (const one of replicas) one.apply({ operations: [first], coverage: VectorClock.empty, quarantined: [] })
      replicas[origin].apply({ operations: [later], coverage: VectorClock.empty, quarantined: [] })
      const small = { maxRecvBytes: 4_096 }
      const link = new Link(a, b, () => clock.now, {}, { each: origin === 0 ? [{}, small] : [small, {}] })
      for (let round = 0; round < 20; round++) {
        settle([link], clock)
        clock.now += 3_500
        for (const index of [0, 1] as const) {
          link.event(index, { _tag: "Alive", now: clock.now, isAnswer: true })
          link.tick(index)
        }
      }
      assert.isAbove(link.ends[1 - origin]?.sentOperations ?? 0, 0)
      const view = link.ends.map(({ session }) => Session.view(session))[origin]
      assert.deepStrictEqual([...HashMap.keys(view?.deferred ?? HashMap.empty())], [])
      assert.strictEqual(replicas[origin].state.values().next().value, later)
    })
  }
})
