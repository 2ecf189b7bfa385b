/**
 * Arbitraries of the data: values that real nodes make, values that broken or hostile ones make, and, where a law is
 * about conflicts, a space so small that conflicts are common (`few…`). Timestamps are in ms, as in `feral-sync/core`.
 */
import { Arbitrary, Effect, Option, Schema } from "effect"
import * as Hlc from "../core/replica/Hlc.ts"
import { canonical } from "../core/replica/Json.ts"
import * as Kind from "../core/replica/Kind.ts"
import { NodeId, utf8Length } from "../core/replica/NodeId.ts"
import * as Operation from "../core/replica/Operation.ts"
import * as VectorClock from "../core/replica/VectorClock.ts"

/**
 * A value of an arbitrary: always the same for the same seed. It brings the arbitraries into other libraries, such as
 * fast-check:
 *
 * ```ts
 * import { Arbitraries, type Law } from "feral-sync/testing"
 * import * as fc from "fast-check"
 *
 * export const check = (law: Law.Law): void => {
 *   const drawn = fc.tuple(fc.nat(), fc.nat({ max: 12 }))
 *   const values = drawn.map(([seed, size]) => Arbitraries.sample(law.arbitrary, { seed, size }))
 *   fc.assert(fc.property(values, (value) => law.holds(value)))
 * }
 * ```
 */
export const sample = <A>(
  arbitrary: Arbitrary.Arbitrary<A>,
  options: { readonly seed: number; readonly size?: number }
): A => {
  const [value] = Effect.runSync(Effect.orDie(Arbitrary.sampleEffect(arbitrary, { ...options, count: 1 })))
  if (value === undefined) throw new RangeError("the arbitrary makes no value")
  return value
}

/** One of some values. */
export const element = <const A extends ReadonlyArray<string | number | boolean>>(
  ...values: A
): Arbitrary.Arbitrary<A[number]> => Arbitrary.schema(Schema.Literals(values))

/** An integer between two, both included. */
export const integer = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** What one of some arbitraries makes. */
export const oneOf = <A>(
  first: Arbitrary.Arbitrary<A>,
  ...others: ReadonlyArray<Arbitrary.Arbitrary<A>>
): Arbitrary.Arbitrary<A> =>
  Arbitrary.flatMap(integer(0, others.length), (index) => (index === 0 ? first : (others[index - 1] ?? first)))

/**
 * Characters of each length in UTF-8, the borders of the surrogates among them, and what has a meaning in some syntax.
 */
const characters = [
  ..."aZ09_-.:/'\"\\ é߿€￿",
  "\u0800",
  "\u{d7ff}",
  "\ue000",
  "\ufeff",
  "\ufffd",
  "\u{10000}",
  "\u{1f600}",
  "\u{10ffff}"
]

/** Printable text of at most `maxBytes` bytes, without the one name that a clock cannot hold. */
export const plainText = (maxBytes: number): Arbitrary.Arbitrary<string> =>
  Arbitrary.map(Arbitrary.array(element(...characters), { minLength: 1, maxLength: maxBytes }), (parts) => {
    let text = ""
    for (const part of parts) if (utf8Length(text) + utf8Length(part) <= maxBytes) text += part
    return text
  })

/** Text of any code units: control characters and lone surrogates among them. */
export const anyText: Arbitrary.Arbitrary<string> = oneOf(
  plainText(40),
  Arbitrary.schema(Schema.String),
  Arbitrary.map(
    Arbitrary.array(element(...characters, "\0", "\n", "\u007f", "\u0085", "\u2028", "\ud800", "\udfff", "__proto__")),
    (parts) => parts.join("")
  )
)

/** A few node ids, so that they meet. Their order differs between code points and code units. */
export const fewNodes = element("a", "a:b", "0", "\ue000", "\u{10000}").pipe(Arbitrary.map((id) => NodeId.make(id)))

/** Node ids of every shape. */
export const nodeId: Arbitrary.Arbitrary<NodeId> = oneOf(
  fewNodes,
  element("constructor", "toString", " ", "::", "feral-node-1", "-1").pipe(Arbitrary.map((id) => NodeId.make(id))),
  plainText(128).pipe(Arbitrary.map((id) => NodeId.make(id)))
)

