/**
 * Arbitraries for the laws of the core: values that real nodes make, values that broken or hostile ones make, and, where a law
 * is about conflicts, a space so small that conflicts are common.
 */
import { Arbitrary, Option, Schema } from "effect"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import { canonical } from "../../src/core/replica/Json.ts"
import { NodeId, utf8Length } from "../../src/core/replica/NodeId.ts"
import * as Operation from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"

/** The share of its runs that a property makes: a tenth gives a quick verdict; `PROPERTY_RUNS` is another share, or `all`. */
const { PROPERTY_RUNS = "0.1" } = process.env
const share = PROPERTY_RUNS === "all" ? 1 : Number(PROPERTY_RUNS)

/** Thousands of runs, of values up to a size that a person can still read when they are shrunk. */
export const runs = (count: number, size = 12) => ({
  timeout: 60_000,
  arbitrary: { runs: Math.max(Math.min(count, 20), Math.ceil(count * share)), size }
})

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

/** Characters of each length in UTF-8, the borders of the surrogates among them, and what has a meaning in some syntax. */
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

/** Readings from so small a space that they are often equal. */
export const fewReadings: Arbitrary.Arbitrary<Hlc.Timestamp> = Arbitrary.all({
  wall: integer(0, 3),
  counter: integer(0, 2)
})

const natural = oneOf(
  integer(0, 5),
  integer(1_700_000_000_000, 1_700_000_001_000),
  integer(0, Number.MAX_SAFE_INTEGER),
  integer(Number.MAX_SAFE_INTEGER - 2, Number.MAX_SAFE_INTEGER)
)

/** Readings of the whole range, its ends among them. */
export const reading: Arbitrary.Arbitrary<Hlc.Timestamp> = oneOf(
  fewReadings,
  Arbitrary.all({ wall: natural, counter: natural })
)

/** What a wall clock may show, in ms: mostly sane, at times anything. */
export const now: Arbitrary.Arbitrary<number> = oneOf(natural, integer(-5, 5))

export const fewHlcs: Arbitrary.Arbitrary<Hlc.Hlc> = Arbitrary.map(
  Arbitrary.all([fewReadings, fewNodes]),
  ([at, node]) => ({ ...at, node })
)

export const hlc: Arbitrary.Arbitrary<Hlc.Hlc> = oneOf(
  fewHlcs,
  Arbitrary.map(Arbitrary.all([reading, nodeId]), ([at, node]) => ({ ...at, node }))
)

/** Vector clocks over few origins. */
export const vectorClock: Arbitrary.Arbitrary<VectorClock.VectorClock> = Arbitrary.map(
  Arbitrary.array(Arbitrary.all([fewNodes, fewReadings]), { maxLength: 6 }),
  VectorClock.fromEntries
)

/** Vector clocks over origins of every shape, with readings of the whole range. */
export const wideVectorClock: Arbitrary.Arbitrary<VectorClock.VectorClock> = Arbitrary.map(
  Arbitrary.array(Arbitrary.all([nodeId, reading]), { maxLength: 12 }),
  VectorClock.fromEntries
)

/** A JSON text before it is written: objects as lists of entries, so that the order of keys is free. */
export type Tree =
  null | boolean | number | string | { readonly items: ReadonlyArray<Tree> } | { readonly entries: Entries }
export type Entries = ReadonlyArray<readonly [string, Tree]>

const Key = Schema.Union([
  Schema.Literals(["__proto__", "constructor", "toJSON", "length", "10", "9", "01", "-1", "4294967295", "", "a", "b"]),
  Schema.String
])
const Tree: Schema.Codec<Tree> = Schema.Union([
  Schema.Null,
  Schema.Boolean,
  Schema.Finite,
  Schema.Literals([0, 1, "", "a", '"', "\\", '[{"', "\u2028", "\0"]),
  Schema.String,
  Schema.Struct({ items: Schema.Array(Schema.suspend(() => Tree)) }),
  Schema.Struct({ entries: Schema.suspend(() => Entries) })
])
const Entries = Schema.Array(Schema.Tuple([Key, Tree]))

