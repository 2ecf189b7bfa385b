/** A database that is written anew: as small as what it holds, and all or nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { StoreUnavailable } from "../../../src/services/node/NodeFailure.ts"
import * as SqliteCompact from "../../../src/services/store/SqliteCompact.ts"
import { draft } from "../../support/Drafts.ts"
import { beside, filesWith, open, pragmaOf } from "../../support/SqliteFiles.ts"
import { described, madeOnce } from "../../support/Stores.ts"
import { searchFor } from "../../support/Searches.ts"

const rows = Array.from({ length: 2_000 }, (_, n) => `r${n}`)

/** A file as an earlier version made it, with most of its rows deleted. */
const older = Effect.map(
  madeOnce(
    Effect.fnUntraced(function* (home: string) {
      const content = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* store.append(rows.map((row) => draft(row, `secret of ${row} ${"x".repeat(1_000)}`)))
          yield* searchFor(store, "secret", 1)
          return yield* described(store)
        })
      )
      assert.strictEqual(content.counts.notes, rows.length)
      beside(home, (db) => db.exec("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM"))
      // What an earlier version deletes stays readable.
      beside(home, (db) =>
        db.exec("PRAGMA secure_delete = OFF; DELETE FROM operations WHERE seq < 1800; DELETE FROM tokens_gone")
      )
    })
  ),
  ({ home }) => home
)

describe("compact", () => {
  it.effect("makes an older file small, without deleted text, and such that it gives back its space from then on", () =>
    Effect.gen(function* () {
      const home = yield* older
      assert.isNotEmpty(filesWith(home, "secret of r7 "))
      const before = yield* Effect.scoped(Effect.flatMap(open({ home }), described))
      const size = statSync(join(home, "sync.db")).size
      const compacted = yield* SqliteCompact.compact(home)
      assert.strictEqual(compacted.before, size)
      assert.strictEqual(compacted.after, statSync(join(home, "sync.db")).size)
      assert.isBelow(compacted.after, size / 2)
      assert.strictEqual(statSync(join(home, "sync.db")).mode & 0o777, 0o600)
      assert.deepStrictEqual(filesWith(home, "secret of r7 "), [])
      assert.strictEqual(pragmaOf(home, "auto_vacuum"), 2)
      const store = yield* open({ home })
      assert.deepStrictEqual(yield* described(store), before)
      assert.lengthOf(yield* searchFor(store, "r1900", 10), 1)
      assert.deepStrictEqual(yield* store.damage, [])
      assert.isFalse(readdirSync(home).some((name) => /another|compacting/.test(name)))
    })
  )

  it.effect("is refused while a node holds the database, or a program reads it; nothing changes", () =>
    Effect.gen(function* () {
      const home = yield* older
      const database = () => readFileSync(join(home, "sync.db"))
      const refused = Effect.flip(SqliteCompact.compact(home))
      const node = yield* Effect.scoped(
        Effect.gen(function* () {
          yield* open({ home })
          return yield* refused
        })
      )
      assert.instanceOf(node, StoreUnavailable)
      assert.match(node.message, /locked.*stop the node, run feral-sync compact, and start it/)
      const before = database()
      const reading = yield* Effect.acquireUseRelease(
        Effect.sync(() => new DatabaseSync(join(home, "sync.db"))),
        (db) => {
          db.exec("PRAGMA journal_mode = WAL; BEGIN")
          db.prepare("SELECT * FROM meta").get()
          // The log has what the reader does not see.
          beside(home, (other) => other.exec("UPDATE meta SET notes = notes + 1"))
          return refused
        },
        (db) => Effect.sync(() => db.close())
      )
      assert.match(String(reading.message), /another program reads the database.*run feral-sync compact again/)
      assert.strictEqual(database().length, before.length)
      assert.isFalse(readdirSync(home).some((name) => name.includes("compacting")))
    })
  )

  it.effect("a process that ended in the middle leaves the database as it was, and what it began is removed", () =>
    Effect.gen(function* () {
      const home = yield* older
      const content = yield* Effect.scoped(Effect.flatMap(open({ home }), described))
      const left = join(home, "sync.db.compacting")
      writeFileSync(left, readFileSync(join(home, "sync.db")).subarray(0, 50_000))
      writeFileSync(`${left}-journal`, "")
      assert.deepStrictEqual(yield* Effect.scoped(Effect.flatMap(open({ home }), described)), content)
      assert.isFalse(readdirSync(home).some((name) => name.includes("compacting")))
    })
  )

  it.effect("of a damaged file, or of none, is refused", () =>
    Effect.gen(function* () {
      const home = yield* older
      const file = join(home, "sync.db")
      // The pages of the newest rows, which are not deleted.
      const roots = beside(home, (db) =>
        db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'operations'").all()
      )
      const [page] = roots.map(({ rootpage }) => Number(rootpage))
      writeFileSync(file, readFileSync(file).fill(0, (Number(page) - 1) * 4096, Number(page) * 4096))
      const damaged = readFileSync(file)
      const error = yield* Effect.flip(SqliteCompact.compact(home))
      assert.instanceOf(error, StoreUnavailable)
      assert.strictEqual(error.reason, "corrupt")
      assert.strictEqual(readFileSync(file).length, damaged.length)
      const none = yield* Effect.flip(SqliteCompact.compact(join(home, "none")))
      assert.strictEqual(none instanceof StoreUnavailable ? none.reason : "", "not found")
    })
  )
})
