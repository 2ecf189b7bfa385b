/**
 * What a node shows of its rows, in a few lines that share nothing with the program: a plain look through all of them.
 */
import type { Operation } from "../../src/core/replica/Operation.ts"
import type { Content } from "./Disk.ts"
import type { Kind } from "./Scenario.ts"

/** The column that holds the text of each kind. Those of the last two are not searched. */
export const columnOf: { readonly [kind in Kind]: string } = {
  notes: "content",
  knowledge: "object",
  episodes: "summary",
  execution_log: "result_summary",
  dreams: "content"
}

export const words = ["amber", "birch", "cedar", "dune", "elm", "fern", "amb", "fe"] as const

/** The text of the n-th write of a node. */
export const textFor = (n: number): string => `${words[n % 6]} ${words[(n * 5 + (n >> 2)) % 6]}, ${n}`

const isLater = ({ hlc: a }: Operation, { hlc: b }: Operation): boolean =>
  a.wall !== b.wall ? a.wall > b.wall : a.counter !== b.counter ? a.counter > b.counter : a.node > b.node

const wordsIn = (operation: Operation): ReadonlyArray<string> =>
  operation.op_type === "delete" || !["notes", "knowledge", "episodes"].includes(operation.table)
    ? []
    : (/:"(.*)"\}$/.exec(operation.data)?.[1]?.split(/[ ,]+/) ?? [])

/** How well a row fits to one word or two: both together, with the beginning of the last; both anywhere, with its beginning. */
const rankOf = (row: Operation, [word = "", next]: ReadonlyArray<string>): number => {
  const words = wordsIn(row)
  if (next === undefined) return words.includes(word) ? 4 : 3
  const pairs = words.slice(1).filter((_, index) => words[index] === word)
  if (pairs.includes(next)) return 4
  if (pairs.some((other) => other.startsWith(next))) return 3
  return words.includes(next) ? 2 : 1
}

/** The rows that have all words of a query, of the last one the beginning: those that fit best, then the newest first. */
export const found = ({ rows }: Content, query: ReadonlyArray<string>, limit: number): ReadonlyArray<string> =>
  [...rows.values()]
    .filter((row) => query.slice(0, -1).every((word) => wordsIn(row).includes(word)))
    .filter((row) => wordsIn(row).some((word) => word.startsWith(query.at(-1) ?? "")))
    .sort((a, b) => rankOf(b, query) - rankOf(a, query) || (isLater(a, b) ? -1 : 1))
    .slice(0, limit)
    .map(({ op_id }) => op_id)

/** The rows of a kind that are not deleted, by their ids. */
export const listed = ({ rows }: Content, kind: Kind): ReadonlyArray<string> =>
  [...rows.values()]
    .filter((row) => kind !== "dreams" && row.table === kind && row.op_type !== "delete")
    .sort((a, b) => (a.row_id < b.row_id ? -1 : 1))
    .map(({ op_id }) => op_id)
