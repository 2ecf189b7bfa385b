import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, type Exit, Option, Schema, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, mkdir, readdir, rename, stat, unlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { canonical } from "../../../src/core/Json.ts"
import { Kind, type Operation } from "../../../src/core/Operation.ts"
import * as Row from "../../../src/core/Row.ts"
import { StoreUnavailable } from "../../../src/services/Failure.ts"
import { Store } from "../../../src/services/Store.ts"
import * as Unavailable from "../../../src/services/store/Unavailable.ts"
import { draft } from "../../support/Drafts.ts"
import { element, integer, oneOf, runs } from "../../support/Generators.ts"
import { digestOf } from "../../support/MergeModel.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, described, everything, onDisk, opened, temporaryDirectory } from "../../support/Stores.ts"

const notes = Kind.make("notes")
const a = node("a")

/** Uses the file beside the store, as a person with `sqlite3` would. */
const beside = <A>(home: string, use: (db: DatabaseSync) => A): A => {
  const db = new DatabaseSync(join(home, "sync.db"))
  try {
    return use(db)
  } finally {
    db.close()
  }
}

/** The reason why an effect failed. */
const reasonOf = <A, R>(effect: Effect.Effect<A, StoreUnavailable, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, StoreUnavailable)
    return error.reason
  })

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

const open = (options: Parameters<typeof Store.layerSqlite>[0]) => opened(Store.layerSqlite(options))

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

  it.live("one writer at a time: the second waits, and then says that it is locked", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          assert.strictEqual(yield* reasonOf(open({ home, lockWait: 100 })), "locked")
          yield* store.append([draft("r1")])
          assert.lengthOf(
            beside(home, (db) => db.prepare("SELECT id FROM notes").all()),
            1
          )
        })
      )
      const first = yield* Effect.forkChild(Effect.scoped(Effect.andThen(open({ home }), Effect.sleep("150 millis"))), {
        startImmediately: true
      })
      const second = yield* open({ home, lockWait: 5_000 })
      assert.lengthOf(yield* second.list(notes, { limit: 9 }), 1)
      assert.isDefined(first.pollUnsafe())
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
      assert.isTrue((yield* store.snapshot).clock !== undefined && store.openedAt.wall > 0)
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
    assert.strictEqual(Unavailable.fromCause(thrown).reason, "disk full")
    const enospc = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC", syscall: "write" })
    assert.strictEqual(Unavailable.fromCause(enospc).reason, "disk full")
    assert.strictEqual(Unavailable.fromCause(new Error("whatever")).reason, "other")
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

describe("views", () => {
  const readers = {
    notes: Row.noteFromOperation,
    knowledge: Row.factFromOperation,
    episodes: Row.episodeFromOperation,
    execution_log: Row.executionFromOperation
  }
  const names = [...new Set(Object.values(readers).flatMap((read) => Object.keys(read(write(a, at(1), "r")))))]
  const texts = element("", "x", "it's", '"', "\u{1f600}", "[1]", "7")
  const Value = oneOf<unknown>(
    texts,
    element(0, 1.5, -3),
    element(true, false),
    Arbitrary.map(texts, (text) => [text, { text }]),
    Arbitrary.map(texts, (text) => ({ [text]: [] })),
    Arbitrary.map(integer(0, 0), () => null)
  )
  const Data = Arbitrary.map(
    Arbitrary.array(Arbitrary.all([element("emotions", "location", "participants", ...names), Value]), {
      maxLength: 12
    }),
    (entries) => Option.getOrThrow(canonical(Object.fromEntries(entries), 9))
  )
  const Operations = Arbitrary.map(
    Arbitrary.array(Arbitrary.all([element("notes", "knowledge", "episodes", "execution_log"), Data]), {
      maxLength: 8
    }),
    (all) => all.map(([kind, data], index): Operation => ({ ...write(a, at(index + 1_500), `r${index}`, kind), data }))
  )

  it.effect.prop(
    "show what the readers of rows show",
    [Operations],
    ([operations]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { home } = yield* onDisk
          const store = yield* open({ home })
          yield* store.apply(batch([...operations, write(a, at(9_000), "gone", "notes", "delete")]))
          for (const kind of ["notes", "knowledge", "episodes", "execution_log"] as const) {
            const rows = yield* store.list(Kind.make(kind), { limit: 100 })
            const shown = beside(home, (db) => db.prepare(`SELECT * FROM ${kind} ORDER BY id`).all())
            assert.deepStrictEqual(
              shown.map((row) => ({ ...row })),
              rows.map((row) => ({ ...inSql(kind), ...inSql(kind, readers[kind](row)) }))
            )
          }
        })
      ),
    runs(150)
  )

  /** A row as SQL shows it: no column is ever missing, JSON is text, truth is a number. */
  const inSql = (kind: string, row: object = {}): Record<string, unknown> => {
    const extra = kind === "episodes" ? { emotions: null, location: null, participants: null } : {}
    return Object.fromEntries(
      Object.entries({ ...extra, ...row }).map(([key, value]) => [
        key,
        typeof value === "object" && value !== null
          ? JSON.stringify(value)
          : typeof value === "boolean"
            ? +value
            : value
      ])
    )
  }
})
