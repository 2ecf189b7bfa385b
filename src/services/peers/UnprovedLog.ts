/**
 * The lines of the log about peers that have not proved themselves: any machine can cause as many as it likes, from
 * many addresses.
 *
 * Guarantee: within any time t (ms), at most `pace.burst + t / pace.every` of these lines are written. The others are
 * counted, and a line says how many they were, and from how many networks.
 */
import { Effect, type Scope } from "effect"
import { networkOf } from "../../core/peers/Address.ts"
import * as Pace from "../../core/peers/Pace.ts"
import { monotonic } from "../node/HlcClock.ts"

export const pace: Pace.Limit = { burst: 30, every: 10_000 }

/** Networks that are counted at most. */
const counted = 1_024

export interface UnprovedLog {
  /** Writes a line about a host, or counts it. */
  report(host: string, line: Effect.Effect<void>): Effect.Effect<void>
}

/** What was counted is told in the scope. */
export const make: Effect.Effect<UnprovedLog, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const networks = new Set<string>()
  let spent: number = Pace.fresh
  let lines = 0

  /** Says what was counted, when the pace allows a line. */
  const rest = Effect.gen(function* () {
    yield* Effect.sleep(Math.max(0, Pace.readyAt(spent, pace) - (yield* monotonic)))
    const facts = { lines, addresses: networks.size < counted ? networks.size : `${counted} or more` }
    spent = Pace.after(spent, pace, yield* monotonic)
    lines = 0
    networks.clear()
    yield* Effect.logWarning("more failures of peers that have not proved themselves").pipe(Effect.annotateLogs(facts))
  })

  return {
    report: Effect.fnUntraced(function* (host, line) {
      const now = yield* monotonic
      if (lines === 0 && Pace.readyAt(spent, pace) <= now) {
        spent = Pace.after(spent, pace, now)
        return yield* line
      }
      if (networks.size < counted) networks.add(networkOf(host))
      lines++
      if (lines === 1) yield* Effect.forkIn(rest, scope)
    })
  }
})
