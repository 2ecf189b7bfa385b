/**
 * How long an answer may be. An agent pays for each character that it reads, and one long row must not take the room of
 * the others.
 *
 * Rows share the room: short ones are whole, and long ones are cut to what is left. A row that was cut says so.
 */

/** Characters of an answer as JSON. */
export const limits = {
  /** What an answer of `rows` rows takes. */
  usual: 8_000,
  rows: 10,
  /** What no answer exceeds, however many rows were asked for. */
  most: 60_000,
  /** What surrounds the rows: how complete they are, and how to go on. */
  frame: 1_500
} as const

/** A row as an agent sees it. */
export interface Shown {
  readonly [column: string]: unknown
}

/** The room for this many rows, in characters. */
export const roomFor = (rows: number): number =>
  Math.min(limits.most, Math.max(limits.usual, (limits.usual / limits.rows) * rows)) - limits.frame

/** The rows, all together at most `room` characters long. */
export const fit = (
  rows: ReadonlyArray<Shown>,
  room: number
): { readonly rows: ReadonlyArray<Shown>; readonly isCut: boolean } => {
  const lengths = rows.map(lengthOf)
  const cap = shareOf(lengths, room)
  const fitted = rows.map((row, index) => ((lengths[index] ?? 0) > cap ? cutRow(row, cap) : row))
  return { rows: fitted, isCut: lengths.some((length) => length > cap) }
}

/**
 * As many rows as have room, each of them whole unless it alone is too long. `length`: the characters that they take.
 */
export const take = (rows: ReadonlyArray<object>, room: number) => {
  const taken: Array<Shown> = []
  let length = 0
  let isCut = false
  for (const row of rows) {
    const whole: Shown = { ...row }
    const isLong = lengthOf(whole) > limits.usual
    const shown = isLong ? cutRow(whole, limits.usual) : whole
    if (length + lengthOf(shown) > room) return { rows: taken, length, isCut: true }
    isCut ||= isLong
    length += lengthOf(shown)
    taken.push(shown)
  }
  return { rows: taken, length, isCut }
}

/** The greatest length that each row may have, so that all of them fit. */
const shareOf = (lengths: ReadonlyArray<number>, room: number): number => {
  const sorted = [...lengths].sort((a, b) => a - b)
  let left = room
  for (const [index, length] of sorted.entries()) {
    const share = Math.floor(left / (sorted.length - index))
    if (length > share) return share
    left -= length
  }
  return Infinity
}

/** Characters as JSON, with the comma that follows. */
const lengthOf = (value: unknown): number => JSON.stringify(value).length + 1

/** What tells rows apart is never cut. */
const kept = new Set(["kind", "id", "origin_node", "written_at", "created_at", "cut"])

const cutRow = (row: Shown, most: number): Shown => {
  let shorter: { [column: string]: unknown } = { ...row, cut: true }
  for (let excess = lengthOf(shorter) - most; excess > 0; excess = lengthOf(shorter) - most) {
    const [longest] = Object.entries(shorter)
      .filter(([name]) => !kept.has(name))
      .map(([name, value]) => ({ name, value, length: lengthOf(value) }))
      .sort((a, b) => b.length - a.length)
    if (longest === undefined) return shorter
    const value = cutValue(longest.value, longest.length - excess)
    if (value === undefined) {
      const { [longest.name]: _, ...others } = shorter
      shorter = others
    } else shorter = { ...shorter, [longest.name]: value }
  }
  return shorter
}

/** The value in at most `most` characters; none when nothing of it fits. */
const cutValue = (value: unknown, most: number): unknown => {
  if (typeof value === "string") return most < 8 ? undefined : cutText(value, most - 4)
  if (Array.isArray(value)) {
    const items: Array<unknown> = []
    let left = most - 3
    for (const item of value) {
      left -= lengthOf(item)
      if (left < 0) break
      items.push(item)
    }
    return items.length === 0 || items.length === value.length ? undefined : items
  }
  return undefined
}

/** The beginning of a text that takes at most `most` characters as JSON, quotes aside. */
export const cutText = (text: string, most: number): string => {
  let cut = text.slice(0, most)
  for (let length = JSON.stringify(cut).length - 2; length > most; length = JSON.stringify(cut).length - 2) {
    cut = cut.slice(0, Math.max(0, Math.floor((cut.length * most) / length) - 1))
  }
  return `${atCharacter(text, cut.length)}…`
}

/** The first `length` units of a text, and not half of a character. */
export const atCharacter = (text: string, length: number): string =>
  text.slice(0, isHigh(text.charCodeAt(length - 1)) ? length - 1 : length)

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00
