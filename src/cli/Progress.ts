/**
 * Says on stderr how far long work is, about once a second, and nothing of work that is done within one.
 */
import { Clock, Effect } from "effect"
import { writeError } from "./Output.ts"

/** What to call after each step. With `--json`, stderr is for errors, and nothing is said. */
export const make = (isJson: boolean) =>
  Effect.map(Clock.currentTimeMillis, (started) => {
    let last = started
    return (text: string): Effect.Effect<void> =>
      isJson
        ? Effect.void
        : Effect.flatMap(Clock.currentTimeMillis, (now) => {
            if (now - last < 1_000) return Effect.void
            last = now
            return writeError(`${text} so far`)
          })
  })
