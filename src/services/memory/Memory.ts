/**
 * The memory of an agent: what applications read and write. Every write is a replicated operation, and is done when it
 * is durable here; it reaches the other nodes as soon as they are connected.
 */
import { Context, Effect, Record, Schema, type Stream } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import {
  Holder,
  type InputInvalid,
  type KindUndeclared,
  type NotYetOnNodes,
  type OperationTooLarge,
  type QueryInvalid,
  type RowNotFound,
  type StoreUnavailable,
  type VersionNotFound
} from "../node/NodeFailure.ts"
import type { FactInput, NoteChange } from "./Inputs.ts"
import type { Any, Collection as OwnCollection } from "./OwnKind.ts"
import type { OwnRows } from "./OwnRows.ts"
import type { NewestInput, NewestRow } from "./Newest.ts"
import type {
  AboutInput,
  AnyRow,
  Found,
  Match,
  Page,
  RecentInput,
  SearchInput,
  SearchPageInput,
  Written
} from "./Reads.ts"
import type { Conflicts, ConflictsInput, DeletedInput, DeletedRow, VersionRow } from "./Versions.ts"
import type { WaitInput } from "./Waiting.ts"
import type { Fact } from "../../core/replica/Row.ts"
import type { Change, FeedEvent, FeedOptions } from "../store/Store.ts"

export { Conflicts, ConflictsInput, DeletedInput, DeletedRow, VersionRow } from "./Versions.ts"
export { NewestInput, NewestRow } from "./Newest.ts"
export { WaitInput } from "./Waiting.ts"
export { FeedEvent, type FeedOptions } from "../store/Store.ts"

export { EpisodeInput, ExecutionArgs, ExecutionInput, FactInput, NoteChange, NoteInput } from "./Inputs.ts"
export {
  AboutInput,
  AnyRow,
  Found,
  Indexing,
  Match,
  Page,
  RecentInput,
  SearchInput,
  SearchPageInput,
  Written
} from "./Reads.ts"

export type Write = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | InputInvalid>
export type Remove = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | RowNotFound | InputInvalid>
type Edit = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | RowNotFound | InputInvalid>
type Reading<A> = Effect.Effect<A, StoreUnavailable | QueryInvalid>
export type Rows<Row> = Effect.Effect<ReadonlyArray<Row>, StoreUnavailable>

/** The nodes that have a write, and those that are not known to have it: the one that was heard of last comes first. */
export const Reached = Schema.Struct({ reached: Schema.Array(Holder), missing: Schema.Array(Holder) })
export interface Reached extends Schema.Schema.Type<typeof Reached> {}
export type Restore = Effect.Effect<Written, StoreUnavailable | OperationTooLarge | VersionNotFound | InputInvalid>
export type Waiting = Effect.Effect<Reached, StoreUnavailable | NotYetOnNodes | QueryInvalid | RowNotFound>

/** What writes a new row of a kind, by its verb. */
export type Inserting<K extends Kind.Kind> = { readonly [Verb in K["verb"]]: (input: K["input"]["Type"]) => Write }

/** What deletes a row of a kind, everywhere. */
export interface Deleting {
  delete(id: string): Remove
}

/** What applications do with the rows of a kind. Those of a log are never changed or deleted. */
export type Collection<K extends Kind.Kind> = { list(page?: Page): Rows<K["row"]["Type"]> } & Inserting<K> &
  (K["rule"] extends "lww" ? Deleting : unknown)

/** A collection for each kind. */
export type Collections = { readonly [Name in keyof Kind.Table]: Collection<Kind.Table[Name]> }

/** The operations on rows of any kind. A page has at most `limit` rows. */
interface Operations {
  readonly pageRows: number
  readonly page: (kind: Kind.Kind) => (page: Page & { readonly limit: number }) => Rows<{ readonly id: string }>
  readonly insert: (kind: Kind.Kind) => (input: object) => Write
  readonly remove: (kind: Kind.Kind) => (id: string) => Remove
}

