import { assert, describe, it } from "@effect/vitest"
import { Effect, HashMap, Layer } from "effect"
import { TestClock } from "effect/testing"
import { toWire } from "../../../src/core/replica/Operation.ts"
import { limits } from "../../../src/core/sync/Wire.ts"
import * as Archive from "../../../src/services/admin/Archive.ts"
import { Store } from "../../../src/services/store/Store.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import { draft } from "../../support/Drafts.ts"
import { operations, runs, wideOperation } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, described, everything, inMemory, opened, places, type StoreService } from "../../support/Stores.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"

const [a, b] = [node("a"), node("b")]
const allowed = { maxClockDriftMs: 300_000, maxRecvBytes: 8 * 1024 * 1024 }
const over = (store: StoreService, settings: Partial<typeof allowed> = {}) =>
  Archive.make({ ...allowed, ...settings }).pipe(Effect.provide(Layer.succeed(Store, store)))

/** All lines but the header. */
const exported = Effect.fnUntraced(function* (store: StoreService) {
  const archive = yield* over(store)
  const lines: Array<string> = []
  let next: Archive.Page["after"] = null
  do {
    const page: Archive.Page = yield* archive.page(next)
    lines.push(...page.lines)
    next = page.after
  } while (next !== null)
  return lines
})

const farAhead = { maxClockDriftMs: Number.MAX_SAFE_INTEGER }

for (const { name, make } of places) {
  describe(`Archive, ${name}`, () => {
    it.effect.prop(
      "what comes out of one store makes another one equal, and the second time changes nothing",
      [operations, wideOperation],
      ([few, wide]) =>
        Effect.gen(function* () {
          const [from, to] = yield* Effect.all([make, make])
          const [source, target] = yield* Effect.all([from.open, to.open])
          yield* source.apply(batch([...few, wide]))
          const lines = yield* exported(source)
          const archive = yield* over(target, farAhead)
          const first = yield* archive.take(lines)
          assert.deepStrictEqual(first, { applied: lines.length, refused: [] })
          const once = yield* described(target)
          assert.deepStrictEqual(once.digest, yield* source.digest)
          assert.deepStrictEqual(once.state, (yield* described(source)).state)
          assert.deepStrictEqual(yield* archive.take(lines), { applied: 0, refused: [] })
          assert.deepStrictEqual(yield* described(target), once)
          // Nothing is claimed.
          assert.isTrue(HashMap.isEmpty(yield* target.vectorClock))
        }).pipe(Effect.scoped),
      runs(name === "SQLite" ? 15 : 300)
    )

    it.effect("a part of a history does not keep the rest of it out", () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(make, (place) => place.open)
        yield* TestClock.setTime(10_000)
        const history = [1, 2, 3].map((wall) => write(a, at(wall), `r${wall}`))
        const archive = yield* over(store)
        yield* archive.take(history.slice(2).map(toWire))
        // A peer is asked from the mark, which has not moved.
        assert.isFalse(HashMap.has(yield* store.vectorClock, a))
        yield* store.apply(batch(history, { a: at(3) }))
        assert.lengthOf(yield* everything(store), 3)
      })
    )

    it.effect("operations of our own come back, and their timestamps are not issued again", () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(make, (place) => place.open)
        yield* TestClock.setTime(1_000)
        const archive = yield* over(store)
        const line = toWire(write(store.nodeId, at(5_000, 7), "mine"))
        assert.deepStrictEqual(yield* archive.take([line]), { applied: 1, refused: [] })
        const [next] = yield* store.append([draft("r")])
        assert.deepStrictEqual(next?.hlc, { ...at(5_000, next?.hlc.counter), node: store.nodeId })
        assert.isAbove(next?.hlc.counter ?? 0, 7)
      })
    )

    it.effect("refuses what is wrong or from the future, and takes the rest", () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(make, (place) => place.open)
        yield* TestClock.setTime(1_000)
        const archive = yield* over(store)
        const lines = [
          "",
          toWire(write(a, at(301_000), "in time")),
          toWire(write(b, at(301_001), "too early")),
          "{}",
          toWire(write(b, at(1), "past"))
        ]
        const { applied, refused } = yield* archive.take(lines)
        assert.strictEqual(applied, 2)
        assert.deepStrictEqual(
          refused.map(({ index }) => index),
          [0, 2, 3]
        )
        assert.match(refused[1]?.reason ?? "", /ahead of ours/)
        // What was refused has not moved our own clock either.
        const [next] = yield* store.append([draft("r")])
        assert.strictEqual(next?.hlc.wall, 301_000)
      })
    )
  })
}

describe("Archive", () => {
  it.effect("what was taken survives a loss of power, and so does what was taken before without saying so", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* opened(MemoryStore.layer({ disk }))
      const archive = yield* over(store)
      const lines = (row: string) => [toWire(write(a, at(1 + disk.rows.size), row))]
      yield* archive.take(lines("put off"), false)
      assert.lengthOf(disk.unsynced, 1)
      // What is known already changes nothing, and is there to stay all the same.
      yield* archive.take(lines("put off"))
      assert.lengthOf(disk.unsynced, 0)
      yield* archive.take(lines("more"), false)
      yield* archive.take([])
      yield* archive.take(lines("at once"))
      assert.strictEqual(MemoryDisk.losePower(disk), 0)
      assert.strictEqual(disk.rows.size, 3)
    })
  )

  it.effect("refuses origins beyond what a peer takes, and nothing of those that are known", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(inMemory, (place) => place.open)
      const many = Array.from({ length: limits.origins - 1 }, (_, n) => write(node(`o${n}`), at(1), `r${n}`))
      const archive = yield* over(store)
      assert.lengthOf((yield* archive.take(many.map(toWire))).refused, 0)
      const { applied, refused } = yield* archive.take(
        [write(a, at(1), "x"), write(node("o1"), at(2), "y")].map(toWire)
      )
      assert.strictEqual(applied, 1)
      assert.deepStrictEqual(
        refused.map(({ index }) => index),
        [0]
      )
    })
  )

  it.effect("pages are bounded, and together they are all rows", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(inMemory, (place) => place.open)
      yield* store.apply(batch(Array.from({ length: 2_345 }, (_, n) => write(a, at(n + 1), `r${n}`))))
      const archive = yield* over(store)
      assert.lengthOf((yield* archive.page(null)).lines, Archive.batch.lines)
      assert.strictEqual(new Set(yield* exported(store)).size, 2_345)
    })
  )
})
