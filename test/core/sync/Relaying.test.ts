/** Questions about writes that a node waits for, and their answers, inside one session. */
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Relayed from "../../../src/core/replica/Relayed.ts"
import * as Acknowledge from "../../../src/core/sync/Acknowledge.ts"
import * as Relaying from "../../../src/core/sync/Relaying.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import { times } from "../../../src/core/sync/SessionLimits.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { settle } from "../../support/Settle.ts"

const [a, b, c] = [node("a"), node("b"), node("c")]
const hlc = "5:0:a"

/** An open session of `a` with `b`, and the other end of it. */
const opened = (now = 1_000_000) => {
  const clock = { now }
  const left = new NaiveReplica(a)
  left.append([write(a, { wall: 5, counter: 0 }, "row")])
  const link = new Link(left, new NaiveReplica(b), () => clock.now, { revision: 2 })
  settle([link], clock)
  const [ours, theirs] = link.ends.map(({ session }) => session)
  if (ours === undefined || theirs === undefined) throw new Error("a link has two ends")
  assert.deepStrictEqual([ours.phase, theirs.phase], ["open", "open"])
  return [ours, theirs] as const
}
const words = (count: number, name = "n"): Relayed.Answers =>
  new Map([
    [
      hlc,
      new Map(
        Array.from({ length: count }, (_, index) => {
          const one = NodeId.make(`${name}${index}`)
          return [one, { node: one, at: 0, via: [] }] as const
        })
      )
    ]
  ])
const asked: Relayed.Questions = new Map([[hlc, 4]])
const relay = (session: Session.Session, questions: Relayed.Questions, answers: Relayed.Answers): Session.Session =>
  Session.step(session, { _tag: "Relay", now: session.now, questions, answers })[0]
const read = (actions: ReadonlyArray<Session.Action>): ReadonlyArray<Wire.Ack> =>
  actions.flatMap((action) => {
    if (action._tag !== "Send") return []
    const message = Result.getOrThrow(Wire.decode(action.text))
    return message.type === "sync_ack" ? [message] : []
  })
/** What the session sends when its deadline is there. */
const atDeadline = (session: Session.Session) => {
  const now = Session.deadline(session)
  const [next, actions] = Session.step(session, { _tag: "Tick", now })
  return { next, waited: now - session.now, acks: read(actions) }
}

describe("Relaying", () => {
  it("asks within a moment, and not at all when the wait is over by then", () => {
    const [session] = opened()
    const { waited, acks, next } = atDeadline(relay(session, asked, Relayed.none))
    assert.strictEqual(waited, times.announce)
    assert.deepStrictEqual([...(acks[0]?.asks ?? [])], [[hlc, 4]])
    const [over] = [relay(relay(session, asked, Relayed.none), Relayed.none, Relayed.none)]
    assert.deepStrictEqual(atDeadline(over).acks, [])
    const ended = atDeadline(relay(next, Relayed.none, Relayed.none))
    assert.strictEqual(ended.acks[0]?.asks?.size, 0)
  })

  it("tells many holders in parts, at most one in a second, and each holder once", () => {
    let session = relay(opened()[0], Relayed.none, words(600))
    const told: Array<string> = []
    for (const [part, wait] of [
      [256, times.announce],
      [256, times.relayed],
      [88, times.relayed]
    ] as const) {
      const { acks, waited, next } = atDeadline(session)
      assert.strictEqual(waited, wait)
      assert.strictEqual(acks[0]?.holders?.length, part)
      told.push(...(acks[0]?.holders ?? []).map((holder) => holder.node))
      session = next
    }
    assert.strictEqual(new Set(told).size, 600)
    assert.isFalse(Relaying.isDue(relay(session, Relayed.none, words(600))))
    assert.isTrue(Relaying.isDue(relay(session, Relayed.none, words(601))))
  })

  it("keeps to a part of the frames that a peer takes", () => {
    const [session] = opened()
    const small = { ...session, takes: { frame: 4_096, operation: 3_000 } }
    const { acks } = atDeadline(relay(small, asked, words(100, "x".repeat(100))))
    assert.isAbove(acks[0]?.holders?.length ?? 0, 0)
    assert.isBelow(Buffer.byteLength(JSON.stringify(acks[0]?.holders)), 4_096 / 8)
  })

  it("names the peer with each word that came from it, whatever the peer says", () => {
    const [session] = opened()
    const holder = { hlc, age: 500, via: [] }
    const told = Acknowledge.onAck(
      session,
      {
        type: "sync_ack",
        seq: Option.none(),
        clock: session.known,
        digest: Option.none(),
        rows: Option.none(),
        held: VectorClock.empty,
        holders: [
          { ...holder, node: c },
          { ...holder, node: node("made up"), via: [c] },
          { ...holder, node: a },
          { ...holder, node: b }
        ]
      },
      session.now
    )
    const [, actions] = Result.getOrThrow(told)
    assert.deepStrictEqual(actions, [
      {
        _tag: "Relayed",
        peer: b,
        questions: undefined,
        words: [
          { hlc, word: { node: c, at: session.now - 500, via: [b] } },
          { hlc, word: { node: node("made up"), at: session.now - 500, via: [c, b] } }
        ]
      }
    ])
  })
})
