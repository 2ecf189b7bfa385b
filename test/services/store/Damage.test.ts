/** Damage that shows anywhere is noted once, and nothing is written from then on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Kind } from "../../../src/core/replica/Operation.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { beside, open, reasonOf } from "../../support/SqliteFiles.ts"
import { at, batch, everything, onDisk, type StoreService } from "../../support/Stores.ts"
import { searchFor } from "../../support/Searches.ts"

const notes = Kind.make("notes")
const a = node("a")

/** What shows it, once each row has become one that nobody can have written. */
const uses: ReadonlyArray<readonly [name: string, use: (store: StoreService) => Effect.Effect<unknown, unknown>]> = [
  ["get", (store) => store.get(notes, "r1")],
  ["list", (store) => store.list(notes, { limit: 9 })],
  ["search", (store) => searchFor(store, "word", 9)],
  ["delta", everything],
  ["range", (store) => store.range({ after: undefined, until: undefined, maxBytes: 1e6, maxOperations: 100 })],
  ["append", (store) => store.append([draft("r1", "again")])],
  ["apply", (store) => store.apply(batch([write(a, at(1e15), "r1")]))],
  ["audit", (store) => store.audit]
]

describe("damage", () => {
  for (const [name, use] of uses) {
    it.effect(`that ${name} meets is noted, reported to those that wait for it, and ends all writing`, () =>
      Effect.gen(function* () {
        const { home } = yield* onDisk
        const store = yield* open({ home })
        yield* store.append([draft("r1", "word"), draft("r2", "word")])
        const waiting = yield* Effect.forkChild(store.damageAwaited, { startImmediately: true })
        assert.isTrue(Option.isNone(yield* store.damageFound))
        beside(home, (db) => db.exec("UPDATE operations SET op_type = 'rename' WHERE row_id = 'r1'"))
        yield* Effect.flip(use(store))
        const failure = yield* Fiber.join(waiting)
        assert.strictEqual(failure.reason, "corrupt")
        assert.match(failure.message, /restore a backup with feral-sync restore FILE/)
        assert.deepStrictEqual(yield* store.damageFound, Option.some(failure))
        const before = yield* store.snapshot
        assert.strictEqual(yield* reasonOf(store.append([draft("new")])), "corrupt")
        assert.strictEqual(yield* reasonOf(store.apply(batch([write(a, at(1), "r9")]))), "corrupt")
        assert.deepStrictEqual(yield* store.snapshot, before)
        // What can be read is read.
        assert.isTrue(Option.isSome(yield* store.get(notes, "r2")))
      })
    )
  }

  it.effect("of the index of words is none of the rows: the index is made anew", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      yield* store.append(Array.from({ length: 50 }, (_, n) => draft(`r${n}`, `word number${n}`)))
      yield* searchFor(store, "word", 9)
      const spoil = () => {
        const db = new DatabaseSync(join(home, "sync.db"), { defensive: false })
        db.exec("UPDATE tokens_data SET block = x'00000000ffffffff00' WHERE id > 10")
        db.close()
      }
      spoil()
      assert.lengthOf(yield* searchFor(store, "word", 100), 50)
      spoil()
      yield* store.append([draft("r1", "other")])
      assert.lengthOf(yield* searchFor(store, "word", 100), 49)
      assert.isTrue(Option.isNone(yield* store.damageFound))
    })
  )

  it.effect("of a backup's destination is none of the store", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      const { writeFileSync } = yield* Effect.promise(() => import("node:fs"))
      writeFileSync(join(home, "text"), "some text that is worth keeping")
      assert.strictEqual(yield* reasonOf(store.backup(join(home, "text"))), "corrupt")
      yield* store.append([draft("r1")])
    })
  )
})
