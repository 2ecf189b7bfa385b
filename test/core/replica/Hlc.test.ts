import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option, Result } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import {
  anyText,
  element,
  fewHlcs,
  fewTimestamps,
  hlc,
  integer,
  now,
  oneOf,
  timestamp,
  runs
} from "../../support/Generators.ts"
import { hlcLaws } from "../../../src/testing/HlcLaws.ts"

const max = Number.MAX_SAFE_INTEGER
const isAtMost = (a: Hlc.Timestamp, b: Hlc.Timestamp): boolean => !Hlc.isAfter(a, b)

/** Timestamps that have a successor: all but the very last one. */
const early = Arbitrary.filter(timestamp, ({ wall, counter }) => wall < max || counter < max)

hlcLaws(Hlc, runs(5000).arbitrary)

describe("Hlc timestamps", () => {
  it.prop(
    "witness is the later of both, and the next send is after both",
    [early, early, now, now],
    ([local, remote, at, later]) => {
      const seen = Result.getOrThrow(Hlc.witness(local, remote, at, Infinity))
      assert.isTrue(isAtMost(local, seen) && isAtMost(remote, seen))
      assert.isTrue(Hlc.TimestampOrder(seen, local) === 0 || Hlc.TimestampOrder(seen, remote) === 0)
      const next = Hlc.send(seen, later)
      assert.isTrue(Hlc.isAfter(next, local) && Hlc.isAfter(next, remote))
    },
    runs(5000)
  )

  it.prop(
    "refuses a remote timestamp exactly when it is further ahead than the bound",
    [timestamp, integer(0, 10), integer(0, 1_000_000), integer(-3, 3), integer(0, 5)],
    ([local, at, bound, beyond, counter]) => {
      const wall = Math.max(0, at + bound + beyond)
      const remote = { wall, counter }
      const received = Hlc.receive(local, remote, at, bound)
      assert.strictEqual(Result.isFailure(received), wall - at > bound)
      assert.strictEqual(Result.isFailure(Hlc.witness(local, remote, at, bound)), wall - at > bound)
      assert.strictEqual(Hlc.isDrifting(remote, at, bound), wall - at > bound)
      if (Result.isFailure(received)) {
        assert.strictEqual(received.failure._tag, "ClockDrift")
        assert.deepStrictEqual({ ...received.failure }, { ...received.failure, remote: wall, local: at, limit: bound })
      }
    },
    runs(5000)
  )

  it.prop(
    "never runs backwards, whatever the wall clock does and whatever comes in",
    [
      timestamp,
      Arbitrary.array(Arbitrary.all([now, oneOf<Hlc.Timestamp | undefined>(timestamp, Arbitrary.Constant(undefined))]))
    ],
    ([start, events]) => {
      let clock = start
      for (const [at, remote] of events) {
        // Nothing comes after the last timestamp of all: leave room.
        if (clock.wall >= max - 64 || (remote !== undefined && remote.wall >= max - 64)) continue
        const next =
          remote === undefined
            ? Hlc.send(clock, at)
            : Result.getOrElse(Hlc.receive(clock, remote, at, 1000), () => clock)
        const refused = remote !== undefined && remote.wall - at > 1000
        assert.isTrue(refused ? next === clock : Hlc.isAfter(next, clock))
        clock = next
      }
    },
    runs(3000)
  )

  it("carries a full counter into the wall time", () => {
    assert.deepStrictEqual(Hlc.send({ wall: 7, counter: max }, 3), { wall: 8, counter: 0 })
    assert.deepStrictEqual(Hlc.send({ wall: 7, counter: max - 1 }, 7), { wall: 7, counter: max })
    assert.deepStrictEqual(Hlc.send({ wall: 7, counter: max }, 9), { wall: 9, counter: 0 })
  })

  it.prop(
    "steps beyond a timestamp are those of as many sends",
    [oneOf(timestamp, fewTimestamps), Arbitrary.all([integer(1, 20), integer(1, 20)])],
    ([at, [some, more]]) => {
      if (at.wall >= max - 64) return
      let sent = at
      for (let step = 0; step < some + more; step++) sent = Hlc.send(sent, 0)
      assert.deepStrictEqual(Hlc.plus(Hlc.plus(at, some), more), sent)
    },
    runs(3000)
  )

  it("takes over the wall clock as soon as it is ahead", () => {
    assert.deepStrictEqual(Hlc.send({ wall: 7, counter: 5 }, 7), { wall: 7, counter: 6 })
    assert.deepStrictEqual(Hlc.send({ wall: 7, counter: 5 }, 8), { wall: 8, counter: 0 })
  })

  it.prop(
    "the predecessor is below, and nothing lies between",
    [oneOf(timestamp, fewTimestamps), oneOf(timestamp, fewTimestamps)],
    ([at, other]) => {
      const below = Hlc.predecessor(at)
      if (Hlc.TimestampOrder(at, Hlc.zero) === 0) {
        assert.deepStrictEqual(below, Hlc.zero)
      } else {
        assert.isTrue(Hlc.isAfter(at, below))
        assert.deepStrictEqual(Hlc.send(below, 0), at)
        if (Hlc.isAfter(at, other)) assert.isTrue(isAtMost(other, below))
      }
    },
    runs(5000)
  )

  it.prop(
    "isAfter, latest and TimestampOrder agree, and order totally",
    [oneOf(timestamp, fewTimestamps), oneOf(timestamp, fewTimestamps), fewTimestamps],
    ([a, b, c]) => {
      const forth = Hlc.TimestampOrder(a, b)
      assert.strictEqual(forth + Hlc.TimestampOrder(b, a), 0)
      assert.strictEqual(forth === 0, a.wall === b.wall && a.counter === b.counter)
      assert.strictEqual(forth > 0, Hlc.isAfter(a, b))
      assert.strictEqual(
        Hlc.TimestampOrder(Hlc.latest(a, b), a) >= 0 && Hlc.TimestampOrder(Hlc.latest(a, b), b) >= 0,
        true
      )
      if (Hlc.isAfter(a, b) && Hlc.isAfter(b, c)) assert.isTrue(Hlc.isAfter(a, c))
      assert.isTrue(isAtMost(Hlc.zero, a))
    },
    runs(5000)
  )
})

