/**
 * Which rows of a kind of an application are asked for: the question as it is given, and as a store is asked.
 */
import { Effect, Predicate, Schema } from "effect"
import * as Query from "../../core/replica/Query.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as Cursor from "../../core/text/Cursor.ts"
import { QueryInvalid } from "../node/NodeFailure.ts"
import * as Inputs from "./Inputs.ts"
import { Limit, wrong } from "./Reads.ts"

/** Which rows to find: all that meet all conditions, and have all words in some of their columns. */
export const FindInput = Schema.Struct({
  /** For each field a value, or the ends of a range (`from`, `to`). */
  where: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
  words: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(4_000))),
  /** The columns in which the words are: without them, those that the kind searches, or all. */
  columns: Schema.optionalKey(Schema.Array(Schema.String)),
  /** When, and by which node, the rows were written last. */
  origin: Selection.Filter.fields.origin,
  since: Selection.Filter.fields.since,
  until: Selection.Filter.fields.until,
  /** Whether the rows that were written last come first. */
  newest: Schema.optionalKey(Schema.Boolean),
  /** The id of the row after which to begin, in the order of ids. */
  after: Schema.optionalKey(Schema.String),
  limit: Schema.optionalKey(Limit),
  cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(4_000)))
})
export interface FindInput extends Schema.Schema.Type<typeof FindInput> {}

/** Decodes a question. */
export const decode = (input: unknown) =>
  Effect.mapError(Inputs.decoded(FindInput)(input), (problems) => new QueryInvalid({ problems }))

const isScalar = (value: unknown): value is Query.Scalar =>
  Predicate.isString(value) || Predicate.isNumber(value) || Predicate.isBoolean(value) || value === null

/** Whether a condition is a range. */
export const isRange = (value: unknown): value is { readonly from?: unknown; readonly to?: unknown } =>
  Predicate.isObject(value) && Object.keys(value).every((key) => key === "from" || key === "to")

/** A condition on a field; of a kind that was not declared, any field may be there. */
export const conditionOf = Effect.fnUntraced(function* (
  field: string,
  wanted: unknown,
  columns: ReadonlyArray<string> | undefined
): Effect.fn.Return<Query.Condition, QueryInvalid> {
  if (columns?.includes(field) === false) return yield* wrong(field, "is not a known field")
  if (isScalar(wanted)) return { field, equals: wanted }
  if (!isRange(wanted)) return yield* wrong(field, "is neither text nor a number, nor true or false")
  const { from, to } = wanted
  const isBound = (bound: unknown): bound is string | number | undefined =>
    bound === undefined || Predicate.isString(bound) || Predicate.isNumber(bound)
  if (!isBound(from) || !isBound(to)) return yield* wrong(field, "has a range that is of neither texts nor numbers")
  return { field, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
})

const cursors = Cursor.make(
  Schema.Struct({ key: Schema.Union([Schema.String, Schema.Finite, Schema.Null]), id: Schema.String })
)

/** The cursor of what comes after a row. */
export const cursorOf = ({ after, newest }: Query.Start): string | undefined =>
  newest?.after !== undefined
    ? Selection.cursorOf(newest.after)
    : after === undefined
      ? undefined
      : cursors.toText(after)

/** Where an answer begins. */
export const startOf = Effect.fnUntraced(function* ({ cursor, after, newest }: FindInput) {
  const notOurs = () => wrong("cursor", "is not the next of an earlier answer")
  if (newest === true) {
    if (after !== undefined) return yield* wrong("after", "is for rows in the order of ids: use cursor for the newest")
    const place =
      cursor === undefined ? undefined : yield* Effect.mapError(Effect.fromOption(Selection.placeFrom(cursor)), notOurs)
    return { newest: { after: place } } satisfies Query.Start
  }
  if (cursor === undefined)
    return { after: after === undefined ? undefined : { key: null, id: after } } satisfies Query.Start
  return {
    after: yield* Effect.mapError(Effect.fromOption(cursors.fromText(cursor)), notOurs)
  } satisfies Query.Start
})
