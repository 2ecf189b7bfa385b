/**
 * The data directory: where things are in it, and that nobody else can look into it.
 */
import { Effect, FileSystem, type PlatformError } from "effect"
import { homedir } from "node:os"
import { join } from "node:path"
import { StoreUnavailable } from "./Failure.ts"

/** The files of a data directory. */
export interface Paths {
  readonly database: string
  /** The Unix socket on which a running node answers. */
  readonly socket: string
  /** The passphrase, when it was made here. */
  readonly passphrase: string
}

export const paths = (home: string): Paths => ({
  database: join(home, "sync.db"),
  socket: join(home, "feral-sync.sock"),
  passphrase: join(home, "passphrase")
})

/**
 * Makes sure that the directory is there and that it is for this user alone. A directory that others use as well (one with
 * the sticky bit, like `/tmp`, or the home directory of the user) is left as it is: its files have modes of their own.
 */
export const prepare = Effect.fn("Home.prepare")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const wrong = Effect.mapError(unusable(home))
  yield* fs.makeDirectory(home, { recursive: true, mode: 0o700 }).pipe(wrong)
  const { type, mode } = yield* fs.stat(home).pipe(wrong)
  if (type !== "Directory") {
    return yield* new StoreUnavailable({ reason: "other", detail: `${home} is not a directory` })
  }
  if ((mode & 0o077) === 0) return
  if ((mode & 0o1000) !== 0 || home === homedir()) {
    return yield* Effect.logWarning(
      "others can enter the data directory, and it is not for feral-sync alone: give it one of its own (FERAL_HOME)"
    ).pipe(Effect.annotateLogs({ home }))
  }
  yield* fs.chmod(home, 0o700).pipe(
    Effect.andThen(Effect.logWarning("others could enter the data directory: its mode is 0700 now")),
    Effect.catch(() => Effect.logWarning("others can enter the data directory, and its mode cannot be changed")),
    Effect.annotateLogs({ home })
  )
})

/** Writes all of a file or nothing of it, for this user's eyes only. */
export const writeSecret = Effect.fn("Home.writeSecret")(function* (path: string, content: string) {
  const fs = yield* FileSystem.FileSystem
  const draft = `${path}.new`
  yield* fs.remove(draft, { force: true }).pipe(
    Effect.andThen(fs.open(draft, { flag: "wx", mode: 0o600 })),
    Effect.flatMap((file) => Effect.andThen(file.writeAll(new TextEncoder().encode(content)), file.sync)),
    Effect.scoped,
    Effect.andThen(fs.rename(draft, path)),
    Effect.mapError(unusable(path))
  )
})

/** What a failure of the file system means for the data directory. */
export const unusable =
  (path: string) =>
  (cause: PlatformError.PlatformError): StoreUnavailable => {
    const { reason } = cause
    const code = codeOf(reason.cause)
    if (reason._tag === "PermissionDenied" || code === "EROFS") {
      return new StoreUnavailable({ reason: "read-only", detail: `this user may not write ${path}`, cause })
    }
    if (code === "ENOSPC" || code === "EDQUOT")
      return new StoreUnavailable({ reason: "disk full", detail: path, cause })
    if (reason._tag === "AlreadyExists" || code === "ENOTDIR") {
      return new StoreUnavailable({ reason: "other", detail: `a file is in the way of ${path}`, cause })
    }
    return new StoreUnavailable({ reason: "other", detail: `${path}: ${reason.message}`, cause })
  }

const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined
