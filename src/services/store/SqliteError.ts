/**
 * Errors of SQLite and of the file system, as failures of a store.
 */
import { Effect, Predicate } from "effect"
import { type StoreReason, StoreUnavailable } from "../node/NodeFailure.ts"
import * as FileError from "../node/FileError.ts"

/** The failure that `cause` stands for, wherever in its chain of causes the real reason is. */
export const fromCause = (cause: unknown): StoreUnavailable =>
  cause instanceof StoreUnavailable ? cause : new StoreUnavailable({ ...explain(cause), cause })

/** Maps the failures of `effect` to those of a store. */
export const mapped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, StoreUnavailable, R> =>
  Effect.mapError(effect, fromCause)

/** The same for what opens a database: the client dies of a file that it cannot open. */
export const opening = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, StoreUnavailable, R> =>
  Effect.catchDefect(mapped(effect), (defect) => Effect.fail(fromCause(defect)))

/** Whether a failure is of the full-text index alone (SQLITE_CORRUPT_VTAB), which can be made anew. */
export const isOfIndex = (cause: unknown): boolean => {
  for (let level = 0, error = cause; level < 5 && Predicate.isObject(error); level++) {
    if (Predicate.hasProperty(error, "errcode")) return error.errcode === 267
    error = Predicate.hasProperty(error, "reason")
      ? error.reason
      : Predicate.hasProperty(error, "cause")
        ? error.cause
        : null
  }
  return false
}

interface Explained {
  readonly reason: StoreReason
  readonly detail: string
  readonly advice?: string
}

const explain = (cause: unknown): Explained => {
  let detail = String(cause)
  // SqlError and PlatformError hold a reason, which holds the error of SQLite or Node. Five levels are plenty.
  for (let level = 0, error = cause; level < 5 && Predicate.isObject(error); level++) {
    if (Predicate.hasProperty(error, "message") && Predicate.isString(error.message)) detail = error.message
    if (Predicate.hasProperty(error, "errcode") && Predicate.isNumber(error.errcode)) {
      // The low byte is the primary result code; the others say where it came up.
      return { reason: sqliteReasons[error.errcode & 0xff] ?? "other", detail }
    }
    if (Predicate.hasProperty(error, "syscall") && Predicate.hasProperty(error, "code")) {
      const path =
        Predicate.hasProperty(error, "path") && Predicate.isString(error.path) ? error.path : "the data directory"
      const explained = FileError.explain(error, path)
      if (explained === undefined) return { reason: "other", detail }
      return { reason: explained.reason, detail: explained.problem, advice: explained.nextStep }
    }
    error = Predicate.hasProperty(error, "reason")
      ? error.reason
      : Predicate.hasProperty(error, "cause")
        ? error.cause
        : null
  }
  return { reason: "other", detail }
}

/** By primary result code: https://sqlite.org/rescode.html */
const sqliteReasons: { readonly [code: number]: StoreReason } = {
  3: "read-only", // SQLITE_PERM
  5: "locked", // SQLITE_BUSY
  6: "locked", // SQLITE_LOCKED
  8: "read-only", // SQLITE_READONLY
  11: "corrupt", // SQLITE_CORRUPT
  13: "disk full", // SQLITE_FULL
  14: "not found", // SQLITE_CANTOPEN
  26: "corrupt" // SQLITE_NOTADB
}
