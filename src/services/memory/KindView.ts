/**
 * The kinds for programs that show rows of any kind, as the dashboard does: what a row has, which of it says what the
 * row is about, and what can be done with it. Those of this version follow from their table, those of applications from
 * their declarations.
 */
import { Schema, SchemaAST } from "effect"
import type * as Columns from "../../core/replica/Column.ts"
import * as Kind from "../../core/replica/Kind.ts"
import * as Selection from "../../core/replica/Selection.ts"
import { fieldsOf } from "./OwnInput.ts"
import type { Any } from "./OwnKind.ts"
import type { OwnKind } from "./OwnRows.ts"

const Column = Schema.Struct({
  name: Schema.String,
  /** `texts` is a list of texts, `json` any other value. */
  type: Schema.Literals(["text", "texts", "number", "boolean", "json"]),
  required: Schema.Boolean,
  default: Schema.optionalKey(Schema.Unknown),
  choices: Schema.optionalKey(Schema.Array(Schema.String)),
  minimum: Schema.optionalKey(Schema.Finite),
  maximum: Schema.optionalKey(Schema.Finite),
  /** The filter of reads that looks at it. */
  filter: Schema.optionalKey(Schema.String),
  /** What it is to those who read a row; see `Column.Meaning`. */
  means: Schema.optionalKey(Schema.String)
})
type Column = typeof Column.Type

export const KindView = Schema.Struct({
  /** Its name on the wire. */
  kind: Schema.String,
  /** The words for one row and for many. */
  one: Schema.String,
  many: Schema.String,
  rule: Schema.String,
  /** Where its rows are, in the local interface. */
  path: Schema.String,
  /** Whether an application declared it, or it is a kind of this version. */
  is_own: Schema.Boolean,
  /** The columns that are written; none where they are not known here. */
  columns: Schema.Array(Column),
  /** The columns that say in a line what a row is about. */
  text: Schema.Array(Schema.String),
  /** Whether rows are found by words. */
  is_searched: Schema.Boolean,
  /** What people can do with rows. A kind of an application is written by people where this process has its schema. */
  can_add: Schema.Boolean,
  can_delete: Schema.Boolean,
  change: Schema.optionalKey(
    Schema.Struct({ verb: Schema.Literals(["edit", "set", "put", "patch"]), columns: Schema.Array(Schema.String) })
  ),
  has_history: Schema.Boolean
})
export interface KindView extends Schema.Schema.Type<typeof KindView> {}

const typeOf = ({ stored, byDefault }: Columns.Columns[string]): Column["type"] => {
  if (stored === "text") return "text"
  if (stored === "number" || stored === "real") return "number"
  return Array.isArray(byDefault) ? "texts" : "json"
}

const columnOf = (name: string, column: Columns.Columns[string]): Column => {
  const { input, byDefault, choices, range, means } = column
  const required = !SchemaAST.isOptional(input.ast)
  const filter = Selection.filterOf(name)
  return {
    name,
    type: typeOf(column),
    required,
    ...(!required && { default: byDefault }),
    ...(choices && { choices }),
    ...(range && { minimum: range.from }),
    ...(range?.to !== undefined && { maximum: range.to }),
    ...(filter && { filter }),
    ...(means && { means })
  }
}

/** A kind of this version. */
const ofKind = (kind: Kind.Kind): KindView => {
  const { name, path, rule, words, text, search, change } = kind
  return {
    kind: name,
    one: words.one,
    many: words.many,
    rule,
    path: `/${path}`,
    is_own: false,
    columns: Object.entries(Kind.written(kind)).map(([name, column]) => columnOf(name, column)),
    text,
    is_searched: search.length > 0,
    can_add: true,
    can_delete: rule !== "log",
    ...(change && { change }),
    has_history: rule !== "log"
  }
}

/** The kinds of this version, in their order. */
export const all: ReadonlyArray<KindView> = Kind.all.map(ofKind)

/** The verb that writes a row of a rule again. */
const changing: Readonly<Record<string, "put" | "patch">> = { lww: "put", fields: "patch" }

/** The types that a value of JSON may have by the schema of its column, without that of a value that is not there. */
const branchesOf = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> =>
  SchemaAST.isUnion(ast) ? ast.types.flatMap(branchesOf) : SchemaAST.isUndefined(ast) ? [] : [ast]

const ownColumnOf = (name: string, schema: Schema.Codec<unknown, unknown>): Column => {
  const ast = SchemaAST.toEncoded(schema.ast)
  const branches = branchesOf(ast)
  const choices = branches.flatMap((branch) =>
    SchemaAST.isLiteral(branch) && typeof branch.literal === "string" ? [branch.literal] : []
  )
  const isChosen = choices.length > 0 && choices.length === branches.length
  const [only, ...others] = branches
  const type =
    isChosen || (only !== undefined && SchemaAST.isString(only))
      ? "text"
      : only !== undefined && SchemaAST.isNumber(only)
        ? "number"
        : only !== undefined && SchemaAST.isBoolean(only)
          ? "boolean"
          : "json"
  return {
    name,
    type: isChosen || others.length === 0 ? type : "json",
    required: !SchemaAST.isOptional(ast),
    ...(isChosen && { choices })
  }
}

/** A kind of an application. `known` is its schema, where this process has it. */
export const ofOwn = ({ kind, name, rule, columns = [] }: OwnKind, known: Any | undefined): KindView => {
  const fields = known === undefined ? [] : Object.entries(fieldsOf(known))
  const verb = changing[rule]
  const hasFields = fields.length > 0
  return {
    kind,
    one: `${name} row`,
    many: name,
    rule,
    path: `/kinds/${encodeURIComponent(kind)}`,
    is_own: true,
    columns: hasFields
      ? fields.map(([name, schema]) => ownColumnOf(name, schema))
      : columns.map((name) => ({ name, type: "json", required: false })),
    text: known?.search ?? [],
    is_searched: rule !== "counter" && columns.length > 0,
    can_add: hasFields,
    can_delete: hasFields && verb !== undefined,
    ...(hasFields && verb !== undefined && { change: { verb, columns: fields.map(([name]) => name) } }),
    has_history: false
  }
}
