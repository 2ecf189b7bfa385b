/** What other nodes have acknowledged outlives the process, and never becomes more by it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { times } from "../../../src/services/store/Acknowledged.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { beside } from "../../support/SqliteFiles.ts"
import { at, batch, clockOf, onDisk, opened, type Place, places, type StoreService } from "../../support/Stores.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"

const [a, b] = [node("a"), node("b")]
/** The store in a backup that is made now. */
const copied = Effect.fnUntraced(function* (store: StoreService, { file, open }: Place["backup"]) {
  if (file.includes("/")) yield* Effect.promise(() => mkdir(dirname(file), { recursive: true }))
  yield* store.backup(file)
  return yield* open
})
const known = Effect.fnUntraced(function* (
  store: StoreService
): Effect.fn.Return<ReadonlyArray<ReadonlyArray<unknown>>> {
  const all = yield* store.acknowledgements
  return all.map(({ node, clock, agreed, seenAt, agreedAt }) => [
    node,
    VectorClock.toRecord(clock),
    VectorClock.toRecord(agreed),
    seenAt,
    agreedAt
  ])
})
const one = clockOf({ a: at(5, 1), b: at(3) })

for (const { name, make } of places) {
  describe(`Acknowledgements, ${name}`, () => {
    it.effect("are there after a restart and in a backup, with their times", () =>
      Effect.gen(function* () {
        const place = yield* make
        yield* TestClock.setTime(7_000)
        const expected = [
          ["a", { a: "5:1:a", b: "3:0:b" }, { a: "5:1:a", b: "3:0:b" }, 7_000, 7_000],
          ["b", { a: "2:0:a" }, {}, 7_000, undefined]
        ]
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            assert.deepStrictEqual(yield* store.acknowledgements, [])
            yield* store.acknowledge({ node: a, clock: one, agreed: one })
            yield* store.acknowledge({ node: b, clock: clockOf({ a: at(2) }), agreed: undefined })
            assert.deepStrictEqual(yield* known(store), expected)
          })
        )
        const store = yield* place.open
        assert.deepStrictEqual(yield* known(store), expected)
        assert.deepStrictEqual(yield* known(yield* copied(store, place.backup)), expected)
      })
    )

    it.effect("are written a few seconds after they came, however the process ends then", () =>
      Effect.gen(function* () {
        const place = yield* make
        const scope = yield* Scope.make()
        const store = yield* Scope.provide(place.open, scope)
        yield* store.acknowledge({ node: a, clock: one, agreed: one })
        yield* TestClock.adjust(times.save)
        // Whoever reads beside the process sees what is on the disk.
        const copy = yield* copied(store, place.backup)
        assert.lengthOf(yield* copy.acknowledgements, 1)
        yield* Scope.close(scope, Exit.void)
      })
    )

    it.effect("go back when a node says less, for good", () =>
      Effect.gen(function* () {
        const place = yield* make
        const less = clockOf({ a: at(5), b: at(9) })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            yield* store.acknowledge({ node: a, clock: one, agreed: one })
            yield* store.acknowledge({ node: a, clock: less, agreed: undefined })
            yield* store.acknowledge({ node: a, clock: one, agreed: undefined })
          })
        )
        const [[, clock, agreed] = []] = yield* known(yield* place.open)
        assert.deepStrictEqual(clock, { a: "5:1:a", b: "3:0:b" })
        assert.deepStrictEqual(agreed, { a: "5:0:a", b: "3:0:b" })
      })
    )

    it.effect("tombstones are counted up to a clock: those of notes and knowledge, and nothing else", () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(make, (place) => place.open)
        yield* store.append([draft("mine")])
        const deletes = (["notes", "knowledge", "episodes", "dreams"] as const).flatMap((kind, index) => [
          write(a, at(index + 1), `r${index}`, kind, "delete"),
          write(b, at(index + 1), `live${index}`, kind)
        ])
        yield* store.apply(batch(deletes))
        for (const [wall, count] of [
          [0, 0],
          [1, 1],
          [2, 2],
          [9, 2]
        ] as const) {
          assert.strictEqual(yield* store.tombstones(clockOf({ a: at(wall), b: at(9) })), count)
        }
        yield* store.apply(batch([write(b, at(20), "r0", "notes")]))
        assert.strictEqual(yield* store.tombstones(clockOf({ a: at(9), b: at(99) })), 1)
      })
    )
  })
}

describe("Acknowledgements", () => {
  it.effect("are lost with the power where the rows are that they speak of", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const open = opened(MemoryStore.layer({ disk }))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* store.apply(batch([write(a, at(1), "r1")], { a: at(1) }))
          yield* store.acknowledge({ node: a, clock: clockOf({ a: at(1) }), agreed: clockOf({ a: at(1) }) })
          yield* TestClock.adjust(times.save)
          yield* store.apply(batch([write(a, at(2), "r2")], { a: at(2) }))
          yield* store.acknowledge({ node: a, clock: clockOf({ a: at(2) }), agreed: clockOf({ a: at(2) }) })
        })
      )
      assert.strictEqual(MemoryDisk.losePower(disk, 1), 1)
      const [[, clock, agreed] = []] = yield* known(yield* open)
      assert.deepStrictEqual([clock, agreed], [{ a: "1:0:a" }, { a: "1:0:a" }])
    })
  )

  it.effect(
    "need no other version of the file: an earlier program can open it, and one of such a program is taken",
    () =>
      Effect.gen(function* () {
        const place = yield* onDisk
        yield* Effect.scoped(Effect.flatMap(place.open, (store) => store.append([draft("r1")])))
        const version = () => beside(place.home, (db) => db.prepare("PRAGMA user_version").get())
        const before = version()
        beside(place.home, (db) => db.exec("DROP TABLE acknowledged; DROP INDEX tombstones"))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            assert.deepStrictEqual(yield* store.acknowledgements, [])
            yield* store.acknowledge({ node: a, clock: one, agreed: one })
          })
        )
        assert.deepStrictEqual(version(), before)
        assert.lengthOf(yield* (yield* place.open).acknowledgements, 1)
      })
  )
})
