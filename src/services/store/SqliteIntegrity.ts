/**
 * Looks through a whole database file: SQLite's own check of the file, and every row of the views. It does so in a
 * thread of its own, so that the process goes on meanwhile.
 */
import { Effect, Schema } from "effect"
import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import { names } from "../../core/replica/Kind.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import * as SqliteError from "./SqliteError.ts"

/** The problems of a database that is in use; none when the list is empty. */
export const live = (file: string) => run({ file, isCopy: false, views: names })

/** The same for a copy that is not in use: it is one file afterwards, without a log. */
export const copy = (file: string) => run({ file, isCopy: true, views: [] })

interface Task {
  readonly file: string
  readonly isCopy: boolean
  readonly views: ReadonlyArray<string>
}

const run = (workerData: Task): Effect.Effect<ReadonlyArray<string>, StoreUnavailable> =>
  Effect.callback<unknown, unknown>((resume) => {
    // Beside this file, in the sources and in the package alike.
    const thread = new URL(`./SqliteIntegrityThread${extname(import.meta.url)}`, import.meta.url)
    const worker = new Worker(thread, { workerData, execArgv: [] })
    worker.once("message", (answer: unknown) => resume(Effect.succeed(answer)))
    worker.once("error", (error) => resume(Effect.fail(error)))
    worker.once("exit", (code) => resume(Effect.fail(new Error(`the check ended with ${code}`))))
    return Effect.promise(() => worker.terminate())
  }).pipe(
    Effect.flatMap(decodeAnswer),
    Effect.flatMap((answer) => ("problems" in answer ? Effect.succeed(answer.problems) : Effect.fail(answer.error))),
    SqliteError.mapped
  )

const decodeAnswer = Schema.decodeUnknownEffect(
  Schema.Union([
    Schema.Struct({ problems: Schema.Array(Schema.String) }),
    Schema.Struct({ error: Schema.Struct({ message: Schema.String, errcode: Schema.optionalKey(Schema.Number) }) })
  ])
)
