/**
 * The rows that an application sees: the columns of each kind, read from the operation that holds the row.
 *
 * Reading is lenient: a column that is missing or of another type gets its default, for a row written by another
 * implementation must never hide the others. Times are Unix seconds. `updated_at` is the wall time of the winning HLC, never
 * the clock of the receiver, so that replicas are equal row for row.
 */
import { Schema } from "effect"
import { NodeId } from "./NodeId.ts"

const provenance = { updated_at: Schema.Finite, origin_node: NodeId, hlc: Schema.String }

/** A note. `tags` is the text of a JSON array of strings. */
export const Note = Schema.Struct({
  id: Schema.String,
  content: Schema.String,
  tags: Schema.String,
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

/** One run of a skill. `args` is JSON text. */
export const Execution = Schema.Struct({
  id: Schema.String,
  session_id: Schema.String,
  skill_id: Schema.String,
  endpoint_id: Schema.String,
  args: Schema.String,
  result_status: Schema.String,
  result_summary: Schema.String,
  latency_ms: Schema.Finite,
  created_at: Schema.Finite,
  ...provenance
})
export interface Execution extends Schema.Schema.Type<typeof Execution> {}
