/**
 * Reads by filters, cursors and ids, in every place where a store is kept.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as MemoryLive from "../../../src/services/memory/MemoryLive.ts"
import { Memory } from "../../../src/services/memory/Memory.ts"
import { Store } from "../../../src/services/store/Store.ts"
import { places } from "../../support/Stores.ts"

const idsOf = (found: { readonly rows: ReadonlyArray<{ readonly id: string }> }) => found.rows.map(({ id }) => id)

/** Some rows of each kind, a second apart: their ids, the oldest first. */
const written = Effect.gen(function* () {
  const memory = yield* Memory
  const ids: Array<string> = []
  const writes = [
    memory.notes.put({ content: "water the plants", tags: ["home", "garden"] }),
    memory.facts.set({ subject: "kitchen", predicate: "temperature", object: "21" }),
    memory.episodes.record({ session_id: "s1", event_type: "talk", summary: "about plants" }),
    memory.executionLog.append({ session_id: "s1", skill_id: "k", endpoint_id: "e", result_status: "error" }),
    memory.notes.put({ content: "feed the cat", tags: ["home"] }),
    memory.facts.add({ subject: "kitchen", predicate: "colour", object: "green" }),
    memory.facts.add({ subject: "cellar", predicate: "temperature", object: "9" }),
    memory.executionLog.append({ session_id: "s2", skill_id: "k", endpoint_id: "e", result_status: "ok" })
  ]
  for (const [index, write] of writes.entries()) {
    yield* TestClock.setTime((100 + index) * 1000)
    ids.push((yield* write).id)
  }
  return { memory, ids }
})

for (const { name, make } of places) {
  const test = (title: string, body: Effect.Effect<void, unknown, Memory>) =>
    it.effect(title, () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(make, (place) => place.open)
        yield* Effect.provide(body, MemoryLive.layer.pipe(Layer.provide(Layer.succeed(Store, store))))
      })
    )

  describe(`reads, ${name}`, () => {
    test(
      "all filters have to hold, and the newest rows come first",
      Effect.gen(function* () {
        const { memory, ids } = yield* written
        const [plants, kitchen, talk, failed, cat, colour, cellar, ran] = ids
        const cases = [
          [{}, ids.toReversed()],
          [{ kinds: ["notes"] }, [cat, plants]],
          [{ kinds: ["notes", "episodes"] }, [cat, talk, plants]],
          [{ tags: ["home"] }, [cat, plants]],
          [{ tags: ["home", "garden"] }, [plants]],
          [{ tags: ["hom"] }, []],
          [{ subject: "kitchen" }, [colour, kitchen]],
          [{ predicate: "temperature" }, [cellar, kitchen]],
          [{ subject: "kitchen", predicate: "temperature" }, [kitchen]],
          [{ session: "s1" }, [failed, talk]],
          [{ session: "s1", kinds: ["episodes"] }, [talk]],
          [{ status: "ok" }, [ran]],
          [{ session: "s1", status: "ok" }, []],
          [{ since: 105 }, [ran, cellar, colour]],
          [{ since: 101, until: 103 }, [talk, kitchen]],
          [{ origin: "nobody" }, []],
          [{ subject: "kitchen", tags: ["home"] }, []]
        ] as const
        for (const [filter, expected] of cases) {
          assert.deepStrictEqual(idsOf(yield* memory.recent(filter)), expected, JSON.stringify(filter))
        }
        const { rows } = yield* memory.recent()
        assert.strictEqual(rows[0]?.kind, "execution_log")
        assert.lengthOf((yield* memory.recent({ origin: rows[0]?.origin_node ?? "" })).rows, ids.length)
      })
    )

    test(
      "a cursor goes on where the answer before ended, whatever was written meanwhile",
      Effect.gen(function* () {
        const { memory, ids } = yield* written
        const seen: Array<string> = []
        let cursor: string | undefined
        do {
          const found = yield* memory.recent({ limit: 3, ...(cursor === undefined ? {} : { cursor }) })
          seen.push(...idsOf(found))
          cursor = found.next
          yield* memory.notes.put({ content: "another" })
        } while (cursor !== undefined)
        assert.deepStrictEqual(seen, ids.toReversed())
        assert.isUndefined((yield* memory.recent({ kinds: ["episodes"], limit: 1 })).next)
      })
    )

    test(
      "facts by subject, and a row by its kind and id",
      Effect.gen(function* () {
        const { memory, ids } = yield* written
        const [plants = "", kitchen, , , , colour] = ids
        assert.deepStrictEqual(idsOf(yield* memory.facts.about({ subject: "kitchen" })), [colour, kitchen])
        const one = yield* memory.facts.about({ subject: "kitchen", predicate: "colour" })
        assert.deepStrictEqual([idsOf(one), one.rows[0]?.object, one.next], [[colour], "green", undefined])
        assert.deepInclude(yield* memory.get("notes", plants), { kind: "notes", id: plants })
        yield* memory.notes.delete(plants)
        for (const kind of ["notes", "facts", "nothing"]) {
          assert.deepInclude(yield* Effect.flip(memory.get(kind, plants)), { _tag: "RowNotFound", kind })
        }
        assert.notInclude(idsOf(yield* memory.recent()), plants)
      })
    )

    test(
      "a search takes the same filters and cursors",
      Effect.gen(function* () {
        const { memory, ids } = yield* written
        const [plants, , talk] = ids
        const first = yield* memory.searchPage({ query: "plants", limit: 1 })
        const { next = "" } = first
        const second = yield* memory.searchPage({ query: "plants", limit: 1, cursor: next })
        assert.deepStrictEqual([...idsOf(first), ...idsOf(second)], [talk, plants])
        assert.isUndefined(second.next)
        assert.deepStrictEqual(idsOf(yield* memory.searchPage({ query: "plants", tags: ["home"] })), [plants])
        assert.deepStrictEqual(
          (yield* memory.search({ query: "plants", session: "s1" })).map(({ id }) => id),
          [talk]
        )
      })
    )

    test(
      "what is wrong with a question is said, all of it",
      Effect.gen(function* () {
        const { memory } = yield* written
        const error = yield* Effect.flip(memory.recent({ kinds: ["plans"], cursor: "x" }))
        assert.strictEqual(error._tag, "QueryInvalid")
        assert.include(error.message, `kinds "plans" is not a known kind; cursor is not the next of an answer`)
        for (const limit of [0, 1_001, 1.5]) {
          assert.strictEqual((yield* Effect.flip(memory.recent({ limit })))._tag, "QueryInvalid")
        }
        assert.strictEqual((yield* Effect.flip(memory.facts.about({ subject: "" })))._tag, "QueryInvalid")
      })
    )
  })
}
