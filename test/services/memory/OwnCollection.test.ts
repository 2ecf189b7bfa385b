/** Kinds of applications as applications use them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { Memory } from "../../../src/services/memory/Memory.ts"
import * as MemoryLive from "../../../src/services/memory/MemoryLive.ts"
import * as Kind from "../../../src/services/memory/Declaration.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import { Store } from "../../../src/services/store/Store.ts"
import { batch } from "../../support/Stores.ts"

const Todo = Kind.make("todos", {
  rule: "fields",
  row: Schema.Struct({
    title: Schema.String,
    done: Schema.Boolean,
    due: Schema.optionalKey(Schema.DateFromString)
  }),
  search: ["title"]
})
const Page = Kind.make("pages", { rule: "lww", row: Schema.Struct({ text: Schema.String }), search: ["text"] })
const Visit = Kind.make("visits", { rule: "log", row: Schema.Struct({ page: Schema.String }) })
const Click = Kind.make("clicks", { rule: "counter" })
const Label = Kind.make("labels", { rule: "set" })
const kinds = [Todo, Page, Visit, Click, Label]

/** A node over a disk, without a network. */
const nodeOver = (disk = MemoryDisk.make(), declared: ReadonlyArray<Kind.Declarable> = kinds) =>
  Layer.mergeAll(Todo.layer, Page.layer, Visit.layer, Click.layer, Label.layer).pipe(
    Layer.provideMerge(MemoryLive.layer),
    Layer.provideMerge(
      Layer.effect(
        Store,
        Effect.tap(Store, () => Kind.declare(declared))
      ).pipe(Layer.provide(MemoryStore.layer({ disk })))
    ),
    Layer.provideMerge(HlcClock.layer)
  )
const run = <A, E, R>(body: Effect.Effect<A, E, R>, disk?: MemoryDisk.MemoryDisk) =>
  Effect.provide(body, Layer.fresh(nodeOver(disk)))

