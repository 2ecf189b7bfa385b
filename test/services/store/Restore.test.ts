/** A backup that takes the place of a database, with the log of the other one beside it, and without. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { copyFileSync, existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { StoreUnavailable } from "../../../src/services/Failure.ts"
import * as SqliteIntegrity from "../../../src/services/store/SqliteIntegrity.ts"
import * as SqliteRestore from "../../../src/services/store/SqliteRestore.ts"
import { draft } from "../../support/Drafts.ts"
import { open } from "../../support/SqliteFiles.ts"
import { described, onDisk } from "../../support/Stores.ts"

/** A data directory whose node was killed after a backup and some more writes: its log is still there. */
const killed = Effect.gen(function* () {
  const { home } = yield* onDisk
  const [backup, log] = [join(home, "backup"), join(home, "log")]
  const before = yield* Effect.scoped(
    Effect.gen(function* () {
      const store = yield* open({ home })
      yield* store.append(Array.from({ length: 200 }, (_, n) => draft(`r${n}`, "before the backup")))
      yield* store.backup(backup)
      // As the command does: a backup is one file.
      assert.deepStrictEqual(yield* SqliteIntegrity.copy(backup), [])
      const before = yield* described(store)
      yield* store.append(Array.from({ length: 200 }, (_, n) => draft(`r${n}`, "x".repeat(n))))
      copyFileSync(join(home, "sync.db-wal"), log)
      return before
    })
  )
  copyFileSync(log, join(home, "sync.db-wal"))
  return { home, backup, before }
})

describe("a backup in the place of a database", () => {
  it.effect("that was put there by hand over the log of the other one: the log is set aside, and all is sound", () =>
    Effect.gen(function* () {
      const { home, backup, before } = yield* killed
      copyFileSync(backup, join(home, "sync.db"))
      const refused = yield* Effect.flip(open({ home, readOnly: true }))
      assert.match(String(refused.message), /belongs to another database/)
      const store = yield* open({ home })
      assert.deepStrictEqual((yield* described(store)).state, before.state)
      assert.deepStrictEqual(yield* store.damage, [])
      assert.isTrue(readdirSync(home).some((name) => name.startsWith("sync.db-wal.of-another-database-")))
    })
  )

  it.effect("that restore put there: the old database is kept with its log", () =>
    Effect.gen(function* () {
      const { home, backup, before } = yield* killed
      const { kept } = yield* SqliteRestore.restore(home, backup)
      assert.isTrue(kept !== undefined && existsSync(kept) && existsSync(`${kept}-wal`))
      const store = yield* open({ home })
      assert.deepStrictEqual((yield* described(store)).state, before.state)
      assert.deepStrictEqual(yield* store.damage, [])
    })
  )

  it.effect("is not put there while the database is in use, nor when it is missing", () =>
    Effect.gen(function* () {
      const { home, backup } = yield* killed
      const reason = (file: string) =>
        Effect.map(Effect.flip(SqliteRestore.restore(home, file)), (error) =>
          error instanceof StoreUnavailable ? error.reason : "defect"
        )
      assert.strictEqual(yield* reason(join(home, "none")), "not found")
      const names = readdirSync(home)
      yield* open({ home })
      assert.strictEqual(yield* reason(backup), "locked")
      assert.isFalse(names.some((name) => name.includes("restor")))
    })
  )
})
