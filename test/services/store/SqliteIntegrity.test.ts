/** The look through a whole database file. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as SqliteIntegrity from "../../../src/services/store/SqliteIntegrity.ts"
import { draft } from "../../support/Drafts.ts"
import { beside, open } from "../../support/SqliteFiles.ts"
import { temporaryDirectory } from "../../support/Stores.ts"

/** A closed database with some rows. */
const written = Effect.gen(function* () {
  const home = yield* temporaryDirectory
  const rows = Array.from({ length: 200 }, (_, n) => draft(`r${n}`, "x".repeat(n)))
  yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.append(rows)))
  return { home, file: join(home, "sync.db") }
})

describe("the look through a database file", () => {
  it.live("finds nothing wrong with one that is whole", () =>
    Effect.gen(function* () {
      const { file } = yield* written
      assert.deepStrictEqual(yield* SqliteIntegrity.live(file), [])
      assert.deepStrictEqual(yield* SqliteIntegrity.copy(file), [])
    })
  )

  it.live("reads each view to its end, of a database that is in use", () =>
    Effect.gen(function* () {
      const { home, file } = yield* written
      beside(home, (db) => db.exec("UPDATE operations SET data = '{' WHERE row_id = 'r199'"))
      const [problem = "", ...more] = yield* SqliteIntegrity.live(file)
      assert.match(problem, /^the view notes cannot be read: .*JSON/)
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual(yield* SqliteIntegrity.copy(file), [])
    })
  )

  it.live("tells what SQLite finds, and then reads no view", () =>
    Effect.gen(function* () {
      const { file } = yield* written
      const bytes = readFileSync(file)
      // In the table, or in an index: the two do not agree any more.
      bytes.write("r15x", bytes.indexOf("r150"))
      writeFileSync(file, bytes)
      const problems = yield* SqliteIntegrity.live(file)
      assert.isAbove(problems.length, 0)
      assert.isFalse(problems.some((problem) => problem.includes("the view")))
    })
  )

  it.live("says when it cannot look", () =>
    Effect.gen(function* () {
      const { file } = yield* written
      truncateSync(file, 3_000)
      const error = yield* Effect.flip(SqliteIntegrity.live(file))
      assert.strictEqual(error._tag, "StoreUnavailable")
    })
  )
})
