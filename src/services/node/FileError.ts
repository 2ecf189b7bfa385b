/**
 * What an error of the file system means, and what to do about it: one table for the whole program.
 */
import { Effect, FileSystem, PlatformError, Predicate } from "effect"
import { statSync } from "node:fs"
import { dirname } from "node:path"
import type { StoreReason } from "./NodeFailure.ts"

export interface Explained {
  readonly reason: StoreReason
  readonly problem: string
  readonly nextStep: string
}

/** The code of the system's error that `cause` holds, wherever in its chain of causes it is. Five levels are plenty. */
export const codeOf = (cause: unknown): string | undefined => {
  for (let level = 0, error = cause; level < 5 && Predicate.isObject(error); level++) {
    if (Predicate.hasProperty(error, "syscall") && Predicate.hasProperty(error, "code")) return String(error.code)
    error = Predicate.hasProperty(error, "reason")
      ? error.reason
      : Predicate.hasProperty(error, "cause")
        ? error.cause
        : undefined
  }
  return undefined
}

/** How another place is chosen: for the data directory, and for a file that a command was given. */
export const elsewhere = {
  home: "use another data directory (--home DIR, or FERAL_HOME)",
  file: "choose another path"
} as const

/** What the error means for `path`; none when it is not one of the file system's. */
export const explain = (cause: unknown, path: string, instead: string = elsewhere.home): Explained | undefined => {
  const code = codeOf(cause)
  return code === undefined ? undefined : table[code]?.(path, instead)
}

const table: { readonly [code: string]: (path: string, instead: string) => Explained } = {
  EACCES: (path, instead) => forbidden(path, instead),
  EPERM: (path, instead) => forbidden(path, instead),
  EROFS: (path, instead) => ({
    reason: "read-only",
    problem: `${path} is on a read-only file system`,
    nextStep: `${instead}, or mount it for writing`
  }),
  ENOSPC: (path) => full(`the disk of ${path} is full`),
  EDQUOT: (path) => full(`this user's quota on the disk of ${path} is used up`),
  ENOENT: (path) => ({ reason: "not found", problem: `there is no ${path}`, nextStep: "check the path" }),
  ENOTDIR: (path, instead) => ({
    reason: "not found",
    problem: `a file is in the way of ${path}: ${fileIn(path)} is not a directory`,
    nextStep: `check the path, or ${instead}`
  }),
  EEXIST: (path, instead) => ({
    reason: "not found",
    problem: `a file is in the way of ${path}`,
    nextStep: `move it away, or ${instead}`
  }),
  EISDIR: (path) => ({
    reason: "other",
    problem: `${path} is a directory, not a file`,
    nextStep: "give the path of a file"
  }),
  ELOOP: (path) => ({
    reason: "other",
    problem: `the symbolic links of ${path} lead in a circle`,
    nextStep: "check where they point (ls -l)"
  }),
  ENAMETOOLONG: (path) => ({
    reason: "other",
    problem: `the path ${path.slice(0, 60)}… is too long`,
    nextStep: "use a shorter one"
  }),
  EMFILE: () => ({
    reason: "other",
    problem: "this process has too many open files",
    nextStep: "raise its limit (ulimit -n), and try again"
  }),
  ENFILE: () => ({
    reason: "other",
    problem: "this machine has too many open files",
    nextStep: "close some programs, or raise the limit (sysctl fs.file-max)"
  }),
  EBUSY: (path) => ({ reason: "other", problem: `${path} is in use by the system`, nextStep: "try again later" }),
  EIO: (path) => ({
    reason: "other",
    problem: `the disk of ${path} reports an error`,
    nextStep: "check the disk, and back it up"
  })
}

const full = (problem: string): Explained => ({
  reason: "disk full",
  problem,
  nextStep: "free some space; no acknowledged write is lost"
})

/** The owner of the path decides the next step. */
const forbidden = (path: string, instead: string): Explained => {
  const self = process.getuid?.()
  const there = nearest(path)
  const owner = there?.uid
  const problem = `this user may not use ${path}`
  if (owner === undefined || self === undefined) {
    return { reason: "read-only", problem, nextStep: `make it accessible for this user, or ${instead}` }
  }
  return owner === self
    ? {
        reason: "read-only",
        problem,
        nextStep: `change its mode (chmod u+rwX ${there?.path ?? path}), or ${instead}`
      }
    : {
        reason: "read-only",
        problem: `${problem}: ${there?.path ?? path} belongs to ${owner === 0 ? "root" : `user ${owner}`}`,
        nextStep: instead
      }
}

/** The path, or the nearest directory above it that can be looked at. */
const nearest = (
  path: string
): { readonly path: string; readonly uid: number; readonly isFile: boolean } | undefined => {
  for (let level = 0, at = path; level < 256; level++, at = dirname(at)) {
    try {
      const info = statSync(at)
      return { path: at, uid: info.uid, isFile: !info.isDirectory() }
    } catch {
      if (at === dirname(at)) return undefined
    }
  }
  return undefined
}

const fileIn = (path: string): string => {
  const there = nearest(path)
  return there?.isFile === true ? there.path : path
}

/**
 * Makes a directory and those above it. Node's own way to do that never ends where a directory is there and nothing can
 * be made in it, as in `/proc`.
 */
export const makeDirectories: (
  path: string
) => Effect.Effect<void, PlatformError.PlatformError, FileSystem.FileSystem> = Effect.fnUntraced(function* (
  path: string
) {
  const fs = yield* FileSystem.FileSystem
  if (yield* fs.exists(path)) return
  const above = dirname(path)
  if (above !== path) yield* makeDirectories(above)
  yield* Effect.catchIf(
    fs.makeDirectory(path, { mode: 0o700 }),
    // Another process was quicker.
    ({ reason }) => reason._tag === "AlreadyExists",
    () => Effect.void
  )
})

/** Writes a file whole or not at all: it gets its name when it is on the disk. What was there is replaced. */
export const writeWhole = Effect.fnUntraced(function* (path: string, content: string, mode: number) {
  const fs = yield* FileSystem.FileSystem
  const draft = `${path}.new`
  yield* fs.remove(draft, { force: true }).pipe(
    Effect.andThen(fs.open(draft, { flag: "wx", mode })),
    Effect.tap(() => fs.chmod(draft, mode)),
    Effect.flatMap((file) => Effect.andThen(file.writeAll(new TextEncoder().encode(content)), file.sync)),
    Effect.scoped,
    Effect.andThen(fs.rename(draft, path)),
    Effect.onError(() => Effect.ignore(fs.remove(draft, { force: true })))
  )
})
