/**
 * The replica: what this node holds, on disk or in memory.
 *
 * Guarantees, for every layer:
 * - State is the log. For each slot the winning operation is kept and nothing else.
 * - One transaction commits operations, vector clock, clock high-water mark and digest. A write is acknowledged after it is
 *   durable, and published after it is committed.
 * - Writes are serial. Readings of this node become visible in the order in which they were issued.
 * - `clock` makes claims: for every operation it covers, this store holds that operation or one that wins over it. What
 *   arrives beyond the clock is kept and shown, and becomes covered when a peer's round is complete.
 */
import { Context, type Effect, type Option, type Stream } from "effect"
import type { Digest } from "../core/Digest.ts"
import type { Reading } from "../core/Hlc.ts"
import type { NodeId } from "../core/NodeId.ts"
import type { Kind, Operation } from "../core/Operation.ts"
import type { VectorClock } from "../core/VectorClock.ts"
import type { StoreUnavailable } from "./Failure.ts"

/** A local write before it gets its place in time. */
export type Draft = Pick<Operation, "op_id" | "table" | "op_type" | "row_id" | "data">

/** Something a peer sent that is no operation. Kept, bounded in count and size, so that an operator can look at it. */
export interface Quarantined {
  readonly peer: NodeId
  readonly reason: string
  /** The JSON text as it came, cut to 4 KiB. */
  readonly text: string
}

/** What a frame from a peer asks to be committed, all or nothing. */
export interface Batch {
  readonly operations: ReadonlyArray<Operation>
  /** What may be claimed once `operations` are held. */
  readonly through: VectorClock
  readonly quarantined: ReadonlyArray<Quarantined>
}

/** The state of the store at one moment. */
export interface Snapshot {
  /** Counts commits since this store was opened. */
  readonly version: number
  /** What this store claims. */
  readonly clock: VectorClock
  /** The greatest reading held of each origin: beyond `clock` where a round is not complete. */
  readonly tops: VectorClock
  readonly digest: Digest
}

/** A commit: how a batch was taken. */
export interface Applied {
  readonly snapshot: Snapshot
  /** The operations that changed a row. */
  readonly applied: number
  /** Operations that claimed an HLC which another content already had. */
  readonly conflicts: number
}

/** The readings of one origin that commits have written. */
export interface Touched {
  readonly least: Reading
  readonly greatest: Reading
}

/** Asks for what lies beyond the given readings, origin by origin, in the order given. */
export interface DeltaRequest {
  readonly from: ReadonlyArray<readonly [NodeId, Reading]>
  /** The version that the caller has seen. */
  readonly since: number
  /** About how many bytes of operations to read at most; one operation is read however large it is. */
  readonly maxBytes: number
  readonly maxOperations: number
}

/** A bounded piece of the state, read in one transaction together with the snapshot. */
export interface Delta {
  readonly snapshot: Snapshot
  /** In the order of the request: origin by origin, each in the order of its readings. */
  readonly operations: ReadonlyArray<Operation>
  /** How many of the requested origins were read to their end: they are the first ones. */
  readonly exhausted: number
  /** What was written after version `since`; none when that is too long ago to tell. */
  readonly touched: Option.Option<ReadonlyMap<NodeId, Touched>>
}

/** A commit as it is published: the operations that changed a row, in commit order. */
export interface Change {
  readonly version: number
  readonly operations: ReadonlyArray<Operation>
}

/** How many rows there are. Tombstones are rows of notes and knowledge that were deleted. */
export interface Counts {
  readonly notes: number
  readonly knowledge: number
  readonly episodes: number
  readonly execution_log: number
  readonly tombstones: number
  readonly quarantine: number
}

export class Store extends Context.Service<
  Store,
  {
    /** The identity of this replica, made once and kept with the data. */
    readonly nodeId: NodeId
    /** How far our own history went when this store was opened. */
    readonly openedAt: Reading
    /** Writes locally: gives each draft the next HLC, commits all of them, publishes. Returns them in order. */
    append(drafts: ReadonlyArray<Draft>): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
    /** Merges what a peer sent and moves the clock to what it covers, in one transaction. */
    apply(batch: Batch): Effect.Effect<Applied, StoreUnavailable>
    /** Reads the next piece of what lies beyond the given readings. */
    delta(request: DeltaRequest): Effect.Effect<Delta, StoreUnavailable>
    /** The state now. Does not touch the disk. */
    readonly snapshot: Effect.Effect<Snapshot>
    /** How far this node has seen each origin. */
    readonly vectorClock: Effect.Effect<VectorClock>
    /** The digest of all rows. */
    readonly digest: Effect.Effect<Digest>
    /**
     * Every commit from now on. A subscriber that falls more than 1,024 commits behind loses the oldest, which shows as a
     * gap in `version`; what was written is in the store all the same.
     */
    readonly changes: Stream.Stream<Change>
    /** The operation that holds a row, also when it is a tombstone. */
    get(kind: Kind, rowId: string): Effect.Effect<Option.Option<Operation>, StoreUnavailable>
    /** The rows of a kind, without tombstones, in the order of their ids, after the id `after`. */
    list(
      kind: Kind,
      options: { readonly after?: string | undefined; readonly limit: number }
    ): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
    readonly counts: Effect.Effect<Counts, StoreUnavailable>
    readonly quarantine: Effect.Effect<ReadonlyArray<Quarantined>, StoreUnavailable>
    /** Writes a consistent copy of a running store to `file`. */
    backup(file: string): Effect.Effect<void, StoreUnavailable>
  }
>()("feral-sync/services/Store") {}
