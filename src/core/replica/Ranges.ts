/**
 * Range-based set reconciliation: finds the rows in which two states differ, by comparing digests of ranges.
 *
 * Rows are ordered by their slot: kind, row, twin, by code point. A range is told as the number of its rows and their
 * digest. A node that receives a range compares it with the same range of its own state. Where the two differ, it
 * answers with smaller ranges. When a range is small enough, both sides send their operations in it. So few differences
 * among n rows are found in about log n messages; equal rows are never sent.
 *
 * Guarantees: the parts of a split are disjoint, in order, and make up the range. A range is told again unsplit only to
 * a side that has enough rows there to split it, so an honest dialogue gets strictly finer and ends.
 *
 * Source: Meyer, "Range-Based Set Reconciliation" (SRDS 2023).
 */
import { Order } from "effect"
import * as Digest from "./Digest.ts"
import { variantOf } from "./Merge.ts"
import { byCodePoint } from "./NodeId.ts"
import type { Operation } from "./Operation.ts"

/** A place in the order of rows. It need not be the place of a row. */
export interface Position {
  readonly table: string
  readonly row_id: string
  readonly variant: string
}

/** The rows after `after`, up to and including `until`; without one of them, from the first or up to the last. */
export interface Range {
  readonly after: Position | undefined
  readonly until: Position | undefined
}

/** The summary of the rows of a range. */
export interface Summary {
  readonly count: number
  readonly digest: Digest.Digest
}

/** A range with its summary. */
export interface Part extends Range, Summary {}

/** A bounded piece of a state, in the order of rows. */
export interface RangeRequest extends Range {
  /** About how many bytes of operations to read at most; one operation is read however large it is. */
  readonly maxBytes: number
  readonly maxOperations: number
}
export interface RangePage {
  readonly operations: ReadonlyArray<Operation>
  /** Whether the range holds no more. */
  readonly exhausted: boolean
}

/** A range with at most this many rows on both sides is settled by sending them. */
export const leafRows = 8

/** The parts of a split, at most. */
export const fanOut = 16

/** All rows. */
export const whole: Range = { after: undefined, until: undefined }

/** Where an operation stands. */
export const positionOf = (operation: Operation): Position => ({
  table: operation.table,
  row_id: operation.row_id,
  variant: variantOf(operation)
})

/** The order of rows: how SQLite orders the same columns, too. */
export const PositionOrder: Order.Order<Position> = Order.combineAll([
  Order.mapInput(byCodePoint, ({ table }: Position) => table),
  Order.mapInput(byCodePoint, ({ row_id }: Position) => row_id),
  Order.mapInput(byCodePoint, ({ variant }: Position) => variant)
])

/** Whether a position lies in a range. */
export const contains = ({ after, until }: Range, position: Position): boolean =>
  (after === undefined || PositionOrder(position, after) > 0) &&
  (until === undefined || PositionOrder(position, until) <= 0)

/** A range that is being split while its rows go by: memory does not grow with their number. */
export interface Split {
  readonly range: Range
  /** Rows of each part but the last. */
  readonly width: number
  /** The parts so far. Each ends with the last of its rows. */
  readonly parts: ReadonlyArray<Part>
}

/** A split of a range before its rows are added. */
export const split = (range: Range): Split => ({ range, width: 1, parts: [] })

/** A split after the next rows. When there are too many parts, each two neighbours become one. */
export const add = ({ range, width, parts }: Split, operations: ReadonlyArray<Operation>): Split => {
  const grown = [...parts]
  for (const operation of operations) {
    const digest = Digest.ofOperation(operation)
    const until = positionOf(operation)
    const last = grown.at(-1)
    if (last !== undefined && last.count < width) {
      grown[grown.length - 1] = join(last, { after: last.until, until, count: 1, digest })
      continue
    }
    if (grown.length === fanOut) {
      for (let index = 0; index < fanOut / 2; index++) {
        const [left, right] = [grown[2 * index], grown[2 * index + 1]]
        if (left !== undefined && right !== undefined) grown[index] = join(left, right)
      }
      grown.length = fanOut / 2
      width *= 2
    }
    grown.push({ after: grown.at(-1)?.until ?? range.after, until, count: 1, digest })
  }
  return { range, width, parts: grown }
}

/** The parts when all rows went by: they make up the range. */
export const partsOf = ({ range, parts }: Split): ReadonlyArray<Part> => {
  const last = parts.at(-1)
  return last === undefined
    ? [{ ...range, count: 0, digest: Digest.empty }]
    : [...parts.slice(0, -1), { ...last, until: range.until }]
}

const join = (left: Part, right: Part): Part => ({
  after: left.after,
  until: right.until,
  count: left.count + right.count,
  digest: Digest.add(left.digest, right.digest)
})

/** The next step for a range. */
export type Verdict =
  | { readonly _tag: "Equal" }
  /** Each side sends its rows of the range. */
  | { readonly _tag: "Settle" }
  /** The other side is told of these. */
  | { readonly _tag: "Tell"; readonly parts: ReadonlyArray<Part> }

/** The summary of all rows of a split. */
export const summaryOf = ({ parts }: Split): Summary =>
  parts.reduce(
    (sum: Summary, { count, digest }) => ({ count: sum.count + count, digest: Digest.add(sum.digest, digest) }),
    {
      count: 0,
      digest: Digest.empty
    }
  )

/** Compares the summary of a range from the other side with our rows of it, which went through `ours`. */
export const compare = (theirs: Summary, ours: Split): Verdict => {
  const own = summaryOf(ours)
  if (own.count === theirs.count && Digest.equals(own.digest, theirs.digest)) return { _tag: "Equal" }
  const greater = Math.max(own.count, theirs.count)
  if (greater <= leafRows || Math.min(own.count, theirs.count) === 0) return { _tag: "Settle" }
  return { _tag: "Tell", parts: own.count <= leafRows ? [{ ...ours.range, ...own }] : partsOf(ours) }
}
