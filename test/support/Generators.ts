/**
 * What the laws of the core need beyond the arbitraries of the test kit: JSON texts, operations of every shape, and how many runs a
 * property makes.
 */
import { Arbitrary, Schema } from "effect"
import * as Operation from "../../src/core/replica/Operation.ts"
import {
  arrange,
  dataOf,
  element,
  fewHlcs,
  hlc,
  integer,
  kind,
  oneOf,
  operationFrom,
  plainText
} from "../../src/testing/Arbitraries.ts"

export * from "../../src/testing/Arbitraries.ts"
export { fewTimestamps, timestamp } from "../../src/testing/Arbitraries.ts"

/** The share of its runs that a property makes: a tenth gives a quick verdict; `PROPERTY_RUNS` is another share, or `all`. */
const { PROPERTY_RUNS = "0.1" } = process.env
const share = PROPERTY_RUNS === "all" ? 1 : Number(PROPERTY_RUNS)

/** Thousands of runs, of values up to a size that a person can still read when they are shrunk. */
export const runs = (count: number, size = 12) => ({
  timeout: 60_000,
  arbitrary: { runs: Math.max(Math.min(count, 20), Math.ceil(count * share)), size }
})

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

/** Kinds of applications, one of each rule. */
export const ownKinds = ["todos!lww", "visits!log", "plans!fields", "clicks!counter", "labels!set"] as const

/** What operations of these kinds hold: some of it says nothing by the rule of its kind. */
const ownData: ReadonlyArray<object> = [
  {},
  { title: "x" },
  { title: "y" },
  { done: true },
  { title: "x", done: true },
  { epoch: "e1", count: 1, total: 4 },
  { epoch: "e1", count: 2, total: 3 },
  { epoch: "e1", count: 2, total: 7 },
  { epoch: "e2", count: 1, total: -1 },
  { epoch: "e2", count: 0, total: 1 },
  { member: "x" },
  { member: 7 },
  { member: "m".repeat(300) }
]

/** Operations of kinds of applications, of every rule, on few rows at few timestamps. */
export const ownOperation: Arbitrary.Arbitrary<Operation.Operation> = Arbitrary.map(
  Arbitrary.all({
    table: element(...ownKinds),
    op_type: element("insert", "update", "update", "delete"),
    row_id: element("r1", "r2"),
    op_id: element("o1", "o2"),
    data: integer(0, ownData.length),
    timestamp: element(1, 1.5),
    hlc: fewHlcs
  }),
  (fields) => operationFrom({ ...fields, data: dataOf(ownData[fields.data] ?? {}) })
)

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
    operationFrom({
      ...fields,
      timestamp: timestamp === 0 ? 0 : timestamp,
      data: dataOf(
        Object.fromEntries([
          ...entries.filter(([key]) => key !== "id").map(([key, value]) => [key, valueOf(value)]),
          ...(named ? [["id", fields.row_id]] : [])
        ])
      )
    })
)
