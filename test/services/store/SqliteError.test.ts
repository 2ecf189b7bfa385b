/** Stores that cannot be used: each reason, provoked for real. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { chmod, rename, unlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Kind } from "../../../src/core/replica/Operation.ts"
import * as SqliteError from "../../../src/services/store/SqliteError.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { beside, open, reasonOf } from "../../support/SqliteFiles.ts"
import { at, batch, everything, onDisk, temporaryDirectory } from "../../support/Stores.ts"

const notes = Kind.make("notes")
const a = node("a")

describe("Store in SQLite that cannot be used", () => {
  it.effect("home is a file", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const home = join(directory, "file")
      yield* Effect.promise(() => writeFile(home, ""))
      assert.strictEqual(yield* reasonOf(open({ home })), "not found")
      assert.strictEqual(yield* reasonOf(open({ home: join(home, "below") })), "not found")
    })
  )

  it.effect("home may not be written", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.promise(() => chmod(directory, 0o555))
      yield* withoutPrivileges
      assert.strictEqual(yield* reasonOf(open({ home: directory })), "read-only")
      assert.strictEqual(yield* reasonOf(open({ home: join(directory, "below") })), "read-only")
    }).pipe(Effect.scoped)
  )

  it.effect("the file is no database", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      yield* Effect.promise(() => writeFile(join(directory, "sync.db"), "no database ".repeat(1_000)))
      assert.strictEqual(yield* reasonOf(open({ home: directory })), "corrupt")
    })
  )

  it.effect("a row cannot be read", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      yield* store.append([draft("r1")])
      beside(home, (db) => db.exec("UPDATE operations SET op_type = 'rename'"))
      assert.strictEqual(yield* reasonOf(store.get(notes, "r1")), "corrupt")
      assert.strictEqual(yield* reasonOf(everything(store)), "corrupt")
      assert.strictEqual(yield* reasonOf(store.append([draft("r1")])), "corrupt")
    })
  )

  it.effect("another program holds the file", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      const reason = yield* Effect.acquireUseRelease(
        Effect.sync(() => new DatabaseSync(join(home, "sync.db"))),
        (db) => {
          db.exec("BEGIN IMMEDIATE")
          return reasonOf(store.append([draft("r1")]))
        },
        (db) => Effect.sync(() => db.close())
      )
      assert.strictEqual(reason, "locked")
      yield* store.append([draft("r1")])
    })
  )

  it.effect("the file is deleted or replaced while it is open", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const file = join(place.home, "sync.db")
      const store = yield* place.open
      yield* store.append([draft("r1")])
      const before = yield* store.snapshot
      yield* Effect.promise(() => rename(file, `${file}.away`))
      assert.strictEqual(yield* reasonOf(store.append([draft("r2")])), "not found")
      yield* Effect.promise(() => writeFile(file, ""))
      assert.strictEqual(yield* reasonOf(store.apply(batch([write(a, at(1), "r3")]))), "not found")
      assert.deepStrictEqual(yield* store.snapshot, before)
      yield* Effect.promise(() => unlink(file))
      yield* Effect.promise(() => rename(`${file}.away`, file))
      yield* store.append([draft("r2")])
      assert.lengthOf(yield* store.list(notes, { limit: 9 }), 2)
    })
  )

  it.effect("a backup has no place to go", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      yield* store.append([draft("r1")])
      assert.strictEqual(yield* reasonOf(store.backup(join(home, "missing", "copy.db"))), "not found")
      assert.strictEqual(yield* reasonOf(store.backup(join(home, "sync.db"))), "other")
      yield* Effect.promise(() => writeFile(join(home, "text"), "some text that is worth keeping"))
      assert.strictEqual(yield* reasonOf(store.backup(join(home, "text"))), "corrupt")
      assert.lengthOf(yield* store.list(notes, { limit: 9 }), 1)
    })
  )

  it.effect("the file is from a newer version", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      yield* Effect.scoped(place.open)
      beside(place.home, (db) => db.exec("PRAGMA user_version = 99"))
      for (const readOnly of [false, true]) {
        const error = yield* Effect.flip(open({ home: place.home, readOnly }))
        assert.strictEqual(error.reason, "other")
        assert.include(error.message, "newer")
      }
    })
  )

  it("the disk is full", () => {
    const db = new DatabaseSync(":memory:")
    db.exec("CREATE TABLE full (text); PRAGMA max_page_count = 3")
    let thrown: unknown
    try {
      db.exec("INSERT INTO full VALUES (zeroblob(100000))")
    } catch (error) {
      thrown = error
    }
    assert.strictEqual(SqliteError.fromCause(thrown).reason, "disk full")
    const enospc = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC", syscall: "write" })
    assert.strictEqual(SqliteError.fromCause(enospc).reason, "disk full")
    assert.strictEqual(SqliteError.fromCause(new Error("whatever")).reason, "other")
  })
})

/** Takes the privileges of the superuser, who may write anywhere, until the scope closes. */
const withoutPrivileges: Effect.Effect<void, never, Scope.Scope> = Effect.suspend(() =>
  process.geteuid?.() === 0
    ? Effect.acquireRelease(
        Effect.sync(() => process.seteuid?.(65_534)),
        () => Effect.sync(() => process.seteuid?.(0))
      )
    : Effect.void
)
