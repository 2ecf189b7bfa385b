/**
 * The name of a replica, and the order of names.
 *
 * A node id is 1 to 128 bytes (UTF-8) of printable, well-formed text. It may hold colons and spaces. Ids are compared
 * by code point, which is also how SQLite compares UTF-8 text and how Python compares strings: every implementation of
 * the protocol agrees on the order.
 */
import { Order, Schema } from "effect"

/** Text that may name something: well-formed, without control characters, at most `maxBytes` bytes of UTF-8. */
export const isPlainText = (text: string, maxBytes: number): boolean =>
  text.length > 0 &&
  text.length <= maxBytes &&
  text.isWellFormed() &&
  !/[\p{Cc}\u2028\u2029]/u.test(text) &&
  (text.length * 3 <= maxBytes || utf8Length(text) <= maxBytes)

/** For generators of values, which find none by chance: text that `isPlainText` takes. */
export const plainTextHint = (maxBytes: number) =>
  ({
    arbitraryConstraint: { patterns: [{ source: `^[!-~\u00e4\u4e16]{1,${Math.floor(maxBytes / 3)}}$`, flags: "u" }] }
  }) as const

/** The identity of a replica, unique in its network. */
export const NodeId = Schema.String.pipe(
  Schema.check(
    // `__proto__` cannot be a key of a JSON object in every runtime, and clocks travel as JSON objects.
    Schema.makeFilter(
      (text) => (isPlainText(text, 128) && text !== "__proto__") || "a node id of 1 to 128 bytes of printable text",
      plainTextHint(128)
    )
  ),
  Schema.brand("NodeId")
)
export type NodeId = typeof NodeId.Type

/** Compares text by code point. */
export const byCodePoint: Order.Order<string> = Order.make((a, b) => {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return rank(left) < rank(right) ? -1 : 1
  }
  return a.length < b.length ? -1 : 1
})

/** Surrogates stand for code points above every other code unit, so they rank above U+E000 to U+FFFF. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)

const beyondAscii = /[\u0080-\uffff]/

/** Bytes of the UTF-8 form of well-formed text. */
export const utf8Length = (text: string): number => {
  let bytes = text.length
  if (!beyondAscii.test(text)) return bytes
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 0x80) bytes++
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) bytes++
  }
  return bytes
}
