/**
 * The kinds: what is replicated. A kind is a value, and this table is where each one is defined. Its entry determines
 * its conflict rule, the rows and inputs of applications, the views, search and counts. The members of `Memory`, the
 * local API and the lists of the command line are derived from it, too. An operation of a kind that is not in the table
 * is kept and passed on whole.
 */
import { Record, Schema } from "effect"
import * as Column from "./Column.ts"
import { NodeId } from "./NodeId.ts"
import type { Operation } from "./Operation.ts"
import * as Rule from "./Rule.ts"

/** An entry of the table. */
export interface Definition {
  /** On the wire (`table`), in the database and in JSON. */
  readonly name: string
  /** In the path of the local interface. */
  readonly path: string
  /** What writes a new row, as applications call it. */
  readonly verb: string
  /** Its command, and the words for one row and for many. */
  readonly words: { readonly command: string; readonly one: string; readonly many: string }
  readonly rule: "lww" | "log"
  readonly columns: Column.Columns
  /** The columns whose words are searched; none where rows are not found by words. */
  readonly search: ReadonlyArray<string>
  /** The columns that say in a line what a row is about. */
  readonly text: ReadonlyArray<string>
  /**
   * The columns that can be written again, and what writes them, as applications call it; none where rows only come and
   * go.
   */
  readonly change?: { readonly verb: "edit" | "set"; readonly columns: ReadonlyArray<string> }
}

/** The metadata of a row. Times are Unix seconds. */
const provenance = { created_at: Schema.Finite, updated_at: Schema.Finite, origin_node: NodeId, hlc: Schema.String }

type RowFields<Columns extends Column.Columns> = { readonly id: typeof Schema.String } & {
  readonly [Key in keyof Columns]: Columns[Key]["row"]
} & typeof provenance
type InputFields<Columns extends Column.Columns> = {
  readonly [Key in keyof Columns as Columns[Key]["stored"] extends "any" ? never : Key]: Columns[Key]["input"]
}

/** A kind: its entry, and the schemas that follow from its columns. */
export type Kind<D extends Definition = Definition> = D & {
  readonly row: Schema.Struct<RowFields<D["columns"]>>
  readonly input: Schema.Struct<InputFields<D["columns"]>>
}

/** The columns that are written here. */
export const written = ({ columns }: Definition): Column.Columns =>
  Record.filter(columns, ({ stored }) => stored !== "any")

/** The kind that an entry defines. */
export function make<const D extends Definition>(definition: D): Kind<D>
export function make(definition: Definition): Kind {
  return {
    ...definition,
    row: Schema.Struct({ id: Schema.String, ...Record.map(definition.columns, ({ row }) => row), ...provenance }),
    input: Schema.Struct(Record.map(written(definition), ({ input }) => input))
  }
}

/** The kinds, by their names in `Memory`. */
export const table = {
  /** Things to remember. */
  notes: make({
    name: "notes",
    path: "notes",
    verb: "put",
    words: { command: "note", one: "note", many: "notes" },
    rule: "lww",
    columns: {
      content: Column.text,
      tags: Column.texts,
      importance: Column.oneOf(["low", "normal", "high"], "normal"),
      source: Column.meaning("source", Column.textOr("user"))
    },
    search: ["content", "tags"],
    text: ["content"],
    change: { verb: "edit", columns: ["content", "tags"] }
  }),
  /** Statements about the world. */
  facts: make({
    name: "knowledge",
    path: "facts",
    verb: "add",
    words: { command: "fact", one: "fact", many: "facts" },
    rule: "lww",
    columns: {
      subject: Column.text,
      predicate: Column.text,
      object: Column.text,
      confidence: Column.share(1),
      source: Column.meaning("source", Column.textOr("user"))
    },
    search: ["subject", "predicate", "object"],
    text: ["subject", "predicate", "object"],
    change: { verb: "set", columns: ["subject", "predicate", "object", "confidence"] }
  }),
  /** Things that happened. */
  episodes: make({
    name: "episodes",
    path: "episodes",
    verb: "record",
    words: { command: "episode", one: "episode", many: "episodes" },
    rule: "log",
    columns: {
      session_id: Column.text,
      event_type: Column.meaning("label", Column.text),
      summary: Column.text,
      detail: Column.meaning("detail", Column.textOr("")),
      importance: Column.share(0.5),
      emotions: Column.foreign,
      location: Column.foreign,
      participants: Column.foreign
    },
    search: ["summary", "detail"],
    text: ["summary"]
  }),
  /** Which skills ran, and how it went. */
  executionLog: make({
    name: "execution_log",
    path: "log",
    verb: "append",
    words: { command: "log", one: "log entry", many: "log entries" },
    rule: "log",
    columns: {
      session_id: Column.text,
      skill_id: Column.text,
      endpoint_id: Column.text,
      args: Column.json,
      result_status: Column.text,
      result_summary: Column.meaning("detail", Column.textOr("")),
      latency_ms: Column.meaning("duration", Column.amount(0))
    },
    search: [],
    text: ["skill_id"]
  })
}

export type Table = typeof table

/** The kinds, in their order. */
export const all = Object.values(table)

/** The kinds whose rows are found by their words. */
export const searched = all.filter(
  (kind): kind is Exclude<(typeof all)[number], { readonly search: readonly [] }> => kind.search.length > 0
)

/** The names of the kinds, on the wire and in the database. */
export const names = all.map(({ name }) => name)

const byName: ReadonlyMap<string, (typeof all)[number]> = new Map(all.map((kind) => [kind.name, kind]))

/** The kind of this name; none when this version does not know it. */
export const find = (name: string) => byName.get(name)

/** What is counted by looking at rows. A row that is deleted counts as a tombstone. */
export const countNames = [...names, "tombstones" as const]

/**
 * What the name of a kind that an application declared says: `todos!fields` is `todos` with the rule `fields`. So every
 * node merges it alike, whether it has the application or not. None for the name of a built-in kind, or with a rule
 * that this version does not know.
 */
export const parseName = (table: string): { readonly name: string; readonly rule: Rule.Known } | undefined => {
  const at = table.lastIndexOf("!")
  const rule = table.slice(at + 1)
  return at > 0 && Rule.isKnown(rule) ? { name: table.slice(0, at), rule } : undefined
}

/** The counter of an operation that holds a row; none when its kind is unknown. */
export const countOf = ({ table, op_type }: Pick<Operation, "table" | "op_type">) =>
  op_type === "delete" && byName.has(table) ? "tombstones" : find(table)?.name

/** The conflict rule of the kind of this name. */
export const ruleOf = (name: string): Rule.Name => byName.get(name)?.rule ?? parseName(name)?.rule ?? "opaque"
