import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import type { NodeId } from "../../../src/core/replica/NodeId.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, places, request } from "../../support/Stores.ts"

const [a, b, c] = [node("a"), node("b"), node("c")]

const recordOf = <A>(map: ReadonlyMap<string, A>): Record<string, A> => Object.fromEntries(map)

for (const { name, make } of places) {
  describe(`Store.delta, ${name}`, () => {
    const fresh = Effect.flatMap(make, (place) => place.open)

    const filled = Effect.gen(function* () {
      const store = yield* fresh
      const of = (origin: NodeId, walls: ReadonlyArray<number>) =>
        walls.map((wall) => write(origin, at(wall), `${origin}${wall}`))
      const operations = { a: of(a, [1, 2, 3, 4]), b: of(b, [1, 2]), c: of(c, [5, 6]) }
      yield* store.apply(batch([...operations.c, ...operations.a.toReversed(), ...operations.b]))
      return { store, operations }
    })

    it.effect("reads origins in the order asked, each from its timestamp on", () =>
      Effect.gen(function* () {
        const { store, operations } = yield* filled
        const delta = yield* store.delta(request({ c: at(5), a: at(2), nobody: at(0), b: at(9) }))
        assert.deepStrictEqual(delta.operations, [...operations.c.slice(1), ...operations.a.slice(2)])
        assert.strictEqual(delta.exhausted, 4)
        assert.deepStrictEqual(delta.snapshot, yield* store.snapshot)
      })
    )

    it.effect("is bounded in operations, and says which origins are done", () =>
      Effect.gen(function* () {
        const { store, operations } = yield* filled
        const all = [...operations.a, ...operations.b, ...operations.c]
        for (let maxOperations = 1; maxOperations <= 9; maxOperations++) {
          const delta = yield* store.delta(request({ a: at(0), b: at(0), c: at(0) }, { maxOperations }))
          assert.deepStrictEqual(delta.operations, all.slice(0, maxOperations))
          assert.strictEqual(delta.exhausted, maxOperations < 4 ? 0 : maxOperations < 6 ? 1 : maxOperations < 8 ? 2 : 3)
        }
      })
    )

    it.effect("is bounded in bytes, but reads one operation however large it is", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const sizes = [100, 5_000, 100, 100, 100]
        yield* store.append(sizes.map((size, index) => draft(`r${index}`, "é".repeat(size / 2))))
        const indexes = (from: number, maxBytes: number) =>
          Effect.map(store.delta(request({ [store.nodeId]: at(0, from) }, { maxBytes })), (delta) => ({
            rows: delta.operations.map(({ row_id }) => row_id as string),
            exhausted: delta.exhausted
          }))
        assert.deepStrictEqual(yield* indexes(0, 1), { rows: ["r0"], exhausted: 0 })
        assert.deepStrictEqual(yield* indexes(0, 1_000), { rows: ["r0"], exhausted: 0 })
        assert.deepStrictEqual(yield* indexes(1, 1_000), { rows: ["r1"], exhausted: 0 })
        assert.deepStrictEqual(yield* indexes(2, 800), { rows: ["r2", "r3"], exhausted: 0 })
        assert.deepStrictEqual(yield* indexes(2, 2_000), { rows: ["r2", "r3", "r4"], exhausted: 1 })
      })
    )

    it.effect("never splits operations that share a timestamp", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const operations = ["x", "y", "z"].map((row) => write(a, at(1), row))
        yield* store.apply(batch([...operations, write(a, at(2), "w")]))
        const delta = yield* store.delta(request({ a: at(0) }, { maxOperations: 1 }))
        assert.deepStrictEqual(delta.operations, operations)
        assert.strictEqual(delta.exhausted, 0)
      })
    )

    it.effect("tells what was written after a version", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const changed = (since: number) =>
          Effect.map(store.delta(request({}, { since })), ({ changedOrigins }) =>
            Option.map(changedOrigins, ({ ranges, supersessions }) => ({
              ranges: recordOf(ranges),
              wins: Array.from(supersessions, ([winner, losers]) => [winner, ...losers].join(" over "))
            }))
          )
        assert.deepStrictEqual(yield* changed(0), Option.some({ ranges: {}, wins: [] }))
        assert.deepStrictEqual(yield* changed(1), Option.none())
        yield* store.apply(batch([write(a, at(5), "r1"), write(a, at(3), "r2"), write(b, at(4), "r3")]))
        yield* store.apply(batch([write(c, at(6), "r1"), write(a, at(7), "r4"), write(b, at(1), "r2")]))
        const second = {
          ranges: { a: { least: at(7), greatest: at(7) }, c: { least: at(6), greatest: at(6) } },
          wins: ["c over a", "a over b"]
        }
        assert.deepStrictEqual(yield* changed(1), Option.some(second))
        const both = { a: { least: at(3), greatest: at(7) }, b: { least: at(4), greatest: at(4) }, c: second.ranges.c }
        assert.deepStrictEqual(yield* changed(0), Option.some({ ranges: both, wins: second.wins }))
        assert.deepStrictEqual(yield* changed(2), Option.some({ ranges: {}, wins: [] }))
      })
    )

    it.effect("tells of a win although it changed no row", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.apply(batch([write(a, at(5), "r"), write(b, at(4), "other")]))
        const { snapshot } = yield* store.apply(batch([write(b, at(3), "r")]))
        const { changedOrigins } = yield* store.delta(request({}, { since: snapshot.version - 1 }))
        assert.deepStrictEqual([...Option.getOrThrow(changedOrigins).supersessions], [[a, new Set([b])]])
      })
    )

    it.effect("does not tell what happened more than 1,024 commits ago", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        for (let wall = 1; wall <= 1_025; wall++) yield* store.apply(batch([], { [store.nodeId]: at(wall) }))
        const isKnown = (since: number) =>
          Effect.map(store.delta(request({}, { since })), ({ changedOrigins }) => Option.isSome(changedOrigins))
        assert.deepStrictEqual([yield* isKnown(0), yield* isKnown(1), yield* isKnown(1_025)], [false, true, true])
      })
    )
  })
}
