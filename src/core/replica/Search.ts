/**
 * Search over the texts of rows: the searched texts, and the words of a query.
 *
 * A query is plain words. A row matches when it has all of them, whatever their case and accents; the last one may be the
 * beginning of a word, for it is still being typed. No text is a wrong query.
 */
import { Order, Predicate } from "effect"
import * as Kind from "./Kind.ts"
import { type Operation, OperationOrder } from "./Operation.ts"
import * as Row from "./Row.ts"

/** Words of a query, at most: the others are not looked for. */
export const maxWords = 64

/** The newest first; at the same moment, in the order of origins. */
export const MatchOrder: Order.Order<Operation> = Order.flip(OperationOrder)

/** The words of a query. */
export const wordsOf = (query: string): ReadonlyArray<string> => split(query).slice(0, maxWords)

/** The searched text of an operation; none when it has nothing to find. */
export const textOf = (operation: Operation): string | undefined => {
  if (operation.op_type === "delete") return undefined
  return parts(operation)
    ?.filter((part) => part !== "")
    .join("\n")
    .replaceAll("\0", " ")
}

/** The words of a text, as an index takes them. */
export const indexedOf = (text: string): string => split(text).join(" ")

/** Whether a text has all the words. */
export const matches = (text: string, words: ReadonlyArray<string>): boolean => {
  const present = new Set(split(text))
  return (
    words.length > 0 &&
    words.every(
      (word, index) =>
        present.has(word) || (index === words.length - 1 && [...present].some((other) => other.startsWith(word)))
    )
  )
}

/** The part of a text where the first of the words is, about `length` characters of it, in one line. */
export const snippetOf = (text: string, words: ReadonlyArray<string>, length = 120): string => {
  const line = text.replace(/\s+/gu, " ").trim()
  if (line.length <= length) return line
  const found = Array.from(line.matchAll(word)).find(([part]) =>
    split(part).some((one) => words.some((wanted) => one.startsWith(wanted)))
  )
  const from = Math.max(0, Math.min((found?.index ?? 0) - Math.floor(length / 4), line.length - length))
  const part = line.slice(from, from + length).toWellFormed()
  return `${from > 0 ? "…" : ""}${part.trim()}${from + length < line.length ? "…" : ""}`
}

/** The texts of the columns that are searched. */
const parts = (operation: Operation): ReadonlyArray<string> | undefined => {
  const kind: Kind.Definition | undefined = Kind.find(operation.table)
  if (kind === undefined || kind.search.length === 0) return undefined
  const data = Row.columnsOf(operation)
  return kind.search.map((name) => {
    const value = kind.columns[name]?.read(data[name])
    return Array.isArray(value) ? value.join(" ") : Predicate.isString(value) ? value : ""
  })
}

const word = /[\p{L}\p{N}\p{Co}\p{M}]+/gu

/** The words of a text, without case and accents. */
const split = (text: string): ReadonlyArray<string> =>
  isPlain.test(text)
    ? (text.toLowerCase().match(/[a-z0-9]+/g) ?? [])
    : Array.from(text.matchAll(word), ([part]) => folded(part)).filter((part) => part !== "")

/** Of the letters in it, all are those of English. */
const isPlain = /^[\s!-~]*$/

/** Marks of other scripts than those of Europe are no accents: they stay. */
const folded = (part: string): string =>
  part
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "")
    .normalize("NFC")
    .toLowerCase()