describe("Hlc order and text", () => {
  it.prop(
    "is total, antisymmetric and transitive",
    [oneOf(hlc, fewHlcs), oneOf(hlc, fewHlcs), fewHlcs],
    ([a, b, c]) => {
      assert.strictEqual(Hlc.HlcOrder(a, b) + Hlc.HlcOrder(b, a), 0)
      assert.strictEqual(Hlc.HlcOrder(a, b) === 0, Hlc.toText(a) === Hlc.toText(b))
      const [low = a, middle = a, high = a] = [a, b, c].sort(Hlc.HlcOrder)
      assert.isTrue(Hlc.HlcOrder(low, middle) <= 0 && Hlc.HlcOrder(middle, high) <= 0 && Hlc.HlcOrder(low, high) <= 0)
    },
    runs(5000)
  )

  it.prop(
    "is by wall time, then counter, then the bytes of the node id",
    [hlc, fewHlcs, fewHlcs],
    ([wide, a, b]) => {
      for (const [left, right] of [
        [a, b],
        [wide, a]
      ] as const) {
        const expected =
          Math.sign(left.wall - right.wall) ||
          Math.sign(left.counter - right.counter) ||
          Buffer.compare(Buffer.from(left.node), Buffer.from(right.node))
        assert.strictEqual(Hlc.HlcOrder(left, right), expected)
      }
    },
    runs(5000)
  )

  it.prop(
    "text round-trips, and text keeps the order",
    [hlc, hlc],
    ([a, b]) => {
      const [readA, readB] = [Hlc.fromText(Hlc.toText(a)), Hlc.fromText(Hlc.toText(b))]
      assert.deepStrictEqual(readA, Option.some(a))
      assert.strictEqual(Hlc.HlcOrder(Option.getOrThrow(readA), Option.getOrThrow(readB)), Hlc.HlcOrder(a, b))
      assert.deepStrictEqual(
        Hlc.parseTimestamp(Hlc.toText(a)),
        Option.some({ timestamp: timestampOf(a), node: a.node })
      )
    },
    runs(5000)
  )

  it.prop(
    "every text that is read is the text of what was read",
    [
      oneOf(hlc, fewHlcs),
      integer(0, 40),
      integer(0, 2),
      element("", "0", "1", "9", ":", "-", "+", " ", ".", "e", "\t", "\n", "\u0661", "\uff11", "00", "0x")
    ],
    ([made, at, removed, inserted]) => {
      const text = Hlc.toText(made)
      const start = at % (text.length + 1)
      assertCanonical(text.slice(0, start) + inserted + text.slice(start + removed))
    },
    runs(10_000)
  )

  it.prop(
    "any text whatsoever is read as itself or not at all",
    [anyText],
    ([text]) => assertCanonical(text),
    runs(3000)
  )

  it("node ids may hold colons: the first two of the text separate", () => {
    const read = Option.getOrThrow(Hlc.fromText("1:2::3:"))
    assert.deepStrictEqual(read, { wall: 1, counter: 2, node: NodeId.make(":3:") })
  })

  it("refuses what no HLC has as its text", () => {
    const refused = [
      ["", "1", "1:2", "1:2:", "::a", "1::a", ":1:a", "01:2:a", "1:02:a", "+1:2:a", "-1:2:a", "1.0:2:a", "1e3:2:a"],
      [" 1:2:a", "1:2:a\n", "1:2:__proto__", "9007199254740992:0:a", "0:9007199254740993:a", "1:2:\ud800"],
      [`1${"0".repeat(16)}:0:a`, `1:2:${"a".repeat(129)}`]
    ].flat()
    for (const text of refused) assert.isTrue(Option.isNone(Hlc.fromText(text)), text)
    assert.isTrue(Option.isSome(Hlc.fromText(`${max}:${max}:a`)))
    assert.isTrue(Option.isSome(Hlc.fromText("0:0:a")))
  })

  it("a timestamp without a node is read as a timestamp", () => {
    assert.deepStrictEqual(Hlc.parseTimestamp("0:0:"), Option.some({ timestamp: Hlc.zero, node: "" }))
  })
})

const timestampOf = ({ wall, counter }: Hlc.Timestamp): Hlc.Timestamp => ({ wall, counter })

const assertCanonical = (text: string): void => {
  const read = Hlc.fromText(text)
  if (Option.isSome(read)) assert.strictEqual(Hlc.toText(read.value), text)
}
