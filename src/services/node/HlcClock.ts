/**
 * The hybrid logical clock of this node, over Effect's own clock (so that tests and simulations set the time).
 *
 * The store is its only writer: it issues readings inside its write lock and persists the high-water mark in the same
 * transaction, so that no reading is ever issued twice, and no reading becomes visible out of order.
 */
import { Clock as EffectClock, Context, Effect, Layer, Ref } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"

/** The time that passes (ms), whatever the clock of the machine is set to. */
export const monotonic = Effect.map(EffectClock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

export class Clock extends Context.Service<
  Clock,
  {
    /** Wall time, in milliseconds since the Unix epoch. */
    readonly now: Effect.Effect<number>
    /** The greatest reading issued or witnessed. */
    readonly reading: Effect.Effect<Hlc.Reading>
    /** Issues the next reading: greater than every one issued or witnessed before. */
    readonly issue: Effect.Effect<Hlc.Reading>
    /** Makes sure that every later reading is greater than `reading`. The caller has checked its drift. */
    witness(reading: Hlc.Reading): Effect.Effect<void>
  }
>()("feral-sync/services/node/HlcClock") {
  static readonly layer = Layer.effect(
    Clock,
    Effect.gen(function* () {
      const last = yield* Ref.make(Hlc.zero)
      return Clock.of({
        now: EffectClock.currentTimeMillis,
        reading: Ref.get(last),
        issue: Effect.flatMap(EffectClock.currentTimeMillis, (now) =>
          Ref.updateAndGet(last, (local) => Hlc.send(local, now))
        ),
        witness: (reading) => Ref.update(last, (local) => Hlc.latest(local, reading))
      })
    })
  )
}