/** Without the second entries of the same key, of which only one survives in a value. */
const distinct = (tree: Tree): Tree => {
  if (tree === null || typeof tree !== "object") return tree
  return "items" in tree ? { items: tree.items.map(distinct) } : { entries: distinctEntries(tree.entries) }
}
const distinctEntries = (entries: Entries): Entries => [
  ...new Map(entries.map(([key, value]) => [key, distinct(value)]))
]

/** Any JSON, as a tree whose keys are distinct in each object. */
export const tree: Arbitrary.Arbitrary<Tree> = Arbitrary.map(Arbitrary.schema(Tree), distinct)

/** The entries of any object of JSON, their keys distinct. */
export const treeEntries: Arbitrary.Arbitrary<Entries> = Arbitrary.map(Arbitrary.schema(Entries), distinctEntries)

/** The JSON text of a tree, its keys in the order given. */
export const textOf = (node: Tree): string => {
  if (node === null || typeof node !== "object") return JSON.stringify(node)
  return "items" in node
    ? `[${node.items.map(textOf).join(",")}]`
    : `{${node.entries.map(([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`).join(", ")}}`
}

/** The value that a tree stands for. */
export const valueOf = (node: Tree): unknown => {
  if (node === null || typeof node !== "object") return node
  return "items" in node
    ? node.items.map(valueOf)
    : Object.fromEntries(node.entries.map(([key, value]) => [key, valueOf(value)]))
}

/** Levels of nesting in a tree. */
export const depthOf = (node: Tree): number => {
  if (node === null || typeof node !== "object") return 0
  const inner = "items" in node ? node.items : node.entries.map(([, value]) => value)
  return 1 + Math.max(0, ...inner.map(depthOf))
}

/** The tree with the keys of every object in another order, told by `keys`. */
export const shuffled = (node: Tree, keys: ReadonlyArray<number>): Tree => {
  if (node === null || typeof node !== "object") return node
  return "items" in node
    ? { items: node.items.map((item) => shuffled(item, keys)) }
    : { entries: arrange(node.entries, keys).map(([key, value]) => [key, shuffled(value, keys)] as const) }
}

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
export const kind = element("notes", "knowledge", "episodes", "execution_log", "plans")

const dataOf = (entries: Entries): Operation.Operation["data"] =>
  Option.getOrThrow(canonical(valueOf({ entries }), Operation.maxDataDepth))

const make = (
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
 * Operations of all kinds on few rows at few readings of few origins: most lists of them hold conflicts, duplicates, deletes,
 * and different contents under one HLC.
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
  (fields) => make({ ...fields, data: dataOf([["content", fields.data]]) })
)

/** Lists of `operation`. */
export const operations: Arbitrary.Arbitrary<ReadonlyArray<Operation.Operation>> = Arbitrary.array(operation, {
  maxLength: 24
})

/** Operations of every shape that the wire can carry. */
export const wideOperation: Arbitrary.Arbitrary<Operation.Operation> = Arbitrary.map(
  Arbitrary.all({
    table: oneOf<string>(kind, plainText(64)),
    op_type: element("insert", "update", "delete"),
    row_id: plainText(256),
    op_id: plainText(256),
    entries: treeEntries,
    named: element(true, false),
    timestamp: oneOf<number>(Arbitrary.schema(Schema.Finite), integer(0, 2_000_000_000)),
    hlc
  }),
  ({ entries, named, timestamp, ...fields }) =>
    make({
      ...fields,
      timestamp: timestamp === 0 ? 0 : timestamp,
      data: dataOf([...entries.filter(([key]) => key !== "id"), ...(named ? [["id", fields.row_id] as const] : [])])
    })
)
