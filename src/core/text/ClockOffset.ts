/**
 * How far two clocks are apart, in words. Time zones differ by quarters of an hour, and daylight saving time by one
 * hour or half of one. An offset of exactly that much comes from a wrong setting, not from a drifting clock.
 */

const minute = 60_000
const quarter = 15 * minute

/** The zones of the world lie at most 26 hours apart. */
const farthest = 26 * 60 * minute

/** The difference between two time zones that `offsetMs` comes to, give or take a minute; none if it comes to none. */
export const zoneDifference = (offsetMs: number): number | undefined => {
  const rounded = Math.round(offsetMs / quarter) * quarter
  const isZone = Math.abs(rounded) >= 2 * quarter && Math.abs(rounded) <= farthest
  return isZone && Math.abs(offsetMs - rounded) <= minute ? rounded : undefined
}

/** `301 s`, or `1 h`, `5 h 30 min` for a difference between time zones. Without a sign. */
export const amount = (offsetMs: number): string => {
  const zone = zoneDifference(offsetMs)
  if (zone === undefined) return `${Math.round(Math.abs(offsetMs) / 1000)} s`
  const minutes = Math.abs(zone) / minute
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60]
  return [hours === 0 ? "" : `${hours} h`, rest === 0 ? "" : `${rest} min`].filter((part) => part !== "").join(" ")
}

/** With its sign, and in milliseconds where it is small: `+12 ms`, `-1 h`. */
export const signed = (offsetMs: number): string => {
  const sign = offsetMs > 0 ? "+" : offsetMs < 0 ? "-" : ""
  return Math.abs(offsetMs) < 10_000 ? `${sign}${Math.abs(offsetMs)} ms` : `${sign}${amount(offsetMs)}`
}
