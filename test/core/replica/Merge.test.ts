import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import * as Merge from "../../../src/core/replica/Merge.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Operation from "../../../src/core/replica/Operation.ts"
import { digestOf, model, said, shown } from "../../support/MergeModel.ts"
import { arrange, fewHlcs, integer, kind, oneOf, operation, operations, order, runs } from "../../support/Generators.ts"

type Operations = ReadonlyArray<Operation.Operation>

const empty: Merge.State = new Map()

const assertSame = (a: Merge.State, b: Merge.State): void => {
  assert.deepStrictEqual(shown(a), shown(b))
  assert.deepStrictEqual([...a.keys()].sort(), [...b.keys()].sort())
}

/** `all` cut into batches at the given places. */
const split = (all: Operations, cuts: ReadonlyArray<number>): ReadonlyArray<Operations> => {
  const places = [...new Set(cuts.map((cut) => cut % (all.length + 1)))].sort((a, b) => a - b)
  return [...places, all.length].map((end, index) => all.slice(places[index - 1] ?? 0, end))
}

/** A delivery of `all`: in some order, some of it again and again. */
const delivery = (all: Operations, keys: ReadonlyArray<number>): Operations =>
  arrange([...all, ...keys.flatMap((key) => all[key % Math.max(1, all.length)] ?? [])], keys)

/** Operations that compete for one row. */
const rivals = (table: string): Arbitrary.Arbitrary<Operations> =>
  Arbitrary.map(Arbitrary.array(operation, { minLength: 3, maxLength: 8 }), (all) =>
    all.map((each) => ({ ...each, table: Operation.Kind.make(table), row_id: Operation.RowId.make("r1") }))
  )

const cuts = Arbitrary.array(integer(0, 1000), { maxLength: 6 })

describe("Merge of batches", () => {
  it.prop(
    "is what the model says",
    [operations],
    ([all]) => assert.deepStrictEqual(shown(Merge.merge(empty, all)), model(all)),
    runs(5000, 24)
  )

  it.prop(
    "is commutative, associative and idempotent",
    [operations, operations, operations],
    ([a, b, c]) => {
      const [stateA, stateB] = [Merge.merge(empty, a), Merge.merge(empty, b)]
      assertSame(Merge.merge(stateA, b), Merge.merge(stateB, a))
      assertSame(Merge.merge(stateA, stateB.values()), Merge.merge(stateB, stateA.values()))
      const left = Merge.merge(Merge.merge(stateA, b), c)
      const right = Merge.merge(stateA, Merge.merge(stateB, c).values())
      assertSame(left, right)
      assertSame(Merge.merge(left, a), left)
      assertSame(Merge.merge(stateA, stateA.values()), stateA)
      assert.strictEqual(Merge.mergeBatch((slot) => left.get(slot), [...a, ...b, ...c]).writes.size, 0)
    },
    runs(2000, 16)
  )

  it.prop(
    "any split, order and repetition of a history gives the same state and the same digest",
    [operations, order, cuts, order, cuts],
    ([all, orderA, cutsA, orderB, cutsB]) => {
      const ends = [
        [orderA, cutsA],
        [orderB, cutsB]
      ].map(([keys = [], places = []]) => {
        let state = empty
        let digest = Digest.empty
        for (const batch of split(delivery(all, keys), places)) {
          digest = Digest.add(digest, Merge.mergeBatch((slot) => state.get(slot), batch).digest)
          state = Merge.merge(state, batch)
          assert.deepStrictEqual(digest, digestOf(state))
        }
        return { state, digest }
      })
      const [one, other] = ends
      if (one === undefined || other === undefined) return assert.fail()
      assertSame(one.state, other.state)
      assert.deepStrictEqual(one.digest, other.digest)
      assert.deepStrictEqual(shown(one.state), model(all))
    },
    runs(3000, 20)
  )

  it.prop(
    "writes what changes, each slot once, and leaves the given state alone",
    [operations, operations],
    ([before, batch]) => {
      const state = Merge.merge(empty, before)
      const copy = new Map(state)
      const { writes, digest } = Merge.mergeBatch((slot) => state.get(slot), batch)
      const after = Merge.merge(state, batch)
      assert.deepStrictEqual(state, copy)
      for (const [slot, written] of writes) {
        assert.strictEqual(slot, Merge.slotOf(written))
        assert.include(batch, written)
        assert.strictEqual(after.get(slot), written)
        const held = state.get(slot)
        if (held !== undefined) assert.notStrictEqual(said(held), said(written))
      }
      for (const [slot, held] of state) if (!writes.has(slot)) assert.strictEqual(after.get(slot), held)
      assert.deepStrictEqual(Digest.add(digestOf(state), digest), digestOf(after))
    },
    runs(3000, 20)
  )
})

