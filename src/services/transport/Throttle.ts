/** Lets each key pass once in a while. Remembers a bounded number of keys: the ones that passed last. */
import { Clock, Effect } from "effect"

const remembered = 1024

export interface Throttle {
  /** Runs the effect, unless the key has passed within the interval. */
  pass(key: string, effect: Effect.Effect<void>): Effect.Effect<void>
}

export const make = (intervalMs: number): Throttle => {
  const passed = new Map<string, number>()
  return {
    pass: (key, effect) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const last = passed.get(key)
        if (last !== undefined && now - last < intervalMs) return Effect.void
        // A map keeps the order of insertion: the first key is the one that passed longest ago.
        passed.delete(key)
        const oldest = passed.keys().next()
        if (passed.size >= remembered && !oldest.done) passed.delete(oldest.value)
        passed.set(key, now)
        return effect
      })
  }
}
