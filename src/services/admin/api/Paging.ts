/**
 * Answers in parts. Every list takes `limit` and `cursor`, and an answer with `next_cursor` has more behind it. An
 * empty cursor is the beginning, as is none with a limit. A list that was asked for with neither is an array, as it
 * always was.
 */
import { Effect, Option, Schema, SchemaGetter, Struct } from "effect"
import { byCodePoint } from "../../../core/replica/NodeId.ts"
import * as Cursor from "../../../core/text/Cursor.ts"
import type { QueryInvalid } from "../../node/NodeFailure.ts"
import { limits, wrong } from "../../memory/Reads.ts"

/** Rows in one answer, at most. */
export const maxPage = limits.most

/** What a request for a list has. */
export const query = {
  limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxPage }))),
  cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(4_000)))
}

interface Query {
  readonly limit?: number
  readonly cursor?: string
}

/** A part of a list. */
export interface Part<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly next_cursor?: string
}

/** A list as a whole, or a part of it where a cursor or a limit was given. */
export const Listed = <Row extends Schema.Constraint>(row: Row) =>
  Schema.Union([
    Schema.Array(row),
    Schema.Struct({ rows: Schema.Array(row), next_cursor: Schema.optionalKey(Schema.String) })
  ])

/** The rows of an answer. */
export const rowsOf = <Row>(answer: ReadonlyArray<Row> | Part<Row>): ReadonlyArray<Row> =>
  "rows" in answer ? answer.rows : answer

const cursors = Cursor.make(Schema.Struct({ after: Schema.String }))

/**
 * Answers a request for a list in the order of its keys. `list` gives at most `limit` rows after a key, of which there
 * may be none.
 */
export const answer = Effect.fnUntraced(function* <Row, E, R>(
  { cursor, limit }: Query,
  list: (page: { readonly after?: string; readonly limit: number }) => Effect.Effect<ReadonlyArray<Row>, E, R>,
  keyOf: (row: Row) => string
): Effect.fn.Return<ReadonlyArray<Row> | Part<Row>, E | QueryInvalid, R> {
  if (cursor === undefined && limit === undefined) return yield* list({ limit: maxPage })
  const place = cursor === undefined || cursor === "" ? undefined : Option.getOrUndefined(cursors.fromText(cursor))
  if (cursor !== undefined && cursor !== "" && place === undefined)
    return yield* wrong("cursor", "is not the next_cursor of an earlier answer")
  const most = limit ?? limits.usual
  const found = yield* list({ ...place, limit: most + 1 })
  const rows = found.slice(0, most)
  const last = rows.at(-1)
  return {
    rows,
    ...(found.length > most && last !== undefined ? { next_cursor: cursors.toText({ after: keyOf(last) }) } : {})
  }
})

/** A list that is there as a whole, as one that is read in parts. As a whole it keeps its order. */
export const whole =
  <Row, E, R>(rows: Effect.Effect<ReadonlyArray<Row>, E, R>, keyOf: (row: Row) => string) =>
  (query: Query) =>
    query.cursor === undefined && query.limit === undefined
      ? rows
      : answer(
          query,
          ({ after, limit }) =>
            Effect.map(rows, (rows) =>
              rows
                .filter((row) => after === undefined || byCodePoint(keyOf(row), after) > 0)
                .sort((a, b) => byCodePoint(keyOf(a), keyOf(b)))
                .slice(0, limit)
            ),
          keyOf
        )

/**
 * What `Memory` finds, as an answer: `next_cursor` is its `next`, which stays for programs that know it by that name.
 */
export function page<Type extends { readonly next?: string }, Encoded extends { readonly next?: string }>(
  found: Schema.Codec<Type, Encoded> & { readonly fields: Schema.Struct.Fields }
): Schema.Codec<Type, Encoded & { readonly next_cursor?: string }>
export function page(
  found: Schema.Codec<{ readonly next?: string }, { readonly next?: string }> & {
    readonly fields: Schema.Struct.Fields
  }
): Schema.Top {
  const fields = Struct.map(found.fields, Schema.toEncoded)
  return Schema.Struct({ ...fields, next_cursor: Schema.optionalKey(Schema.String) }).pipe(
    Schema.decodeTo(found, {
      decode: SchemaGetter.transform((answer: object) => answer),
      encode: SchemaGetter.transform((found: { readonly next?: string }) => ({
        ...found,
        ...(found.next === undefined ? {} : { next_cursor: found.next })
      }))
    })
  )
}