describe("kinds of applications", () => {
  it.live("are written and read by their rule", () =>
    run(
      Effect.gen(function* () {
        const [todos, pages, visits] = [yield* Todo, yield* Page, yield* Visit]
        const { id } = yield* todos.put({ title: "tea", done: false })
        yield* todos.patch(id, { done: true, due: new Date(0) })
        const row = yield* todos.get(id)
        assert.deepInclude(row, { id, title: "tea", done: true, due: new Date(0) })
        yield* todos.patch(id, { due: undefined })
        assert.notProperty(yield* todos.get(id), "due")
        yield* todos.put(id, { title: "milk", done: false })
        assert.deepInclude(yield* todos.get(id), { title: "milk", done: false })
        yield* todos.delete(id)
        assert.strictEqual((yield* Effect.flip(todos.get(id)))._tag, "RowNotFound")
        for (const failing of [todos.delete(id), todos.patch(id, { done: true })]) {
          assert.strictEqual((yield* Effect.flip(failing))._tag, "RowNotFound")
        }
        assert.deepStrictEqual(yield* todos.list(), [])
        yield* pages.put("a", { text: "one" })
        yield* pages.put("a", { text: "two" })
        assert.deepInclude(yield* pages.get("a"), { text: "two" })
        yield* visits.put("a", { page: "one" })
        yield* visits.put("a", { page: "two" })
        assert.deepInclude(yield* visits.get("a"), { page: "one" })
        assert.notProperty(visits, "delete")
        assert.notProperty(pages, "patch")
      })
    )
  )

  it.live("count, and hold members, also after an opening of the store anew and the restore of a backup", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const count = run(
        Effect.gen(function* () {
          const [clicks, labels] = [yield* Click, yield* Label]
          yield* clicks.increment("page")
          yield* clicks.increment("page", 4)
          yield* labels.add("page", "red")
          yield* labels.add("page", "blue")
          yield* labels.remove("page", "red")
          return [yield* clicks.get("page"), yield* labels.get("page")] as const
        }),
        disk
      )
      const [first, members] = yield* count
      assert.deepInclude(first, { value: 5 })
      assert.deepInclude(members, { members: ["blue"] })
      const backup = MemoryDisk.copy(disk)
      const [second] = yield* count
      assert.deepInclude(second, { value: 10 })
      // The backup has 5, counts 5 more, and meets what was counted after it was made.
      const restored = yield* run(
        Effect.gen(function* () {
          const clicks = yield* Click
          yield* clicks.increment("page", 5)
          yield* (yield* Store).apply(batch([...disk.rows.values()]))
          return yield* clicks.get("page")
        }),
        backup
      )
      assert.deepInclude(restored, { value: 15 })
    })
  )

  it.live("are found by fields and words, in pages", () =>
    run(
      Effect.gen(function* () {
        const todos = yield* Todo
        for (const [index, title] of ["tea", "milk", "green tea", "bread"].entries()) {
          yield* todos.put(`${index}`, { title, done: index > 1, due: new Date(1_000_000_000_000 - index) })
        }
        const first = yield* todos.query({ where: { done: false }, limit: 1 })
        assert.deepStrictEqual(
          first.rows.map(({ id }) => id),
          ["0"]
        )
        const next = yield* todos.query({ where: { done: false }, limit: 1, cursor: first.next ?? "" })
        assert.deepStrictEqual(
          next.rows.map(({ id }) => id),
          ["1"]
        )
        assert.isUndefined(next.next)
        const late = yield* todos.query({ where: { due: { from: new Date(1_000_000_000_000 - 2) } } })
        assert.deepStrictEqual(
          late.rows.map(({ id }) => id),
          ["2", "1", "0"]
        )
        assert.deepStrictEqual(
          (yield* todos.search({ query: "TEA" })).rows.map(({ title }) => title),
          ["tea", "green tea"]
        )
        const wrong = yield* Effect.flip(todos.query({ limit: 0 }))
        assert.strictEqual(wrong._tag, "QueryInvalid")
        assert.strictEqual((yield* Effect.flip(todos.query({ cursor: "x" })))._tag, "QueryInvalid")
      })
    )
  )

  it.live("show rows that do not fit beside the others, and leave them as they are", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const Older = Kind.make("todos", { rule: "fields", row: Schema.Struct({ title: Schema.Finite }) })
      yield* run(
        Effect.gen(function* () {
          const old = (yield* Memory).collection(Older)
          yield* old.put("old", { title: 7 })
          const todos = yield* Todo
          yield* todos.put("new", { title: "tea", done: false })
          const [good, bad] = yield* todos.list()
          assert.isFalse(Kind.isUnreadable(good ?? {}))
          if (bad === undefined || !Kind.isUnreadable(bad)) return assert.fail()
          assert.deepStrictEqual(bad.value, { title: 7 })
          assert.strictEqual(bad.id, "old")
          assert.lengthOf((yield* todos.query()).rows, 1)
          // A patch of some columns leaves the others.
          yield* todos.patch("old", { done: true })
          const unreadable = yield* Effect.flip(todos.get("old"))
          assert.deepInclude(unreadable, { _tag: "RowUnreadable", id: "old", value: { done: true, title: 7 } })
        }),
        disk
      )
    })
  )

  it.live("refuse what does not fit, before anything is written", () =>
    run(
      Effect.gen(function* () {
        const [todos, clicks, labels] = [yield* Todo, yield* Click, yield* Label]
        const bad: object = { title: 1, done: "no" }
        const untyped: { put(row: object): Effect.Effect<unknown, { readonly _tag: string }> } = Object(todos)
        for (const failing of [
          untyped.put(bad),
          untyped.put({ title: "\ud800", done: true }),
          todos.put("a\nb", { title: "x", done: true }),
          clicks.increment("c", 0.5),
          labels.add("l", "x".repeat(300))
        ]) {
          assert.strictEqual((yield* Effect.flip(failing))._tag, "InputInvalid")
        }
        assert.deepStrictEqual(yield* (yield* Store).kinds, [])
      })
    )
  )

  it.live("tell their changes from a cursor on", () =>
    run(
      Effect.gen(function* () {
        const todos = yield* Todo
        yield* todos.put("a", { title: "tea", done: false })
        yield* (yield* Page).put("p", { text: "other" })
        yield* todos.delete("a")
        yield* todos.put("b", { title: "milk", done: false })
        const fiber = yield* Effect.forkChild(
          Stream.runCollect(
            Stream.takeUntil(todos.changes({ since: "0" }), (event) =>
              event._tag === "Changed" ? event.rows.some(({ id }) => id === "c") : false
            )
          )
        )
        yield* todos.put("c", { title: "bread", done: true })
        const rows = (yield* Fiber.join(fiber)).flatMap((event) => (event._tag === "Changed" ? event.rows : []))
        const last = new Map(rows.map((row) => [row.id, row]))
        assert.deepStrictEqual([...last.keys()].sort(), ["a", "b", "c"])
        assert.isUndefined(last.get("a")?.row)
        assert.deepInclude(last.get("c")?.row, { title: "bread", done: true })
      })
    )
  )

  it.live("are declared once, with names and columns that can be", () =>
    Effect.gen(function* () {
      const row = Schema.Struct({ title: Schema.String })
      for (const declared of [
        [Kind.make("to do", { rule: "lww", row })],
        [Kind.make("todos", { rule: "lww", row: Schema.Struct({ hlc: Schema.String }) })],
        [Todo, Kind.make("todos", { rule: "lww", row })]
      ]) {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(Layer.fresh(nodeOver(undefined, declared)))))
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "KindInvalid")
      }
      const searched = { name: "todos", rule: "lww", table: "todos!lww", row, search: ["text"] } as const
      const invalid = yield* Effect.flip(Effect.provide(Kind.declare([searched]), Layer.fresh(nodeOver())))
      assert.include(invalid.message, "it has no column text to search: its columns are title")
      const { own } = yield* Effect.provide(Memory, Layer.fresh(nodeOver()))
      const wrong = yield* Effect.flip(own.write("todos", "rename", { id: "a", input: {} }))
      assert.include(wrong.message, 'verb is "rename", but rows with the rule fields take put, patch, delete')
      const undeclared = yield* Effect.exit(
        Effect.provide(
          Effect.gen(function* () {
            return yield* (yield* Page).put({ text: "x" })
          }),
          Layer.fresh(nodeOver(undefined, [Todo]))
        )
      )
      assert.include(String(undeclared), "KindUndeclared")
    })
  )
})
