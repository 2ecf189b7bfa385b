/**
 * A file that a command makes: it is there whole or not at all, for it gets its name when it is complete. A file that exists
 * is never replaced.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, PlatformError, type Scope } from "effect"
import { FileUnusable } from "../services/Failure.ts"

/** Makes `file` of what `fill` writes to another name beside it. Others cannot read it. */
export const make = <A, E, R>(
  file: string,
  fill: (temporary: string) => Effect.Effect<A, E | PlatformError.PlatformError, R | Scope.Scope>
): Effect.Effect<A, E | FileUnusable, Exclude<Exclude<R, Scope.Scope>, FileSystem.FileSystem>> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const exists = new FileUnusable({ file, problem: "it exists already: choose another name, or remove it" })
    if (yield* fs.exists(file)) return yield* exists
    const temporary = `${file}.${process.pid}.tmp`
    yield* Effect.scoped(fs.open(temporary, { flag: "wx", mode: 0o600 }))
    yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(temporary, { force: true })))
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

const unwritable = (file: string, { reason, message }: PlatformError.PlatformError) =>
  new FileUnusable({
    file,
    problem:
      reason._tag === "NotFound"
        ? "its directory is not there: make it first"
        : `it cannot be written (${message}): choose another place`
  })
