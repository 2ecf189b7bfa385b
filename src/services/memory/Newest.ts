/**
 * The rows of all kinds that were written last, those of applications too: what `recent` and the kinds of applications
 * give, in one order. A cursor is a place in that order (`core/replica/Selection.ts`), so each part goes on from the
 * same one.
 */
import { Effect, Option, Order, Schema } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Kind from "../../core/replica/Kind.ts"
import * as Selection from "../../core/replica/Selection.ts"
import { type KindUndeclared, QueryInvalid, type StoreUnavailable } from "../node/NodeFailure.ts"
import * as Inputs from "./Inputs.ts"
import { kindNamed, OwnRow, type OwnRows } from "./OwnRows.ts"
import { type AnyRow, type Found, limits, RecentInput } from "./Reads.ts"

const { kinds, origin, since, until, limit, cursor } = RecentInput.fields

/**
 * Which rows to read: of some kinds, or of all. Kinds of applications are named as on the wire, or by their names
 * alone.
 */
export const NewestInput = Schema.Struct({ kinds, origin, since, until, limit, cursor })
export interface NewestInput extends Schema.Schema.Type<typeof NewestInput> {}

/** A row of any kind, with its kind as it is named on the wire. */
export const NewestRow = Schema.StructWithRest(Schema.Struct({ kind: Schema.String, ...OwnRow.schema.fields }), [
  Schema.Record(Schema.String, Schema.Unknown)
])
export type NewestRow = typeof NewestRow.Type

/** What they are read from. */
export interface Over {
  recent(input: RecentInput): Effect.Effect<Found<AnyRow>, StoreUnavailable | QueryInvalid>
  readonly own: Pick<OwnRows, "kinds" | "find">
}

const decode = Inputs.decoded(NewestInput)

const placeOf = ({ kind, id, hlc, origin_node: node }: NewestRow): Selection.Place => ({
  rank: 0,
  hlc: Option.getOrElse(Hlc.fromText(hlc), () => ({ ...Hlc.zero, node })),
  table: kind,
  row_id: id
})
const NewestOrder: Order.Order<NewestRow> = Order.mapInput(Selection.PlaceOrder, placeOf)

export const make = ({ recent, own }: Over) =>
  Effect.fn("Memory.newest")(function* (
    given: NewestInput = {}
  ): Effect.fn.Return<Found<NewestRow>, StoreUnavailable | QueryInvalid | KindUndeclared> {
    const {
      kinds,
      limit = limits.usual,
      ...rest
    } = yield* Effect.mapError(decode(given), (problems) => new QueryInvalid({ problems }))
    const page = { ...rest, limit }
    const there = yield* own.kinds
    const builtIn = kinds?.filter((kind) => Kind.find(kind) !== undefined)
    const others = kinds?.filter((kind) => Kind.find(kind) === undefined) ?? there.map(({ kind }) => kind)
    const parts: Array<Found<NewestRow>> = []
    if (builtIn === undefined || builtIn.length > 0)
      parts.push(yield* recent({ ...page, ...(builtIn && { kinds: builtIn }) }))
    for (const kind of new Set(others.map((name) => kindNamed(there, name)?.kind ?? name))) {
      const { rows, ...more } = yield* own.find(kind, { ...page, newest: true })
      parts.push({ rows: rows.map((row) => ({ ...row, kind })), ...more })
    }
    // A part that has more rows says nothing of what comes after its end.
    const ends = parts.flatMap(({ next }) => (next === undefined ? [] : Option.toArray(Selection.placeFrom(next))))
    const [end] = ends.sort(Selection.PlaceOrder)
    const sorted = parts
      .flatMap(({ rows }) => rows)
      .filter((row) => end === undefined || !Selection.isAfter(placeOf(row), end))
      .sort(NewestOrder)
    const rows = sorted.slice(0, limit)
    const last = rows.at(-1)
    const isCut = rows.length === limit && last !== undefined && (sorted.length > limit || end !== undefined)
    const place = isCut ? placeOf(last) : end
    return { rows, ...(place !== undefined && { next: Selection.cursorOf(place) }) }
  })
