/**
 * How often something may happen: at once up to a burst, and then at a steady pace.
 *
 * A pace is the time at which all that has happened would have happened, had it kept to the pace (the generic cell rate
 * algorithm): one number, and no history. Guarantee: within any time t, at most `burst + t / every` are let through.
 */
export interface Limit {
  /** How many may happen at once. */
  readonly burst: number
  /** The time for each further one (ms). */
  readonly every: number
}

/** A pace at which nothing has happened yet. */
export const fresh = -Infinity

/** When the next one may happen (ms). */
export const readyAt = (pace: number, { burst, every }: Limit): number => pace - (burst - 1) * every

/** The pace after one more has happened, or `count` more at once. */
export const after = (pace: number, { every }: Limit, now: number, count = 1): number =>
  Math.max(pace, now) + count * every
