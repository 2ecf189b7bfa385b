/**
 * Plays a row of seeds on several threads, in order, until one fails: the failing seed it gives back is the first of the row that
 * fails, however many threads there are.
 */
import { Data, Effect } from "effect"
import { Worker } from "node:worker_threads"
import type { Wanted } from "../../test/simulation/Scenario.ts"
import type { Outcome } from "../../test/simulation/Simulation.ts"

/** A thread that ended, or that does not answer. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly seed: number; readonly why: string }> {}

export interface Row {
  readonly from: number
  readonly count: number
  readonly wanted: Wanted
  readonly workers: number
}

/** Far longer than any seed takes: what does not end has to be told too. */
const patience = "5 minutes"

const player = Effect.acquireRelease(
  Effect.sync(() => new Worker(new URL("Player.ts", import.meta.url))),
  (worker) => Effect.promise(() => worker.terminate())
)

const ask = (worker: Worker, seed: number, wanted: Wanted): Effect.Effect<Outcome, NoAnswer> =>
  Effect.callback<Outcome, NoAnswer>((resume) => {
    const answer = (effect: Effect.Effect<Outcome, NoAnswer>) => {
      stopListening()
      resume(effect)
    }
    const onMessage = (outcome: Outcome) => answer(Effect.succeed(outcome))
    const onError = ({ message }: Error) => answer(Effect.fail(new NoAnswer({ seed, why: message })))
    const onExit = (code: number) => answer(Effect.fail(new NoAnswer({ seed, why: `its thread ended with ${code}` })))
    const stopListening = () => worker.off("message", onMessage).off("error", onError).off("exit", onExit)
    worker.on("message", onMessage).on("error", onError).on("exit", onExit)
    worker.postMessage({ seed, wanted })
    return Effect.sync(stopListening)
  }).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(new NoAnswer({ seed, why: `it has not ended within ${patience}` }))
    })
  )

/** Hands every outcome to `take`, in no certain order. */
export const play = Effect.fnUntraced(function* (row: Row, take: (seed: number, outcome: Outcome) => void) {
  let next = row.from
  let failed: number | undefined
  const work = Effect.gen(function* () {
    const worker = yield* player
    while (next < row.from + row.count && failed === undefined) {
      const seed = next++
      const outcome = yield* ask(worker, seed, row.wanted)
      take(seed, outcome)
      if (outcome.broken !== undefined) failed = Math.min(seed, failed ?? seed)
    }
  }).pipe(Effect.scoped)
  const workers = Array.from({ length: Math.min(row.workers, row.count) }, () => work)
  yield* Effect.all(workers, { concurrency: "unbounded", discard: true })
  return failed
})
