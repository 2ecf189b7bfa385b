/**
 * What applications may write, for the library, the local interface and the command line alike. A value that is not as
 * it should be, or a key that means nothing, fails as `InputInvalid`, with every problem in it. Nothing is dropped or
 * mended in silence.
 */
import { Effect, Schema, SchemaIssue } from "effect"
import * as Column from "../../core/replica/Column.ts"
import * as Kind from "../../core/replica/Kind.ts"
import * as SchemaWords from "../../core/text/SchemaWords.ts"
import { InputInvalid } from "../node/NodeFailure.ts"

/** The arguments of a skill: a JSON object, or a list. */
export const ExecutionArgs = Column.JsonInput

/** A new note. `importance` is `low`, `normal` (the default) or `high`. */
export const NoteInput = Kind.table.notes.input
export interface NoteInput extends Schema.Schema.Type<typeof NoteInput> {}

/** What can be changed of a note: its content, and its tags, of which some come and some go. Something has to be. */
export const NoteChange = Schema.Struct({
  content: Schema.optionalKey(Kind.table.notes.columns.content.input),
  tag: Kind.table.notes.columns.tags.input,
  untag: Kind.table.notes.columns.tags.input
}).check(
  Schema.makeFilter((change) => Object.keys(change).length > 0 || "has no content, tag or untag: nothing would change")
)
export interface NoteChange extends Schema.Schema.Type<typeof NoteChange> {}

/** A statement: subject, predicate, object. `confidence` is 0 to 1. */
export const FactInput = Kind.table.facts.input
export interface FactInput extends Schema.Schema.Type<typeof FactInput> {}

/** Something that happened. `importance` is 0 to 1. */
export const EpisodeInput = Kind.table.episodes.input
export interface EpisodeInput extends Schema.Schema.Type<typeof EpisodeInput> {}

/** One run of a skill. */
export const ExecutionInput = Kind.table.executionLog.input
export interface ExecutionInput extends Schema.Schema.Type<typeof ExecutionInput> {}

const problemsOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** What is wrong with a field of an input. */
export interface Problem {
  readonly field: string
  readonly problem: string
}

/** Decodes untrusted values; fails with all problems. */
export const decoded = <S extends Schema.Codec<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })
  return (input: unknown): Effect.Effect<S["Type"], ReadonlyArray<Problem>> =>
    Effect.mapError(decode(input), ({ issue }) => problemsIn(issue))
}

/** The problems of a value that does not fit its schema. */
export const problemsIn = (issue: SchemaIssue.Issue): ReadonlyArray<Problem> =>
  problemsOf(issue).issues.map(({ path = [], message }) => ({
    field: path.map((part) => String(typeof part === "object" ? part.key : part)).join("."),
    problem: SchemaWords.problemIn(message)
  }))

/** Decodes untrusted input of a write. */
export const decoder = <S extends Schema.Codec<unknown>>(schema: S) => {
  const decode = decoded(schema)
  return (input: unknown): Effect.Effect<S["Type"], InputInvalid> =>
    Effect.mapError(decode(input), (problems) => new InputInvalid({ problems }))
}

/** Encodes what applications write. */
export const encoder = (schema: Schema.Codec<unknown>) => {
  const encode = Schema.encodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })
  return (input: unknown): Effect.Effect<unknown, InputInvalid> =>
    Effect.mapError(encode(input), ({ issue }) => new InputInvalid({ problems: problemsIn(issue) }))
}

export const decodeNote = decoder(NoteInput)
export const decodeNoteChange = decoder(NoteChange)
export const decodeFact = decoder(FactInput)
