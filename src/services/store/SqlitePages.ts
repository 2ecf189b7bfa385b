/** Reads of operations, one by one or in pages: by origin and time, and by their place in the order of all rows. */
import { Effect, Option } from "effect"
import type { Timestamp } from "../../core/replica/Hlc.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Kind } from "../../core/replica/Operation.ts"
import type { RangeRequest } from "../../core/replica/Ranges.ts"
import type { Backend } from "./Backend.ts"
import { envelopeBytes, pageLength, type Room, rowsEnough } from "./Sizes.ts"
import * as SqliteError from "./SqliteError.ts"
import type { Client } from "./SqliteFile.ts"
import * as SqliteRows from "./SqliteRows.ts"

/** After every other text: its first character is the last of Unicode. */
const lastText = "\u{10ffff}".repeat(65)

export const make = (sql: Client) => {
  /** What an operation of the last page took: more sizes than a page of such has need not be looked at. */
  let typicalBytes = 512
  const beyond = Effect.fnUntraced(function* (origin: NodeId, { wall, counter }: Timestamp, room: Room) {
    const limit = Math.min(rowsEnough(room), Math.ceil((1.25 * room.bytes) / typicalBytes) + 2)
    // Sizes first: a page of large operations must not be read only to be dropped.
    const sizes = yield* SqliteRows.sizes(
      yield* sql`SELECT wall, counter,
          ${envelopeBytes} + octet_length(op_id) + octet_length(row_id) + octet_length(data) AS size
        FROM operations WHERE origin = ${origin} AND (wall, counter) > (${wall}, ${counter})
        ORDER BY wall, counter LIMIT ${limit}`
    )
    const { length, bytes } = pageLength(
      sizes.map(({ size }) => size),
      room
    )
    const last = sizes[length - 1]
    if (last === undefined) return { operations: [], bytes, exhausted: sizes.length === 0 }
    typicalBytes = bytes / length
    const rows = yield* sql`SELECT * FROM operations
      WHERE origin = ${origin} AND (wall, counter) > (${wall}, ${counter})
        AND (wall, counter) <= (${last.wall}, ${last.counter})
      ORDER BY wall, counter, seq`
    return {
      operations: yield* SqliteRows.operations(rows),
      bytes,
      exhausted: length === sizes.length && length < limit
    }
  }, SqliteError.mapped)

  const range = Effect.fnUntraced(function* ({ after, until, maxBytes, maxOperations }: RangeRequest) {
    const room = { bytes: maxBytes, operations: maxOperations, atLeastOne: true }
    // Every text comes after the empty one, and no kind is as long as the last text.
    const from = after ?? { table: "", row_id: "", variant: "" }
    const to = until ?? { table: lastText, row_id: "", variant: "" }
    const within = sql`(kind, row_id, twin) > (${from.table}, ${from.row_id}, ${from.variant})
      AND (kind, row_id, twin) <= (${to.table}, ${to.row_id}, ${to.variant}) ORDER BY kind, row_id, twin`
    // Sizes first, as above.
    const sizes = yield* SqliteRows.sizes(
      yield* sql`SELECT wall, counter,
          ${envelopeBytes} + octet_length(op_id) + octet_length(row_id) + octet_length(data) AS size
        FROM operations WHERE ${within} LIMIT ${rowsEnough(room)}`
    )
    const { length } = pageLength(
      sizes.map(({ size }) => size),
      room
    )
    const rows = yield* sql`SELECT * FROM operations WHERE ${within} LIMIT ${length}`
    return { operations: yield* SqliteRows.operations(rows), exhausted: length === sizes.length }
  }, SqliteError.mapped)

  const get = Effect.fnUntraced(function* (kind: Kind, rowId: string) {
    const rows = yield* sql`SELECT * FROM operations WHERE kind = ${kind} AND row_id = ${rowId} AND twin = ''`
    return Option.fromUndefinedOr((yield* SqliteRows.operations(rows))[0])
  }, SqliteError.mapped)

  const currentOfRow = Effect.fnUntraced(function* (kind: Kind, rowId: string) {
    return yield* SqliteRows.operations(
      yield* sql`SELECT * FROM operations WHERE kind = ${kind} AND row_id = ${rowId} ORDER BY twin`
    )
  }, SqliteError.mapped)

  const list: Backend["list"] = Effect.fnUntraced(function* (kind, { after = "", limit }) {
    const rows = yield* sql`SELECT * FROM operations
      WHERE kind = ${kind} AND row_id > ${after} AND twin = '' AND op_type <> 'delete'
      ORDER BY row_id LIMIT ${limit}`
    return yield* SqliteRows.operations(rows)
  }, SqliteError.mapped)

  return { beyond, range, get, currentOfRow, list } satisfies Partial<Backend>
}
