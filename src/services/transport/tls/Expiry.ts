/**
 * When certificates end: what is said about it, and when. Times are in milliseconds since the epoch.
 *
 * The last two weeks of a certificate are warned about once a day, and its end is said when it comes.
 */
import { Clock, Effect } from "effect"
import { commandLine } from "../../node/Invocation.ts"

/** How long one certificate is good for, of those that our membership of the CA rests on. */
export interface Lifetime {
  readonly file: string
  /** Subject and issuer. */
  readonly certificate: string
  readonly until: number
}

/** Something that an operator should know. */
export interface Finding {
  readonly status: "warning" | "failed"
  readonly file: string
  readonly message: string
  readonly next_step: string
}

/** How long before its end a certificate is warned about. */
export const notice = 14 * 24 * 60 * 60 * 1000

const day = 24 * 60 * 60 * 1000
const minute = 60 * 1000

/** The end of the first certificate that ends. */
export const firstEnd = (lifetimes: ReadonlyArray<Lifetime>): number | undefined =>
  lifetimes.length === 0 ? undefined : Math.min(...lifetimes.map(({ until }) => until))

/** What there is to say at the time `now`. */
export const findings = (lifetimes: ReadonlyArray<Lifetime>, now: number): ReadonlyArray<Finding> =>
  lifetimes.flatMap(({ file, certificate, until }): ReadonlyArray<Finding> => {
    const date = new Date(until).toISOString().slice(0, 10)
    const next_step = `sign a new certificate (${commandLine("tls issue")}) and put it in place: it is read without a restart`
    if (now >= until) {
      const message = `${file}: the certificate (${certificate}) expired on ${date}: peers refuse this node`
      return [{ status: "failed", file, message, next_step }]
    }
    if (until - now > notice) return []
    const message = `${file}: the certificate (${certificate}) expires on ${date}, ${left(until - now)} from now`
    return [{ status: "warning", file, message, next_step }]
  })

const left = (span: number): string => {
  const days = Math.floor(span / day)
  return days === 0 ? "less than a day" : days === 1 ? "1 day" : `${days} days`
}

/** How long until there is something to say that was not said at the time `now`, or is to be said again. */
export const pause = (lifetimes: ReadonlyArray<Lifetime>, now: number): number => {
  const ahead = lifetimes.flatMap(({ until }) => [until - notice, until]).filter((time) => time > now)
  return Math.min(day, ...ahead.map((time) => Math.max(minute, time - now)))
}

/** Logs what there is to say of the material that is current at that time, now and for as long as it runs. */
export const remind = Effect.fn("Expiry.remind")(function* (current: Effect.Effect<ReadonlyArray<Lifetime>>) {
  while (true) {
    const lifetimes = yield* current
    const now = yield* Clock.currentTimeMillis
    yield* log(lifetimes, now)
    yield* Effect.sleep(pause(lifetimes, now))
  }
})

/** Logs what there is to say at the time `now`. */
export const log = (lifetimes: ReadonlyArray<Lifetime>, now: number): Effect.Effect<void> =>
  Effect.forEach(
    findings(lifetimes, now),
    ({ status, message, next_step }) =>
      (status === "failed" ? Effect.logError(message) : Effect.logWarning(message)).pipe(
        Effect.annotateLogs({ next_step })
      ),
    { discard: true }
  )
