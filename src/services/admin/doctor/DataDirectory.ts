/**
 * Looks at the data directory: that it exists, its owner, which users can enter it, and its free space. Changes
 * nothing.
 */
import { Effect, FileSystem } from "effect"
import { constants } from "node:fs"
import { access, statfs } from "node:fs/promises"
import { dirname } from "node:path"
import { StoreUnavailable } from "../../node/NodeFailure.ts"
import * as FileError from "../../node/FileError.ts"
import * as Home from "../../node/Home.ts"
import { failed, type Finding, fromFailure, ok, skipped, warning } from "./Finding.ts"

const check = "data directory"

/** Bytes below which a disk is about to be full, and below which it is. */
const room = { little: 512 * 1024 * 1024, none: 1024 * 1024 } as const

export const examine = Effect.fnUntraced(function* (
  home: string
): Effect.fn.Return<ReadonlyArray<Finding>, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const facts = { home }
  const possible = yield* Effect.result(Home.mustBePossible(home))
  if (possible._tag === "Failure") return [fromFailure(check, possible.failure, facts)]
  const found = yield* Effect.result(fs.stat(home))
  if (found._tag === "Failure") {
    if (found.failure.reason._tag !== "NotFound") {
      return [fromFailure(check, Home.unusable(home)(found.failure), facts)]
    }
    return (yield* canBeMade(home))
      ? [skipped(check, `${home} does not exist: it is created at the first start`, facts)]
      : [
          failed(
            check,
            `${home} does not exist, and this user may not create it`,
            `create ${home}, or set FERAL_HOME`,
            facts
          )
        ]
  }
  const { type, mode, uid } = found.success
  if (type !== "Directory") return [failed(check, `${home} is not a directory`, "set FERAL_HOME to a directory", facts)]
  const obstacle = yield* obstacleTo(home)
  if (obstacle !== undefined) {
    const explained = FileError.explain(obstacle, home)
    const detail = explained?.problem ?? `this user may not write to ${home}`
    const reason = explained?.reason ?? "read-only"
    return [
      fromFailure(
        check,
        new StoreUnavailable({ reason, detail, ...(explained && { advice: explained.nextStep }) }),
        facts
      )
    ]
  }
  const free = yield* freeBytes(home)
  const measured = { ...facts, mode: (mode & 0o777).toString(8).padStart(4, "0"), free_bytes: free ?? null }
  const findings: Array<Finding> = []
  const self = process.getuid?.()
  if (self !== undefined && uid._tag === "Some" && uid.value !== self) {
    findings.push(
      warning(check, `${home} belongs to another user`, `chown it to the user that runs the node`, measured)
    )
  }
  const exposed = yield* Home.exposed(home)
  if ((mode & 0o077) !== 0 && !exposed.some(({ path }) => path === home)) {
    findings.push(
      warning(check, `other users can enter ${home}`, "give feral-sync a directory of its own (FERAL_HOME)", measured)
    )
  }
  for (const { path, mode } of exposed) {
    const verb = path === home ? "enter" : "read"
    findings.push(warning(check, `other users can ${verb} ${path}`, `chmod ${mode.toString(8)} ${path}`, measured))
  }
  if (free !== undefined && free < room.none) {
    findings.push(fromFailure(check, new StoreUnavailable({ reason: "disk full", detail: home }), measured))
  } else if (free !== undefined && free < room.little) {
    const left = `${Math.floor(free / 1024 / 1024)} MiB are free on the disk of ${home}`
    findings.push(warning(check, left, "free some space before it is full", measured))
  }
  return findings.length > 0 ? findings : [ok(check, `${home}, for this user only`, measured)]
})

/** The error that keeps this user from writing to a directory. */
const obstacleTo = (path: string) =>
  Effect.promise(() =>
    access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
      () => undefined,
      (error: unknown) => error
    )
  )

/** Whether the nearest directory above that is there can be written to. */
const canBeMade = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  let above = dirname(path)
  while (above !== dirname(above) && !(yield* Effect.orElseSucceed(fs.exists(above), () => false)))
    above = dirname(above)
  return (yield* obstacleTo(above)) === undefined
})

const freeBytes = (path: string): Effect.Effect<number | undefined> =>
  Effect.promise(() =>
    statfs(path).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => undefined
    )
  )
