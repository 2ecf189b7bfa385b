/**
 * Brings the full-text index up to date in the background, in small transactions: a write waits for one at most, and
 * where there are many writes it pauses for longer. It goes on after a restart where it was.
 */
import { Effect, Queue } from "effect"
import type { StoreUnavailable } from "../node/NodeFailure.ts"

/**
 * How long it waits after a write (ms), between two steps, between two steps while others write, and after a failure.
 */
export const times = { quiet: 1_000, pause: 2, busy: 50, retry: 60_000 } as const

export interface Indexing {
  /** Notes that rows came, or that a search found some that are not indexed. */
  wake(): void
  /** Never ends, unless the file is damaged. */
  readonly run: Effect.Effect<never, StoreUnavailable>
}

/** `step` takes in the next rows, and gives whether there are more. */
export const make = Effect.fnUntraced(function* (
  step: Effect.Effect<boolean, StoreUnavailable>
): Effect.fn.Return<Indexing> {
  const wanted = yield* Queue.sliding<void>(1)
  // An earlier process may have left some.
  Queue.offerUnsafe(wanted, undefined)
  let wakes = 0

  const round = Effect.gen(function* () {
    yield* Effect.sleep(times.quiet)
    for (let seen = wakes; yield* step; seen = wakes) yield* Effect.sleep(seen === wakes ? times.pause : times.busy)
  }).pipe(
    Effect.catch((error) =>
      error.reason === "corrupt"
        ? Effect.fail(error)
        : Effect.logDebug("indexing failed: retrying", error).pipe(
            Effect.andThen(Effect.sleep(times.retry)),
            Effect.andThen(Queue.offer(wanted, undefined)),
            Effect.asVoid
          )
    )
  )

  return {
    wake: () => {
      wakes++
      Queue.offerUnsafe(wanted, undefined)
    },
    run: Effect.forever(Effect.andThen(Queue.take(wanted), round))
  }
})
