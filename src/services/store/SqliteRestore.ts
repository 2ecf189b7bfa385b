/**
 * Replaces a database with a backup, and keeps the old one. A log of writes (`sync.db-wal`) belongs to one file: beside
 * another one SQLite would replay it all the same, and damage that file.
 *
 * The old database is not opened: it may be damaged. The lock of the data directory is held from the first look to the
 * last rename.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Option } from "effect"
import { existsSync } from "node:fs"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { asItStands, connect, databaseIn, holdLock, identityOf, versionOf, wrongVersion } from "./SqliteFile.ts"
import * as LockHolder from "./LockHolder.ts"
import * as SqliteFeed from "./SqliteFeed.ts"
import * as SqliteLog from "./SqliteLog.ts"
import * as SqliteIntegrity from "./SqliteIntegrity.ts"
import { discard, replace } from "./SqliteReplace.ts"
import * as SqliteSchema from "./SqliteSchema.ts"
import * as SqliteError from "./SqliteError.ts"

/** What became of the files. `kept` is where the database is now that was there before. */
export interface Restored {
  readonly kept: string | undefined
}

/** Restores `file` in `home`, which no node may be using. */
export const restore = Effect.fn("SqliteRestore.restore")(
  function* (home: string, file: string) {
    const fs = yield* FileSystem.FileSystem
    const database = databaseIn(home)
    yield* fs.access(file)
    yield* Effect.catch(
      holdLock({ home, lockWait: 0 }),
      LockHolder.named(home, "stop the node, and run feral-sync restore again")
    )
    if (yield* isSame(file, database)) {
      const detail = `${file} is the database itself`
      return yield* new StoreUnavailable({ reason: "other", detail, advice: "give the path of a backup" })
    }
    const incoming = `${database}.restoring`
    yield* discard(incoming)
    return yield* Effect.ensuring(put(file, incoming, database), Effect.ignore(discard(incoming)))
  },
  Effect.scoped,
  SqliteError.opening,
  Effect.provide(NodeFileSystem.layer)
)

const put = Effect.fnUntraced(function* (file: string, incoming: string, database: string) {
  const fs = yield* FileSystem.FileSystem
  yield* copyOf(file, incoming)
  const kept = `${database}.before-restore-${yield* SqliteLog.stampNow}`
  const wasThere = yield* fs.exists(database)
  yield* replace(database, incoming, Option.some(kept))
  return { kept: wasThere ? kept : undefined } satisfies Restored
})

/** Copies a backup to `incoming`, and makes sure that it is whole, and one file. A log beside it is a part of it. */
const copyOf = Effect.fnUntraced(function* (file: string, incoming: string) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.copyFile(file, incoming)
  yield* fs.chmod(incoming, 0o600)
  if ((yield* fs.exists(`${file}-wal`)) && !SqliteLog.isForeign(file)) {
    yield* fs.copyFile(`${file}-wal`, `${incoming}-wal`)
  }
  const wrong = (reason: "corrupt" | "other", detail: string) => {
    const advice = "use another backup; the current database was not changed"
    return new StoreUnavailable({ reason, detail: `${file} ${detail}`, advice })
  }
  const problems = yield* Effect.catch(SqliteIntegrity.copy(incoming), (error) =>
    error.reason === "corrupt" ? Effect.succeed([error.detail]) : Effect.fail(error)
  )
  if (problems.length > 0) return yield* wrong("corrupt", `is damaged: ${problems.join("; ")}`)
  const version = yield* Effect.scoped(
    Effect.flatMap(connect({ filename: asItStands(incoming), readonly: true }), versionOf)
  )
  if (version === 0) return yield* wrong("other", "is not a feral-sync database")
  if (version > SqliteSchema.current) return yield* wrongVersion(version)
  if (version >= SqliteFeed.withFeed) {
    yield* Effect.scoped(Effect.flatMap(connect({ filename: incoming }), (sql) => sql.unsafe(SqliteFeed.forgetId)))
  }
})

const isSame = (file: string, database: string) =>
  Effect.sync(() => existsSync(database) && identityOf(file) === identityOf(database))
