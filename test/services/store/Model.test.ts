/**
 * A store against the model of `Merge`, state by state: any operations, split into batches in any way.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, HashMap, Option } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import * as Merge from "../../../src/core/replica/Merge.ts"
import { Kind, type Operation, toWire } from "../../../src/core/replica/Operation.ts"
import * as Replica from "../../../src/core/replica/Replica.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import type { DeltaRequest } from "../../../src/services/store/Store.ts"
import { element, integer, operation, runs, vectorClock, wideOperation } from "../../support/Generators.ts"
import { digestOf, model, said } from "../../support/MergeModel.ts"
import { everything, inMemory, onDisk, type Place, places, request } from "../../support/Stores.ts"

/** Nothing is sent that bears the timestamp before all timestamps. */
const operations = Arbitrary.array(
  Arbitrary.map(operation, (one): Operation => ({ ...one, hlc: { ...one.hlc, wall: one.hlc.wall + 1 } })),
  { maxLength: 8 }
)

const Batch = Arbitrary.all({ operations, through: vectorClock, malformed: integer(0, 2), reopen: element(0, 0, 0, 1) })
const Batches = Arbitrary.array(Batch, { maxLength: 6 })
type Batches = typeof Batches extends Arbitrary.Arbitrary<infer A> ? A : never

/** The least and the greatest timestamp of each origin. */
const rangesOf = (operations: ReadonlyArray<Operation>) => {
  const sorted = operations
    .map(({ hlc: { node, wall, counter } }) => ({ node, timestamp: { wall, counter } }))
    .sort((a, b) => Hlc.TimestampOrder(a.timestamp, b.timestamp))
  const nodes = new Set(operations.map(({ hlc }) => hlc.node))
  const timestamps = (node: string) => sorted.filter((one) => one.node === node).map(({ timestamp }) => timestamp)
  return new Map(Array.from(nodes, (node) => [node, { least: timestamps(node)[0], greatest: timestamps(node).at(-1) }]))
}

const check = Effect.fnUntraced(function* (place: Place, batches: Batches) {
  let all: ReadonlyArray<Operation> = []
  let state: Merge.State = new Map()
  let claimed = VectorClock.empty
  let quarantine = 0
  let rest = batches
  while (rest.length > 0) {
    // As far as the store lives: then the next one goes on.
    const end = rest.findIndex(({ reopen }) => reopen === 1) + 1 || rest.length
    const life = rest.slice(0, end)
    rest = rest.slice(end)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const store = yield* place.open
        for (const { operations, through, malformed } of life) {
          const before = yield* store.snapshot
          const merged = Merge.mergeBatch((slot) => state.get(slot), operations)
          const quarantined = Array.from({ length: malformed }, () => ({ peer: store.nodeId, reason: "", text: "" }))
          const applied = yield* store.apply({ operations, coverage: through, quarantined })
          all = [...all, ...operations]
          // Coverage of an origin counts from its first operation on.
          const known = new Set(all.map(({ hlc }) => hlc.node))
          const founded = HashMap.filter(through, (_, node) => known.has(node) || node === store.nodeId)
          const isNews =
            merged.writes.size + merged.supersessions.size + malformed > 0 || !VectorClock.includes(claimed, founded)
          state = Merge.merge(state, operations)
          claimed = VectorClock.merge(claimed, founded)
          quarantine += malformed
          assert.strictEqual(applied.applied, merged.writes.size)
          assert.strictEqual(applied.conflicts, merged.conflicts)
          assert.deepStrictEqual(yield* store.snapshot, applied.snapshot)
          const { snapshot } = applied
          if (isNews) assert.strictEqual(snapshot.version, before.version + 1)
          const { changedOrigins } = yield* store.delta({ ...request({}), since: before.version })
          assert.deepStrictEqual<unknown>(Option.getOrThrow(changedOrigins), {
            ranges: rangesOf([...merged.writes.values()]),
            supersessions: merged.supersessions
          })

          const held = yield* everything(store)
          assert.deepStrictEqual(held.map(said).sort(), model(all))
          assert.deepStrictEqual(held.map(toWire).sort(), Array.from(state.values(), toWire).sort())
          assert.deepStrictEqual(snapshot.digest, digestOf(state))
          assert.deepStrictEqual(yield* store.digest, snapshot.digest)
          assert.strictEqual(VectorClock.compare(snapshot.vectorClock, claimed), "equal")
          const frontier = VectorClock.fromEntries(all.map(({ hlc }) => [hlc.node, hlc]))
          assert.strictEqual(VectorClock.compare(snapshot.frontier, frontier), "equal")
          const origins = new Set(Array.from(state.values(), ({ hlc }) => hlc.node))
          assert.deepStrictEqual(new Set(HashMap.keys(snapshot.holdings)), origins)
          for (const origin of origins) {
            const own = new Map([...state].filter(([, { hlc }]) => hlc.node === origin))
            const expected = { rows: own.size, digest: digestOf(own) }
            assert.deepStrictEqual(Replica.holdingOf(snapshot.holdings, origin), expected)
          }

          const counts: Record<string, number> = { ...(yield* store.counts) }
          for (const kind of Merge.kinds) {
            const rows = yield* store.list(Kind.make(kind), { limit: 100 })
            const live = [...state.values()].filter((one) => one.table === kind && one.op_type !== "delete")
            assert.deepStrictEqual(rows.map(toWire), live.sort((a, b) => (a.row_id < b.row_id ? -1 : 1)).map(toWire))
            for (const row of rows) assert.deepStrictEqual(yield* store.get(row.table, row.row_id), Option.some(row))
            assert.strictEqual(counts[kind], live.length)
          }
          const dead = [...state.values()].filter(
            (one) => one.op_type === "delete" && Merge.ruleOf(one.table) !== "opaque"
          )
          assert.strictEqual(counts.tombstones, dead.length)
          assert.strictEqual(counts.quarantine, quarantine)
        }
      })
    )
  }
})

