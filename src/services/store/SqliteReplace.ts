/**
 * Puts another file in the place of a database that is closed. The caller holds the lock of the data directory.
 *
 * Guarantee: however the process ends, the old database or the new one is there whole, and the next start takes it. The
 * new file is not in WAL mode, so a log that the old one left is recognised as not its own (`SqliteLog.ts`).
 */
import { Effect, FileSystem, Option } from "effect"
import { open } from "node:fs/promises"
import { dirname } from "node:path"

/** What SQLite puts beside a file. */
const companions = ["-journal", "-wal", "-shm"]

/** Removes a file that was to replace the database, and its log. */
export const discard = Effect.fnUntraced(function* (incoming: string) {
  const fs = yield* FileSystem.FileSystem
  yield* Effect.forEach(["", ...companions], (end) => fs.remove(`${incoming}${end}`, { force: true }), {
    discard: true
  })
})

/** Replaces `database` with `incoming`. The old one is kept as `kept`, with its log; without a name it goes. */
export const replace = Effect.fnUntraced(function* (database: string, incoming: string, kept: Option.Option<string>) {
  const fs = yield* FileSystem.FileSystem
  yield* synced(incoming)
  if (Option.isSome(kept) && (yield* fs.exists(database))) {
    // A second name, where the file system has such: the database is never without its own.
    yield* Effect.catch(fs.link(database, kept.value), () => fs.copyFile(database, kept.value))
  }
  yield* fs.rename(incoming, database)
  for (const end of ["-wal", "-shm"]) {
    if (!(yield* fs.exists(`${database}${end}`))) continue
    yield* Option.match(kept, {
      onSome: (name) => fs.rename(`${database}${end}`, `${name}${end}`),
      onNone: () => fs.remove(`${database}${end}`, { force: true })
    })
  }
  yield* synced(dirname(database))
})

/** Waits until a file, or the names in a directory, are on the disk. */
const synced = (path: string) =>
  Effect.tryPromise(async () => {
    const handle = await open(path, "r")
    await handle.sync().finally(() => handle.close())
  })
