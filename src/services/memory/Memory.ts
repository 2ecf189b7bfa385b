/**
 * The memory of an agent: what applications read and write. Every write is a replicated operation, and is done when it is
 * durable here; it reaches the other nodes as soon as they are connected.
 */
import { Context, type Effect, Schema, type Stream } from "effect"
import { Episode, type Execution, Fact, Note } from "../../core/replica/Row.ts"
import type { InputInvalid, OperationTooLarge, RowNotFound, StoreUnavailable } from "../node/NodeFailure.ts"
import type { EpisodeInput, ExecutionInput, FactInput, NoteInput, SearchInput } from "./Inputs.ts"
import type { Change } from "../store/Store.ts"

export { EpisodeInput, ExecutionArgs, ExecutionInput, FactInput, NoteInput, SearchInput } from "./Inputs.ts"

/** What a write returns: the row's id and the HLC of the operation, as text. */
export const Written = Schema.Struct({ id: Schema.String, hlc: Schema.String })
export interface Written extends Schema.Schema.Type<typeof Written> {}

/** Which rows to list: at most `limit` (default: all), in the order of their ids, after the id `after`. */
export const Page = Schema.Struct({
  after: Schema.optionalKey(Schema.String),
  limit: Schema.optionalKey(Schema.Natural)
})
export interface Page extends Schema.Schema.Type<typeof Page> {}

const found = { snippet: Schema.String }

/** A row that was found, with the part of its text where it was. */
export const Match = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("notes"), ...found, ...Note.fields }),
  Schema.Struct({ kind: Schema.Literal("knowledge"), ...found, ...Fact.fields }),
  Schema.Struct({ kind: Schema.Literal("episodes"), ...found, ...Episode.fields })
])
export type Match = typeof Match.Type

type Write = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | InputInvalid>
type Change_ = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | RowNotFound>
type Edit = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | RowNotFound | InputInvalid>
type Rows<Row> = Effect.Effect<ReadonlyArray<Row>, StoreUnavailable>

export class Memory extends Context.Service<
  Memory,
  {
    readonly notes: {
      /** Writes a new note. */
      put(input: NoteInput): Write
      /** Replaces the content of a note; tags, importance and the rest stay as they are. */
      edit(id: string, content: string): Edit
      /** Deletes a note everywhere. */
      delete(id: string): Change_
      list(page?: Page): Rows<Note>
    }
    readonly facts: {
      /** States that `subject predicate` is `object`: replaces what any node stated about the two before. */
      set(input: FactInput): Write
      /** States one more fact beside those that are there. */
      add(input: FactInput): Write
      /** Takes a fact back, everywhere. */
      delete(id: string): Change_
      list(page?: Page): Rows<Fact>
    }
    readonly episodes: {
      /** Records an episode. Episodes are never changed or deleted. */
      record(input: EpisodeInput): Write
      list(page?: Page): Rows<Episode>
    }
    readonly executionLog: {
      /** Appends an entry. Entries are never changed or deleted. */
      append(input: ExecutionInput): Write
      list(page?: Page): Rows<Execution>
    }
    /** The notes, facts and episodes that have all the words of a query, the newest first. */
    search(input: SearchInput): Rows<Match>
    /** Every commit from now on, local or replicated; see `Store.changes`. */
    readonly changes: Stream.Stream<Change>
  }
>()("feral-sync/services/memory/Memory") {}
