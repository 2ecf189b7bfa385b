/**
 * Text of others on a terminal or in a log: what would steer the terminal, or reorder or hide the text around it, is
 * made visible. Letters of every script stay, and so do emoji and the joiners that their spelling needs.
 */

/**
 * Control characters (C0, DEL, C1), format characters (marks of direction as U+061C and U+202E among them, soft
 * hyphens, tags), separators of lines and paragraphs, and halves of surrogate pairs. U+200C and U+200D belong to the
 * spelling of Persian and of emoji, and the signs over Arabic and Syriac numbers are visible: those stay.
 */
const steering = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]--[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u200c\u200d]]/gv

/** Each such character as JSON escapes it: `\u001b`. Inside a JSON string the value stays the same. */
export const escapeControls = (text: string): string => text.replace(steering, escaped)

/** The same in lines of JSON: ends of lines are between the values, and not in them. */
export const escapeInLines = (text: string): string =>
  text.includes("\n") ? text.split("\n").map(escapeControls).join("\n") : escapeControls(text)

/** Each such character as U+FFFD. */
export const replaceControls = (text: string): string => text.replace(steering, "\ufffd")

/** Text in one line: ends of lines show as `⏎`, tabs as spaces, and nothing in it steers the terminal. */
export const oneLine = (text: string): string => replaceControls(text.replace(/\r?\n/g, "⏎").replace(/\t/g, " "))

/** Those outside the basic plane take two escapes. */
const escaped = (character: string): string =>
  Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`
  }).join("")
