/**
 * What applications read, for the library, the local interface and the command line alike: the questions, and the form
 * of the answers. A wrong question fails as `QueryInvalid`, with every problem in it.
 */
import { Effect, Option, Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import * as Selection from "../../core/replica/Selection.ts"
import { QueryInvalid } from "../node/NodeFailure.ts"
import * as Inputs from "./Inputs.ts"

/** The result of a write: the row's id and the HLC of the operation, as text. */
export const Written = Schema.Struct({ id: Schema.String, hlc: Schema.String })
export interface Written extends Schema.Schema.Type<typeof Written> {}

/** Which rows to list: at most `limit` (default: all), in the order of their ids, after the id `after`. */
export const Page = Schema.Struct({
  after: Schema.optionalKey(Schema.String),
  limit: Schema.optionalKey(Schema.Natural)
})
export interface Page extends Schema.Schema.Type<typeof Page> {}

/** Rows of an answer where no limit is given, and at most. */
export const limits = { usual: 20, most: 1_000 } as const

/** Rows of an answer, at most: 20 by default, 1,000 at most. */
export const Limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: limits.most }))

const paging = {
  limit: Schema.optionalKey(Limit),
  /** The `next` of the answer before. */
  cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(4_000)))
}

const { kinds, tags, subject, predicate, session, origin, since, until } = Selection.Filter.fields

/** Which rows to read: those that fit all filters, newest first. */
export const RecentInput = Schema.Struct({ ...Selection.Filter.fields, ...paging })
export interface RecentInput extends Schema.Schema.Type<typeof RecentInput> {}

/** Plain words, of which a row must have all, the last one as a beginning; and filters. */
export const SearchPageInput = Schema.Struct({
  query: Schema.String.check(Schema.isMaxLength(4_000)),
  kinds,
  tags,
  subject,
  session,
  origin,
  since,
  until,
  ...paging
})
export interface SearchPageInput extends Schema.Schema.Type<typeof SearchPageInput> {}

/** The same for all rows up to a limit of any size, by default 20. */
export const SearchInput = Schema.Struct({ ...SearchPageInput.fields, limit: Schema.optionalKey(Schema.Natural) })
export interface SearchInput extends Schema.Schema.Type<typeof SearchInput> {}

/** The subject of facts, and a predicate where only those are wanted. */
export const AboutInput = Schema.Struct({ subject: subject.schema, predicate, ...paging })
export interface AboutInput extends Schema.Schema.Type<typeof AboutInput> {}

/** How far the index of words has come, in rows. What is not indexed yet may be missing in an answer. */
export const Indexing = Schema.Struct({ done: Schema.Natural, total: Schema.Natural })
export interface Indexing extends Schema.Schema.Type<typeof Indexing> {}

/** An answer: rows, the cursor of the next ones where there are more, and `indexing` while the index is incomplete. */
export const Found = <Row extends Schema.Constraint>(row: Row) =>
  Schema.Struct({
    rows: Schema.Array(row),
    next: Schema.optionalKey(Schema.String),
    indexing: Schema.optionalKey(Indexing)
  })
export interface Found<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly next?: string
  readonly indexing?: Indexing
}

type Named<K extends Kind.Kind, More extends Schema.Struct.Fields> = K extends Kind.Kind
  ? Schema.Struct<{ readonly kind: Schema.Literal<K["name"]> } & More & K["row"]["fields"]>
  : never

function named<K extends Kind.Kind, const More extends Schema.Struct.Fields>(kind: K, more: More): Named<K, More>
function named({ name, row }: Kind.Kind, more: Schema.Struct.Fields): Schema.Struct<Schema.Struct.Fields> {
  return Schema.Struct({ kind: Schema.Literal(name), ...more, ...row.fields })
}

/** A row of any kind, with its kind. */
export const AnyRow = Schema.Union(Kind.all.map((kind) => named(kind, {})))
export type AnyRow = typeof AnyRow.Type

/**
 * A row that was found, with the part of its text where it was. `marked` are the places of what was found in `snippet`:
 * the index of the first UTF-16 unit of each, and of the one after its last.
 */
const found = {
  snippet: Schema.String,
  marked: Schema.Array(Schema.Tuple([Schema.Natural, Schema.Natural]))
}
/** A row that a search found, with its kind and the piece of its text where it was found. */
export const Match = Schema.Union(Kind.searched.map((kind) => named(kind, found)))
export type Match = typeof Match.Type

/** A question that was decoded. */
export interface Question {
  readonly filter: Selection.Filter
  readonly after: Selection.Place | undefined
  readonly limit: number
}

interface Given extends Selection.Filter {
  readonly limit?: number
  readonly cursor?: string
}

/** A question that is wrong in one field. */
export const wrong = (field: string, problem: string) => new QueryInvalid({ problems: [{ field, problem }] })

/** Decodes questions of a form: gives them as they are, and what they ask of a store. */
const decoder = <Input extends Given>(schema: Schema.Codec<Input>) => {
  const decode = Inputs.decoded(schema)
  return Effect.fnUntraced(function* (input: unknown) {
    const given = yield* Effect.mapError(decode(input), (problems) => new QueryInvalid({ problems }))
    const { kinds = [], limit = limits.usual, cursor } = given
    const after = cursor === undefined ? undefined : Option.getOrUndefined(Selection.placeFrom(cursor))
    const problems = kinds
      .filter((kind) => Kind.find(kind) === undefined)
      .map((kind) => ({ field: "kinds", problem: `${JSON.stringify(kind)} is not a known kind` }))
    if (cursor !== undefined && after === undefined) {
      problems.push({ field: "cursor", problem: "is not the next of an answer" })
    }
    if (problems.length > 0) return yield* new QueryInvalid({ problems })
    return { given, question: { filter: given, after, limit } satisfies Question }
  })
}

export const decodeRecent = decoder(RecentInput)
export const decodeSearchPage = decoder(SearchPageInput)
export const decodeSearch = decoder(SearchInput)
export const decodeAbout = decoder(AboutInput)
