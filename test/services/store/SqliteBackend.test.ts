import { assert, describe, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Exit, Fiber, FileSystem, Option, Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdir, readdir, rename, stat } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Kind } from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import * as SqliteBackend from "../../../src/services/store/SqliteBackend.ts"
import { draft } from "../../support/Drafts.ts"
import { digestOf } from "../../support/MergeModel.ts"
import { node, write } from "../../support/Network.ts"
import { beforeCut, beside, open, reasonOf } from "../../support/SqliteFiles.ts"
import { at, batch, described, onDisk } from "../../support/Stores.ts"

const notes = Kind.make("notes")
const a = node("a")

/** A process of its own that opens the store, and what it says. It ends with the scope. */
const hold = Effect.fnUntraced(function* (home: string) {
  const script = fileURLToPath(new URL("../../support/HoldStore.ts", import.meta.url))
  const holder = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [script, home], { stdio: ["ignore", "pipe", "inherit"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const [said] = yield* Effect.promise(() => once(holder.stdout, "data"))
  return { process: holder, said: String(said).trim() }
})

describe("Store in SQLite", () => {
  it.effect("keeps its files from others, whatever they were before", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const modes = Effect.promise(async () => {
        const files = (await readdir(place.home)).sort()
        return Promise.all(files.map(async (file) => [file, (await stat(join(place.home, file))).mode & 0o777]))
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* place.open
          yield* store.append([draft("r1")])
          const files = ["lock", "lock-journal", "sync.db", "sync.db-shm", "sync.db-wal"]
          assert.deepStrictEqual(
            yield* modes,
            files.map((file) => [file, 0o600])
          )
          yield* store.backup(join(place.home, "copy.db"))
        })
      )
      yield* Effect.promise(() => chmod(join(place.home, "sync.db"), 0o644))
      yield* place.open
      const expected = ["copy.db", "lock", "sync.db"].map((file) => [file, 0o600])
      assert.deepStrictEqual(
        (yield* modes).filter(([file]) => !String(file).includes("-")),
        expected
      )
    })
  )

  it.live("one writer at a time: others wait, and then say that it is locked; readers do not", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const first = yield* Scope.make()
      const store = yield* Scope.provide(open({ home }), first)
      const patient = yield* Effect.forkChild(open({ home, lockWait: 60_000 }), { startImmediately: true })
      assert.strictEqual(yield* reasonOf(open({ home, lockWait: 100 })), "locked")
      yield* store.append([draft("r1")])
      assert.lengthOf(
        beside(home, (db) => db.prepare("SELECT id FROM notes").all()),
        1
      )
      assert.isUndefined(patient.pollUnsafe())
      yield* Scope.close(first, Exit.void)
      const second = yield* Fiber.join(patient)
      assert.lengthOf(yield* second.list(notes, { limit: 9 }), 1)
    })
  )

  it.live("the lock goes with the process that held it, and nothing acknowledged is lost", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const { process: holder, said } = yield* hold(home)
      assert.strictEqual(said, "ready")
      assert.strictEqual(yield* reasonOf(open({ home, lockWait: 0 })), "locked")
      const gone = once(holder, "exit")
      holder.kill("SIGKILL")
      yield* Effect.promise(() => gone)
      const store = yield* open({ home, lockWait: 0 })
      assert.lengthOf(yield* store.list(notes, { limit: 9 }), 1)
      assert.isTrue((yield* store.snapshot).vectorClock !== undefined && store.ownTimestampAtOpen.wall > 0)
    })
  )

  it.live("another process stays locked out, also after this one tried to open the store twice", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* open({ home })
      assert.strictEqual(yield* reasonOf(open({ home, lockWait: 0 })), "locked")
      assert.strictEqual((yield* hold(home)).said, "locked")
    })
  )

  it.effect("read-only: shows what is there beside the writer, takes no lock, and writes nothing", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      assert.strictEqual(yield* reasonOf(open({ home, readOnly: true })), "not found")
      const writer = yield* open({ home })
      yield* writer.append([draft("r1")])
      const reader = yield* open({ home, readOnly: true })
      assert.deepStrictEqual(yield* described(reader), yield* described(writer))
      assert.strictEqual(yield* reasonOf(reader.append([draft("r2")])), "read-only")
      assert.strictEqual((yield* reader.snapshot).version, 0)
      yield* writer.append([draft("r3")])
      assert.lengthOf(yield* reader.list(notes, { limit: 9 }), 2)
    })
  )

  it.effect("a file of the first version gets the sums of its rows by origin, and can be read before it has them", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* store.append([draft("r1"), draft("r2"), draft("r1", "again")])
          yield* store.apply(batch([write(a, at(1), "r3"), write(a, at(2), "r2")], {}))
          return yield* store.snapshot
        })
      )
      beside(home, (db) => {
        for (const name of ["rows", "high", "low"]) db.exec(`ALTER TABLE clock DROP COLUMN held_${name}`)
        for (const kind of ["notes", "knowledge", "episodes", "execution_log"]) {
          db.exec(`DROP VIEW ${kind}; CREATE VIEW ${kind} AS SELECT 1 AS one`)
        }
        db.exec("ALTER TABLE operations DROP COLUMN shown")
        db.exec("ALTER TABLE clock DROP COLUMN opaque_bytes; DROP TABLE purged")
        beforeCut(db, 1)
      })
      const read = yield* Effect.scoped(Effect.flatMap(open({ home, readOnly: true }), (store) => store.snapshot))
      assert.deepStrictEqual(read.digest, before.digest)
      assert.strictEqual(VectorClock.compare(read.frontier, before.frontier), "equal")
      const store = yield* open({ home })
      assert.deepStrictEqual(new Map((yield* store.snapshot).holdings), new Map(before.holdings))
      assert.deepStrictEqual((yield* store.audit).corrected, [])
    })
  )

  it.effect("a commit that fails changes nothing, in memory or on disk, and can be made again", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      yield* store.append([draft("r1", "old")])
      const before = yield* described(store)
      const { version } = yield* store.snapshot
      // The clock is written after the rows.
      beside(home, (db) => db.exec("ALTER TABLE clock RENAME TO hidden"))
      assert.strictEqual(yield* reasonOf(store.append([draft("r1", "new"), draft("r2")])), "other")
      assert.strictEqual(yield* reasonOf(store.apply(batch([write(a, at(1), "r3")], { a: at(1) }))), "other")
      beside(home, (db) => db.exec("ALTER TABLE hidden RENAME TO clock"))
      assert.deepStrictEqual(yield* described(store), before)
      assert.strictEqual((yield* store.snapshot).version, version)
      yield* store.apply(batch([write(a, at(1), "r3")], { a: at(1) }))
      const [last] = yield* store.append([draft("r1", "new")])
      assert.deepStrictEqual(yield* store.get(notes, "r1"), Option.fromUndefinedOr(last))
      assert.strictEqual((yield* store.snapshot).version, version + 2)
    })
  )

  it.effect("a sync goes to the log that holds what came last, and an absent log needs none", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const fs = yield* FileSystem.FileSystem
      const synced: Array<string> = []
      const watched = FileSystem.make({
        ...fs,
        open: (path, options) =>
          Effect.map(fs.open(path, options), (file) => ({
            ...file,
            sync: Effect.andThen(
              file.sync,
              Effect.sync(() => void synced.push(path))
            )
          }))
      })
      const store = yield* SqliteBackend.make({ home }).pipe(Effect.provideService(FileSystem.FileSystem, watched))
      yield* store.apply(batch([write(a, at(1), "r")]))
      synced.length = 0
      yield* store.sync
      assert.deepStrictEqual(synced, [join(home, "sync.db-wal")])
      yield* Effect.promise(() => rename(join(home, "sync.db-wal"), join(home, "elsewhere")))
      yield* store.sync
      assert.lengthOf(synced, 1)
    }).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, HlcClock.layer]))
  )

  it.effect("a row that is replaced arrives anew", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      yield* store.append([draft("r1"), draft("r2")])
      yield* store.append([draft("r1")])
      const rows = beside(home, (db) => db.prepare("SELECT row_id FROM operations ORDER BY seq").all())
      assert.deepStrictEqual(
        rows.map((row) => row.row_id),
        ["r2", "r1"]
      )
    })
  )

  it.effect("a backup is whole while the store goes on writing", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const store = yield* place.open
      yield* store.apply(batch(Array.from({ length: 4_000 }, (_, index) => write(a, at(index + 1), `r${index}`))))
      yield* Effect.promise(() => mkdir(join(place.backup.file, "..")))
      const writing = Array.from({ length: 40 }, (_, index) => {
        const block = Array.from({ length: 50 }, (_, row) => write(a, at(10_000 + index * 50 + row), `r${row * 80}`))
        return store.apply(batch(block, { a: at(10_000 + index * 50 + 49) }))
      })
      yield* Effect.all([store.backup(place.backup.file), Effect.all(writing)], { concurrency: 2 })
      const copy = yield* described(yield* place.backup.open)
      assert.strictEqual(copy.state.size, 4_000)
      assert.deepStrictEqual(copy.digest, digestOf(copy.state))
    })
  )
})
