/**
 * The part of the contract for rows of application kinds. One set of paths serves all of them. The documentation has
 * the same paths with the schemas of the kinds that a process declares.
 *
 * A kind is named as on the wire (`todos!fields`), or by its name alone where only one has it. A verb of its rule is a
 * path.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import * as Rule from "../../../core/replica/Rule.ts"
import { Found, Written } from "../../memory/Memory.ts"
import { type Any, columnsOf } from "../../memory/OwnKind.ts"
import { FindInput } from "../../memory/OwnQuestion.ts"
import { fieldsOf } from "../../memory/OwnInput.ts"
import { OwnKind, OwnRow } from "../../memory/OwnRows.ts"
import * as NodeFailure from "../../node/NodeFailure.ts"
import { Invalid, NoKind, NoRow, TooLarge, Unavailable, withStatus, WrongQuery } from "./Failures.ts"
import * as Paging from "./Paging.ts"

const Mismatch = withStatus(NodeFailure.KindMismatch, 409)
const BadKind = withStatus(NodeFailure.KindInvalid, 400)

const reading = [Unavailable, WrongQuery, NoKind] as const
const writing = [Unavailable, TooLarge, Invalid, NoRow, NoKind] as const

/** The beginning of a list. */
const page = {
  after: Schema.optionalKey(Schema.String),
  ...Paging.query,
  words: FindInput.fields.words,
  newest: Schema.optionalKey(Schema.Literals(["true", "false"]))
}
const Count = Schema.Struct({ count: Schema.Natural })

/** Where a verb writes. Not a part of the path: an id may be `..`, which URLs do not keep. */
const target = { id: Schema.optionalKey(Schema.String), unset: Schema.optionalKey(Schema.Array(Schema.String)) }

const params = { kind: Schema.String }

/** What the verbs take, where the columns of the kind are not known. */
const VerbInput = Schema.Union([
  Schema.Struct({ by: Schema.optionalKey(Schema.Int) }).annotate({ description: "increment" }),
  Schema.Struct({ member: Schema.Unknown }).annotate({ description: "add, remove" }),
  Schema.Record(Schema.String, Schema.Unknown).annotate({ description: "put, patch: columns; delete: {}" })
])

const asking = (question: Schema.Codec<unknown, unknown>, input: Schema.Codec<unknown, unknown>) =>
  HttpApiGroup.make("kinds")
    .add(
      HttpApiEndpoint.get("all", "/", {
        query: Paging.query,
        success: Paging.Listed(OwnKind),
        error: [Unavailable, WrongQuery]
      }).annotate(
        OpenApi.Description,
        "The kinds of applications that were declared here, or of which there are rows."
      ),
      // Declares a kind by its name on the wire; it stays declared.
      HttpApiEndpoint.put("declare", "/:kind", {
        params,
        payload: Schema.Struct({ columns: Schema.Array(Schema.String).check(Schema.isMaxLength(1_000)) }),
        error: [Unavailable, Mismatch, BadKind]
      }).annotate(
        OpenApi.Description,
        "Declares a kind by its name on the wire and its columns, to write to it. It stays declared."
      ),
      HttpApiEndpoint.get("list", "/:kind", {
        params,
        query: page,
        success: Paging.page(Found(OwnRow)),
        error: reading
      }).annotate(
        OpenApi.Description,
        "The rows of a kind in the order of their ids, or newest first; with `words`, those that have all of them."
      ),
      HttpApiEndpoint.get("row", "/:kind/row", {
        params,
        query: { id: Schema.String },
        success: OwnRow,
        error: [Unavailable, NoRow, NoKind]
      }).annotate(OpenApi.Description, "One row of a kind."),
      // The question is decoded by `Memory`, so that a wrong one is the same failure here as in a program.
      HttpApiEndpoint.post("find", "/:kind/find", {
        params,
        payload: question,
        success: Paging.page(Found(OwnRow)),
        error: reading
      }).annotate(OpenApi.Description, "The rows of a kind that meet conditions."),
      HttpApiEndpoint.post("count", "/:kind/count", {
        params,
        payload: question,
        success: Count,
        error: reading
      }).annotate(OpenApi.Description, "How many rows of a kind meet conditions."),
      HttpApiEndpoint.post("write", "/:kind/:verb", {
        params: { ...params, verb: Schema.String },
        query: target,
        payload: input,
        success: Written,
        error: writing
      }).annotate(
        OpenApi.Description,
        "Writes a row by a verb of its rule: put, patch, delete, increment, add or remove. The body is what the verb takes."
      )
    )
    .prefix("/kinds")

