/**
 * How long a record holds (RFC 6762 sections 5.2 and 10).
 *
 * It holds as long as it says, at most `ttls.other`; one that is taken back or replaced holds for one second more.
 * Before its end come four points at which it is asked for again. Times are in milliseconds.
 */
import { ttls } from "./ServiceRecords.ts"

/** How long a record outlives its withdrawal. */
export const grace = 1000

/** How long a record holds that may be out of date. */
const doubted = 10_000

/** When a record is asked for again, as parts of its life; a part of `spread` comes on top, by chance. */
export const refreshPoints = [0.8, 0.85, 0.9, 0.95] as const
const spread = 0.02

export interface Ttl {
  readonly from: number
  readonly until: number
  /** In [0, 1). */
  readonly chance: number
  /** Refresh points that have passed. */
  readonly refreshed: number
  /** It was taken back or replaced. */
  readonly isWithdrawn: boolean
}

/** Starts with a time to live in seconds. */
export const begin = (ttl: number, now: number, chance: number): Ttl => ({
  from: now,
  until: now + Math.min(ttl, ttls.other) * 1000,
  chance,
  refreshed: 0,
  isWithdrawn: false
})

/** Ends soon, and is not asked for again. */
export const end = (life: Ttl, now: number): Ttl => ({
  ...life,
  until: Math.min(life.until, now + grace),
  refreshed: refreshPoints.length,
  isWithdrawn: true
})

/** Ends in ten seconds, unless one of four questions until then is answered (RFC 6762 section 10.4). */
export const doubt = (life: Ttl, now: number): Ttl =>
  life.until <= now + doubted ? life : { ...life, from: now - 4 * doubted, until: now + doubted, refreshed: 0 }

export const isAlive = (life: Ttl, now: number): boolean => life.until > now

/** When to ask again. */
export const refreshAt = ({ from, until, chance, refreshed }: Ttl): number => {
  const point = refreshPoints[refreshed]
  return point === undefined ? Infinity : from + (until - from) * (point + spread * chance)
}

/** After it was asked for again. */
export const refresh = (life: Ttl): Ttl => ({ ...life, refreshed: life.refreshed + 1 })

/** After another querier asked for it: counts as our question, if ours was due soon (RFC 6762 section 7.3). */
export const spare = (life: Ttl, now: number): Ttl =>
  refreshAt(life) <= now + spread * (life.until - life.from) ? refresh(life) : life

/** Seconds that are left, when they are more than half: what a query may call known (RFC 6762 section 7.1). */
export const secondsLeft = ({ from, until }: Ttl, now: number): number | undefined =>
  until - now > (until - from) / 2 ? Math.floor((until - now) / 1000) : undefined
