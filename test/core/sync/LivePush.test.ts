/** Own writes go to a peer that has all that came before without a read, and are the same as those that a read would have found. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import { credit } from "../../../src/core/sync/SessionLimits.ts"
import { runs } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, settle } from "../../support/Settle.ts"

const [a, b, c] = [node("a"), node("b"), node("c")]

/** Two replicas that have met and have nothing more to say. */
const met = (options: ConstructorParameters<typeof Link>[3] = {}) => {
  const clock = { now: 1_000_000 }
  const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
  left.append([write(a, { wall: 1, counter: 0 }, "first")])
  const link = new Link(left, right, () => clock.now, options)
  settle([link], clock)
  const [end] = link.ends
  end.reads = 0
  end.sentOperations = 0
  return { clock, left, right, link, end }
}

const at = (wall: number, row: string, origin = a): Operation => write(origin, { wall, counter: 0 }, row)

describe("a write", () => {
  it("is sent as it is to a peer that has all that came before", () => {
    const { left, right, link, end, clock } = met()
    for (let n = 2; n < 12; n++) {
      left.append([at(10 * n, `row ${n % 3}`), at(10 * n + 1, "another")])
      link.notify(0)
      while (link.deliver(1));
      while (link.deliver(0));
    }
    assert.deepStrictEqual([end.reads, end.sentOperations], [0, 20])
    settle([link], clock)
    assertConverged([left, right])
  })

  it("of another origin is read when it is due, and no write of ours with it is sent twice", () => {
    const { left, right, link, end, clock } = met()
    left.append([at(5, "theirs", c), at(6, "ours")])
    link.notify(0)
    assert.strictEqual(end.sentOperations, 1)
    settle([link], clock)
    assert.strictEqual(end.sentOperations, 2)
    assertConverged([left, right])
  })

  it("is not sent again when the peer has it already", () => {
    const { left, right, link, end, clock } = met()
    // Of our own history before a restore: it comes from the peer.
    right.append([at(3, "restored")])
    link.notify(1)
    settle([link], clock)
    assert.strictEqual(left.state.size, 2)
    assert.strictEqual(end.sentOperations, 0)
  })

  it("of which a part fits is read on from there", () => {
    const { left, right, link, end, clock } = met()
    left.append(Array.from({ length: 40 }, (_, n) => at(n + 2, `row ${n}`)))
    link.notify(0)
    settle([link], clock)
    assert.isAbove(end.reads, 0)
    assert.strictEqual(end.sentOperations, 40)
    assertConverged([left, right])
  })

  it("waits behind what was not sent, and for credit", () => {
    const { left, right, link, end, clock } = met()
    for (let n = 0; n < credit.frames + 3; n++) {
      left.append([at(n + 2, `row ${n}`)])
      link.notify(0)
    }
    assert.deepStrictEqual([end.reads, end.sentOperations], [0, credit.frames])
    settle([link], clock)
    assert.isAbove(end.reads, 0)
    assert.strictEqual(end.sentOperations, credit.frames + 3)
    assertConverged([left, right])
  })

  it("of which the session did not hear in time is read", () => {
    const { left, right, link, end, clock } = met()
    left.append([at(2, "missed")])
    left.append([at(3, "heard of")])
    link.notify(0)
    assert.isAbove(end.reads, 0)
    settle([link], clock)
    assert.strictEqual(end.sentOperations, 2)
    assertConverged([left, right])
  })

  const Steps = Schema.Array(Schema.Tuple([Schema.Natural, Schema.Natural, Schema.Natural]))
  it.prop(
    "reaches the peer, whatever is written, missed, delivered and delayed",
    [Steps],
    ([steps]) => {
      const { left, right, link, clock } = met()
      let wall = 2
      for (const [what, which, n] of steps) {
        const side = which % 2 === 0 ? 0 : 1
        const replica = side === 0 ? left : right
        clock.now += n % 400
        switch (what % 5) {
          case 0:
          case 1: {
            const origin = which % 3 === 0 ? c : replica.id
            replica.append(
              Array.from({ length: 1 + (n % 3) }, (_, index) => at(wall++, `row ${(n + index) % 4}`, origin))
            )
            if (what % 2 === 0) link.notify(side)
            break
          }
          case 2:
            link.notify(side)
            break
          case 3:
            link.deliver(side)
            break
          default:
            link.tick(side)
        }
      }
      for (const side of [0, 1] as const) link.notify(side)
      settle([link], clock)
      assertConverged([left, right])
    },
    runs(2_000)
  )
})