/** The collections of all kinds. A list is read page by page. */
export function collections(operations: Operations): Collections
export function collections({ pageRows, page, insert, remove }: Operations): Record<keyof Kind.Table, object> {
  return Record.map(Kind.table, (kind: Kind.Kind) => {
    const read = page(kind)
    const list = Effect.fn(`Memory.${kind.name}.list`)(function* ({ after, limit = Infinity }: Page = {}) {
      const rows: Array<{ readonly id: string }> = []
      let last = after
      while (rows.length < limit) {
        const wanted = Math.min(limit - rows.length, pageRows)
        const next = yield* read({ ...(last === undefined ? {} : { after: last }), limit: wanted })
        for (const row of next) rows.push(row)
        last = next.at(-1)?.id
        if (next.length < wanted) break
      }
      return rows
    })
    return { list, [kind.verb]: insert(kind), ...(kind.rule === "lww" ? { delete: remove(kind) } : {}) }
  })
}

export class Memory extends Context.Service<
  Memory,
  Collections & {
    readonly notes: {
      /** Replaces the content of a note, or what a change says; the rest stays as it is. */
      edit(id: string, change: string | NoteChange): Edit
    }
    readonly facts: {
      /** States that `subject predicate` is `object`: replaces what any node stated about the two before. */
      set(input: FactInput): Write
      /** The facts with this subject, newest first. */
      about(input: AboutInput): Reading<Found<Fact>>
    }
    /** The rows of a kind that an application has declared. Using one that was not declared is a defect. */
    collection<K extends Any>(kind: K): OwnCollection<K>
    /** The rows of kinds of applications in JSON, also of those that this program does not know. */
    readonly own: OwnRows
    /** The row of a kind with this id. Kinds are named as on the wire. */
    get(kind: string, id: string): Effect.Effect<AnyRow, StoreUnavailable | RowNotFound | QueryInvalid>
    /** The rows that fit all filters, newest first. Of one kind: `recent({ kinds: ["notes"] })`. */
    recent(input?: RecentInput): Reading<Found<AnyRow>>
    /** The rows that were written last, of all kinds or of some: those of applications too. */
    newest(input?: NewestInput): Effect.Effect<Found<NewestRow>, StoreUnavailable | QueryInvalid | KindUndeclared>
    /**
     * The rows that `recent` gives, now and after each change of them, up to 1,000 where no limit is given. No change
     * is missed. A slow reader is spared the states in between.
     */
    live(input?: Omit<RecentInput, "cursor">): Stream.Stream<ReadonlyArray<AnyRow>, StoreUnavailable | QueryInvalid>
    /** The rows that have all the words of a query, as far as they are indexed now. */
    searchPage(input: SearchPageInput): Reading<Found<Match>>
    /** The same once everything is indexed, which takes its time after many rows came in. */
    search(input: SearchInput): Reading<ReadonlyArray<Match>>
    /**
     * The versions of a row that were replaced, deleted, or came too late, as far as this node keeps them: the newest
     * first. A deleted row is found.
     */
    history(
      kind: string,
      id: string
    ): Effect.Effect<ReadonlyArray<VersionRow>, StoreUnavailable | RowNotFound | QueryInvalid>
    /**
     * The deleted rows that `restoreVersion` can bring back, as far as this node keeps them: the one deleted last comes
     * first.
     */
    deleted(input?: DeletedInput): Reading<Found<DeletedRow>>
    /** Writes a version again, over what the row is now; also when it was deleted. */
    restoreVersion(kind: string, id: string, version: number): Restore
    /** What last-writer-wins decided between writes that had not seen each other, the newest first. */
    conflicts(input?: ConflictsInput): Effect.Effect<Conflicts, StoreUnavailable>
    /** Erases the kept versions of a row. */
    eraseHistory(kind: string, id: string): Effect.Effect<void, StoreUnavailable | InputInvalid>
    /**
     * Waits until as many other nodes have acknowledged a write, and says which. The write itself is done before: one
     * that is not acknowledged in time is on its way all the same.
     */
    waitFor(input: WaitInput): Waiting
    /** Every commit from now on, local or replicated; see `Store.changes`. */
    readonly changes: Stream.Stream<Change>
    /**
     * The changes since a cursor, then all further ones, in the order in which they were committed here. An application
     * that was away goes on from the cursor of the last event that it has dealt with. See `Store.feed`.
     */
    feed(options?: FeedOptions): Stream.Stream<FeedEvent, StoreUnavailable>
  }
>()("feral-sync/services/memory/Memory") {}
