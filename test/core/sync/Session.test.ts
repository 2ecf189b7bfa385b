import { assert, describe, it } from "@effect/vitest"
import { HashMap, Option, Schema } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import * as Merge from "../../../src/core/replica/Merge.ts"
import { type Operation, OpId, toWire } from "../../../src/core/replica/Operation.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import { credit } from "../../../src/core/sync/SessionLimits.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { operations, runs, vectorClock } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, rows, settle } from "../../support/Settle.ts"

/** Invariant: for every operation that a clock covers, the replica holds it or one that wins over it. */
const assertPrefix = (replicas: ReadonlyArray<NaiveReplica>, written: ReadonlyArray<Operation>): void => {
  for (const { id, state, clock } of replicas) {
    for (const operation of written) {
      if (!VectorClock.covers(clock, operation.hlc)) continue
      const outcome = Merge.resolve(state.get(Merge.slotOf(operation)), operation)
      assert.notStrictEqual(outcome, "applied", `${id} claims ${Hlc.toText(operation.hlc)} and does not have it`)
    }
  }
}

const a = node("a")
const b = node("b")
const c = node("c")

describe("Session", () => {
  it("a probe is answered and not met, whatever its id, and gets nothing", () => {
    for (const id of [a, b]) {
      const clock = { now: 1_000_000 }
      const [left, right] = [new NaiveReplica(id), new NaiveReplica(b)]
      right.append([write(b, { wall: 1, counter: 0 }, "row")])
      left.append([write(id, { wall: 2, counter: 0 }, "other")])
      const link = new Link(left, right, () => clock.now, { isProbe: true })
      const [dialler, server] = link.ends
      link.deliver(1)
      assert.strictEqual(server.session.phase, "closed")
      assert.isFalse(server.established)
      assert.isUndefined(server.failure)
      assert.strictEqual(dialler.inbox.length, 1)
      link.deliver(0)
      assert.strictEqual(dialler.failure?._tag, id === a ? undefined : "DuplicateNodeId")
      assert.strictEqual(dialler.established, id === a)
      assert.strictEqual(server.sentOperations, 0)
      assert.strictEqual(right.state.size, 1)
    }
  })

  it("a probe proves the passphrase like all peers", () => {
    const clock = { now: 1_000_000 }
    const keys = { 0: new Uint8Array(32) }
    const link = new Link(new NaiveReplica(a), new NaiveReplica(b), () => clock.now, { isProbe: true }, { keys })
    link.deliver(1)
    link.deliver(0)
    assert.deepStrictEqual(
      link.ends.map(({ failure }) => failure?._tag),
      ["PassphraseMismatch", "PassphraseMismatch"]
    )
    assert.isFalse(link.ends.some(({ established }) => established))
  })

  it("two replicas exchange what each lacks and end equal", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    for (let n = 1; n <= 200; n++) left.append([write(a, { wall: n, counter: 0 }, `row-${n % 150}`)])
    for (let n = 1; n <= 100; n++) right.append([write(b, { wall: n, counter: 0 }, `row-${n % 70}`, "episodes")])
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    assertConverged([left, right])
    assert.isTrue(link.ends.every((end) => end.established && end.failure === undefined))
    assert.isTrue(link.ends.every((end) => Session.view(end.session).state === "live"))
    assert.strictEqual(link.ends[0].sentOperations, 150)
    assert.strictEqual(link.ends[1].sentOperations, 70)
  })

  it("a live write travels at once, and nothing travels twice", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    for (let n = 1; n <= 20; n++) {
      left.append([write(a, { wall: clock.now + n, counter: 0 }, `row-${n}`)])
      link.notify(0)
      while (link.deliver(1));
      assert.strictEqual(right.state.size, n)
    }
    settle([link], clock)
    assertConverged([left, right])
    assert.strictEqual(link.ends[0].sentOperations, 20)
    assert.strictEqual(link.ends[1].sentOperations, 0)
  })

  it("a second meeting with nothing new sends no operation", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    for (let n = 1; n <= 50; n++) left.append([write(a, { wall: n, counter: 0 }, `row-${n}`)])
    settle([new Link(left, right, () => clock.now)], clock)
    const again = new Link(right, left, () => clock.now)
    settle([again], clock)
    assert.deepStrictEqual(
      again.ends.map((end) => end.sentOperations),
      [0, 0]
    )
  })

  it("a relay passes on what the third node lacks, and only that", () => {
    const clock = { now: 1_000_000 }
    const [left, middle, right] = [new NaiveReplica(a), new NaiveReplica(b), new NaiveReplica(c)]
    for (let n = 1; n <= 30; n++) left.append([write(a, { wall: n, counter: 0 }, `row-${n}`)])
    const links = [new Link(left, middle, () => clock.now), new Link(middle, right, () => clock.now)]
    settle(links, clock)
    assertConverged([left, middle, right])
    assert.strictEqual(links[1]?.ends[0].sentOperations, 30)
    assert.strictEqual(links[0]?.ends[1].sentOperations, 0)
  })

  it("in a full mesh an operation reaches each node about once", () => {
    const clock = { now: 1_000_000 }
    const replicas = ["a", "b", "c", "d"].map((name) => new NaiveReplica(node(name)))
    const links = replicas.flatMap((one, i) =>
      replicas.slice(i + 1).map((other) => new Link(one, other, () => clock.now))
    )
    settle(links, clock)
    for (let n = 0; n < 40; n++) {
      for (const replica of replicas)
        replica.append([write(replica.id, { wall: clock.now, counter: n }, `${replica.id}-${n}`)])
    }
    settle(links, clock)
    assertConverged(replicas)
    const sent = links.flatMap((link) => link.ends).reduce((sum, end) => sum + end.sentOperations, 0)
    assert.isAtMost(sent, 4 * 40 * 3 * 1.15)
  })

  it("what is written while a commit changes nothing is sent all the same", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append([write(a, { wall: 1, counter: 0 }, "x")])
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    right.append([write(b, { wall: 2, counter: 0 }, "y")])
    // The same again: the version that the commit answers with is that of the write beside it.
    const { seq } = link.ends[1].session.inbound
    const again = { seq, more: false, fresh: false, through: VectorClock.empty }
    const text = Wire.encodeData(again, [toWire(write(a, { wall: 1, counter: 0 }, "x"))])
    link.event(1, { _tag: "Received", now: clock.now, text })
    clock.now += 1_000
    link.tick(1)
    assert.isTrue(link.ends[0].inbox.some((frame) => frame.includes(`"row_id":"y"`)))
  })

  it("a claim waits until the winner over a superseded operation has been sent", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    // Row x was written by a and then by c: the write of a leaves no trace at `left`.
    left.append([write(a, { wall: 1, counter: 0 }, "x")])
    left.append([write(a, { wall: 2, counter: 0 }, "y")])
    left.apply({
      operations: [write(c, { wall: 3, counter: 0 }, "x")],
      coverage: VectorClock.fromEntries([[c, { wall: 3, counter: 0 }]]),
      quarantined: []
    })
    const link = new Link(left, right, () => clock.now, { maxFrameBytes: 1_300 })
    // Deliver frame by frame: whenever `right` claims a timestamp of a, it holds row x.
    for (let step = 0; step < 100; step++) {
      link.deliver(1)
      if (VectorClock.covers(right.clock, { wall: 1, counter: 0, node: a })) {
        assert.isTrue([...right.state.values()].some((operation) => operation.row_id === "x"))
      }
      link.deliver(0)
    }
    settle([link], clock)
    assertConverged([left, right])
  })

  it("a claim of our own history waits for what won over a part of it", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    const [lost, winner, kept] = [
      write(a, { wall: 1, counter: 0 }, "x"),
      write(c, { wall: 2, counter: 0 }, "x"),
      write(a, { wall: 3, counter: 0 }, "y")
    ]
    left.append([lost])
    left.apply({ operations: [winner], coverage: VectorClock.empty, quarantined: [] })
    left.append([kept])
    link.notify(0)
    while (link.deliver(1)) assertPrefix([right], [lost, kept])
    // Our own operation went out at once, that of the third party waits to see whether it is needed.
    assert.deepStrictEqual(
      Array.from(right.state.values(), (operation) => operation.row_id),
      ["y"]
    )
    settle([link], clock)
    assertPrefix([right], [lost, kept])
    assert.deepStrictEqual(rows(left), rows(right))
  })

  it("a claim of our own history waits for what won over a winner over a part of it", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    const [lost, kept] = [write(a, { wall: 1, counter: 0 }, "x"), write(a, { wall: 4, counter: 0 }, "y")]
    // Of the one that won at first nothing is left to be sent.
    const winners = [write(c, { wall: 2, counter: 0 }, "x"), write(node("d"), { wall: 3, counter: 0 }, "x")]
    left.append([lost])
    left.apply({ operations: winners, coverage: VectorClock.empty, quarantined: [] })
    left.append([kept])
    link.notify(0)
    while (link.deliver(1)) assertPrefix([right], [lost, kept])
    settle([link], clock)
    assertPrefix([right], [lost, kept])
    assert.deepStrictEqual(rows(left), rows(right))
  })

  it("holds back an operation from the future, takes the others, and takes it when its time has come", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append([write(a, { wall: 900_000, counter: 0 }, "past")])
    left.append([write(a, { wall: clock.now + 300_005, counter: 0 }, "future")])
    left.append([write(a, { wall: clock.now + 300_005, counter: 1 }, "after")])
    left.apply({
      operations: [write(c, { wall: 5, counter: 0 }, "other")],
      coverage: VectorClock.fromEntries([[c, { wall: 5, counter: 0 }]]),
      quarantined: []
    })
    const link = new Link(left, right, () => clock.now)
    for (let turn = 0; turn < 20; turn++) {
      link.deliver(0)
      link.deliver(1)
    }
    assert.deepStrictEqual([...right.state.values()].map((operation) => operation.row_id).sort(), ["other", "past"])
    assert.isFalse(VectorClock.covers(right.clock, { wall: clock.now + 300_005, counter: 0, node: a }))
    assert.strictEqual(HashMap.size(Session.view(link.ends[1].session).deferred), 1)
    settle([link], clock)
    assertConverged([left, right])
  })

  it.prop(
    "replicas that exchange everything end with equal clocks and equal states, in any fair order",
    [Schema.Array(Schema.Natural).check(Schema.isMinLength(30), Schema.isMaxLength(200))],
    ([choices]) => {
      let index = 0
      const pick = (n: number): number => (choices[index++ % choices.length] ?? 0) % n
      const clock = { now: 1_000_000 }
      const replicas = [a, b, c].map((id) => new NaiveReplica(id))
      const timestamps = new Map(replicas.map((replica) => [replica.id, Hlc.zero]))
      const written: Array<Operation> = []
      const append = (replica: NaiveReplica) => {
        const timestamp = Hlc.send(timestamps.get(replica.id) ?? Hlc.zero, 1_000 + pick(20))
        timestamps.set(replica.id, timestamp)
        const kind = ["notes", "knowledge", "episodes", "execution_log", "weather"][pick(5)]
        const operation = write(replica.id, timestamp, `row-${pick(6)}`, kind, pick(4) === 0 ? "delete" : "insert")
        written.push(operation)
        replica.append([operation])
      }
      const [x, y, z] = replicas as [NaiveReplica, NaiveReplica, NaiveReplica]
      for (let n = 0; n < 20; n++) append([x, y, z][pick(3)] ?? x)
      let links = [new Link(x, y, () => clock.now, { maxFrameBytes: 1_600 }), new Link(z, y, () => clock.now)]
      for (let n = 0; n < 60; n++) {
        const link = links[pick(links.length)]
        const side = pick(2) === 0 ? 0 : 1
        switch (pick(6)) {
          case 0:
            append([x, y, z][pick(3)] ?? x)
            break
          case 1:
            link?.notify(side)
            break
          case 2:
            clock.now += pick(120)
            link?.tick(side)
            break
          case 3:
            // A connection is lost, with all that was under way, and made anew, between any two.
            if (pick(5) === 0)
              links = [new Link(y, x, () => clock.now), new Link(y, z, () => clock.now, { maxFrameBytes: 1_600 })]
            break
          default:
            link?.deliver(side)
        }
        assertPrefix(replicas, written)
      }
      settle(links, clock, pick)
      assertConverged(replicas)
    },
    runs(1_000)
  )

  const anything = Schema.Tuple([Schema.Natural, Schema.Natural, Schema.Natural])
  it.prop(
    "no event in any state makes it throw, and a session that is closed stays closed",
    [Schema.Array(anything).check(Schema.isMaxLength(60)), operations, vectorClock],
    ([script, changes, claim]) => {
      const clock = { now: 1_000_000 }
      const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
      left.append([write(a, { wall: 5, counter: 0 }, "x")])
      const link = new Link(left, right, () => clock.now, { maxFrameBytes: 1_500 })
      const hello = (type: "sync_request" | "sync_response", text: string): Wire.Message => ({
        type,
        nodeId: node(text),
        clock: claim,
        proof: text,
        digest: Option.some("00"),
        rows: Option.none(),
        uncovered: HashMap.empty(),
        features: [],
        time: clock.now
      })
      const frames: ReadonlyArray<(n: number) => string> = [
        () => Wire.encode(hello("sync_request", "c")),
        () => Wire.encode(hello("sync_response", "a")),
        (seq) =>
          Wire.encode({
            type: "sync_data",
            seq: seq % 4,
            more: seq % 2 === 0,
            fresh: seq % 3 === 0,
            through: claim,
            operations: changes,
            malformed: []
          }),
        (seq) =>
          Wire.encode({
            type: "sync_ack",
            seq: Option.some(seq % 9),
            clock: claim,
            digest: Option.none(),
            rows: Option.none(),
            held: claim
          }),
        () => Wire.encode({ type: "sync_error", reason: "invalid_passphrase", message: "" }),
        () => '{"type":"sync_data"}',
        () => "\u0000"
      ]
      for (const [what, which, n] of script) {
        const side = which % 2 === 0 ? 0 : 1
        const before = link.ends[side].session
        clock.now += n % 20_000
        const now = clock.now
        switch (what % 9) {
          case 0:
          case 1:
            link.deliver(side)
            break
          case 2:
            link.event(side, { _tag: "Received", now, text: frames[n % frames.length]?.(which) ?? "" })
            break
          case 3:
            link.tick(side)
            break
          case 4:
            link.event(side, { _tag: "Committed", now, snapshot: right.snapshot(), hasChanged: n % 2 === 0 })
            break
          case 5: {
            const request = { from: [], since: n % 3, maxBytes: 1, maxOperations: 1 }
            link.event(side, { _tag: "Delta", now, request, delta: left.delta(request) })
            break
          }
          case 6:
            link.event(side, { _tag: "Changed", now, snapshot: left.snapshot() })
            break
          case 7:
            link.event(side, { _tag: "Alive", now, isAnswer: true })
            break
          default:
            if (n % 10 === 0) link.event(side, { _tag: "Stop", now, code: 1001, reason: "" })
        }
        if (before.phase === "closed") assert.strictEqual(link.ends[side].session, before)
        assert.isFalse(Number.isNaN(Session.deadline(link.ends[side].session)))
        Session.view(link.ends[side].session)
      }
    },
    runs(3_000)
  )

  it("nothing is said to a dialler without the passphrase, and nothing to a server without it", () => {
    for (const guilty of [0, 1] as const) {
      const clock = { now: 1_000_000 }
      const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
      for (const replica of [left, right]) replica.append([write(replica.id, { wall: 5, counter: 0 }, "x")])
      const link = new Link(left, right, () => clock.now, {}, { keys: { [guilty]: new Uint8Array(32).fill(1) } })
      settle([link], clock)
      const failures = link.ends.map((end) => end.failure?._tag)
      assert.deepStrictEqual(failures, ["PassphraseMismatch", "PassphraseMismatch"])
      assert.deepStrictEqual(
        link.ends.map((end) => end.sentOperations),
        [0, 0]
      )
      assert.isFalse(link.ends.some((end) => end.established))
      assert.strictEqual(HashMap.size(right.clock) + HashMap.size(left.clock), 2)
    }
  })

  it("a first meeting after writes of this session raises no alarm", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append([write(a, { wall: 5, counter: 0 }, "x")])
    const link = new Link(left, right, () => clock.now, { ownTimestampAtOpen: Hlc.zero })
    while (link.deliver(0) || link.deliver(1)) {
      assert.isFalse(link.ends.some((end) => Session.view(end.session).diverged))
    }
    settle([link], clock)
    assert.deepStrictEqual(rows(left), rows(right))
  })

  it("different states under equal clocks are noticed, and repaired", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    const operation = write(a, { wall: 5, counter: 0 }, "x")
    left.append([operation])
    right.append([{ ...operation, op_id: OpId.make("another") }])
    const link = new Link(left, right, () => clock.now)
    settle([link], clock)
    for (const end of link.ends) assert.strictEqual(end.divergences, 2)
    assert.isFalse(link.ends.some((end) => Session.view(end.session).diverged))
    assertConverged([left, right])
  })

  it("two nodes with one id do not sync, and both say why", () => {
    const clock = { now: 1_000_000 }
    const link = new Link(new NaiveReplica(a), new NaiveReplica(a), () => clock.now)
    settle([link], clock)
    assert.deepStrictEqual(
      link.ends.map((end) => end.failure?._tag),
      ["DuplicateNodeId", "DuplicateNodeId"]
    )
  })

  it("a silent peer is asked for a sign of life, and given up after 40 s", () => {
    const clock = { now: 1_000_000 }
    const link = new Link(new NaiveReplica(a), new NaiveReplica(b), () => clock.now)
    settle([link], clock)
    const quiet = clock.now
    for (; clock.now < quiet + 39_000; clock.now += 1_000) link.tick(0)
    assert.strictEqual(link.ends[0].session.phase, "open")
    assert.isAtLeast(link.ends[0].pings, 1)
    clock.now = link.ends[0].session.aliveAt + 40_000
    link.tick(0)
    assert.strictEqual(link.ends[0].failure?._tag, "PeerTimeout")
  })

  it("a handshake that takes longer than ten seconds is given up", () => {
    const clock = { now: 1_000_000 }
    const link = new Link(new NaiveReplica(a), new NaiveReplica(b), () => clock.now)
    assert.strictEqual(Session.deadline(link.ends[1].session), clock.now + 10_000)
    clock.now += 10_000
    link.tick(1)
    assert.strictEqual(link.ends[1].failure?._tag, "PeerTimeout")
  })

  it("no more than the credit is under way without an acknowledgement", () => {
    const clock = { now: 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append(Array.from({ length: 1_300 }, (_, n) => write(a, { wall: n + 1, counter: 0 }, `row-${n}`)))
    const link = new Link(left, right, () => clock.now, { maxFrameBytes: 1_500 })
    while (link.ends[0].session.phase !== "open") {
      link.deliver(1)
      link.deliver(0)
    }
    // The server has its answer and nothing is acknowledged: the dialler stops at the number of frames it may have open.
    assert.strictEqual(link.ends[0].session.outbound.unacked.length, credit.frames)
    settle([link], clock)
    assert.deepStrictEqual(rows(left), rows(right))
  })
})