describe("Merge rules", () => {
  for (const table of ["notes", "knowledge", "episodes", "execution_log", "plans"]) {
    it.prop(
      `${table}: different contents under one HLC come to the same in every order`,
      [rivals(table), fewHlcs, order],
      ([all, hlc, keys]) => {
        const tied = all.map((each) => ({ ...each, hlc }))
        assertSame(Merge.merge(empty, delivery(tied, keys)), Merge.merge(empty, tied))
        assert.deepStrictEqual(shown(Merge.merge(empty, tied)), model(tied))
      },
      runs(2000)
    )
  }

  for (const table of ["notes", "knowledge"]) {
    it.prop(
      `${table}: the last writer wins, and the winner never goes back`,
      [rivals(table)],
      ([all]) => {
        let state = empty
        let highest: Hlc.Hlc | undefined
        for (const each of all) {
          state = Merge.merge(state, [each])
          highest = highest === undefined || Hlc.HlcOrder(each.hlc, highest) > 0 ? each.hlc : highest
          assert.strictEqual(state.size, 1)
          for (const { hlc } of state.values()) assert.strictEqual(Hlc.HlcOrder(hlc, highest), 0)
        }
      },
      runs(2000)
    )
  }

  for (const table of ["episodes", "execution_log"]) {
    it.prop(
      `${table}: the first insert stays, deletes do nothing, and the winner never goes back`,
      [rivals(table)],
      ([all]) => {
        let state = empty
        let least: Hlc.Hlc | undefined
        for (const each of all) {
          state = Merge.merge(state, [each])
          if (each.op_type !== "delete") {
            least = least === undefined || Hlc.HlcOrder(each.hlc, least) < 0 ? each.hlc : least
          }
          assert.strictEqual(state.size, least === undefined ? 0 : 1)
          for (const { hlc, op_type } of state.values()) {
            assert.notStrictEqual(op_type, "delete")
            assert.strictEqual(least !== undefined && Hlc.HlcOrder(hlc, least), 0)
          }
        }
        const inserts = all.filter(({ op_type }) => op_type !== "delete")
        assertSame(state, Merge.merge(empty, inserts))
      },
      runs(2000)
    )
  }

  it.prop(
    "of a kind that is not known nothing is lost, deletes included",
    [rivals("plans")],
    ([all]) => {
      const state = Merge.merge(empty, all)
      const texts = new Set(all.map(({ hlc }) => Hlc.toText(hlc)))
      assert.deepStrictEqual(new Set(Array.from(state.values(), ({ hlc }) => Hlc.toText(hlc))), texts)
      assert.strictEqual(state.size, texts.size)
    },
    runs(2000)
  )

  it.prop(
    "rows and kinds do not touch each other",
    [operations, oneOf(kind)],
    ([all, table]) => {
      const isOf = (each: Operation.Operation): boolean => each.table === table && each.row_id === "r1"
      const apart = Merge.merge(empty, all.filter(isOf))
      const together = [...Merge.merge(empty, all)].filter(([, each]) => isOf(each))
      assertSame(new Map(together), apart)
    },
    runs(2000)
  )

  it.prop(
    "resolve says what merge does",
    [oneOf(kind), operation, operation],
    ([table, a, b]) => {
      const [held, incoming] = [a, b].map((each) => ({
        ...each,
        table: Operation.Kind.make(table),
        row_id: Operation.RowId.make("r1")
      }))
      if (held === undefined || incoming === undefined) return assert.fail()
      const state = Merge.merge(empty, [held])
      const slot = Merge.slotOf(incoming)
      const after = Merge.merge(state, [incoming])
      const outcome = Merge.resolve(state.get(slot), incoming)
      assert.strictEqual(outcome === "applied", after.get(slot) === incoming)
      if (outcome !== "applied") assertSame(after, state)
      if (outcome === "known") assert.strictEqual(said(incoming), said(held))
      assert.strictEqual(outcome === "ignored", Merge.ruleOf(table) === "log" && incoming.op_type === "delete")
      const current = state.get(slot)
      const isTie = current !== undefined && Hlc.HlcOrder(current.hlc, incoming.hlc) === 0
      assert.strictEqual(Merge.isConflict(current, incoming), isTie && said(current) !== said(incoming))
    },
    runs(5000)
  )

  it("of different contents under one HLC the greater hash wins, in grow-only sets the smaller", () => {
    for (const [table, isLast] of [
      ["notes", true],
      ["episodes", false]
    ] as const) {
      const tied = ["x", "y", "z"].map((content) => write(table, "insert", 1, content))
      const byHash = tied
        .map((each) => ({ each, hash: Digest.toText(Digest.fingerprint(Digest.content(each))) }))
        .sort((a, b) => (a.hash < b.hash ? -1 : 1))
        .map(({ each }) => each)
      const { writes, conflicts } = Merge.mergeBatch(() => undefined, tied)
      assert.deepStrictEqual([...writes.values()], [isLast ? byHash[2] : byHash[0]])
      assert.strictEqual(conflicts, 2)
    }
  })

  it("a delete of a register stays as a tombstone, until something later is written", () => {
    const [first, gone, again] = [
      write("notes", "insert", 1, "x"),
      write("notes", "delete", 2, "x"),
      write("notes", "update", 3, "y")
    ]
    assert.deepStrictEqual(shown(Merge.merge(empty, [gone, first])), [said(gone)])
    assert.deepStrictEqual(shown(Merge.merge(empty, [again, gone, first])), [said(again)])
  })

  it("a delete in a grow-only set is ignored, before the insert and after", () => {
    const [made, gone] = [write("episodes", "insert", 2, "x"), write("episodes", "delete", 1, "x")]
    assert.deepStrictEqual(shown(Merge.merge(empty, [gone, made])), [said(made)])
    assert.deepStrictEqual(shown(Merge.merge(empty, [made, gone])), [said(made)])
    assert.strictEqual(Merge.merge(empty, [gone]).size, 0)
  })

  it("an update that a relay made an insert of is known, and no conflict", () => {
    const written = write("notes", "update", 1, "x")
    const relayed = { ...written, op_type: "insert" } as const
    const { writes, conflicts } = Merge.mergeBatch(() => written, [relayed])
    assert.strictEqual(writes.size + conflicts, 0)
    assert.strictEqual(Merge.resolve(written, relayed), "known")
  })
})

const write = (table: string, op_type: Operation.OpType, wall: number, content: string): Operation.Operation => ({
  op_id: Operation.OpId.make(`o${wall}`),
  table: Operation.Kind.make(table),
  op_type,
  row_id: Operation.RowId.make("r1"),
  data: Operation.Operation.fields.data.make(JSON.stringify({ content })),
  hlc: { wall, counter: 0, node: NodeId.make("a") },
  timestamp: 1
})
