/**
 * Puts a backup in the place of a database, and keeps what was there. A log of writes (`sync.db-wal`) belongs to one file: beside
 * another one SQLite would replay it all the same, and damage that file.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Clock, Effect, FileSystem } from "effect"
import { open as openFile } from "node:fs/promises"
import { StoreUnavailable } from "../Failure.ts"
import { isLocked } from "./SqliteCheck.ts"
import { databaseIn } from "./SqliteFile.ts"
import * as SqliteIntegrity from "./SqliteIntegrity.ts"
import * as Unavailable from "./Unavailable.ts"

/** What became of the files. `kept` is where the database is now that was there before. */
export interface Restored {
  readonly kept: string | undefined
}

/** Restores `file` in `home`, which no node may be using. */
export const restore = Effect.fn("SqliteRestore.restore")(
  function* (home: string, file: string) {
    const fs = yield* FileSystem.FileSystem
    const database = databaseIn(home)
    if (yield* isLocked(home)) {
      return yield* new StoreUnavailable({ reason: "locked", detail: "a node or a command uses it" })
    }
    yield* fs.access(file)
    yield* fs.makeDirectory(home, { recursive: true, mode: 0o700 })
    const stamp = new Date(yield* Clock.currentTimeMillis).toISOString().replace(/[:.]/g, "-")
    const incoming = `${database}.restoring`
    yield* fs.copyFile(file, incoming)
    yield* fs.chmod(incoming, 0o600)
    const remove = Effect.ignore(fs.remove(incoming, { force: true }))
    const problems = yield* SqliteIntegrity.copy(incoming).pipe(Effect.tapError(() => remove))
    if (problems.length > 0) {
      yield* remove
      return yield* new StoreUnavailable({ reason: "corrupt", detail: `${file} is damaged: ${problems.join("; ")}` })
    }
    yield* Effect.tryPromise(async () => {
      const handle = await openFile(incoming, "r+")
      await handle.sync().finally(() => handle.close())
    })
    const kept = `${database}.before-restore-${stamp}`
    const wasThere = yield* fs.exists(database)
    // The log first: without it the old file is whole, and beside the new one there must be none.
    for (const suffix of ["-wal", "-shm", ""]) {
      if (yield* fs.exists(`${database}${suffix}`)) yield* fs.rename(`${database}${suffix}`, `${kept}${suffix}`)
    }
    yield* fs.rename(incoming, database)
    return { kept: wasThere ? kept : undefined } satisfies Restored
  },
  Unavailable.opening,
  Effect.provide(NodeFileSystem.layer)
)
