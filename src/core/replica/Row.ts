/**
 * The rows that an application sees: the columns of each kind, read from the operation that holds the row.
 *
 * Reading is lenient: a column that is missing or of another type gets its default, for a row written by another
 * implementation must never hide the others. Times are Unix seconds. `updated_at` is the wall time of the winning HLC, never
 * the clock of the receiver, so that replicas are equal row for row.
 */
import { Predicate, Result, Schema } from "effect"
import * as Hlc from "./Hlc.ts"
import { parse, parseExact, wellFormed } from "./Json.ts"
import { NodeId } from "./NodeId.ts"
import { maxDataDepth, type Operation } from "./Operation.ts"

const provenance = { updated_at: Schema.Finite, origin_node: NodeId, hlc: Schema.String }

/** A note. */
export const Note = Schema.Struct({
  id: Schema.String,
  content: Schema.String,
  tags: Schema.Array(Schema.String),
  importance: Schema.String,
  source: Schema.String,
  created_at: Schema.Finite,
  ...provenance
})
export interface Note extends Schema.Schema.Type<typeof Note> {}

/** A statement about the world. `confidence` is 0 to 1. */
export const Fact = Schema.Struct({
  id: Schema.String,
  subject: Schema.String,
  predicate: Schema.String,
  object: Schema.String,
  confidence: Schema.Finite,
  source: Schema.String,
  created_at: Schema.Finite,
  ...provenance
})
export interface Fact extends Schema.Schema.Type<typeof Fact> {}

/** Something that happened. `importance` is 0 to 1. */
export const Episode = Schema.Struct({
  id: Schema.String,
  session_id: Schema.String,
  event_type: Schema.String,
  summary: Schema.String,
  detail: Schema.String,
  importance: Schema.Finite,
  created_at: Schema.Finite,
  emotions: Schema.optionalKey(Schema.Unknown),
  location: Schema.optionalKey(Schema.Unknown),
  participants: Schema.optionalKey(Schema.Unknown),
  ...provenance
})
export interface Episode extends Schema.Schema.Type<typeof Episode> {}

/** One run of a skill. `args` are as they were given; a stored value that is neither an object nor a list is under `value`. */
export const Execution = Schema.Struct({
  id: Schema.String,
  session_id: Schema.String,
  skill_id: Schema.String,
  endpoint_id: Schema.String,
  args: Schema.Union([Schema.Record(Schema.String, Schema.Unknown), Schema.Array(Schema.Unknown)]),
  result_status: Schema.String,
  result_summary: Schema.String,
  latency_ms: Schema.Finite,
  created_at: Schema.Finite,
  ...provenance
})
export interface Execution extends Schema.Schema.Type<typeof Execution> {}

/** The note that an operation holds. */
export const noteFromOperation = (operation: Operation): Note => {
  const columns = columnsOf(operation)
  return {
    id: operation.row_id,
    content: text(columns.content, ""),
    tags: tags(columns.tags),
    importance: text(columns.importance, "normal"),
    source: text(columns.source, "user"),
    ...originOf(operation, columns)
  }
}

/** The statement that an operation holds. */
export const factFromOperation = (operation: Operation): Fact => {
  const columns = columnsOf(operation)
  return {
    id: operation.row_id,
    subject: text(columns.subject, ""),
    predicate: text(columns.predicate, ""),
    object: text(columns.object, ""),
    confidence: number(columns.confidence, 1),
    source: text(columns.source, "user"),
    ...originOf(operation, columns)
  }
}

/** The episode that an operation holds. */
export const episodeFromOperation = (operation: Operation): Episode => {
  const columns = columnsOf(operation)
  const { emotions, location, participants } = columns
  return {
    id: operation.row_id,
    session_id: text(columns.session_id, ""),
    event_type: text(columns.event_type, ""),
    summary: text(columns.summary, ""),
    detail: text(columns.detail, ""),
    importance: number(columns.importance, 0.5),
    ...(emotions === undefined ? {} : { emotions: wellFormed(emotions) }),
    ...(location === undefined ? {} : { location: wellFormed(location) }),
    ...(participants === undefined ? {} : { participants: wellFormed(participants) }),
    ...originOf(operation, columns)
  }
}

/** The run that an operation holds. */
export const executionFromOperation = (operation: Operation): Execution => {
  const columns = columnsOf(operation)
  return {
    id: operation.row_id,
    session_id: text(columns.session_id, ""),
    skill_id: text(columns.skill_id, ""),
    endpoint_id: text(columns.endpoint_id, ""),
    args: args(columns.args),
    result_status: text(columns.result_status, ""),
    result_summary: text(columns.result_summary, ""),
    latency_ms: number(columns.latency_ms, 0),
    ...originOf(operation, columns)
  }
}

/** The columns in the data of an operation, as they came; none when the data is no object. */
export const columnsOf = ({ data }: Operation): Columns => {
  const value = Result.getOrElse(parse(data, maxDataDepth), () => undefined)
  return Predicate.isObject(value) ? { ...value } : {}
}

/** The same with all digits of the numbers, for a row that is written again. */
export const exactColumnsOf = ({ data }: Operation): Columns => {
  const value = Result.getOrElse(parseExact(data, maxDataDepth), () => undefined)
  return Predicate.isObject(value) ? { ...value } : {}
}

export interface Columns {
  readonly [column: string]: unknown
}

/** Without a time of its own, a row was made when its operation was. */
const originOf = ({ hlc, timestamp }: Operation, { created_at }: Columns) => ({
  created_at: number(created_at, timestamp),
  updated_at: hlc.wall / 1000,
  origin_node: hlc.node,
  hlc: Hlc.toText(hlc)
})

/** Half a surrogate pair is no character: other programs cannot take it, so it shows as U+FFFD. */
const text = (value: unknown, byDefault: string): string =>
  Predicate.isString(value) ? value.toWellFormed() : byDefault

const number = (value: unknown, byDefault: number): number => (Number.isFinite(value) ? Number(value) : byDefault)

/** What a text of JSON says; a text that is none stands for itself. */
const fromText = (text: string): unknown => Result.getOrElse(parse(text, maxDataDepth), () => text)

/** The texts of a list, which some write as a text of JSON. What is no list is one tag, so that nothing is left out. */
const tags = (column: unknown): ReadonlyArray<string> => {
  if (column === "") return []
  const value = wellFormed(Predicate.isString(column) ? fromText(column) : column)
  if (Array.isArray(value)) return value.map((item) => text(item, JSON.stringify(item)))
  if (Predicate.isString(column)) return [text(column, "")]
  return Predicate.isObject(value) ? [JSON.stringify(value)] : []
}

const args = (column: unknown): Execution["args"] => {
  if (column === "") return {}
  const value = wellFormed(Predicate.isString(column) ? fromText(column) : column)
  if (Array.isArray(value)) return value
  if (Predicate.isObject(value)) return value
  return Predicate.isString(column) ? { value } : {}
}
