/**
 * Causal stability in a network of a few replicas that write, exchange some or all of what they have, lose a part of it, and are removed.
 * The replicas are sets of rows and a clock; what is decided about them comes from the program.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, HashMap } from "effect"
import * as Acknowledgement from "../../../src/core/replica/Acknowledgement.ts"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import * as Merge from "../../../src/core/replica/Merge.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as Stability from "../../../src/core/replica/Stability.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { integer, oneOf, runs, vectorClock } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"
import { at, clockOf } from "../../support/Stores.ts"

interface Replica {
  readonly node: NodeId
  rows: Merge.State
  clock: VectorClock.VectorClock
  last: Hlc.Timestamp
  readonly known: Map<NodeId, Acknowledgement.Acknowledgement>
}

const fresh = (name: string): Replica => ({
  node: node(name),
  rows: new Map(),
  clock: VectorClock.empty,
  last: Hlc.zero,
  known: new Map()
})

const digestOf = ({ rows }: Replica): string =>
  Digest.toText([...rows.values()].map(Digest.ofOperation).reduce(Digest.add, Digest.empty))

/** `one` learns what an open session with `other` shows. */
const report = (one: Replica, other: Replica, now: number): void => {
  const isAgreed =
    digestOf(one) === digestOf(other) && VectorClock.compare(one.clock, other.clock) === "equal" ? one.clock : undefined
  const shown = { node: other.node, clock: other.clock, agreed: isAgreed }
  one.known.set(other.node, Acknowledgement.after(one.known.get(other.node), shown, now))
}

const take = (one: Replica, operations: Iterable<Operation>, claim: VectorClock.VectorClock): void => {
  const taken = [...operations]
  one.rows = Merge.merge(one.rows, taken)
  one.clock = VectorClock.merge(one.clock, claim)
  for (const { hlc } of taken) one.last = Hlc.latest(one.last, hlc)
  for (const timestamp of HashMap.values(claim)) one.last = Hlc.latest(one.last, timestamp)
}

const stabilityOf = (one: Replica, removed: ReadonlySet<NodeId> = new Set()): Stability.Stability =>
  Stability.of({
    self: one.node,
    clock: one.clock,
    frontier: VectorClock.fromEntries([...one.rows.values()].map(({ hlc }) => [hlc.node, hlc])),
    acknowledgements: [...one.known.values()],
    removed
  })

/** A happening is four numbers: what, who, with whom, and where. */
const happenings = Arbitrary.array(
  Arbitrary.all({ what: integer(0, 9), one: integer(0, 3), other: integer(0, 3), row: integer(0, 2) }),
  { minLength: 1, maxLength: 40 }
)

const holds = ({ rows }: Replica, operation: Operation): boolean => {
  const held = rows.get(Merge.slotOf(operation))
  return held !== undefined && Merge.resolve(held, operation) !== "applied"
}

