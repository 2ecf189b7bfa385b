/** A store that adds up its rows anew finds what was wrong with what it kept of them, while it goes on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { beside, open } from "../../support/SqliteFiles.ts"
import { at, batch, everything, onDisk, places, type StoreService } from "../../support/Stores.ts"

const a = node("a")

const sum = (store: StoreService) =>
  Effect.map(everything(store), (operations) =>
    operations.map(Digest.ofOperation).reduce((all, one) => Digest.add(all, one), Digest.empty)
  )

for (const { name, make } of places) {
  describe(`Store.audit, ${name}`, () => {
    it.effect("finds nothing wrong with a store that was written to in every way", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make).open
        yield* store.append([draft("r1"), draft("r2"), draft("e1", "", "episodes")])
        yield* store.append([draft("r1", "again"), draft("r2", "", "notes", "delete")])
        yield* store.apply(batch([write(a, at(5), "r3"), write(a, at(6), "p", "plans")], { a: at(6) }))
        const { rows, digest, corrected } = yield* store.audit
        assert.deepStrictEqual({ rows, corrected }, { rows: 5, corrected: [] })
        assert.deepStrictEqual(digest, yield* store.digest)
        assert.deepStrictEqual(digest, yield* sum(store))
      })
    )

    it.effect("counts what is written meanwhile, before and after the rows that went by", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make).open
        const ids = Array.from({ length: 2_500 }, (_, index) => `r${String(index).padStart(5, "0")}`)
        yield* store.append(ids.map((id) => draft(id)))
        const audit = yield* Effect.forkChild(store.audit, { startImmediately: true })
        for (let round = 0; round < 40; round++) {
          const id = ids[(round * 617) % ids.length] ?? ""
          yield* store.append([draft(id, `round ${round}`), draft(`s${round}`), draft(`a${round}`)])
          yield* Effect.yieldNow
        }
        const { corrected } = yield* Fiber.join(audit)
        assert.deepStrictEqual(corrected, [])
        const { rows, digest } = yield* store.audit
        assert.strictEqual(rows, 2_580)
        assert.deepStrictEqual(digest, yield* sum(store))
      })
    )
  })
}

describe("Store.audit, SQLite", () => {
  it.effect("corrects a digest and counts that are not those of the rows, once and for all", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* store.append([draft("r1"), draft("r2")])
          return yield* store.digest
        })
      )
      beside(home, (db) => db.exec("UPDATE meta SET digest_low = 7, notes = 9"))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          assert.notDeepEqual(yield* store.digest, before)
          const { rows, digest, corrected } = yield* store.audit
          assert.strictEqual(rows, 2)
          assert.deepStrictEqual(digest, before)
          assert.lengthOf(corrected, 2)
          assert.deepStrictEqual(yield* store.digest, before)
          assert.strictEqual((yield* store.counts).notes, 2)
        })
      )
      const store = yield* open({ home })
      assert.deepStrictEqual(yield* store.digest, before)
      assert.deepStrictEqual((yield* store.audit).corrected, [])
    })
  )

  it.effect("notices a row that was changed by another hand", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.append([draft("r1", "true")])))
      beside(home, (db) => db.exec(`UPDATE operations SET data = '{"content":"false"}'`))
      const store = yield* open({ home })
      const before = yield* store.digest
      const { digest, corrected } = yield* store.audit
      assert.notDeepEqual(digest, before)
      assert.match(corrected.join(), /digest/)
      assert.deepStrictEqual(yield* store.damage, [])
    })
  )
})
