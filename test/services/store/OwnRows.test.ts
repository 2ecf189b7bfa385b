/** Kinds of applications in a store: their slots, what they show, their quota, and files of earlier versions. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, HashMap, Option } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import { canonical } from "../../../src/core/replica/Json.ts"
import * as Merge from "../../../src/core/replica/Merge.ts"
import { Kind, OpId, type Operation, RowId } from "../../../src/core/replica/Operation.ts"
import * as Query from "../../../src/core/replica/Query.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import * as Opaque from "../../../src/services/store/Opaque.ts"
import { sizeOf } from "../../../src/services/store/Sizes.ts"
import * as SqliteStore from "../../../src/services/store/SqliteStore.ts"
import { ownKinds, ownOperation, runs } from "../../support/Generators.ts"
import { digestOf } from "../../support/MergeModel.ts"
import { node, write } from "../../support/Network.ts"
import { beforeApplications, beside, open } from "../../support/SqliteFiles.ts"
import { at, batch, onDisk, opened, type StoreService, temporaryDirectory } from "../../support/Stores.ts"

const todos = Kind.make("todos!fields")
const declared: Opaque.Declared = new Map([[todos, ["title", "done", "due"]]])
const all: Opaque.Declared = new Map(ownKinds.map((kind) => [kind, ["title", "value", "members"]]))
const dataOf = (content: object) => Option.getOrThrow(canonical(content, 32))

type Options = { readonly declared?: Opaque.Declared; readonly quota?: Opaque.Quota }
const declaring = <E, R>(open: Effect.Effect<StoreService, E, R>, { declared = Opaque.noKinds }: Options) =>
  Effect.tap(open, (store) => store.declare(declared))
const places = [
  {
    name: "in memory",
    make: Effect.sync(() => {
      const disk = MemoryDisk.make()
      return (options: Options = {}) => declaring(opened(MemoryStore.layer({ disk, quota: options.quota })), options)
    })
  },
  {
    name: "SQLite",
    make: Effect.map(
      temporaryDirectory,
      (home) =>
        (options: Options = {}) =>
          declaring(opened(SqliteStore.layer({ home, quota: options.quota })), options)
    )
  }
]

let drafts = 0
const draft = (row: string, content: object, op_type: Operation["op_type"] = "update", table = todos) => ({
  op_id: OpId.make(`o${drafts++}`),
  table,
  op_type,
  row_id: RowId.make(row),
  data: dataOf(content)
})
const field = (origin: string, wall: number, content: object, row = "r", table = todos) => ({
  ...write(node(origin), at(wall), row, table),
  op_type: "update" as const,
  data: dataOf(content)
})
const everything = { where: [], after: undefined, limit: 1_000 }
const valuesOf = (store: StoreService, kind: Kind = todos) =>
  Effect.map(store.rows(kind, everything), (rows) => rows.map(({ id, value }) => [id, value] as const))

for (const { name, make } of places) {
  describe(`rows of kinds of applications, ${name}`, () => {
    it.effect("are counted by kind: those that are shown, of the kinds that were declared", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)({ declared: new Map([...declared, ["visits!log", []]]) })
        const countsOf = Effect.map(store.ownCounts, (counts) => Object.fromEntries(counts))
        const none = { [todos]: 0, "visits!log": 0 }
        assert.deepStrictEqual(yield* countsOf, none)
        yield* store.append([draft("b", { title: "tea" }), draft("b", { done: false }), draft("a", { title: "milk" })])
        assert.deepStrictEqual(yield* countsOf, { ...none, [todos]: 2 })
        yield* store.append([draft("b", {}, "delete")])
        assert.deepStrictEqual(yield* countsOf, { ...none, [todos]: 1 })
        assert.deepStrictEqual(yield* countsOf, { ...none, [todos]: 1 })
        const another = yield* (yield* make)()
        yield* another.append([draft("a", { title: "milk" })])
        assert.strictEqual((yield* another.ownCounts).size, 0)
      })
    )

    it.effect("are written in one transaction, as one change, and read in the order of their ids", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)({ declared })
        const { version } = yield* store.snapshot
        yield* store.append([draft("b", { title: "tea" }), draft("b", { done: false }), draft("a", { title: "milk" })])
        assert.deepStrictEqual(yield* valuesOf(store), [
          ["a", { title: "milk" }],
          ["b", { done: false, title: "tea" }]
        ])
        assert.lengthOf(yield* store.currentOfRow(todos, "b"), 2)
        assert.strictEqual((yield* store.snapshot).version, version + 1)
        yield* store.append([draft("a", {}, "delete"), draft("b", { done: true })])
        assert.deepStrictEqual(yield* valuesOf(store), [["b", { done: true, title: "tea" }]])
        assert.strictEqual((yield* store.snapshot).version, version + 2)
      })
    )

    it.effect("are found by fields, in pages", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)({ declared })
        const long = "x".repeat(100)
        const rows = [
          ["r0", { title: "tea", done: true, due: 3 }],
          ["r1", { title: "milk", done: false, due: 1 }],
          ["r2", { title: `${long}a`, done: false, due: 2 }],
          ["r3", { title: `${long}b`, done: 0, due: "soon" }],
          ["r4", { done: false, due: 2 }],
          ["r5", { title: null, done: [false], due: 1.5 }]
        ] as const
        yield* store.append(
          rows.flatMap(([id, row]) => Object.entries(row).map(([name, value]) => draft(id, { [name]: value })))
        )
        const found = Effect.fnUntraced(function* (where: ReadonlyArray<Query.Condition>, limit = 1) {
          const ids: Array<string> = []
          for (let after: Query.Place | undefined; ;) {
            const page = yield* store.rows(todos, { where, after, limit })
            const last = page.at(-1)
            ids.push(...page.map(({ id }) => id))
            if (last === undefined || page.length < limit) return ids.join(" ")
            after = Query.placeOf(last, Query.orderedBy(where))
          }
        })
        for (const limit of [1, 2, 10]) {
          assert.strictEqual(yield* found([], limit), "r0 r1 r2 r3 r4 r5")
          assert.strictEqual(yield* found([{ field: "done", equals: false }], limit), "r1 r2 r4")
          assert.strictEqual(yield* found([{ field: "done", equals: 0 }], limit), "r3")
          assert.strictEqual(yield* found([{ field: "title", equals: `${long}b` }], limit), "r3")
          assert.strictEqual(yield* found([{ field: "title", equals: null }], limit), "r5")
          assert.strictEqual(yield* found([{ field: "due", from: 1.5 }], limit), "r5 r2 r4 r0")
          assert.strictEqual(yield* found([{ field: "due", from: 1, to: 2 }], limit), "r1 r5 r2 r4")
          assert.strictEqual(yield* found([{ field: "due", from: "a" }], limit), "r3")
          assert.strictEqual(yield* found([{ field: "title", from: `${long}b`, to: "z" }], limit), "r3")
          assert.strictEqual(
            yield* found(
              [
                { field: "done", equals: false },
                { field: "due", to: 2 }
              ],
              limit
            ),
            "r1 r2 r4"
          )
          assert.strictEqual(yield* found([{ field: 'no"t', equals: 1 }], limit), "")
        }
      })
    )

    it.effect.prop(
      "are those of the operations that came before and after they were declared; all sums are those of the rows",
      [Arbitrary.array(Arbitrary.array(ownOperation, { maxLength: 8 }), { maxLength: 4 })],
      ([batches]) =>
        Effect.gen(function* () {
          const reopen = yield* make
          let state: Merge.State = new Map()
          for (const [index, operations] of batches.entries()) {
            state = Merge.merge(state, operations)
            yield* Effect.scoped(
              Effect.gen(function* () {
                // Declared from the second opening on.
                const store = yield* reopen(index === 0 ? {} : { declared: all })
                yield* store.apply(batch(operations))
                assert.deepStrictEqual(yield* store.digest, digestOf(state))
                const audit = yield* store.audit
                assert.deepStrictEqual(audit.corrected, [])
                assert.strictEqual(audit.rows, state.size)
                const { ofApplications } = yield* store.snapshot
                assert.strictEqual(ofApplications, state.size)
                const { usage } = yield* store.opaque
                const bytes = [...state.values()].reduce((sum, each) => sum + sizeOf(each), 0)
                assert.strictEqual(usage.total, index === 0 ? bytes : 0)
                if (index === 0) return
                for (const kind of ownKinds) {
                  const rows = Map.groupBy(
                    [...state.values()].filter(({ table }) => table === kind),
                    ({ row_id }) => row_id
                  )
                  const shown = [...rows.values()].flatMap((held) => Query.shownOf(held) ?? [])
                  assert.deepStrictEqual(
                    yield* store.rows(Kind.make(kind), everything),
                    shown.sort((a, b) => (a.id < b.id ? -1 : 1))
                  )
                }
              })
            )
          }
        }).pipe(Effect.scoped),
      runs(200, 8)
    )

    it.effect("count against the quota until their kind is declared, and again once its rows were purged", () =>
      Effect.gen(function* () {
        const reopen = yield* make
        const one = sizeOf(field("m", 1, { f1: "x" }))
        const quota = { origin: 2 * one, total: 10 * one }
        const rows = [1, 2, 3].map((wall) => field("m", wall, { [`f${wall}`]: "x" }))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* reopen({ quota })
            const { overQuota } = yield* store.apply(batch(rows, { m: at(3) }))
            assert.deepStrictEqual([...HashMap.keys(overQuota)], [node("m")])
            // What takes the place of another one needs no more room.
            const { applied } = yield* store.apply(batch([field("m", 9, { f1: "y" })]))
            assert.strictEqual(applied, 1)
            assert.strictEqual((yield* store.opaque).usage.total, 2 * one)
          })
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* reopen({ quota, declared })
            assert.strictEqual((yield* store.opaque).usage.total, 0)
            assert.strictEqual((yield* store.apply(batch(rows, { m: at(3) }))).applied, 1)
            assert.deepStrictEqual(yield* valuesOf(store), [["r", { f1: "y", f2: "x", f3: "x" }]])
          })
        )
        const store = yield* reopen({ quota })
        assert.strictEqual((yield* store.opaque).usage.total, 0)
        assert.deepStrictEqual([...(yield* store.declared).keys()], [todos])
        yield* store.purge({ kind: todos })
        assert.deepStrictEqual([...(yield* store.declared).keys()], [])
        assert.strictEqual((yield* store.opaque).usage.total, 0)
        assert.deepStrictEqual(yield* store.kinds, [])
        assert.strictEqual((yield* store.snapshot).ofApplications, 0)
        assert.deepStrictEqual((yield* store.audit).corrected, [])
      })
    )

    it.effect("are not declared with another rule than they have, unless they were before", () =>
      Effect.gen(function* () {
        const reopen = yield* make
        const store = yield* reopen()
        yield* store.apply(batch([field("m", 1, { title: "tea" })]))
        const other = Kind.make("todos!lww")
        const error = yield* Effect.flip(store.declare(new Map([[other, ["title"]]])))
        assert.strictEqual(error._tag, "KindMismatch")
        assert.include(error.message, "rule fields")
        assert.deepStrictEqual([...(yield* store.declared).keys()], [])
        yield* store.declare(declared)
        // What another member writes keeps no application from starting.
        yield* store.apply(batch([field("m", 2, { title: "tea" }, "r", other)]))
        yield* store.declare(new Map([[todos, ["title", "new"]]]))
        assert.deepStrictEqual(yield* store.kinds, [todos, other])
      })
    )

    it.effect("that were purged before their kind was declared are asked for again", () =>
      Effect.gen(function* () {
        const reopen = yield* make
        const rows = [field("m", 1, { title: "tea" })]
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* reopen()
            yield* store.apply(batch(rows, { m: at(1) }))
            yield* store.purge({ kind: todos })
            assert.strictEqual((yield* store.apply(batch(rows, { m: at(1) }))).applied, 0)
          })
        )
        const store = yield* reopen({ declared })
        assert.isTrue(HashMap.isEmpty(yield* store.vectorClock))
        yield* store.apply(batch(rows, { m: at(1) }))
        assert.deepStrictEqual(yield* valuesOf(store), [["r", { title: "tea" }]])
      })
    )
  })
}

describe("a file of a version that did not know a rule", () => {
  /** Makes the rows of a kind those of another one that was not known, as such a version keeps them. */
  const older = (home: string, operations: ReadonlyArray<Operation>, from: string) =>
    beside(home, (db) => {
      const [kind] = operations.map(({ table }) => table)
      db.prepare("UPDATE operations SET kind = ? WHERE kind = ?").run(kind ?? "", from)
      const sum = (some: ReadonlyArray<Operation>) =>
        some.reduce((sum, each) => Digest.add(sum, Digest.ofOperation(each)), Digest.empty)
      const { high, low } = sum(operations)
      db.prepare("UPDATE meta SET digest_high = ?, digest_low = ?, live_high = ?, live_low = ?").run(
        high,
        low,
        high,
        low
      )
      for (const [origin, own] of Map.groupBy(operations, ({ hlc }) => hlc.node)) {
        const { high, low } = sum(own)
        db.prepare("UPDATE clock SET held_high = ?, held_low = ? WHERE origin = ?").run(high, low, origin)
      }
    })

  for (const kind of ownKinds) {
    it.effect(`is merged when it is opened by one that knows it: ${kind}`, () =>
      Effect.gen(function* () {
        const { home } = yield* onDisk
        const contents: ReadonlyArray<object> = [
          { title: "tea" },
          { done: true },
          { title: "milk" },
          { epoch: "e", count: 1, total: 4 },
          { epoch: "e", count: 2, total: 6 },
          { epoch: "f", count: 1, total: 1 },
          { member: "red" },
          { member: "blue" },
          { member: "red" }
        ]
        const operations = contents.map((content, index) =>
          field(index % 2 === 0 ? "m" : "n", index + 1, content, "r", Kind.make(kind))
        )
        const unknown = operations.map((each) => ({ ...each, table: Kind.make("unknown") }))
        yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.apply(batch(unknown, { m: at(20) }))))
        older(home, operations, "unknown")
        beside(home, (db) => beforeApplications(db))
        const store = yield* declaring(open({ home }), { declared: new Map([[kind, ["title"]]]) })
        const state = Merge.merge(new Map(), operations)
        assert.deepStrictEqual(yield* store.digest, digestOf(state))
        const audit = yield* store.audit
        assert.deepStrictEqual(audit.corrected, [])
        assert.strictEqual(audit.rows, state.size)
        assert.deepStrictEqual(yield* valuesOf(store, Kind.make(kind)), [
          ["r", Query.shownOf([...state.values()])?.value ?? {}]
        ])
        // Another version's operations come again: nothing changes.
        assert.strictEqual((yield* store.apply(batch(operations))).applied, 0)
        assert.strictEqual((yield* store.apply(batch([field("z", 99, {}, "r", Kind.make("other!kind"))]))).applied, 1)
      })
    )
  }

  it.effect("shows the rows of a declared kind to people with sqlite3", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* declaring(open({ home }), { declared })
      yield* store.append([draft("a", { title: "tea" }), draft("a", { done: true })])
      const rows = beside(home, (db) => db.prepare('SELECT id, title, done, due FROM "todos!fields"').all())
      assert.deepStrictEqual(
        rows.map((row) => ({ ...row })),
        [{ id: "a", title: "tea", done: 1, due: null }]
      )
    })
  )
})
