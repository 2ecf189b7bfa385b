/** Space that deleted rows took goes back to the file system, in small steps that hold nothing up. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { statSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { pagesPerStep, sparePages, times } from "../../../src/services/store/SqliteUpkeep.ts"
import { draft } from "../../support/Drafts.ts"
import { beside, open, pragmaOf } from "../../support/SqliteFiles.ts"
import { described, onDisk } from "../../support/Stores.ts"

const rows = Array.from({ length: 3_000 }, (_, n) => `r${n}`)
const removed = rows.slice(0, 2_900).map((row) => draft(row, "", "notes", "delete"))
const free = (home: string) => Number(pragmaOf(home, "freelist_count"))
const sizeOf = (file: string) => statSync(file).size

/** A store from which most was deleted. */
const emptied = Effect.gen(function* () {
  const { home } = yield* onDisk
  const store = yield* open({ home })
  yield* store.append(rows.map((row) => draft(row, "x".repeat(2_000))))
  yield* store.append(removed)
  return { home, store }
})

describe("the upkeep of a store", () => {
  it.effect("gives free pages back step by step while nothing is written, and loses no row", () =>
    Effect.gen(function* () {
      const { home, store } = yield* emptied
      const before = yield* described(store)
      let left = free(home)
      const pages = Number(pragmaOf(home, "page_count"))
      assert.isAbove(left, sparePages + 5 * pagesPerStep)
      yield* TestClock.adjust(times.quiet - 1)
      assert.strictEqual(free(home), left)
      yield* TestClock.adjust(1 + 2 * times.quiet)
      for (let step = 0; step < 200 && left > sparePages; step++) {
        yield* TestClock.adjust(times.pause)
        const now = free(home)
        assert.isAtMost(left - now, step === 0 ? left : pagesPerStep)
        left = now
      }
      assert.isAtMost(left, sparePages)
      assert.isBelow(Number(pragmaOf(home, "page_count")), pages / 2)
      yield* TestClock.adjust(times.quiet)
      assert.strictEqual(sizeOf(join(home, "sync.db-wal")), 0)
      assert.isBelow(sizeOf(join(home, "sync.db")), (pages * 4096) / 2)
      assert.deepStrictEqual(yield* described(store), before)
      assert.deepStrictEqual(yield* store.damage, [])
    })
  )

  it.effect("waits while something is written, and begins again", () =>
    Effect.gen(function* () {
      const { home, store } = yield* emptied
      const left = free(home)
      for (let n = 0; n < 20; n++) {
        yield* TestClock.adjust(times.quiet * 0.9)
        yield* store.append([draft("busy", `${n}`)])
      }
      assert.isAtLeast(free(home), left - pagesPerStep)
      yield* TestClock.adjust(times.quiet * 2)
      yield* Effect.replicateEffect(TestClock.adjust(times.quiet), 60, { discard: true })
      assert.isAtMost(free(home), sparePages)
    })
  )

  it.effect("does not wait for a reader of the log, and empties it later", () =>
    Effect.gen(function* () {
      const { home, store } = yield* emptied
      const log = join(home, "sync.db-wal")
      const pass = Effect.replicateEffect(TestClock.adjust(times.quiet), 100, { discard: true })
      yield* Effect.acquireUseRelease(
        Effect.sync(() => {
          const reader = new DatabaseSync(join(home, "sync.db"), { readOnly: true })
          reader.exec("BEGIN")
          reader.prepare("SELECT count(*) FROM operations").get()
          return reader
        }),
        () => Effect.tap(pass, () => Effect.sync(() => assert.isAbove(sizeOf(log), 0))),
        (reader) => Effect.sync(() => reader.close())
      )
      yield* TestClock.adjust(times.retry)
      yield* pass
      assert.strictEqual(sizeOf(log), 0)
      yield* store.append([draft("later")])
      assert.isAbove(sizeOf(log), 0)
    })
  )

  it.effect("leaves an older file as it is, but for the log", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.append([draft("first")])))
      beside(home, (db) => db.exec("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM"))
      assert.strictEqual(pragmaOf(home, "auto_vacuum"), 0)
      const store = yield* open({ home })
      yield* store.append(rows.map((row) => draft(row, "x".repeat(2_000))))
      yield* store.append(removed)
      const left = free(home)
      yield* Effect.replicateEffect(TestClock.adjust(times.quiet), 20, { discard: true })
      assert.strictEqual(free(home), left)
      assert.strictEqual(sizeOf(join(home, "sync.db-wal")), 0)
    })
  )
})
