/** Who may be met after deletions were collected, and how far they may be collected. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap, HashSet } from "effect"
import type { Acknowledgement } from "../../../src/core/replica/Acknowledgement.ts"
import * as Cut from "../../../src/core/replica/Cut.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { integer, runs, vectorClock } from "../../support/Generators.ts"
import { node } from "../../support/Network.ts"
import { clockOf } from "../../support/Stores.ts"

const day = 86_400_000
const at = (wall: number) => ({ wall, counter: 0 })
const cut = (changes: Partial<Cut.Cut> = {}): Cut.Cut => ({ ...Cut.none, ...changes })
const told = (changes: Partial<Cut.Cut> = {}) => Cut.toldOf(cut(changes))
const [a, b, c] = [node("a"), node("b"), node("c")]
const covered = clockOf({ a: at(5) })

describe("the rule of the cut", () => {
  const cases: ReadonlyArray<readonly [string, Cut.Cut, Cut.Told | undefined, Cut.Verdict]> = [
    ["no node has collected", cut(), told(), "admitted"],
    ["a version that knows no cut, and nothing is collected", cut({ confirmed: covered }), undefined, "admitted"],
    [
      "a version that knows no cut, and something is",
      cut({ confirmed: covered, collected: covered }),
      undefined,
      "peer too old"
    ],
    [
      "the peer has confirmed it",
      cut({ confirmed: covered, collected: covered }),
      told({ confirmed: covered }),
      "admitted"
    ],
    ["the peer has not", cut({ confirmed: covered, collected: covered }), told(), "peer away"],
    [
      "the peer has confirmed less",
      cut({ confirmed: covered, collected: covered }),
      told({ confirmed: clockOf({ a: at(4) }) }),
      "peer away"
    ],
    ["this node has not", cut(), told({ confirmed: covered, collected: covered }), "self away"],
    [
      "both have collected apart",
      cut({ confirmed: covered, collected: covered }),
      told({ confirmed: clockOf({ b: at(9) }), collected: clockOf({ b: at(9) }) }),
      "apart"
    ],
    ["the peer is fresh", cut({ confirmed: covered, collected: covered }), told({ since: 6 }), "admitted"],
    [
      "the peer has written since before",
      cut({ confirmed: covered, collected: covered }),
      told({ since: 5 }),
      "peer away"
    ],
    ["this node is fresh", cut({ since: 6 }), told({ confirmed: covered, collected: covered }), "admitted"],
    ["the peer was left out", cut({ confirmed: covered, leftOut: HashSet.make(b) }), told(), "peer away"],
    [
      "it was, and has begun anew",
      cut({ confirmed: covered, leftOut: HashSet.make(b) }),
      told({ isFilling: true }),
      "admitted"
    ],
    [
      "this node rejoins, and the peer has confirmed nothing",
      cut({ since: 9, isRejoined: true }),
      told({ since: 9 }),
      "peer away"
    ]
  ]
  for (const [what, ours, theirs, expected] of cases) {
    it(`${what}: ${expected}`, () => assert.strictEqual(Cut.verdict(ours, theirs, b), expected))
  }
})

describe("a fresh replica", () => {
  it("takes over the cut of whom it meets first, and confirms no more than all that it meets", () => {
    const first = Cut.adopted(
      cut({ since: 9 }),
      told({ confirmed: clockOf({ a: at(5), b: at(3) }), collected: clockOf({ a: at(2) }) })
    )
    assert.isTrue(first?.isFilling)
    const next =
      first &&
      Cut.adopted(first, told({ confirmed: clockOf({ a: at(4), b: at(9) }), collected: clockOf({ b: at(1) }) }))
    assert.deepStrictEqual(next && new Map(next.confirmed), new Map(clockOf({ a: at(4), b: at(3) })))
    assert.deepStrictEqual(next && new Map(next.collected), new Map(clockOf({ a: at(2), b: at(1) })))
    assert.isFalse(next && Cut.filled(next).isFilling)
  })

  it("is not kept from anything by another fresh one", () => {
    const filling = cut({ confirmed: covered, isFilling: true })
    assert.isUndefined(Cut.adopted(filling, told({ since: 9 })))
  })

  it("is no replica with rows of others: that takes over nothing", () => {
    assert.isUndefined(Cut.adopted(cut(), told({ confirmed: covered, collected: covered })))
  })

  it("one that holds no rows of others yet takes over what the next peer has collected as well", () => {
    const of = (entries: Parameters<typeof clockOf>[0]) =>
      told({ confirmed: clockOf(entries), collected: clockOf(entries) })
    const small = Cut.adopted(cut({ since: 20 }), of({ b: at(3) }))
    assert.isDefined(small)
    // The first peer had no rows: it is filled, and as new as before.
    const filled = Cut.filled(small)
    assert.isUndefined(Cut.adopted(filled, of({ b: at(3) })))
    const next = Cut.adopted(filled, of({ a: at(9), b: at(3) }))
    assert.isDefined(next)
    assert.isTrue(next.isFilling && VectorClock.covers(next.collected, { ...at(9), node: a }))
    assert.strictEqual(Cut.verdict(next, of({ a: at(9), b: at(3) }), a), "admitted")
    // With rows of others it is not new any more, and has to begin anew.
    const { since: _, ...old } = filled
    assert.isUndefined(Cut.adopted({ ...old, since: undefined }, of({ a: at(9), b: at(3) })))
  })
})

describe("a cut that is taken over", () => {
  const half = (name: string) => cut({ confirmed: clockOf({ [name]: at(5) }), collected: clockOf({ [name]: at(5) }) })

  it("is of one half of a network: who was let in by both keeps the first", () => {
    const first = Cut.adopted(cut({ since: 9, isRejoined: true }), Cut.toldOf(half("a")))
    assert.isDefined(first)
    assert.isUndefined(Cut.adopted(first, Cut.toldOf(half("b"))))
    assert.strictEqual(Cut.verdict(first, Cut.toldOf(half("b")), b), "apart")
    assert.strictEqual(Cut.verdict(half("b"), Cut.toldOf(first), c), "apart")
  })

  const replica = (
    confirmed: VectorClock.VectorClock,
    collected: VectorClock.VectorClock,
    state: number,
    since: number
  ) =>
    cut({
      confirmed,
      collected: VectorClock.meet(confirmed, collected),
      since: (state & 1) === 0 ? undefined : since,
      isFilling: (state & 2) !== 0
    })

  it.prop(
    "covers all that was collected, and no peer is let in whose cut could not be taken over",
    [vectorClock, vectorClock, vectorClock, vectorClock, integer(0, 5), integer(0, 15)],
    ([confirmed, collected, theirConfirmed, theirCollected, since, states]) => {
      const ours = replica(confirmed, collected, states, since)
      const theirs = Cut.toldOf(replica(theirConfirmed, theirCollected, states >> 2, since))
      const taken = Cut.adopted(ours, theirs)
      assert.isTrue(taken === undefined || VectorClock.includes(taken.confirmed, taken.collected))
      // A peer without rows of others has none that is older than our tombstones.
      if (theirs.since !== undefined || Cut.verdict(ours, theirs, b) !== "admitted") return
      assert.isTrue(VectorClock.includes((taken ?? ours).confirmed, theirs.collected))
    },
    runs(20_000)
  )
})

const known = (changes: Partial<Cut.Known> = {}): Cut.Known => ({
  self: a,
  clock: clockOf({ a: at(day), b: at(2 * day) }),
  frontier: clockOf({ a: at(day), b: at(2 * day) }),
  acknowledgements: [],
  removed: new Set(),
  cut: cut(),
  connected: new Set(["b"]),
  now: 30 * day,
  keepMs: 10 * day,
  mayLeaveOut: true,
  ...changes
})
const agreed = (name: Acknowledgement["node"], changes: Partial<Acknowledgement> = {}): Acknowledgement => ({
  node: name,
  clock: known().clock,
  seenAt: 30 * day,
  agreed: known().clock,
  agreedAt: 30 * day,
  ...changes
})
const last = clockOf({ b: at(2 * day) })

describe("what is collected", () => {
  it("is what all that count have told to have confirmed, and nothing that a single one says", () => {
    // A liar that has confirmed everything that there will ever be, and another one that has not.
    const liar = agreed(b, { confirmed: clockOf({ a: at(99 * day), b: at(99 * day), made_up: at(99 * day) }) })
    for (const others of [[agreed(c)], [agreed(c, { confirmed: VectorClock.empty })]]) {
      const next = Cut.next(known({ acknowledgements: [liar, ...others] }), new Set(), last)
      assert.deepStrictEqual(new Map(next.confirmed), new Map(last))
      assert.isTrue(HashMap.isEmpty(next.collected))
    }
    const all = Cut.next(known({ acknowledgements: [liar, agreed(c, { confirmed: last })] }), new Set(), last)
    assert.deepStrictEqual(new Map(all.collected), new Map(last))
  })

  it("is old enough: nothing of the last days is confirmed", () => {
    const clock = clockOf({ a: at(29 * day), b: at(19 * day) })
    const of = Cut.candidates(
      known({ clock, frontier: clock, acknowledgements: [agreed(b, { agreed: clock, clock })] }),
      new Set()
    )
    assert.deepStrictEqual(new Map(of), new Map(clockOf({ a: at(20 * day), b: at(19 * day) })))
  })

  it("is never confirmed by a replica that is being filled", () => {
    const filling = cut({ isFilling: true })
    assert.strictEqual(Cut.next(known({ cut: filling }), new Set(), last), filling)
  })

  it("waits for a node that is off, until that was not seen for too long: it is left out then, and remembered", () => {
    const off = (seenAt: number) => agreed(c, { seenAt, agreed: clockOf({ b: at(1) }), confirmed: VectorClock.empty })
    const of = (seenAt: number) => {
      const here = known({ acknowledgements: [agreed(b, { confirmed: last }), off(seenAt)] })
      const without = Cut.notCounted(here)
      return Cut.next(here, without, VectorClock.meet(last, Cut.candidates(here, without)))
    }
    assert.isTrue(HashMap.isEmpty(of(21 * day).collected))
    const next = of(19 * day)
    assert.deepStrictEqual(new Map(next.collected), new Map(last))
    assert.deepStrictEqual([...next.leftOut], [c])
  })

  it("no node is left out that is connected, is this one, has just started to be looked for, or never tells what it holds", () => {
    const old = agreed(b, { seenAt: 0 })
    const of = (changes: Partial<Cut.Known>) => [...Cut.notCounted(known({ acknowledgements: [old], ...changes }))]
    assert.deepStrictEqual(of({}), [])
    assert.deepStrictEqual(of({ connected: new Set() }), [b])
    assert.deepStrictEqual(of({ connected: new Set(), mayLeaveOut: false }), [])
    const existing = { ...old, clock: VectorClock.empty }
    assert.deepStrictEqual(of({ connected: new Set(), acknowledgements: [existing] }), [])
    assert.deepStrictEqual(of({ connected: new Set(), acknowledgements: [existing], removed: new Set([b]) }), [b])
  })

  it("is told in a greeting: not more than the tombstones of 100 origins", () => {
    const many = VectorClock.fromEntries(Array.from({ length: 300 }, (_, index) => [node(`n${index}`), at(1)] as const))
    const next = Cut.next(known(), new Set(), many)
    assert.strictEqual(HashMap.size(next.confirmed), Cut.mostOrigins)
    assert.strictEqual(HashMap.size(Cut.next(known({ cut: next }), new Set(), many).confirmed), Cut.mostOrigins)
  })
})
