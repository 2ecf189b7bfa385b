/** A backup that takes the place of a database, with the log of the other one beside it, and without. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { StoreUnavailable } from "../../../src/services/node/NodeFailure.ts"
import * as SqliteIntegrity from "../../../src/services/store/SqliteIntegrity.ts"
import * as SqliteRestore from "../../../src/services/store/SqliteRestore.ts"
import { draft } from "../../support/Drafts.ts"
import { open } from "../../support/SqliteFiles.ts"
import { described, madeOnce } from "../../support/Stores.ts"

const backupIn = (home: string) => join(home, "backup")

/** A data directory whose node was killed after a backup and some more writes: its log is still there. */
const killed = madeOnce(
  Effect.fnUntraced(function* (home: string) {
    const log = join(home, "log")
    const before = yield* Effect.scoped(
      Effect.gen(function* () {
        const store = yield* open({ home })
        yield* store.append(Array.from({ length: 200 }, (_, n) => draft(`r${n}`, "before the backup")))
        yield* store.backup(backupIn(home))
        // As the command does: a backup is one file.
        assert.deepStrictEqual(yield* SqliteIntegrity.copy(backupIn(home)), [])
        const before = yield* described(store)
        yield* store.append(Array.from({ length: 200 }, (_, n) => draft(`r${n}`, "x".repeat(n))))
        copyFileSync(join(home, "sync.db-wal"), log)
        return before
      })
    )
    copyFileSync(log, join(home, "sync.db-wal"))
    return before
  })
)

describe("a backup in the place of a database", () => {
  it.effect("that was put there by hand over the log of the other one: the log is set aside, and all is sound", () =>
    Effect.gen(function* () {
      const { home, made: before } = yield* killed
      const backup = backupIn(home)
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
      const { home, made: before } = yield* killed
      const backup = backupIn(home)
      const { kept } = yield* SqliteRestore.restore(home, backup)
      assert.isTrue(kept !== undefined && existsSync(kept) && existsSync(`${kept}-wal`))
      const store = yield* open({ home })
      assert.deepStrictEqual((yield* described(store)).state, before.state)
      assert.deepStrictEqual(yield* store.damage, [])
    })
  )

  it.effect("is not put there while the database is in use, nor when it is missing", () =>
    Effect.gen(function* () {
      const { home } = yield* killed
      const backup = backupIn(home)
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

  const bad: ReadonlyArray<readonly [name: string, make: (file: string, backup: string) => void, message: RegExp]> = [
    ["text", (file) => writeFileSync(file, "some text ".repeat(2_000)), /damaged.*use another backup/],
    ["an empty file", (file) => writeFileSync(file, ""), /not a feral-sync database.*use another backup/],
    ["cut", (file, backup) => writeFileSync(file, readFileSync(backup).subarray(0, 20_000)), /damaged.*another backup/],
    [
      "a page of zeros in the middle",
      (file, backup) => writeFileSync(file, readFileSync(backup).fill(0, 8 * 4096, 9 * 4096)),
      /damaged.*use another backup/
    ],
    ["a damaged header", (file, backup) => writeFileSync(file, readFileSync(backup).fill(7, 0, 100)), /damaged/],
    [
      "a database of another program",
      (file) => {
        const db = new DatabaseSync(file)
        db.exec("CREATE TABLE t (a)")
        db.close()
      },
      /not a feral-sync database/
    ],
    ["a directory", (file) => mkdirSync(file), /directory/],
    ["none", () => {}, /not found/]
  ]
  for (const [name, make, message] of bad) {
    it.effect(`that is bad (${name}) is refused, and the database stays as it is`, () =>
      Effect.gen(function* () {
        const { home } = yield* killed
        const backup = backupIn(home)
        const file = join(home, "bad")
        make(file, backup)
        const content = () => ["", "-wal"].map((end) => readFileSync(join(home, `sync.db${end}`)))
        const before = content()
        const error = yield* Effect.flip(SqliteRestore.restore(home, file))
        assert.instanceOf(error, StoreUnavailable)
        assert.match(error.message, message)
        assert.deepStrictEqual(content(), before)
        assert.isFalse(readdirSync(home).some((name) => name.includes("restor")))
      })
    )
  }

  const damages: ReadonlyArray<readonly [name: string, damage: (database: string) => void]> = [
    ["cut", (database) => truncateSync(database, 9_000)],
    ["empty", (database) => truncateSync(database, 0)],
    ["text", (database) => writeFileSync(database, "some text ".repeat(2_000))],
    ["a damaged header", (database) => writeFileSync(database, readFileSync(database).fill(7, 0, 100))],
    ["zeros", (database) => writeFileSync(database, readFileSync(database).fill(0, 4096))],
    ["gone", (database) => rmSync(database)]
  ]
  for (const [name, damage] of damages) {
    it.effect(`takes the place of a damaged one (${name}), and what was there is kept`, () =>
      Effect.gen(function* () {
        const { home, made: before } = yield* killed
        const backup = backupIn(home)
        const database = join(home, "sync.db")
        damage(database)
        const damaged = existsSync(database) ? readFileSync(database) : undefined
        const log = readFileSync(`${database}-wal`)
        const { kept } = yield* SqliteRestore.restore(home, backup)
        if (damaged !== undefined) assert.deepStrictEqual(readFileSync(String(kept)), damaged)
        const logs = readdirSync(home).filter((name) => /^sync.db.before-restore-.*-wal$/.test(name))
        assert.deepStrictEqual(
          logs.map((name) => readFileSync(join(home, name))),
          [log]
        )
        const store = yield* open({ home })
        assert.deepStrictEqual((yield* described(store)).state, before.state)
      })
    )
  }

  it.live("holds the lock until it is there", () =>
    Effect.gen(function* () {
      const { home } = yield* killed
      const backup = backupIn(home)
      const restoring = yield* Effect.forkChild(SqliteRestore.restore(home, backup))
      let isLocked = false
      while (restoring.pollUnsafe() === undefined) {
        const opening = yield* Effect.result(Effect.scoped(open({ home, lockWait: 0 })))
        isLocked ||= opening._tag === "Failure" && opening.failure.reason === "locked"
        // Whoever is quicker keeps the other one out.
        yield* Effect.yieldNow
      }
      const exit = yield* Fiber.await(restoring)
      assert.isTrue(isLocked || exit._tag === "Failure")
    })
  )

  it.effect("may be a plain copy of a database with its log", () =>
    Effect.gen(function* () {
      const { home } = yield* killed
      const copy = join(home, "copy")
      for (const end of ["", "-wal"]) copyFileSync(join(home, `sync.db${end}`), `${copy}${end}`)
      const now = yield* Effect.scoped(Effect.flatMap(open({ home }), described))
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.append([draft("later")])))
      yield* SqliteRestore.restore(home, copy)
      assert.deepStrictEqual((yield* described(yield* open({ home }))).state, now.state)
    })
  )
})
