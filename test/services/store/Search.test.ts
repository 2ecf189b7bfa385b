/**
 * Searching, in every place where a store is kept.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { CanonicalJson } from "../../../src/core/replica/Json.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, onDisk, places, type StoreService } from "../../support/Stores.ts"
import { draft } from "../../support/Drafts.ts"
import { searchFor } from "../../support/Searches.ts"

const [a, b] = [node("a"), node("b")]

const find = (store: StoreService, query: string, limit = 100) =>
  Effect.map(searchFor(store, query, limit), (rows) => rows.map(({ row_id }) => row_id))

const written = (kind: string, row: string, wall: number, data: object, origin = a) => ({
  ...write(origin, at(wall), row, kind),
  data: JSON.stringify(data) as CanonicalJson
})

for (const { name, make } of places) {
  describe(`Search, ${name}`, () => {
    it.effect("finds what has all the words, whole ones first and then the newest, in any kind that is searched", () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(make, (place) => place.open)
        assert.deepStrictEqual(yield* find(store, "tea"), [])
        yield* store.apply(
          batch([
            written("episodes", "e", 3, { summary: "Ada", detail: "drank TEA" }),
            written("notes", "n", 1, { content: "Tea, please", tags: '["Zürich"]' }),
            written("knowledge", "k", 2, { subject: "ada", predicate: "likes", object: "teapots" }),
            written("execution_log", "l", 4, { result_summary: "tea" }),
            written("plans", "p", 5, { content: "tea" })
          ])
        )
        assert.deepStrictEqual(yield* find(store, "tea"), ["e", "n", "k"])
        assert.deepStrictEqual(yield* find(store, "tea", 2), ["e", "n"])
        assert.deepStrictEqual(yield* find(store, "tea ada"), ["e"])
        assert.deepStrictEqual(yield* find(store, "zurich"), ["n"])
        const scripts = ["чай", "ΤΣΆΪ", "हिन्दी", "한국어", "お茶", "e\u0301te\u0301", "🫖 pot", "naïve\0café"]
        yield* store.apply(batch(scripts.map((content, n) => written("notes", `s${n}`, 10 + n, { content }))))
        for (const [n, text] of scripts.entries()) {
          for (const query of [text, text.toUpperCase(), text.normalize("NFC"), text.normalize("NFD")]) {
            assert.include(yield* find(store, query), `s${n}`, query)
          }
        }
        for (const query of ["", '"', "tea AND", "tea OR nothing", "NEAR(tea)", "content:tea", "*", "-tea coffee"]) {
          assert.deepStrictEqual(yield* find(store, query), [])
        }
      })
    )

    it.effect("what is replaced or deleted is not found any more, whenever it was indexed", () =>
      Effect.gen(function* () {
        const place = yield* make
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            yield* store.append([draft("r1", "old words"), draft("r2", "old words"), draft("r3", "old words")])
            assert.lengthOf(yield* find(store, "old"), 3)
            yield* store.append([draft("r1", "new words"), draft("r2", "", "notes", "delete")])
            assert.deepStrictEqual(yield* find(store, "old"), ["r3"])
            assert.deepStrictEqual(yield* find(store, "new"), ["r1"])
            yield* store.append([draft("r2", "back")])
          })
        )
        const store = yield* place.open
        assert.deepStrictEqual(yield* find(store, "back"), ["r2"])
        assert.deepStrictEqual(yield* find(store, "words"), ["r1", "r3"])
        // An episode is its least insert: the one that arrives later takes the place of the other.
        yield* store.apply(batch([written("episodes", "e", 9, { summary: "late" }, b)]))
        assert.deepStrictEqual(yield* find(store, "late"), ["e"])
        yield* store.apply(batch([written("episodes", "e", 2, { summary: "early" })]))
        assert.deepStrictEqual(yield* find(store, "late"), [])
        assert.deepStrictEqual(yield* find(store, "early"), ["e"])
      })
    )

    it.effect("more rows than one transaction takes, and larger ones", () =>
      Effect.gen(function* () {
        const store = yield* Effect.flatMap(make, (place) => place.open)
        const large = "x".repeat(3_000_000)
        yield* store.append(Array.from({ length: 3_500 }, (_, n) => draft(`r${n}`, `word number${n}`)))
        yield* store.append([draft("l1", `word ${large}`), draft("l2", `word ${large}`), draft("l3", "word last")])
        assert.lengthOf(yield* find(store, "word", 10_000), 3_503)
        // Of frequent words, the newest rows are looked at first.
        const newest = ["l3", "l2", "l1", "r3499", "r3498"]
        assert.deepStrictEqual(yield* find(store, "word", 5), newest)
        assert.deepStrictEqual(yield* find(store, "wor", 4), newest.slice(0, 4))
        assert.deepStrictEqual(yield* find(store, "last"), ["l3"])
      })
    )
  })
}

describe("Search, SQLite", () => {
  it.effect("the index holds the rows that can be found, and no others", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const store = yield* place.open
      const indexed = () => {
        const file = new DatabaseSync(join(place.home, "sync.db"), { readOnly: true })
        const rows = file.prepare("SELECT rowid FROM tokens WHERE tokens MATCH 'old OR new'").all().length
        file.close()
        return rows
      }
      yield* store.append(["r1", "r2", "r3"].map((row) => draft(row, "old")))
      yield* find(store, "old")
      assert.strictEqual(indexed(), 3)
      yield* store.append([draft("r1", "new"), draft("r2", "", "notes", "delete")])
      yield* find(store, "old")
      assert.strictEqual(indexed(), 2)
    })
  )

  it.effect("searches at the same time do not get in each other's way, nor in that of writes", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(onDisk, (place) => place.open)
      yield* store.append(Array.from({ length: 3_000 }, (_, n) => draft(`r${n}`, "word")))
      const all = Effect.map(find(store, "word", 10_000), (rows) => rows.length)
      const [first, , second] = yield* Effect.all([all, store.append([draft("x", "other")]), all], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual([first, second], [3_000, 3_000])
      assert.deepStrictEqual(yield* find(store, "other"), ["x"])
    })
  )
})