/** Timestamps from so small a space that they are often equal. */
export const fewTimestamps: Arbitrary.Arbitrary<Hlc.Timestamp> = Arbitrary.all({
  wall: integer(0, 3),
  counter: integer(0, 2)
})

const natural = oneOf(
  integer(0, 5),
  integer(1_700_000_000_000, 1_700_000_001_000),
  integer(0, Number.MAX_SAFE_INTEGER),
  integer(Number.MAX_SAFE_INTEGER - 2, Number.MAX_SAFE_INTEGER)
)

/** Timestamps of the whole range, its ends among them. */
export const timestamp: Arbitrary.Arbitrary<Hlc.Timestamp> = oneOf(
  fewTimestamps,
  Arbitrary.all({ wall: natural, counter: natural })
)

/** What a wall clock may show, in ms: mostly sane, at times anything. */
export const now: Arbitrary.Arbitrary<number> = oneOf(natural, integer(-5, 5))

export const fewHlcs: Arbitrary.Arbitrary<Hlc.Hlc> = Arbitrary.map(
  Arbitrary.all([fewTimestamps, fewNodes]),
  ([at, node]) => ({ ...at, node })
)

export const hlc: Arbitrary.Arbitrary<Hlc.Hlc> = oneOf(
  fewHlcs,
  Arbitrary.map(Arbitrary.all([timestamp, nodeId]), ([at, node]) => ({ ...at, node }))
)

/** Vector clocks over few origins. */
export const vectorClock: Arbitrary.Arbitrary<VectorClock.VectorClock> = Arbitrary.map(
  Arbitrary.array(Arbitrary.all([fewNodes, fewTimestamps]), { maxLength: 6 }),
  VectorClock.fromEntries
)

/** Vector clocks over origins of every shape, with timestamps of the whole range. */
export const wideVectorClock: Arbitrary.Arbitrary<VectorClock.VectorClock> = Arbitrary.map(
  Arbitrary.array(Arbitrary.all([nodeId, timestamp]), { maxLength: 12 }),
  VectorClock.fromEntries
)

/** A source of orders: what `arrange` sorts by. */
export const order: Arbitrary.Arbitrary<ReadonlyArray<number>> = Arbitrary.array(integer(0, 1_000_000), {
  minLength: 1,
  maxLength: 40
})

/** `items` in another order: stable by key, the keys used in turn. */
export const arrange = <A>(items: ReadonlyArray<A>, keys: ReadonlyArray<number>): ReadonlyArray<A> =>
  items
    .map((item, index) => ({ item, key: keys[index % keys.length] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)

/** The known kinds, and one that this version does not know. */
export const kind = element(...Kind.names, "plans")

/** The data of an operation with this content. */
export const dataOf = (content: object): Operation.Operation["data"] =>
  Option.getOrThrow(canonical(content, Operation.maxDataDepth))

/** An operation from what an arbitrary drew. */
export const operationFrom = (
  fields: Pick<Operation.Operation, "hlc" | "op_type" | "timestamp" | "data"> & {
    readonly table: string
    readonly row_id: string
    readonly op_id: string
  }
): Operation.Operation => ({
  ...fields,
  // No operation stands before all time.
  hlc: fields.hlc.wall === 0 && fields.hlc.counter === 0 ? { ...fields.hlc, counter: 1 } : fields.hlc,
  table: Operation.Kind.make(fields.table),
  row_id: Operation.RowId.make(fields.row_id),
  op_id: Operation.OpId.make(fields.op_id)
})

/**
 * Operations of all kinds on few rows at few times of few origins: most lists of them hold conflicts, duplicates,
 * deletes, and different contents under one HLC.
 */
export const operation: Arbitrary.Arbitrary<Operation.Operation> = Arbitrary.map(
  Arbitrary.all({
    table: kind,
    op_type: element("insert", "update", "delete"),
    row_id: element("r1", "r2"),
    op_id: element("o1", "o2"),
    data: element("x", "y"),
    timestamp: element(1, 1.5),
    hlc: fewHlcs
  }),
  (fields) => operationFrom({ ...fields, data: dataOf({ content: fields.data }) })
)

/** Lists of `operation`. */
export const operations: Arbitrary.Arbitrary<ReadonlyArray<Operation.Operation>> = Arbitrary.array(operation, {
  maxLength: 24
})
