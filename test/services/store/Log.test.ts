/**
 * Which log of writes belongs to a file. A log of its own is never set aside, wherever the process ended; a log of another file is,
 * before it damages this one.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Random, Scope } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as SqliteLog from "../../../src/services/store/SqliteLog.ts"
import { draft } from "../../support/Drafts.ts"
import { integer, runs } from "../../support/Generators.ts"
import { beside, open, pragmaOf } from "../../support/SqliteFiles.ts"
import { described, onDisk, type StoreService, temporaryDirectory } from "../../support/Stores.ts"
import { searchFor } from "../../support/Searches.ts"

/** A file and its log as they are on the disk at one moment: what a kill leaves. */
interface Image {
  readonly main: Buffer
  readonly log: Buffer
}

const imageOf = (home: string): Image => ({
  main: readFileSync(join(home, "sync.db")),
  log: existsSync(join(home, "sync.db-wal")) ? readFileSync(join(home, "sync.db-wal")) : Buffer.alloc(0)
})

/** A data directory that holds an image. */
const homeOf = (home: string, { main, log }: Image) => {
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, "sync.db"), main)
  writeFileSync(join(home, "sync.db-wal"), log)
  return home
}

const isForeign = (directory: string, image: Image) => SqliteLog.isForeign(join(homeOf(directory, image), "sync.db"))

const wasSetAside = (home: string) => readdirSync(home).some((name) => name.includes("of-another-database"))

const page = 4096

/** Pages of the file before a checkpoint, and after it: what a kill in the middle of it leaves. */
const mixed = (before: Buffer, after: Buffer, isNew: (page: number) => boolean): Buffer => {
  const main = Buffer.from(after)
  for (let at = 0; at < before.length; at += page) {
    if (!isNew(at / page)) before.copy(main, at, at, Math.min(at + page, before.length))
  }
  return main
}

const actions = ["write", "write", "write much", "search", "checkpoint", "restart", "reader", "copy", "kill"] as const

/** Whether SQLite finds nothing wrong with a file: one that is copied alone while a checkpoint was kept from its end lacks pages. */
const isWhole = (home: string) => pragmaOf(home, "integrity_check") === "ok"

/** What a store that is read from a directory holds, opened as a new process would. */
const contentOf = (home: string) => Effect.scoped(Effect.flatMap(open({ home }), described))

/** Takes steps with a store, and looks at what a kill would leave after each. Gives the plain copies of the file, and the end. */
const played = Effect.fnUntraced(function* (steps: ReadonlyArray<number>) {
  const directory = yield* temporaryDirectory
  const { home } = yield* onDisk
  const probe = join(directory, "probe")
  const copies: Array<Buffer> = []
  let images = 0
  let writes = 0
  let reader: DatabaseSync | undefined
  let scope = yield* Scope.make()
  let store: StoreService = yield* Scope.provide(open({ home }), scope)
  const reopen = Effect.gen(function* () {
    yield* Scope.close(scope, Exit.void)
    scope = yield* Scope.make()
    store = yield* Scope.provide(open({ home }), scope)
  })
  const write = (count: number) =>
    store.append(Array.from({ length: count }, () => draft(`r${writes++ % 70}`, "x".repeat((writes * 37) % 3_000))))
  for (const step of steps) {
    const action = actions[step % actions.length]
    if (action === "write") yield* write(3)
    if (action === "write much") yield* write(60)
    if (action === "search") yield* searchFor(store, "x", 1)
    if (action === "restart") yield* reopen
    if (action === "copy") copies.push(readFileSync(join(home, "sync.db")))
    if (action === "reader" && reader === undefined) {
      reader = new DatabaseSync(join(home, "sync.db"), { readOnly: true })
      reader.exec("BEGIN")
      reader.prepare("SELECT count(*) FROM operations").get()
    } else if (action === "reader") {
      reader?.close()
      reader = undefined
    }
    if (action === "checkpoint") {
      const before = imageOf(home)
      beside(home, (db) => db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get())
      const { main } = imageOf(home)
      for (let mix = 0; mix < 6; mix++) {
        const random = yield* Random.next
        const isNew = (n: number) => (Math.imul(n + 1, 2_654_435_761) >>> 8) % 100 < random * 100
        assert.isFalse(isForeign(probe, { main: mixed(before.main, main, isNew), log: before.log }))
      }
      // The first page alone, and all but the first.
      assert.isFalse(isForeign(probe, { main: mixed(before.main, main, (n) => n === 0), log: before.log }))
      assert.isFalse(isForeign(probe, { main: mixed(before.main, main, (n) => n !== 0), log: before.log }))
    }
    const image = imageOf(home)
    assert.isFalse(isForeign(probe, image), `a log of its own after ${action}`)
    if (action === "kill") {
      const killed = homeOf(join(directory, `killed${images++}`), image)
      assert.deepStrictEqual((yield* contentOf(killed)).state, (yield* described(store)).state)
      assert.isFalse(wasSetAside(killed))
    }
  }
  const content = yield* described(store)
  const image = imageOf(home)
  reader?.close()
  yield* Scope.close(scope, Exit.void)
  return { directory, copies, image, content }
})

