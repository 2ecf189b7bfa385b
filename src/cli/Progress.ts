/**
 * Says on stderr how far long work is, with its rate and, where the end is known, the time that is left.
 *
 * On a terminal this is one line that is written anew, and erased before anything else is written. Elsewhere it is a
 * line every ten seconds. With `--json` there is none, for stderr is for errors then. Work that is done within a second
 * is not spoken of.
 */
import { Clock, Effect } from "effect"
import { StandardStreams } from "../services/node/StandardStreams.ts"
import { canRedraw, duration, eraseLine, lastLine, truncate } from "./Output.ts"

/** How far the work is: in words, and in a unit of which `total` may be known. */
export interface Step {
  readonly text: string
  /** None where the work is not counted. */
  readonly done?: number | undefined
  readonly total?: number | undefined
  /** How a number of the unit is shown; plain by default. */
  readonly amount?: (done: number) => string
}

/** Call it after each step. */
export type Report = (step: Step) => Effect.Effect<void>

/** The line about a step, `seconds` after the beginning. */
export const line = ({ text, done, total, amount = String }: Step, seconds: number): string => {
  if (done === undefined) return `${text}, ${duration(seconds)}`
  const rate = seconds > 0 ? done / seconds : 0
  const share =
    total !== undefined && total > 0 ? ` (${Math.min(99, Math.floor((done / total) * 100))} % of ${amount(total)})` : ""
  const left = total !== undefined && total > done && rate > 0 ? `, ${duration((total - done) / rate)} left` : ""
  return `${text}${share}, ${amount(Math.round(rate))}/s${left}`
}

/** Says from time to time that some work goes on, of which nothing is counted. */
export const during =
  (report: Report, text: string) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.raceFirst(work, Effect.forever(Effect.andThen(report({ text }), Effect.sleep("200 millis"))))

/** Times in ms between two lines. */
const every = { terminal: 200, elsewhere: 10_000 } as const

/** Nothing is said of shorter work (ms). */
const quiet = 1_000

/** What to call after each step. The line on a terminal is gone when the scope closes. */
export const make = Effect.fnUntraced(function* (isJson: boolean, isTerminal: boolean = canRedraw(process.stderr)) {
  const silent: Report = () => Effect.void
  if (isJson) return silent
  const { error } = yield* StandardStreams
  const say = (text: string) => Effect.ignore(error(text))
  const started = yield* Clock.currentTimeMillis
  let last = started
  if (isTerminal) {
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        const isShown = lastLine.isRedrawn
        lastLine.isRedrawn = false
        return isShown ? say(eraseLine) : Effect.void
      })
    )
  }
  const report: Report = (step) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const isDue = now - started >= quiet && now - last >= every[isTerminal ? "terminal" : "elsewhere"]
      if (!isDue) return Effect.void
      last = now
      lastLine.isRedrawn = isTerminal
      const text = line(step, (now - started) / 1000)
      return say(
        isTerminal ? `${eraseLine}${truncate(text, Math.max(20, process.stderr.columns || 80) - 1)}` : `${text}\n`
      )
    })
  return report
})
