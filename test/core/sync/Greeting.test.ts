/** How two replicas begin: proofs first, then the hashes of their clocks, and the clocks only where those differ. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap } from "effect"
import * as Handshake from "../../../src/core/sync/Handshake.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { vectorClock } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, settle } from "../../support/Settle.ts"

const a = node("019a0000-0000-7000-8000-00000000000a")
const b = node("019a0000-0000-7000-8000-00000000000b")
const epoch = 1_700_000_000_000

/** Two replicas that hold one row of each of so many origins, and claim it. */
const equal = (origins: number) => {
  const operations = Array.from({ length: origins }, (_, n) =>
    write(
      n < 2 ? ([a, b][n] ?? a) : node(`019a0000-0000-7000-8000-${`${n}`.padStart(12, "0")}`),
      { wall: epoch + n, counter: 0 },
      `row ${n}`
    )
  )
  const through = VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))
  const made = (id: typeof a) => {
    const replica = new NaiveReplica(id)
    replica.apply({ operations, coverage: through, quarantined: [] })
    return replica
  }
  return [made(a), made(b)] as const
}

/** Delivers all that is under way, and records it. */
const record = (link: Link) => {
  const texts: Array<string> = []
  for (;;) {
    const [left, right] = link.ends.map(({ inbox }) => inbox[0])
    if (right !== undefined) {
      texts.push(right)
      link.deliver(1)
    } else if (left !== undefined) {
      texts.push(left)
      link.deliver(0)
    } else return texts
  }
}

const messages = (texts: ReadonlyArray<string>) => texts.map((text) => JSON.parse(text) as Record<string, unknown>)

describe("equal replicas", () => {
  for (const origins of [0, 1, 10, 1_000, 10_000]) {
    it(`of ${origins} origins meet with 600 bytes in all, and are live at once`, () => {
      const clock = { now: epoch + 1_000_000 }
      const [left, right] = equal(origins)
      const link = new Link(left, right, () => clock.now)
      settle([link], clock)
      const bytes = link.ends.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
      assert.isAtMost(bytes, 600)
      for (const { session, established, failure } of link.ends) {
        assert.isTrue(established)
        assert.isUndefined(failure)
        assert.strictEqual(Session.view(session).state, "live")
        assert.strictEqual(Session.view(session).lag, 0)
      }
      // What is written then travels as ever.
      left.append([write(a, { wall: clock.now, counter: 0 }, "news")])
      link.notify(0)
      settle([link], clock)
      assertConverged([left, right])
    })
  }
})