describe("the log of writes", () => {
  it.effect.prop(
    "of a file is never taken for foreign, wherever the process ended; a plain copy of the file over it is never damaged by it",
    [Arbitrary.array(integer(0, actions.length - 1), { minLength: 5, maxLength: 40 })],
    ([steps]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { directory, copies, image, content } = yield* played(steps)
          for (const [n, main] of copies.entries()) {
            const alone = homeOf(join(directory, `copy${n}`), { main, log: Buffer.alloc(0) })
            if (!isWhole(alone)) continue
            const copied = yield* contentOf(alone)
            const home = homeOf(join(directory, `restored${n}`), { main, log: image.log })
            const store = yield* open({ home })
            assert.deepStrictEqual(yield* store.damage, [])
            // It is what was copied, or where the log holds all that came after, the newest.
            const { state } = yield* described(store)
            assert.deepStrictEqual(state, wasSetAside(home) || image.log.length === 0 ? copied.state : content.state)
          }
        })
      ),
    runs(8, 25)
  )

  it.effect("of a plain copy's successor is set aside by a writer, and refused by a reader, with the next step", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.append([draft("r1", "copied")])))
      const copy = readFileSync(join(home, "sync.db"))
      // An edit, a checkpoint, one more write, and a kill.
      const image = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* store.append(Array.from({ length: 200 }, (_, n) => draft(`r${n}`, "x".repeat(n))))
          beside(home, (db) => db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get())
          yield* store.append([draft("r2", "last")])
          return imageOf(home)
        })
      )
      homeOf(home, { main: copy, log: image.log })
      const error = yield* Effect.flip(open({ home, readOnly: true }))
      assert.match(String(error.message), /belongs to another database; start the node/)
      assert.isFalse(wasSetAside(home))
      const store = yield* open({ home })
      assert.isTrue(wasSetAside(home))
      assert.deepStrictEqual(yield* store.damage, [])
      assert.lengthOf([...(yield* described(store)).state], 1)
    })
  )

  it.effect("of a file that an earlier version made is taken for its own", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.append([draft("r1")])))
      beside(home, (db) => db.exec("PRAGMA application_id = 0"))
      const directory = yield* temporaryDirectory
      const image = yield* Effect.sync(() =>
        beside(home, (db) => {
          db.exec("CREATE TABLE other (one); INSERT INTO other VALUES (1)")
          return imageOf(home)
        })
      )
      assert.isAbove(image.log.length, 0)
      assert.isFalse(isForeign(directory, image))
    })
  )

  it.effect("of an empty file is set aside: SQLite would remove it", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const image = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* store.append([draft("r1")])
          return imageOf(home)
        })
      )
      homeOf(home, { main: Buffer.alloc(0), log: image.log })
      yield* Effect.scoped(open({ home }))
      assert.isTrue(wasSetAside(home))
    })
  )

  it.effect("of a file with a damaged beginning stays: it holds that page, and SQLite reads it from there", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const { log } = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* store.append([draft("r1")])
          return imageOf(home)
        })
      )
      homeOf(home, { main: Buffer.alloc(page, 1), log })
      assert.isFalse(SqliteLog.isForeign(join(home, "sync.db")))
      const store = yield* open({ home })
      assert.isFalse(wasSetAside(home))
      assert.lengthOf([...(yield* described(store)).state], 1)
    })
  )

  it.prop(
    "has another mark after each change, which holds the number before",
    [integer(0, 0xffff), integer(0, 999)],
    ([before, random]) => {
      const mark = SqliteLog.after(before, random / 1_000)
      assert.strictEqual(mark >>> 16, before)
      assert.notStrictEqual(mark & 0xffff, before)
      assert.notStrictEqual(mark & 0xffff, 0)
      assert.strictEqual(mark | 0, mark)
    },
    runs(1_000)
  )
})
