/** Stores in SQLite files, and the files themselves. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { type KindUnknown, StoreUnavailable } from "../../src/services/node/NodeFailure.ts"
import { opened } from "./Stores.ts"
import * as SqliteStore from "../../src/services/store/SqliteStore.ts"

/** Uses the file beside the store, as a person with `sqlite3` would. */
export const beside = <A>(home: string, use: (db: DatabaseSync) => A): A => {
  const db = new DatabaseSync(join(home, "sync.db"))
  try {
    return use(db)
  } finally {
    db.close()
  }
}

/** The files in a directory that hold a text. */
export const filesWith = (home: string, text: string): ReadonlyArray<string> =>
  readdirSync(home, { withFileTypes: true })
    .filter((entry) => entry.isFile() && readFileSync(join(home, entry.name)).includes(text))
    .map(({ name }) => name)

/** What `pragma` says of the file of a store. */
export const pragmaOf = (home: string, pragma: string): unknown =>
  beside(home, (db) => Object.values(db.prepare(`PRAGMA ${pragma}`).get() ?? {})[0])

/** The reason why an effect failed. */
export const reasonOf = <A, R>(effect: Effect.Effect<A, StoreUnavailable | KindUnknown, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, StoreUnavailable)
    return error.reason
  })

/** Opens the store in a directory. */
export const open = (options: Parameters<typeof SqliteStore.layer>[0]) => opened(SqliteStore.layer(options))

/** Takes from a file what it has only since it knows of kinds of applications, and gives it the version that it had before. */
export const beforeApplications = (db: DatabaseSync, version = 6): void => {
  for (const column of ["known", "of_applications"]) db.exec(`ALTER TABLE meta DROP COLUMN ${column}`)
  for (const table of ["declared", "own_rows"]) db.exec(`DROP TABLE ${table}`)
  db.exec(`PRAGMA user_version = ${version}`)
}

/** Takes from a file what it has only since it knows of a cut and of a feed, and gives it the version that it had before. */
export const beforeCut = (db: DatabaseSync, version: number): void => {
  beforeApplications(db)
  for (const column of ["live_high", "live_low", "cut", "feed_id", "feed_removals", "feed_horizon"])
    db.exec(`ALTER TABLE meta DROP COLUMN ${column}`)
  db.exec(`PRAGMA user_version = ${version}`)
}
