/**
 * The replica: what this node holds, on disk or in memory.
 *
 * Guarantees, for every layer:
 * - State is the log. For each slot the winning operation is kept and nothing else.
 * - One transaction commits operations, vector clock, clock high-water mark and digest. A write is acknowledged after
 *   it is durable, and published after it is committed.
 * - Writes are serial. Timestamps of this node become visible in the order in which they were issued.
 * - `clock` makes claims: for every operation it covers, this store holds that operation or one that wins over it. What
 *   arrives beyond the clock is kept and shown, and becomes covered when a peer's round is complete.
 */
import { Context, type Effect, type Option, Schema, type Scope as EffectScope, type Stream } from "effect"
import type { Acknowledgement, Report } from "../../core/replica/Acknowledgement.ts"
import type * as Cut from "../../core/replica/Cut.ts"
import type { Digest } from "../../core/replica/Digest.ts"
import type { Timestamp } from "../../core/replica/Hlc.ts"
import type { countNames } from "../../core/replica/Kind.ts"
import type { Deleted, DeletedRequest, Scope as HistoryScope, Version } from "../../core/replica/History.ts"
import type { Shown } from "../../core/replica/Query.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Oddities } from "../../core/sync/Oddities.ts"
import { type Kind, Operation } from "../../core/replica/Operation.ts"
import type { Scope } from "../../core/replica/Purge.ts"
import type { RangePage, RangeRequest } from "../../core/replica/Ranges.ts"
import type { Batch, Change, Delta, DeltaRequest, Quarantined, Snapshot } from "../../core/replica/Replica.ts"
import type * as Selection from "../../core/replica/Selection.ts"
import type { VectorClock } from "../../core/replica/VectorClock.ts"
import type { KindMismatch, KindUnknown, StoreUnavailable } from "../node/NodeFailure.ts"
import type { Declared, Quota, Usage } from "./Opaque.ts"
import type { Relays } from "./Relays.ts"
import type * as Searching from "./Searching.ts"

export type { Batch, Change, Delta, DeltaRequest, Quarantined, Snapshot } from "../../core/replica/Replica.ts"

/** A local write before it gets its place in time. */
export type Draft = Pick<Operation, "op_id" | "table" | "op_type" | "row_id" | "data">

/** A commit: how a batch was taken. */
export interface Applied {
  readonly snapshot: Snapshot
  /** Whether anything has changed: rows, clock or quarantine. `snapshot` has a version of its own then. */
  readonly hasChanged: boolean
  /** The operations that changed a row. */
  readonly applied: number
  /** Operations that claimed an HLC which another content already had. */
  readonly conflicts: number
  /** The first operation of each origin that the quota for rows of unknown kinds keeps out. */
  readonly overQuota: VectorClock
}

/** Rows of one origin that were removed by hand. */
export interface Removed {
  readonly origin: NodeId
  readonly rows: number
  readonly bytes: number
}

/** The sums over all rows, and the stored values that were wrong. */
export interface Audited {
  readonly rows: number
  readonly digest: Digest
  readonly corrected: ReadonlyArray<string>
}

/** Which changes a reader wants. */
export interface FeedOptions {
  /** Whether the feed goes on when everything that was held is read; it does by default. */
  readonly follow?: boolean | undefined
  /**
   * The cursor of the last event that it has dealt with; `"0"` for everything that is held; without it, from now on.
   */
  readonly since?: string | undefined
  /** The kinds, as they are named on the wire; all kinds without it. */
  readonly kinds?: ReadonlyArray<string> | undefined
}

/**
 * What a reader of the feed is told. `Changed`: the next rows, in commit order, deletions included. It has no
 * operations where only the cursor has moved, as at the start of a feed without `since`. `Reset`: the cursor was not of
 * this store, or the past that the reader needs is gone. It has to drop what it has derived; everything that is held
 * follows.
 */
export const FeedEvent = Schema.TaggedUnion({
  Changed: { cursor: Schema.String, operations: Schema.Array(Operation) },
  Reset: { cursor: Schema.String }
})
export type FeedEvent = typeof FeedEvent.Type

/** How many rows there are of each kind. Tombstones are rows that were deleted. */
export type Counts = Readonly<Record<(typeof countNames)[number] | "quarantine", number>>

/** One origin: a node that has written. `coveredTo` and `latest` are timestamps; zero where there is none. */
export interface Origin {
  readonly node: NodeId
  readonly isSelf: boolean
  readonly rows: number
  /** Up to where everything that it wrote is here, or what took its place. */
  readonly coveredTo: Timestamp
  /** The greatest timestamp of it that was ever taken. */
  readonly latest: Timestamp
}

