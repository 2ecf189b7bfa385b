/**
 * A file that a command makes: it is there whole or not at all, for it gets its name when it is complete. A file that
 * exists is never replaced.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Option, PlatformError, type Scope } from "effect"
import type { Advised } from "../core/text/Explained.ts"
import { FileUnusable } from "../services/node/NodeFailure.ts"
import { elsewhere, explain } from "../services/node/FileError.ts"
import { codeOf } from "../services/node/Home.ts"

/** What SQLite puts beside a file while it writes to it. */
const companions = ["", "-journal", "-wal", "-shm"]

/** Makes `file` of what `fill` writes to another name beside it. Others cannot read it. */
export const make = <A, E, R>(
  file: string,
  fill: (temporary: string) => Effect.Effect<A, E | PlatformError.PlatformError, R | Scope.Scope>
): Effect.Effect<A, E | FileUnusable, Exclude<Exclude<R, Scope.Scope>, FileSystem.FileSystem>> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const exists = new FileUnusable({ file, ...taken })
    const found = yield* Effect.option(fs.stat(file))
    if (Option.isSome(found))
      return yield* found.value.type === "File" ? exists : new FileUnusable({ file, ...notPlain })
    const temporary = `${file}.${process.pid}.tmp`
    const remove = Effect.forEach(companions, (end) => Effect.ignore(fs.remove(`${temporary}${end}`, { force: true })))
    yield* Effect.acquireRelease(Effect.scoped(fs.open(temporary, { flag: "wx", mode: 0o600 })), () => remove)
    const made = yield* Effect.scoped(fill(temporary))
    yield* Effect.scoped(Effect.flatMap(fs.open(temporary, { flag: "r+" }), (handle) => handle.sync))
    // A link is never made over what exists. Where files cannot have two names, looking before has to do.
    yield* Effect.catch(fs.link(temporary, file), () =>
      Effect.flatMap(fs.exists(file), (isThere): Effect.Effect<void, FileUnusable | PlatformError.PlatformError> =>
        isThere ? Effect.fail(exists) : fs.rename(temporary, file)
      )
    )
    return made
  }).pipe(
    Effect.mapError((error) => (error instanceof PlatformError.PlatformError ? unwritable(file, error) : error)),
    Effect.scoped,
    Effect.provide(NodeFileSystem.layer)
  )

/**
 * Makes the directory `path` of what `fill` writes into another one beside it: it is there whole or not at all. Others
 * cannot read it.
 */
export const makeDirectory = <A, E, R>(
  path: string,
  fill: (temporary: string) => Effect.Effect<A, E | PlatformError.PlatformError, R | Scope.Scope>
): Effect.Effect<A, E | FileUnusable, Exclude<Exclude<R, Scope.Scope>, FileSystem.FileSystem>> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const exists = new FileUnusable({ file: path, ...taken })
    if (yield* fs.exists(path)) return yield* exists
    const temporary = `${path.replace(/\/+$/, "")}.${process.pid}.tmp`
    yield* Effect.acquireRelease(fs.makeDirectory(temporary, { mode: 0o700 }), () =>
      Effect.ignore(fs.remove(temporary, { recursive: true, force: true }))
    )
    const made = yield* Effect.scoped(fill(temporary))
    if (yield* fs.exists(path)) return yield* exists
    yield* fs.rename(temporary, path)
    return made
  }).pipe(
    Effect.mapError((error) => (error instanceof PlatformError.PlatformError ? unwritable(path, error) : error)),
    Effect.scoped,
    Effect.provide(NodeFileSystem.layer)
  )

/** Writes a text at the end of what was written before. */
export type Append = (text: string) => Effect.Effect<void, PlatformError.PlatformError>

/** Opens a file to write it from the beginning; with `wx`, one that is not there yet. Others cannot read it. */
export const appender = Effect.fnUntraced(function* (file: string, flag: "r+" | "wx") {
  const fs = yield* FileSystem.FileSystem
  const handle = yield* fs.open(file, { flag, mode: 0o600 })
  const encoder = new TextEncoder()
  const append: Append = (text) => handle.writeAll(encoder.encode(text))
  return append
})

const taken: Advised = { problem: "it already exists", nextStep: "choose another name, or remove it" }

const notPlain: Advised = {
  problem: "it exists and is not a regular file",
  nextStep: "give the name of a new file"
}

const unwritten = (why: string, nextStep: string): Advised => ({ problem: `it cannot be written (${why})`, nextStep })

export const diskFull = unwritten("disk full", "free some space, or choose another place")

const unwritable = (file: string, error: PlatformError.PlatformError) => {
  const { problem, nextStep } = explain(error, file, elsewhere.file) ?? {
    problem: error.message,
    nextStep: "choose another place"
  }
  return new FileUnusable({ file, ...(faults[codeOf(error.reason.cause)] ?? unwritten(problem, nextStep)) })
}

const homeless: Advised = { problem: "its directory does not exist", nextStep: "create it first" }

const faults: Readonly<Record<string, Advised>> = {
  ENOENT: homeless,
  ENOTDIR: homeless,
  ENOSPC: diskFull,
  EDQUOT: unwritten("disk quota exceeded", "free some space, or choose another place"),
  EFBIG: unwritten("file too large for this file system", "choose another place"),
  EROFS: unwritten("read-only file system", "choose another place"),
  EACCES: unwritten("permission denied", "choose another place"),
  EPERM: unwritten("permission denied", "choose another place")
}
