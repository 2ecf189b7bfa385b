/**
 * Nodes that know revision 1 only, as all did before there was another: what two of them said to each other is recorded, and
 * is what a node of now says and understands in both roles.
 */
import { assert, describe, it } from "@effect/vitest"
import { Option, Redacted } from "effect"
import { readFileSync } from "node:fs"
import { NodeId } from "../../../../src/core/replica/NodeId.ts"
import * as Session from "../../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../../src/core/replica/VectorClock.ts"
import { NaiveReplica } from "../../../support/NaiveReplica.ts"
import { key, Link, node, write } from "../../../support/Network.ts"
import { assertConverged, settle } from "../../../support/Settle.ts"

interface Conversation {
  readonly talk: ReadonlyArray<{ readonly from: "dialler" | "server"; readonly text: string }>
}

const recorded = JSON.parse(
  readFileSync(new URL("./revision1/conversation.json", import.meta.url), "utf8")
) as Conversation

const began = 1_700_000_000_000
const written = 1_700_000_002_000

/** Plays one side of what was recorded; gives what it said, its replica, and its session. */
const play = (role: "dialler" | "server") => {
  const replica = new NaiveReplica(node(role === "dialler" ? "a" : "b"))
  const count = role === "dialler" ? 3 : 2
  const kind = role === "dialler" ? "notes" : "episodes"
  for (let n = 1; n <= count; n++) {
    replica.append([write(replica.id, { wall: n, counter: 0 }, `${replica.id}-${n}`, kind)])
  }
  const said: Array<string> = []
  let now = began
  let session = Session.initial(
    {
      role,
      self: replica.id,
      key: Redacted.make(key),
      nonces: { dialler: "d", server: "s" },
      binding: Redacted.make(new Uint8Array(32)),
      remote: "peer",
      expected: undefined,
      ownTimestampAtOpen: VectorClock.get(replica.clock, replica.id),
      maxFrameBytes: 4_096,
      maxDriftMs: 300_000,
      revision: 1
    },
    replica.snapshot(),
    now
  )
  const carry = ([next, actions]: Session.Step): void => {
    session = next
    for (const action of actions) {
      if (action._tag === "Send") said.push(action.text)
      if (action._tag === "Close") assert.fail(action.failure?.message ?? "it was closed")
      if (action._tag === "Identify") happen({ _tag: "Identified", now, record: Session.noRecord })
      if (action._tag === "Read")
        happen({ _tag: "Delta", now, request: action.request, delta: replica.delta(action.request) })
      if (action._tag === "Commit")
        happen({ _tag: "Committed", now, snapshot: replica.apply(action.batch), hasChanged: true })
      if (action._tag === "Scan") {
        happen({ _tag: "Scanned", now, request: action.request, page: Option.some(replica.range(action.request)) })
      }
    }
  }
  const happen = (event: Session.Event) => carry(Session.step(session, event))
  carry(Session.open(session))
  for (const { from, text } of recorded.talk) {
    const isLive = text.includes(`${written}`)
    if (isLive && now < written) {
      now = written
      happen({ _tag: "Tick", now })
      if (role === "dialler") {
        replica.append([write(replica.id, { wall: written, counter: 0 }, "live")])
        happen({ _tag: "Changed", now, snapshot: replica.snapshot() })
      }
    }
    if (from === role) continue
    happen({ _tag: "Received", now, text })
    happen({ _tag: "Tick", now })
  }
  return { said, replica, session }
}

const ofSide = (side: "dialler" | "server") => recorded.talk.filter(({ from }) => from === side).map(({ text }) => text)

/** What a dialler of now says, as one of then said it: that one told its state before the proof of the server. */
const withoutState = ([first = "", second = "", ...rest]: ReadonlyArray<string>) => {
  const { vector_clock: none, proof, ...before } = JSON.parse(first)
  assert.deepStrictEqual(none, {})
  const { vector_clock, digest, ...after } = JSON.parse(second)
  assert.deepStrictEqual(after, before)
  const { type, node_id, features, time } = after
  return [JSON.stringify({ type, node_id, vector_clock, proof, digest, features, time }), ...rest]
}

describe("revision 1", () => {
  for (const role of ["dialler", "server"] as const) {
    it(`as the ${role} a node says word for word what was recorded, and takes what the other side said`, () => {
      const { said, replica, session } = play(role)
      assert.deepStrictEqual(role === "dialler" ? withoutState(said) : said, ofSide(role))
      assert.strictEqual(replica.state.size, 6)
      assert.strictEqual(Session.view(session).state, "live")
      assert.isUndefined(Session.view(session).tooLarge)
    })
  }

  // Its clock comes before the proof, in the one frame that is read of a stranger.
  it("carries clocks of 600 origins, and what is new of them", () => {
    const clock = { now: began }
    const operations = Array.from({ length: 600 }, (_, n) =>
      write(NodeId.make(`origin-${n}`), { wall: n + 1, counter: 0 }, `row ${n}`)
    )
    const through = VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))
    const replicas = [0, 1].map((n) => new NaiveReplica(node(`origin-${n}`)))
    const [left, right] = replicas
    if (left === undefined || right === undefined) return assert.fail("no replicas")
    for (const replica of replicas) replica.apply({ operations, coverage: through, quarantined: [] })
    left.append([write(left.id, { wall: began, counter: 0 }, "news")])
    const link = new Link(left, right, () => clock.now, { revision: 1, maxFrameBytes: 262_144 })
    settle([link], clock)
    assertConverged(replicas)
    assert.strictEqual(link.ends[0].sentOperations, 1)
  })
})