/**
 * Why an origin stays: it is this node, it has rows, some were purged, it is not known, or it has the greatest
 * timestamp of all.
 */
export type Kept = "self" | "rows" | "purged" | "unknown" | "latest"

/** Origins that were forgotten, and those that stay. */
export interface Forgotten {
  readonly forgotten: ReadonlyArray<NodeId>
  readonly kept: ReadonlyMap<NodeId, Kept>
}

/** When tombstones may be dropped: see `Cut.Known`. */
export type Policy = Pick<Cut.Known, "removed" | "connected" | "keepMs" | "mayLeaveOut">

export class Store extends Context.Service<
  Store,
  {
    /** The identity of this replica, made once and kept with the data. */
    readonly nodeId: NodeId
    /** How far our own history went when this store was opened. */
    readonly ownTimestampAtOpen: Timestamp
    /**
     * Writes locally: gives each draft the next HLC, commits all of them, publishes. Returns them in order. All of them
     * are refused when one is of a kind that this version does not know.
     */
    append(drafts: ReadonlyArray<Draft>): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable | KindUnknown>
    /**
     * Merges what a peer sent and moves the clock to what it covers, in one transaction. What exceeds the quota for
     * rows of unknown kinds is left out; the quota is not for what the owner brings.
     */
    apply(batch: Batch, by?: "peer" | "owner"): Effect.Effect<Applied, StoreUnavailable>
    /**
     * Makes all that was committed until now survive a loss of power. Local writes do so anyway; what came from peers
     * can be had from them again, what was imported cannot.
     */
    readonly sync: Effect.Effect<void, StoreUnavailable>
    /** Reads the next operations beyond the given timestamps. */
    delta(request: DeltaRequest): Effect.Effect<Delta, StoreUnavailable>
    /** Reads the next operations of a range of rows: of all kinds, tombstones included. */
    range(request: RangeRequest): Effect.Effect<RangePage, StoreUnavailable>
    /** The state now. Does not touch the disk. */
    readonly snapshot: Effect.Effect<Snapshot>
    /** How far this node has seen each origin. */
    readonly vectorClock: Effect.Effect<VectorClock>
    /** The digest of all rows. */
    readonly digest: Effect.Effect<Digest>
    /**
     * Every commit from now on. A subscriber that falls more than 1,024 commits behind loses the oldest, which shows as
     * a gap in `version`; what was written is in the store all the same.
     */
    readonly changes: Stream.Stream<Change>
    /** The changes since a cursor, then all further ones. See `FeedReader.ts`. */
    feed(options?: FeedOptions): Stream.Stream<FeedEvent, StoreUnavailable>
    /** The versions of a row that are kept on this node, the newest first; see `core/replica/History.ts`. */
    versions(kind: string, rowId: string): Effect.Effect<ReadonlyArray<Version>, StoreUnavailable>
    /** The kept versions with a smaller number that lost to a write whose node had not seen them, the newest first. */
    conflicts(before: number, limit: number): Effect.Effect<ReadonlyArray<Version>, StoreUnavailable>
    /** The deleted rows of which a version is kept that can be written again, the one that was deleted last first. */
    deleted(request: DeletedRequest): Effect.Effect<ReadonlyArray<Deleted>, StoreUnavailable>
    /** Erases kept versions. */
    eraseVersions(scope: HistoryScope): Effect.Effect<void, StoreUnavailable>
    /** The operation that holds a row of a known kind, also when it is a tombstone. Unknown kinds have no rows yet. */
    get(kind: Kind, rowId: string): Effect.Effect<Option.Option<Operation>, StoreUnavailable>
    /** All operations that the slots of a row hold: more than one where the rule of its kind has parts of rows. */
    currentOfRow(kind: Kind, rowId: string): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
    /** Rows of a kind of an application that was declared here, as they are shown; see `core/replica/Query.ts`. */
    rows(kind: Kind, request: Searching.RowsRequest): Effect.Effect<ReadonlyArray<Shown>, StoreUnavailable>
    /** The kinds that applications have declared here, with the columns of their rows. */
    readonly declared: Effect.Effect<Declared>
    /**
     * Declares kinds of applications, by their names on the wire, with the columns of their rows. They stay declared.
     * Fails when there are rows of the same name with another rule, and this kind was not declared here before.
     */
    declare(kinds: Declared): Effect.Effect<void, StoreUnavailable | KindMismatch>
    /** The kinds of which there are rows. */
    readonly kinds: Effect.Effect<ReadonlyArray<string>, StoreUnavailable>
    /** The rows of a kind, without tombstones, in the order of their ids, after the id `after`. */
    list(
      kind: Kind,
      options: { readonly after?: string | undefined; readonly limit: number }
    ): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
    /** The rows that filters leave, newest first. See `core/replica/Selection.ts`. */
    select(request: Selection.Request): Effect.Effect<Selection.Page, StoreUnavailable>
    /**
     * The rows whose text fits to a query, the best first; see `core/search/SearchQuery.ts`. After many rows came, the
     * answer says how far they are indexed: others may be missing.
     */
    search(request: Searching.Request): Effect.Effect<Searching.Hits, StoreUnavailable>
    /** How far the index of searches has come; none when it is complete, or there is none. */
    readonly indexing: Effect.Effect<Searching.Indexing | undefined, StoreUnavailable>
    /** Indexes everything for searches, which takes its time after many rows came. */
    readonly index: Effect.Effect<void, StoreUnavailable>
    /** The oddities from other nodes since this store was opened. */
    readonly oddities: Effect.Effect<Oddities>
    /**
     * What rows of kinds without a use here take and may take, and the first operation of each origin that is kept out.
     */
    readonly opaque: Effect.Effect<{ readonly usage: Usage; readonly quota: Quota; readonly overQuota: VectorClock }>
    /**
     * Removes the rows of a kind or of an origin from this replica, in small steps, each a transaction. Nothing is
     * published of it but new versions. See `core/replica/Purge.ts`. `isDry` only counts them.
     */
    purge(scope: Scope, options?: { readonly isDry?: boolean }): Effect.Effect<ReadonlyArray<Removed>, StoreUnavailable>
    /** The nodes that have written something that was taken here: those with the most rows first. */
    readonly origins: Effect.Effect<ReadonlyArray<Origin>>
    /**
     * Forgets origins of which no row is left. Where some of them have to stay, none is forgotten, and it is said why.
     */
    forgetOrigins(origins: ReadonlyArray<NodeId>): Effect.Effect<Forgotten, StoreUnavailable>
    readonly counts: Effect.Effect<Counts, StoreUnavailable>
    /** How many rows there are of each kind of an application that was declared here. */
    readonly ownCounts: Effect.Effect<ReadonlyMap<string, number>, StoreUnavailable>
    readonly quarantine: Effect.Effect<ReadonlyArray<Quarantined>, StoreUnavailable>
    /** Notes the state of a peer: its acknowledged clock, and whether its rows are the same as ours. */
    acknowledge(report: Report): Effect.Effect<void>
    /** Which other nodes have acknowledged which clock, and when. See `core/replica/Acknowledgement.ts`. */
    readonly acknowledgements: Effect.Effect<ReadonlyArray<Acknowledgement>>
    /** What nodes that this one does not meet have acknowledged, for those who wait for it. */
    readonly relays: Relays
    /** Listens from now on: what it gives waits until another node has acknowledged something, or is told to have. */
    readonly listen: Effect.Effect<Effect.Effect<void>, never, EffectScope.Scope>
    /** Takes over the cut of a peer, before rows are taken from it; only a replica that came in fresh does. */
    adopt(told: Cut.Told): Effect.Effect<void, StoreUnavailable>
    /** Notes that this node was too long away, for a peer. */
    readonly noteAway: Effect.Effect<void, StoreUnavailable>
    /**
     * Moves the cut as far as it may go, and drops what it covers, in small steps. Without a policy only the latter.
     * Returns how many tombstones were dropped.
     */
    collect(policy: Policy | undefined): Effect.Effect<number, StoreUnavailable>
    /** How many tombstones a clock covers. */
    tombstones(covered: VectorClock): Effect.Effect<number, StoreUnavailable>
    /** How many operations are here that a clock does not cover; more than `most` are not counted. */
    countBeyond(clock: VectorClock, most: number): Effect.Effect<number, StoreUnavailable>
    /** Why the last commit failed, where it did: the disk is full, for example. */
    readonly lastCommitFailure: Effect.Effect<Option.Option<StoreUnavailable>>
    /** The problems of the file with the rows; none when the list is empty. Reads all of it. */
    readonly damage: Effect.Effect<ReadonlyArray<string>, StoreUnavailable>
    /**
     * The failure that showed that the rows are damaged: if there was one, or as soon as there is one. Nothing is
     * written from then on; what can be read still is.
     */
    readonly damageFound: Effect.Effect<Option.Option<StoreUnavailable>>
    readonly damageAwaited: Effect.Effect<StoreUnavailable>
    /**
     * Adds up all rows anew, while the store goes on, and corrects what it keeps of them where that was wrong. Should
     * be used with a store that is open for writing.
     */
    readonly audit: Effect.Effect<Audited, StoreUnavailable>
    /** Writes a consistent copy of a running store to `file`. */
    backup(file: string): Effect.Effect<void, StoreUnavailable>
  }
>()("feral-sync/services/store/Store") {}
