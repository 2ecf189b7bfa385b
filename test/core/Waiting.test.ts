/** A replica whose disk takes nothing for a while: it goes on serving, and nothing is lost, sent twice or kept without bound. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Session from "../../src/core/Session.ts"
import { creditFrames, times } from "../../src/core/session/State.ts"
import { integer, runs } from "../support/Generators.ts"
import { NaiveReplica } from "../support/NaiveReplica.ts"
import { Link, node, write } from "../support/Network.ts"
import { assertConverged, settle } from "../support/Settle.ts"

const a = node("a")
const b = node("b")

const linked = (counts: readonly [number, number]) => {
  const clock = { now: 1_000_000 }
  const replicas = [new NaiveReplica(a), new NaiveReplica(b)] as const
  for (const [index, replica] of replicas.entries()) {
    replica.append(
      Array.from({ length: counts[index] ?? 0 }, (_, n) =>
        write(replica.id, { wall: n + 1, counter: 0 }, `${replica.id}-${n}`)
      )
    )
  }
  const link = new Link(...replicas, () => clock.now)
  /** Lets time pass, whatever waits. */
  const pass = (ms: number) => {
    for (const until = clock.now + ms; ;) {
      settle([link], clock)
      const next = Math.min(...link.ends.map((end) => Session.deadline(end.session)))
      if (next > until) break
      clock.now = next
      // Both systems answer pings.
      for (const index of [0, 1] as const) {
        link.event(index, { _tag: "Alive", now: clock.now })
        link.tick(index)
      }
    }
  }
  return { clock, replicas, link, pass }
}

describe("a commit that has to wait", () => {
  it.prop(
    "until there is room, the other side gets everything, and afterwards both are the same",
    [integer(0, 400), integer(0, 400), integer(0, 120_000), Arbitrary.array(integer(0, 1), { maxLength: 4 })],
    ([mine, theirs, ms, fullAt]) => {
      const { replicas, link, pass } = linked([mine, theirs])
      for (const index of fullAt) link.ends[index === 0 ? 0 : 1].isFull = true
      pass(ms)
      for (const [index, replica] of replicas.entries()) {
        const end = link.ends[index]
        assert.isUndefined(end?.failure)
        if (end?.isFull === true) assert.strictEqual(replica.state.size, [mine, theirs][index])
        else assert.strictEqual(replica.state.size, mine + theirs)
      }
      for (const end of link.ends) end.isFull = false
      pass(times.retry.cap + 1_000)
      assertConverged(replicas)
      assert.strictEqual(replicas[0].state.size, mine + theirs)
      assert.deepStrictEqual(
        link.ends.map((end) => end.sentOperations),
        [mine, theirs]
      )
    },
    runs(300)
  )

  it("is tried again after 1, 2, 4 ... seconds, up to half a minute, and no sooner", () => {
    const { link, pass } = linked([50, 0])
    link.ends[1].isFull = true
    pass(150_000)
    const { commits } = link.ends[1]
    const waits = commits.slice(1).map((at, index) => at - (commits[index] ?? 0))
    assert.deepStrictEqual(waits.slice(0, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  })

  it("a peer that sends on without an acknowledgement is closed", () => {
    const { link, clock } = linked([1, 0])
    link.ends[1].isFull = true
    settle([link], clock)
    const frame = (seq: number) =>
      JSON.stringify({ type: "sync_data", seq, more: true, changes: [], through: { a: `${seq + 2}:0:a` } })
    for (let seq = 1; seq < creditFrames; seq++) {
      link.event(1, { _tag: "Received", now: clock.now, text: frame(seq) })
      assert.isUndefined(link.ends[1].failure, `${seq}`)
    }
    link.event(1, { _tag: "Received", now: clock.now, text: frame(creditFrames) })
    assert.include(link.ends[1].failure?.message, "it sends more than was acknowledged")
  })
})