describe("Stability", () => {
  it.prop(
    "what is stable is held by every node that counts, and nothing that loses to it comes from there",
    [happenings],
    ([all]) => {
      const replicas = ["a", "b", "c", "d"].map(fresh)
      const removed = new Set<NodeId>()
      /** What each replica takes for stable, and the nodes that counted for it. */
      const stable = new Map<NodeId, { readonly operations: Array<Operation>; readonly counted: Set<NodeId> }>()
      for (const [now, { what, one: first, other: second, row }] of all.entries()) {
        const [one, other] = [replicas[first], replicas[second]]
        if (one === undefined || other === undefined) continue
        if (what < 4) {
          one.last = { wall: one.last.wall + (row === 0 ? 1 : 0), counter: one.last.counter + 1 }
          const kind = what === 3 ? "episodes" : "notes"
          take(
            one,
            [write(one.node, one.last, `r${row}`, kind, what === 0 ? "delete" : "insert")],
            VectorClock.advance(VectorClock.empty, one.node, one.last)
          )
        } else if (one !== other && what < 7) {
          // In both directions, or in one of them, or without all of the rows: then nothing may be claimed.
          for (const operation of one.rows.values()) {
            for (const taken of stable.get(other.node)?.operations ?? []) {
              const isCounted = stable.get(other.node)?.counted.has(one.node) === true
              const loses =
                Merge.slotOf(taken) === Merge.slotOf(operation) && Merge.resolve(operation, taken) === "applied"
              assert.isFalse(isCounted && loses, `${operation.op_id} comes after ${taken.op_id} was stable`)
            }
          }
          take(other, one.rows.values(), one.clock)
          if (what === 6) take(one, other.rows.values(), other.clock)
          report(one, other, now)
          report(other, one, now)
        } else if (one !== other && what === 7) {
          take(other, [...one.rows.values()].slice(0, row), VectorClock.empty)
          report(other, one, now)
        } else if (what === 8 && row === 0) removed.add(one.node)
        for (const replica of replicas) {
          const { clock } = stabilityOf(replica, removed)
          const covered = [...replica.rows.values()].filter(({ hlc }) => VectorClock.covers(clock, hlc))
          const known = [...HashMap.keys(replica.clock), ...replica.known.keys()]
          const counting = new Set(known.filter((node) => !removed.has(node)))
          stable.set(replica.node, { operations: covered, counted: counting })
          for (const operation of covered) {
            for (const node of counting) {
              const counted = replicas.find((other) => other.node === node)
              if (counted === undefined) continue
              assert.isTrue(holds(counted, operation), `${node} lacks ${operation.op_id}, stable at ${replica.node}`)
            }
          }
        }
      }
    },
    runs(6000, 40)
  )

  it.prop(
    "is covered by our clock and by the agreement of every node that counts, and never grows when a node joins",
    [vectorClock, vectorClock, vectorClock, oneOf(vectorClock)],
    ([clock, frontier, agreed, other]) => {
      const self = node("self")
      const knownAt = (name: string, agreed: VectorClock.VectorClock): Acknowledgement.Acknowledgement => ({
        node: node(name),
        clock: agreed,
        seenAt: 1,
        agreed,
        agreedAt: 1
      })
      const all = new Set([...HashMap.keys(clock), ...HashMap.keys(frontier)])
      const origins = [...all].map((name) => knownAt(name, agreed))
      const before = Stability.of({ self, clock, frontier, acknowledgements: origins, removed: new Set() }).clock
      assert.isTrue(VectorClock.includes(clock, before))
      if (all.size > 0) assert.isTrue(VectorClock.includes(agreed, before))
      const acknowledgements = [...origins, knownAt("joined", other)]
      const after = Stability.of({ self, clock, frontier, acknowledgements, removed: new Set() }).clock
      assert.isTrue(VectorClock.includes(before, after) && VectorClock.includes(other, after))
      // An origin of which nothing was acknowledged keeps everything back, until it is removed.
      const [first, ...others] = origins
      if (first === undefined) return
      const without = { self, clock, frontier, acknowledgements: others }
      assert.isTrue(HashMap.isEmpty(Stability.of({ ...without, removed: new Set() }).clock))
      const removed = Stability.of({ ...without, removed: new Set([first.node]) })
      assert.strictEqual(
        VectorClock.compare(removed.clock, before),
        others.length === 0 ? VectorClock.compare(clock, before) : "equal"
      )
    },
    runs(4000)
  )

  it("names the nodes that keep it back: nodes that never agreed come first, then those that agreed longest ago", () => {
    const clock = clockOf({ self: at(9), b: at(5) })
    const knownAt = (name: string, agreedAt: number | undefined, seenAt: number, agreed = clockOf({})) => ({
      node: node(name),
      clock,
      seenAt,
      agreed,
      agreedAt
    })
    const { waiting } = Stability.of({
      self: node("self"),
      clock,
      frontier: clockOf({ self: at(9), b: at(5), c: at(7) }),
      acknowledgements: [
        knownAt("b", 3, 8),
        knownAt("d", 2, 4),
        knownAt("e", 1, 6, clock),
        knownAt("gone", undefined, 1)
      ],
      removed: new Set([node("gone")])
    })
    assert.deepStrictEqual(waiting, [
      { node: node("c"), agreedAt: undefined, seenAt: 7 },
      { node: node("d"), agreedAt: 2, seenAt: 4 },
      { node: node("b"), agreedAt: 3, seenAt: 8 }
    ])
  })

  it("says nothing of a network of more nodes than are remembered", () => {
    const clock = clockOf({ self: at(9) })
    const known = (index: number) => ({ node: node(`n${index}`), clock, seenAt: 1, agreed: clock, agreedAt: 1 })
    const of = (count: number) =>
      Stability.of({
        self: node("self"),
        clock,
        frontier: clock,
        acknowledgements: Array.from({ length: count }, (_, index) => known(index)),
        removed: new Set()
      })
    assert.isFalse(HashMap.isEmpty(of(Acknowledgement.limit - 1).clock))
    assert.isTrue(HashMap.isEmpty(of(Acknowledgement.limit).clock))
  })
})

describe("Acknowledgement", () => {
  it.prop(
    "an agreement never goes beyond what the node says, and moves on only by another one",
    [vectorClock, vectorClock, vectorClock],
    ([a, b, c]) => {
      const first = Acknowledgement.after(undefined, { node: node("n"), clock: a, agreed: a }, 1)
      const second = Acknowledgement.after(first, { node: node("n"), clock: b, agreed: undefined }, 2)
      const third = Acknowledgement.after(second, { node: node("n"), clock: c, agreed: undefined }, 3)
      for (const [before, after] of [
        [first, second],
        [second, third]
      ] as const) {
        assert.isTrue(VectorClock.includes(after.clock, after.agreed))
        assert.isTrue(VectorClock.includes(before.agreed, after.agreed))
      }
      assert.strictEqual(VectorClock.compare(third.agreed, VectorClock.meet(VectorClock.meet(a, b), c)), "equal")
      assert.strictEqual(third.agreedAt, 1)
    },
    runs(3000)
  )

  it("an acknowledgement tells which nodes hold an operation", () => {
    const known = (name: string, wall: number) => ({
      node: node(name),
      clock: clockOf({ a: at(wall) }),
      seenAt: 1,
      agreed: VectorClock.empty,
      agreedAt: undefined
    })
    const hlc = { ...at(5), node: node("a") }
    const holders = Acknowledgement.holdersOf([known("b", 4), known("c", 5), known("d", 6)], hlc)
    assert.deepStrictEqual(holders, [node("c"), node("d")])
  })
})