describe("a replica that tells less than it has", () => {
  it("as it asks for its own history: the other side is not live before it has the rest", () => {
    const clock = { now: epoch + 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    right.append([write(b, { wall: epoch, counter: 0 }, "written since it was opened")])
    const link = new Link(left, right, () => clock.now, { ownTimestampAtOpen: Hlc.zero })
    for (let turn = 0; turn < 20; turn++) {
      for (const index of [0, 1] as const) link.deliver(index)
      const isThere = left.state.size === 1
      if (Session.view(link.ends[0].session).state === "live") assert.isTrue(isThere)
    }
    settle([link], clock)
    assertConverged([left, right])
    for (const { session } of link.ends) assert.strictEqual(Session.view(session).state, "live")
  })
})

describe("what the peer lacks", () => {
  it("is not told before its clock is known, and never too low", () => {
    const clock = { now: epoch + 1_000_000 }
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    left.append([1, 2, 3].map((n) => write(a, { wall: epoch + n, counter: 0 }, `row ${n}`)))
    const link = new Link(left, right, () => clock.now)
    const lags = new Set<number | undefined>()
    const look = () => {
      const { lag } = Session.view(link.ends[0].session)
      lags.add(lag)
      if (lag !== undefined) assert.isAtLeast(lag, left.state.size - right.state.size)
    }
    look()
    for (let turn = 0; turn < 20; turn++) {
      for (const index of [0, 1] as const) {
        link.deliver(index)
        look()
      }
    }
    settle([link], clock)
    look()
    assert.deepStrictEqual([...lags], [undefined, 3, 0])
  })
})

describe("before both proofs hold", () => {
  it("the dialler says its id and its proof, and the server nothing", () => {
    const [left, right] = equal(3)
    const link = new Link(left, right, () => epoch)
    const [first] = messages(link.ends[1].inbox)
    assert.deepStrictEqual(Object.keys(first ?? {}).sort(), ["node_id", "proof", "type"])
    assert.strictEqual(link.ends[0].inbox.length, 0)
  })

  it("a refused peer has learned neither a clock nor a digest, in either role", () => {
    for (const [wrong, revision] of [
      [0, 2],
      [1, 2],
      [0, 1],
      [1, 1]
    ] as const) {
      const [left, right] = equal(3)
      const link = new Link(left, right, () => epoch, { revision }, { keys: { [wrong]: new Uint8Array(32) } })
      const texts = record(link)
      assert.include(texts.join(""), "invalid_passphrase")
      for (const text of texts.map((all) => all.replace('"vector_clock":{}', ""))) {
        for (const key of ["vector_clock", "clock_hash", "digest", "takes"]) assert.notInclude(text, `"${key}"`)
      }
    }
  })

  it("a server that cannot prove itself hears no clock", () => {
    const [left, right] = equal(3)
    const link = new Link(left, right, () => epoch)
    const forged = { type: "sync_response", node_id: b, proof: "A".repeat(43), clock_hash: "x", vector_clock: {} }
    link.event(0, { _tag: "Received", now: epoch, text: JSON.stringify(forged) })
    assert.strictEqual(link.ends[0].failure?._tag, "PassphraseMismatch")
    assert.notInclude(link.ends[1].inbox.join(""), "vector_clock")
  })

  it("a greeting has 64 KiB at most", () => {
    for (const over of [0, 1]) {
      const [left, right] = equal(1)
      const link = new Link(left, right, () => epoch)
      const [text = ""] = link.ends[1].inbox
      link.event(1, { _tag: "Received", now: epoch, text: text.padEnd(Wire.limits.greetingBytes + over) })
      assert.strictEqual(link.ends[1].failure === undefined, over === 0)
    }
  })
})

describe("replicas of different clocks", () => {
  for (const maxRecvBytes of [4_096, 8 * 1024 * 1024]) {
    it(`tell them once, in frames that fit into ${maxRecvBytes} bytes`, () => {
      const clock = { now: epoch + 1_000_000 }
      const [left, right] = equal(400)
      left.append([write(a, { wall: clock.now, counter: 0 }, "more")])
      const link = new Link(left, right, () => clock.now, { maxRecvBytes })
      const texts = record(link)
      settle([link], clock)
      assertConverged([left, right])
      for (const text of texts) assert.isAtMost(Buffer.byteLength(text), maxRecvBytes)
      const clocks = messages(texts).filter(({ type, vector_clock }) => type === "sync_request" && vector_clock)
      assert.strictEqual(clocks.filter(({ more }) => more !== true).length, 2)
      assert.strictEqual(link.ends[0].sentOperations + link.ends[1].sentOperations, 1)
    })
  }

  it("what is claimed of many origins is told in frames that fit", () => {
    const clock = { now: epoch + 1_000_000 }
    const [left] = equal(400)
    const right = new NaiveReplica(b)
    const link = new Link(left, right, () => clock.now, { maxRecvBytes: 4_096 })
    const texts: Array<string> = []
    for (let turn = 0; turn < 100; turn++) {
      texts.push(...record(link))
      clock.now += 100
      for (const index of [0, 1] as const) link.tick(index)
    }
    for (const text of texts) assert.isAtMost(Buffer.byteLength(text), 4_096)
    assertConverged([left, right])
  })

  it("one that holds nothing yet takes no other digest for that of its own clock", () => {
    const clock = { now: epoch + 1_000_000 }
    for (const isEmptyFirst of [true, false]) {
      const [full] = equal(3)
      const none = new NaiveReplica(b)
      const link = isEmptyFirst ? new Link(none, full, () => clock.now) : new Link(full, none, () => clock.now)
      settle([link], clock)
      assertConverged([full, none])
      for (const { divergences } of link.ends) assert.strictEqual(divergences, 0)
    }
  })

  it("the hash of another clock than the server told ends the session", () => {
    const [left, right] = equal(1)
    const link = new Link(left, right, () => epoch)
    link.deliver(1)
    link.event(1, { _tag: "Received", now: epoch, text: JSON.stringify({ type: "sync_request", clock_hash: "x" }) })
    assert.strictEqual(link.ends[1].failure?._tag, "ProtocolViolation")
  })
})

describe("the hash of a clock", () => {
  it.prop("is the same for the same clocks, and for no others", [vectorClock, vectorClock], ([one, other]) => {
    const shuffled = VectorClock.fromEntries([...HashMap.entries(one)].reverse())
    assert.strictEqual(Handshake.hashOfClock(one), Handshake.hashOfClock(shuffled))
    assert.strictEqual(
      Handshake.hashOfClock(one) === Handshake.hashOfClock(other),
      VectorClock.compare(one, other) === "equal"
    )
  })

  it("takes little time for 10,000 origins", () => {
    const [{ clock }] = equal(10_000)
    const began = performance.now()
    Handshake.hashOfClock(clock)
    assert.isBelow(performance.now() - began, 1_000)
  })
})

describe("with a node of today", () => {
  for (const [dialler, server] of [
    [1, 2],
    [2, 1]
  ] as const) {
    it(`revision ${dialler} dials, ${server} serves: the transport settles on 1, and both speak it`, () => {
      const clock = { now: epoch + 1_000_000 }
      const [left, right] = equal(5)
      left.append([write(a, { wall: clock.now, counter: 0 }, "of the left")])
      right.append([write(b, { wall: clock.now, counter: 0 }, "of the right")])
      const link = new Link(left, right, () => clock.now, { revision: 1 })
      const [first] = messages(link.ends[1].inbox)
      assert.deepStrictEqual(Object.keys(first ?? {}).sort(), [
        "features",
        "node_id",
        "proof",
        "time",
        "type",
        "vector_clock"
      ])
      assert.deepStrictEqual(first?.["vector_clock"], {})
      settle([link], clock)
      assertConverged([left, right])
    })
  }
})
