import { assert, describe, it } from "@effect/vitest"
import { Effect, Predicate } from "effect"
import { readFileSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import type { CanonicalJson } from "../../../src/core/replica/Json.ts"
import { node, write } from "../../support/Network.ts"
import { beside, open } from "../../support/SqliteFiles.ts"
import { at, batch, onDisk } from "../../support/Stores.ts"

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

describe("the tags of rows in a file", () => {
  it.effect("are kept by the triggers of this version, also in a file with earlier ones", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const triggersOf = (db: DatabaseSync) =>
        textsOf(db, "SELECT sql FROM sqlite_schema WHERE name LIKE 'tagged_%' ORDER BY name")
      const add = (n: number, tags: unknown) =>
        Effect.scoped(
          Effect.flatMap(open({ home }), (store) =>
            store.apply(
              batch([{ ...write(node("a"), at(n), `r${n}`), data: JSON.stringify({ tags }) as CanonicalJson }])
            )
          )
        )
      yield* add(1, ["x", "y"])
      const expected = beside(home, triggersOf)
      assert.strictEqual(expected.length, 2)
      beside(home, (db) =>
        db.exec(
          "DROP TRIGGER tagged_leave; DROP TRIGGER tagged_come; CREATE TRIGGER tagged_come AFTER INSERT ON operations BEGIN SELECT 1; END"
        )
      )
      // As an array, as the text of one, and as text: tags come in all forms. And none.
      for (const [n, tags] of [["x"], '["x"]', "x", "[]", [], "", null, 5, { x: 1 }].entries()) yield* add(n + 2, tags)
      assert.deepStrictEqual(beside(home, triggersOf), expected)
      const tagged = (db: DatabaseSync) => textsOf(db, "SELECT tag || wall FROM tagged ORDER BY wall, tag")
      assert.deepStrictEqual(beside(home, tagged), ["x1", "y1", "x2", "x3", "x4"])
    })
  )
})
