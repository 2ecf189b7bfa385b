/**
 * What came in and is not committed yet. Frames share a commit. A replica whose disk takes nothing for a while goes on serving,
 * and nothing is lost, sent twice or kept without bound.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option, Result } from "effect"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import { toWire } from "../../../src/core/replica/Operation.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import { commitFrames, commitSize, credit, times } from "../../../src/core/sync/SessionLimits.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { integer, runs } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, settle } from "../../support/Settle.ts"

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
        link.event(index, { _tag: "Alive", now: clock.now, isAnswer: true })
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
    for (let seq = 1; seq < credit.frames; seq++) {
      link.event(1, { _tag: "Received", now: clock.now, text: frame(seq) })
      assert.isUndefined(link.ends[1].failure, `${seq}`)
    }
    link.event(1, { _tag: "Received", now: clock.now, text: frame(credit.frames) })
    assert.include(link.ends[1].failure?.message, "it sent more than the credit allows")
  })
})

describe("frames that come together", () => {
  /** A link that is level, and a way to have the server get frames of one operation each, without a tick. */
  const waiting = () => {
    const { clock, link } = linked([0, 0])
    settle([link], clock)
    const receiver = link.ends[1]
    const first = link.ends[0].session.outbound.seq
    const commits = receiver.commits.length
    link.ends[0].inbox.length = 0
    const receive = (n: number, filling = 0) => {
      const operation = {
        ...write(a, { wall: n + 1, counter: 0 }, `row ${n}`),
        data: CanonicalJson.make(`{"content":"${"x".repeat(filling)}"}`)
      }
      const frame = { seq: first + n, more: true, fresh: false, through: VectorClock.empty }
      const text = Wire.encodeData(frame, [toWire(operation)])
      link.event(1, { _tag: "Received", now: clock.now, text })
    }
    /** What it has acknowledged. */
    const acked = () =>
      link.ends[0].inbox.flatMap((text) => {
        const message = Result.getOrThrow(Wire.decode(text))
        return message.type === "sync_ack" ? Option.toArray(message.seq).map((seq) => seq - first) : []
      })
    return { clock, link, receive, acked, commits: () => receiver.commits.length - commits, rows: receiver.replica }
  }

  it("make one commit and one acknowledgement", () => {
    const { link, receive, acked, commits, rows } = waiting()
    for (let n = 0; n < 5; n++) receive(n)
    assert.strictEqual(commits(), 0)
    link.tick(1)
    assert.strictEqual(commits(), 1)
    assert.strictEqual(rows.state.size, 5)
    assert.deepStrictEqual(acked(), [4])
  })

  it("are not gathered for long", () => {
    const { clock, receive, acked, commits } = waiting()
    receive(0)
    clock.now += times.gather - 1
    receive(1)
    assert.strictEqual(commits(), 0)
    clock.now += 1
    receive(2)
    assert.strictEqual(commits(), 1)
    assert.deepStrictEqual(acked(), [2])
  })

  it("are not gathered when they are many", () => {
    const { receive, acked } = waiting()
    for (let n = 0; n < 2 * commitFrames + 1; n++) receive(n)
    assert.deepStrictEqual(acked(), [commitFrames - 1, 2 * commitFrames - 1])
  })

  it("are not gathered when they are large", () => {
    const { link, receive, acked } = waiting()
    for (let n = 0; n < 6; n++) receive(n, commitSize / 4)
    // Three and a part of the fourth make up the size.
    assert.deepStrictEqual(acked(), [2])
    link.tick(1)
    assert.deepStrictEqual(acked(), [2, 5])
  })
})

describe("a clock that is set back by an hour", () => {
  /** What a session waits for, and how long at most (ms). */
  const waits: ReadonlyArray<readonly [string, (world: ReturnType<typeof linked>) => void, number]> = [
    ["a sign of life", () => {}, times.ping],
    [
      "a commit that was not possible",
      ({ link, pass }) => {
        link.ends[1].isFull = true
        link.ends[0].replica.append([write(a, { wall: 900_000, counter: 0 }, "x")])
        link.notify(0)
        pass(100_000)
      },
      times.retry.cap
    ],
    [
      "rows of a third node, to be passed on",
      ({ link }) => {
        const operations = [write(node("c"), { wall: 900_000, counter: 0 }, "x")]
        link.ends[1].replica.apply({ operations, coverage: VectorClock.empty, quarantined: [] })
        link.notify(1)
      },
      times.relay
    ],
    [
      "progress that has to be told",
      ({ link }) => {
        const through = VectorClock.fromEntries([[node("c"), { wall: 900_000, counter: 0 }]])
        link.ends[1].replica.apply({ operations: [], coverage: through, quarantined: [] })
        link.notify(1)
      },
      times.announce
    ],
    [
      "a difference that has to last",
      ({ link }) => {
        const operations = [write(node("lost"), { wall: 1, counter: 0 }, "x")]
        for (const { replica } of link.ends) replica.apply({ operations, coverage: VectorClock.empty, quarantined: [] })
        link.ends[1].replica.damage((state) => state.clear())
        for (const index of [0, 1] as const) link.notify(index)
      },
      times.ping
    ]
  ]

  for (const [name, prepare, most] of waits) {
    it(`lets a session wait no longer for ${name}`, () => {
      const world = linked([0, 0])
      settle([world.link], world.clock)
      prepare(world)
      world.clock.now -= 3_600_000
      // The first event after it tells.
      world.link.tick(1)
      assert.isAtMost(Session.deadline(world.link.ends[1].session), world.clock.now + most)
    })
  }

  it("and what it held up comes at once when there is room again", () => {
    const { clock, replicas, link, pass } = linked([0, 0])
    settle([link], clock)
    link.ends[1].isFull = true
    replicas[0].append([write(a, { wall: 900_000, counter: 0 }, "x")])
    link.notify(0)
    pass(20_000)
    link.ends[1].isFull = false
    clock.now -= 900_000
    for (const index of [0, 1] as const) link.tick(index)
    pass(times.retry.cap + 1_000)
    assertConverged(replicas)
  })
})
