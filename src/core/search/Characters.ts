/**
 * What a character is to a search: part of a word, of a run without spaces, a mark, a pictograph, or a separator.
 *
 * The answers come from the Unicode tables of the JavaScript engine, and are kept: most texts use few characters.
 */

/** What a character is. A `region` is half of a flag. */
const kinds = ["separator", "word", "run", "mark", "region", "pictograph"] as const
export type Kind = (typeof kinds)[number]

/**
 * The bits of an entry: that it was made, that it belongs to the character before, that folding changes it; then its
 * kind.
 */
const bits = { made: 1, joins: 2, isChanged: 4, kind: 3 } as const

/** Scripts that put no spaces between words, or few. */
const unspaced =
  /^[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]&&[\p{L}\p{M}\p{N}]]$/v
const mark = /^\p{M}$/u
const letter = /^[\p{L}\p{N}\p{Co}]$/u
const region = /^\p{RI}$/u
const pictograph = /^[[\p{Extended_Pictographic}\p{Emoji_Presentation}]--\p{Emoji_Modifier}]$/v

/**
 * Characters that combine with the one before: marks, invisible characters, parts of Korean syllables, the voicing
 * marks of half-width kana.
 */
const joining =
  /^[\p{M}\p{Default_Ignorable_Code_Point}\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\ud7b0-\ud7ff\uff9e-\uffdc]$/u

/** Invisible characters: soft hyphens, joiners, variation selectors, byte order marks. */
const invisible = /\p{Default_Ignorable_Code_Point}+/gu

/**
 * Marks that are left out in many texts: accents, Hebrew points, Arabic vowels; and the line that stretches Arabic
 * words.
 */
const optional =
  /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u0640[\p{M}&&[\p{Script=Hebrew}\p{scx=Arab}]]]+/gv

/**
 * The form that all ways to write a text have in common: without compatibility forms, case, accents and invisible
 * characters.
 */
export const fold = (text: string): string =>
  text
    .normalize("NFKC")
    .replace(invisible, "")
    // Some letters have a capital that is two letters, and some are such a capital.
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .replaceAll("ς", "σ")
    .normalize("NFD")
    .replace(optional, "")
    .normalize("NFC")

const entries = new Uint8Array(0x11_0000)

const entryOf = (codePoint: number): number => (entries[codePoint] ||= made(String.fromCodePoint(codePoint)))

const made = (character: string): number =>
  bits.made |
  (joining.test(character) ? bits.joins : 0) |
  (fold(character) === character ? 0 : bits.isChanged) |
  (kinds.indexOf(kindMade(character)) << bits.kind)

const kindMade = (character: string): Kind => {
  if (unspaced.test(character)) return "run"
  if (letter.test(character)) return "word"
  if (mark.test(character)) return "mark"
  if (region.test(character)) return "region"
  return pictograph.test(character) ? "pictograph" : "separator"
}

/** What a character is; the end of a text separates. */
export const kindOf = (codePoint: number | undefined): Kind =>
  (codePoint === undefined ? undefined : kinds[entryOf(codePoint) >> bits.kind]) ?? "separator"

/** Whether a character combines with the one before. */
export const joins = (codePoint: number): boolean => codePoint >= 0x80 && (entryOf(codePoint) & bits.joins) !== 0

/** Whether folding changes a character that stands alone. */
export const isChanged = (codePoint: number): boolean => (entryOf(codePoint) & bits.isChanged) !== 0

/** How many UTF-16 units a character takes. */
export const unitsOf = (codePoint: number): number => (codePoint > 0xffff ? 2 : 1)
