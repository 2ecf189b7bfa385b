/** Operations that a peer defers, because they are ahead of its clock: their origin hears of it. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap } from "effect"
import * as Session from "../../../src/core/sync/Session.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { settle } from "../../support/Settle.ts"

const minute = 60_000

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
