/**
 * Whether files can be made: by this user, and on a disk that may be full.
 */
import { Effect } from "effect"
import { accessSync, constants, existsSync, statfsSync } from "node:fs"
import { dirname } from "node:path"
import { StoreUnavailable } from "./NodeFailure.ts"

/** Whether this user can make and change files in a directory. */
export const isWritable = (directory: string): boolean => {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Room that SQLite needs beside a database to share its log, and that a new data directory needs (bytes). */
const room = { shared: 32_768, fresh: 262_144 } as const

/** Whether SQLite can make what it needs beside a database to open it: else it can only be read as it stands. */
export const canMakeFiles = (database: string): boolean => {
  const directory = dirname(database)
  if (!isWritable(directory)) return false
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize >= room.shared || existsSync(`${database}-shm`)
  } catch {
    return true
  }
}

/** Fails before anything is made of what has no room on its disk: so nothing of it is left behind. */
export const roomFor = Effect.fnUntraced(function* (path: string) {
  const free = (at: string): number => {
    try {
      const { bavail, bsize } = statfsSync(at)
      return bavail * bsize
    } catch {
      return at === dirname(at) ? Infinity : free(dirname(at))
    }
  }
  if (free(path) >= room.fresh) return
  return yield* new StoreUnavailable({ reason: "disk full", detail: `the disk of ${path} is full` })
})