describe("Store against the model", () => {
  it.prop(
    "in memory",
    [Batches],
    ([batches]) => Effect.runSync(Effect.flatMap(inMemory, (place) => check(place, batches))),
    runs(1_500)
  )

  it.effect.prop(
    "SQLite",
    [Batches],
    ([batches]) => Effect.scoped(Effect.flatMap(onDisk, (place) => check(place, batches))),
    runs(120)
  )

  it.effect.prop(
    "SQLite keeps every operation as it came, of whatever shape, also over a restart",
    [Arbitrary.array(wideOperation, { maxLength: 8 })],
    ([all]) =>
      Effect.gen(function* () {
        const operations = all.filter(({ hlc }) => Hlc.isAfter(hlc, Hlc.zero))
        const place = yield* onDisk
        yield* Effect.scoped(
          Effect.flatMap(place.open, (store) =>
            store.apply({ operations, coverage: VectorClock.empty, quarantined: [] })
          )
        )
        const held = yield* Effect.flatMap(place.open, everything)
        assert.deepStrictEqual(
          held.map(toWire).sort(),
          Array.from(Merge.merge(new Map(), operations).values(), toWire).sort()
        )
      }).pipe(Effect.scoped),
    runs(100)
  )

  for (const { name, make } of places) {
    it.effect.prop(
      `${name}: pages add up to everything, whatever the limits`,
      [operations, integer(1, 2_000), integer(1, 6)],
      ([operations, maxBytes, maxOperations]) =>
        Effect.scoped(
          Effect.gen(function* () {
            const store = yield* Effect.flatMap(make, (place) => place.open)
            yield* store.apply({ operations, coverage: VectorClock.empty, quarantined: [] })
            const { frontier } = yield* store.snapshot
            let from = Array.from(HashMap.keys(frontier), (node): DeltaRequest["from"][number] => [node, Hlc.zero])
            const read: Array<Operation> = []
            while (from.length > 0) {
              const page = yield* store.delta({ from, since: 0, maxBytes, maxOperations })
              assert.isAbove(page.operations.length + page.exhausted, 0)
              read.push(...page.operations)
              const last = new Map(page.operations.map(({ hlc }) => [hlc.node, hlc]))
              from = from.slice(page.exhausted).map(([node, timestamp]) => [node, last.get(node) ?? timestamp])
            }
            assert.deepStrictEqual(read, [...(yield* everything(store))])
          })
        ),
      runs(100)
    )
  }
})
