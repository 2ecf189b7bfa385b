/**
 * The hybrid logical clock of this node, over Effect's own clock (so that tests and simulations set the time).
 *
 * The store is its only writer. It issues readings inside its write lock, and persists the high-water mark in the same
 * transaction. So no reading is ever issued twice, and none becomes visible out of order.
 */
import { Clock as EffectClock, Context, Effect, Layer, Random, Ref } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"

/** The time that passes (ms), whatever the clock of the machine is set to. */
export const monotonic = Effect.map(EffectClock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * Where the clock goes on, if the end of our own history is known only to others, or was `high` in a file that may be a
 * backup. Readings beyond it may have been issued already, at a wall time that is still to come here: a leap by chance
 * keeps us from issuing one of them again. Once the wall time is there, it leaves no trace.
 */
export const leap = ({ wall, counter }: Hlc.Timestamp): Effect.Effect<Hlc.Timestamp> =>
  wall === 0
    ? Effect.succeed(Hlc.zero)
    : Effect.map(Random.nextIntBetween(1, 2 ** 24), (steps) => Hlc.plus({ wall, counter }, steps))

export class HlcClock extends Context.Service<
  HlcClock,
  {
    /** Wall time, in milliseconds since the Unix epoch. */
    readonly now: Effect.Effect<number>
    /** The greatest timestamp issued or witnessed. */
    readonly timestamp: Effect.Effect<Hlc.Timestamp>
    /** Issues the next timestamp: greater than every one issued or witnessed before. */
    readonly issue: Effect.Effect<Hlc.Timestamp>
    /** Makes sure that every later timestamp is greater than `timestamp`. The caller has checked its drift. */
    witness(timestamp: Hlc.Timestamp): Effect.Effect<void>
  }
>()("feral-sync/services/node/HlcClock") {
  static readonly layer = Layer.effect(
    HlcClock,
    Effect.gen(function* () {
      const last = yield* Ref.make(Hlc.zero)
      return HlcClock.of({
        now: EffectClock.currentTimeMillis,
        timestamp: Ref.get(last),
        issue: Effect.flatMap(EffectClock.currentTimeMillis, (now) =>
          Ref.updateAndGet(last, (local) => Hlc.send(local, now))
        ),
        witness: (timestamp) => Ref.update(last, (local) => Hlc.latest(local, timestamp))
      })
    })
  )
}
