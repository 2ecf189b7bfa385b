/** Moments as people write them. */

const units: Readonly<Record<string, number>> = { s: 1, min: 60, m: 60, h: 3_600, d: 86_400, w: 604_800 }
const past = /^(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)$/
const unix = /^\d+(?:\.\d+)?$/
const date = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/

/** What a text may be. */
export const expected =
  "a time ago such as 2h or 3d, a date such as 2026-11-29 or 2026-11-29T08:00 (UTC), or Unix seconds"

/** The moment that a text says at `now` (ms), in Unix seconds; nothing when it says none. */
export const fromText = (text: string, now: number): number | undefined => {
  const [, count, unit = ""] = past.exec(text) ?? []
  if (count !== undefined) return now / 1000 - Number(count) * (units[unit] ?? 0)
  if (unix.test(text)) return Number(text)
  const [whole, zone] = date.exec(text) ?? []
  if (whole === undefined) return undefined
  const at = Date.parse(`${whole.replace(" ", "T")}${whole.length > 10 && zone === undefined ? "Z" : ""}`)
  return Number.isNaN(at) ? undefined : at / 1000
}