export const group = asking(Schema.Unknown, Schema.Unknown)

/** The same with the schema of a question, for the reference. */
export const described = asking(FindInput, VerbInput)

/** What each verb does. */
const meaning: Readonly<Record<string, string>> = {
  put: "Writes a new row, or the whole row",
  patch: "Writes some columns of a row, and takes out those in `unset`",
  delete: "Deletes a row on every node",
  increment: "Adds to a counter",
  add: "Adds a member to a set",
  remove: "Takes a member out of a set"
}

/** The columns of a row, by the schema of its kind. */
const fieldsIn = (kind: Any): Schema.Struct.Fields => {
  if (kind.rule === "counter") return { value: kind.row }
  if (kind.rule === "set") return { members: Schema.Array(kind.row) }
  return fieldsOf(kind)
}

/** What a verb takes. */
const inputOf = (kind: Any, verb: string): Schema.Codec<unknown, unknown> => {
  if (verb === "increment") return Schema.Struct({ by: Schema.optionalKey(Schema.Int) })
  if (verb === "add" || verb === "remove") return Schema.Struct({ member: kind.row })
  if (verb === "delete") return Schema.Struct({})
  if (verb === "put") return kind.row
  return Schema.Struct(
    Object.fromEntries(Object.entries(fieldsOf(kind)).map(([name, field]) => [name, Schema.optionalKey(field)]))
  )
}

/** The paths of one kind, with its schemas. The paths of all kinds answer them. */
export const groupOf = (kind: Any) => {
  const path = `/kinds/${kind.name}` as const
  const { id, updated_at, origin_node, hlc } = OwnRow.schema.fields
  const Row = Schema.Struct({ ...fieldsIn(kind), id, updated_at, origin_node, hlc })
  const where = Schema.Struct(
    Object.fromEntries(columnsOf(kind).map((column) => [column, Schema.optionalKey(Schema.Unknown)]))
  )
  const Find = Schema.Struct({ ...FindInput.fields, where: Schema.optionalKey(where) })
  return HttpApiGroup.make(`kinds/${kind.name}`).add(
    HttpApiEndpoint.get("list", path, { query: page, success: Paging.page(Found(Row)), error: reading }).annotate(
      OpenApi.Description,
      `The rows of ${kind.name} in the order of their ids, or newest first.`
    ),
    HttpApiEndpoint.get("row", `${path}/row`, {
      query: { id: Schema.String },
      success: Row,
      error: [Unavailable, NoRow]
    }).annotate(OpenApi.Description, `One row of ${kind.name}.`),
    HttpApiEndpoint.post("find", `${path}/find`, {
      payload: Find,
      success: Paging.page(Found(Row)),
      error: reading
    }).annotate(OpenApi.Description, `The rows of ${kind.name} that meet conditions.`),
    HttpApiEndpoint.post("count", `${path}/count`, { payload: Find, success: Count, error: reading }).annotate(
      OpenApi.Description,
      `How many rows of ${kind.name} meet conditions.`
    ),
    ...Object.keys(Rule.rules[kind.rule].verbs).map((verb) =>
      HttpApiEndpoint.post(verb, `${path}/${verb}`, {
        query: target,
        payload: inputOf(kind, verb),
        success: Written,
        error: writing
      }).annotate(OpenApi.Description, `${meaning[verb] ?? verb}, of ${kind.name}.`)
    )
  )
}
