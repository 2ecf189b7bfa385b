/**
 * What applications may write, for the library, the local interface and the command line alike. A value that is not as it should
 * be, or a key that means nothing, fails as `InputInvalid`, with every problem in it. Nothing is dropped or mended in silence.
 */
import { Effect, Schema, SchemaIssue } from "effect"
import { isWellFormed } from "../../core/replica/Json.ts"
import { InputInvalid } from "../node/NodeFailure.ts"

/** No other program could read half of a surrogate pair. Keys of objects are looked at too. */
const wellFormed = Schema.makeFilter(
  (value: unknown) =>
    isWellFormed(value) || "holds half of a surrogate pair: cut text between characters, or use toWellFormed"
)

/** Text that may be empty. */
const AnyText = Schema.String.check(wellFormed)

/** Text that says something: more than white space. */
const Text = AnyText.check(Schema.makeFilter((text) => text.trim() !== "" || "has no text"))

/** A number from 0 to 1. */
const Share = Schema.Finite.check(
  Schema.makeFilter((value) => (value >= 0 && value <= 1) || `${value} is not a number from 0 to 1`)
)

/** How important a note is. */
export const importances = ["low", "normal", "high"] as const
const Importance = Schema.String.check(
  Schema.makeFilter(
    (word) =>
      importances.some((importance) => importance === word) || `${JSON.stringify(word)} is not low, normal or high`
  )
)

/** What a skill was called with: a JSON object, or a list. */
export const ExecutionArgs = Schema.Union([
  Schema.Record(Schema.String, Schema.Unknown),
  Schema.Array(Schema.Unknown)
]).check(wellFormed)

/** A new note. `importance` is `low`, `normal` (the default) or `high`. */
export const NoteInput = Schema.Struct({
  content: Text,
  tags: Schema.optionalKey(Schema.Array(Text)),
  importance: Schema.optionalKey(Importance),
  source: Schema.optionalKey(Text)
})
export interface NoteInput extends Schema.Schema.Type<typeof NoteInput> {}

/** What can be changed of a note. */
export const NoteChange = Schema.Struct({ content: Text })
export interface NoteChange extends Schema.Schema.Type<typeof NoteChange> {}

/** A statement: subject, predicate, object. `confidence` is 0 to 1. */
export const FactInput = Schema.Struct({
  subject: Text,
  predicate: Text,
  object: Text,
  confidence: Schema.optionalKey(Share),
  source: Schema.optionalKey(Text)
})
export interface FactInput extends Schema.Schema.Type<typeof FactInput> {}

/** Something that happened. `importance` is 0 to 1. */
export const EpisodeInput = Schema.Struct({
  session_id: Text,
  event_type: Text,
  summary: Text,
  detail: Schema.optionalKey(AnyText),
  importance: Schema.optionalKey(Share)
})
export interface EpisodeInput extends Schema.Schema.Type<typeof EpisodeInput> {}

/** One run of a skill. */
export const ExecutionInput = Schema.Struct({
  session_id: Text,
  skill_id: Text,
  endpoint_id: Text,
  result_status: Text,
  args: Schema.optionalKey(ExecutionArgs),
  result_summary: Schema.optionalKey(AnyText),
  latency_ms: Schema.optionalKey(
    Schema.Finite.check(Schema.makeFilter((value) => value >= 0 || `${value} is less than 0`))
  )
})
export interface ExecutionInput extends Schema.Schema.Type<typeof ExecutionInput> {}

/** What to look for: plain words, of which a row must have all, the last one as a beginning. At most `limit` rows (default: 20). */
export const SearchInput = Schema.Struct({
  query: Schema.String.check(Schema.isMaxLength(4_000)),
  limit: Schema.optionalKey(Schema.Natural)
})
export interface SearchInput extends Schema.Schema.Type<typeof SearchInput> {}

const problemsOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Decodes what came from outside, typed or not. */
const decoder = <S extends Schema.Codec<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })
  return (input: unknown): Effect.Effect<S["Type"], InputInvalid> =>
    Effect.mapError(
      decode(input),
      ({ issue }) =>
        new InputInvalid({
          problems: problemsOf(issue).issues.map(({ path = [], message }) => ({
            field: path.map((part) => String(typeof part === "object" ? part.key : part)).join("."),
            problem: plain[message] ?? message
          }))
        })
    )
}

/** What Schema says, in the words of our messages. */
const plain: Partial<Record<string, string>> = {
  "Missing key": "is missing",
  "Expected no excess property": "is not a known field",
  "Expected string": "is not text",
  "Expected object": "is not an object",
  "Expected array": "is not a list",
  "Expected number": "is not a number",
  "Expected a finite number": "is not a finite number"
}

export const decodeNote = decoder(NoteInput)
export const decodeNoteChange = decoder(NoteChange)
export const decodeFact = decoder(FactInput)
export const decodeEpisode = decoder(EpisodeInput)
export const decodeExecution = decoder(ExecutionInput)
