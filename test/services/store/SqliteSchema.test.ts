import { assert, describe, it } from "@effect/vitest"
import { Effect, Predicate } from "effect"
import { readFileSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { beside, open } from "../../support/SqliteFiles.ts"
import { onDisk } from "../../support/Stores.ts"

const textsOf = (db: DatabaseSync, query: string) =>
  db
    .prepare(query)
    .all()
    .flatMap((row) => Object.values(row).filter(Predicate.isString))

describe("what the table of kinds makes in a file", () => {
  const expected = readFileSync(new URL("views.sql", import.meta.url), "utf8")
    .trimEnd()
    .split("\n")
  const viewsOf = (db: DatabaseSync) =>
    textsOf(db, "SELECT sql || ';' FROM sqlite_schema WHERE type = 'view' ORDER BY name")
  const countersOf = (db: DatabaseSync) =>
    textsOf(
      db,
      "SELECT name FROM pragma_table_info('meta') WHERE name IN ('notes', 'knowledge', 'episodes', 'execution_log')"
    )

  it.effect("is what it always was: other programs read the views", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(open({ home }))
      assert.deepStrictEqual(beside(home, viewsOf), expected)
      assert.deepStrictEqual(beside(home, countersOf), ["notes", "knowledge", "episodes", "execution_log"])
    })
  )

  it.effect("is made in a file of a version that knew fewer kinds", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(open({ home }))
      beside(home, (db) => db.exec("DROP VIEW episodes; ALTER TABLE meta DROP COLUMN episodes"))
      const counts = yield* Effect.scoped(Effect.flatMap(open({ home, readOnly: true }), (store) => store.counts))
      assert.strictEqual(counts.episodes, 0)
      yield* Effect.scoped(open({ home }))
      assert.deepStrictEqual(beside(home, viewsOf).length, expected.length)
      assert.include(beside(home, countersOf), "episodes")
    })
  )
})
