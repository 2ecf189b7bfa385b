/**
 * How much a piece of rows is: bytes, and operations.
 */
import { utf8Length } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"

/** How much to read at most. */
export interface Room {
  readonly bytes: number
  readonly operations: number
  /** Whether the first operation is read however large it is. */
  readonly atLeastOne: boolean
}

/** Operations of one origin, in the order of their timestamps. */
export interface Page {
  readonly operations: ReadonlyArray<Operation>
  readonly bytes: number
  /** Whether there are no more. */
  readonly exhausted: boolean
}

/** Bytes that an operation takes on the wire, but for the texts that `sizeOf` counts: keys, kind, HLC, origin. */
export const envelopeBytes = 250

/** About how many bytes an operation takes on the wire. */
export const sizeOf = ({ op_id, row_id, data }: Operation): number =>
  envelopeBytes + utf8Length(op_id) + utf8Length(row_id) + utf8Length(data)

/** How many rows are enough to fill a page, and to tell whether there are more. */
export const rowsEnough = ({ bytes, operations }: Pick<Room, "bytes" | "operations">): number =>
  Math.max(Math.min(operations, Math.floor(bytes / envelopeBytes)), 1) + 1

/** How many of the leading operations, given by their sizes, make a page. */
export const pageLength = (
  sizes: ReadonlyArray<number>,
  room: Room
): { readonly length: number; readonly bytes: number } => {
  let length = 0
  let bytes = 0
  for (const size of sizes) {
    const isOwed = length === 0 && room.atLeastOne
    if (!isOwed && (bytes + size > room.bytes || length >= room.operations)) break
    bytes += size
    length++
  }
  return { length, bytes }
}

/** The rows that work on a whole store reads at a time; others read and write in between. */
export const readAtOnce = { maxBytes: 1024 * 1024, maxOperations: 500 } as const
