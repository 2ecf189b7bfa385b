/**
 * Where the rows of a store are kept: the interface of the disk layer and of the memory layer.
 *
 * `Engine.ts` makes a store of it, and calls `commit`, `current` and `beyond` one at a time.
 */
import { Data, type Effect, type Option } from "effect"
import type { Acknowledgement } from "../../core/replica/Acknowledgement.ts"
import type * as History from "../../core/replica/History.ts"
import type { Timestamp } from "../../core/replica/Hlc.ts"
import type { Shown } from "../../core/replica/Query.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Kind, Operation } from "../../core/replica/Operation.ts"
import type { RangePage, RangeRequest } from "../../core/replica/Ranges.ts"
import type { Quarantined } from "../../core/replica/Replica.ts"
import type * as Selection from "../../core/replica/Selection.ts"
import type { VectorClock } from "../../core/replica/VectorClock.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import type { Usage } from "./Opaque.ts"
import type * as Searching from "./Searching.ts"
import type { Page, Room } from "./Sizes.ts"
import type { Commit, Current, State } from "./StoreState.ts"

/** A slot that a commit takes for free is not: nothing was written. */
export class SlotTaken extends Data.TaggedError("SlotTaken") {}

export interface Rejoining {
  read(from: number, most: number): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
  readonly clear: Effect.Effect<void, StoreUnavailable>
}

/** Rows in commit order. */
export interface FeedPage {
  readonly operations: ReadonlyArray<Operation>
  /** Up to which number the rows were looked at. */
  readonly number: number
}

export interface Backend {
  readonly nodeId: NodeId
  /** The state that was committed last when the backend was opened. */
  readonly opened: State
  /** Names the feed of these rows: no other replica, and no copy of this one, has it. */
  readonly feedId: string
  /** The contents of the slots of these operations. */
  current(operations: ReadonlyArray<Operation>): Effect.Effect<Current, StoreUnavailable>
  /**
   * Writes all of it or nothing. When it is `synced`, it survives a loss of power from then on, together with
   * everything before it; else it survives the end of the process.
   */
  commit(commit: Commit, synced: boolean): Effect.Effect<void, StoreUnavailable | SlotTaken>
  /** Makes every commit until now one that survives a loss of power. */
  readonly sync: Effect.Effect<void, StoreUnavailable>
  /** Operations of `origin` after `timestamp`. Operations that share a timestamp are never split between two pages. */
  beyond(origin: NodeId, timestamp: Timestamp, room: Room): Effect.Effect<Page, StoreUnavailable>
  /** Operations of a range of rows, in their order. */
  range(request: RangeRequest): Effect.Effect<RangePage, StoreUnavailable>
  /** The rows after `number` in commit order; of all kinds, where none are given. */
  committedAfter(number: number, room: Room, kinds?: ReadonlyArray<string>): Effect.Effect<FeedPage, StoreUnavailable>
  /** The greatest number of the rows in the slots of these operations; 0 without any. */
  lastNumberOf(operations: ReadonlyArray<Operation>): Effect.Effect<number, StoreUnavailable>
  /** The versions of a row in the local history, the newest first. */
  versions(kind: string, rowId: string): Effect.Effect<ReadonlyArray<History.Version>, StoreUnavailable>
  /** The conflicts in it with a smaller number, the newest first. */
  versionsInConflict(before: number, limit: number): Effect.Effect<ReadonlyArray<History.Version>, StoreUnavailable>
  /** The deleted rows that it has a version of, the one that was deleted last first. */
  deleted(request: History.DeletedRequest): Effect.Effect<ReadonlyArray<History.Deleted>, StoreUnavailable>
  eraseVersions(scope: History.Scope): Effect.Effect<void, StoreUnavailable>
  get(kind: Kind, rowId: string): Effect.Effect<Option.Option<Operation>, StoreUnavailable>
  /** All operations that the slots of a row hold. */
  currentOfRow(kind: Kind, rowId: string): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
  /** Rows of a declared kind of an application, as they are shown. */
  rows(kind: Kind, request: Searching.RowsRequest): Effect.Effect<ReadonlyArray<Shown>, StoreUnavailable>
  /** How many rows there are of each declared kind of an application that has some. */
  readonly ownCounts: Effect.Effect<ReadonlyMap<string, number>, StoreUnavailable>
  /** The kinds of all rows. */
  readonly kinds: Effect.Effect<ReadonlyArray<string>, StoreUnavailable>
  /** The bytes of all rows of some kinds. */
  usageOf(kinds: ReadonlyArray<string>): Effect.Effect<Usage, StoreUnavailable>
  list(
    kind: Kind,
    options: { readonly after?: string | undefined; readonly limit: number }
  ): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
  /** The rows that filters leave, newest first. See `core/replica/Selection.ts`. */
  select(request: Selection.Request): Effect.Effect<Selection.Page, StoreUnavailable>
  /** The rows whose text fits to a query, in the order of `Selection.PlaceOrder`; see `core/search/SearchQuery.ts`. */
  search(request: Searching.Request): Effect.Effect<Searching.Found, StoreUnavailable>
  /** Rows that are not indexed, at most; none where there is no index. */
  readonly waiting: Effect.Effect<number, StoreUnavailable>
  /** Indexes everything. */
  readonly index: Effect.Effect<void, StoreUnavailable>
  readonly quarantine: Effect.Effect<ReadonlyArray<Quarantined>, StoreUnavailable>
  /** The problems of the file; none when the list is empty. */
  readonly damage: Effect.Effect<ReadonlyArray<string>, StoreUnavailable>
  /** What other nodes had acknowledged when the backend was opened. */
  readonly acknowledged: ReadonlyArray<Acknowledgement>
  /** Writes acknowledgements over those of the same nodes, after all commits until now. */
  acknowledge(news: ReadonlyArray<Acknowledgement>): Effect.Effect<void, StoreUnavailable>
  /** How many tombstones a clock covers. */
  tombstones(covered: VectorClock): Effect.Effect<number, StoreUnavailable>
  /** How many operations lie beyond these timestamps of their origins; more than `most` are not counted. */
  countBeyond(from: ReadonlyArray<readonly [NodeId, Timestamp]>, most: number): Effect.Effect<number, StoreUnavailable>
  /** The last tombstone of each origin that a clock covers. */
  lastTombstones(covered: VectorClock): Effect.Effect<VectorClock, StoreUnavailable>
  /** Some of the tombstones that a clock covers, at most `most`. */
  someTombstones(covered: VectorClock, most: number): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable>
  /**
   * What waits to be written anew by a node that rejoined, where there is such (`SqliteRejoin.ts`): read from an index
   * on, and removed.
   */
  readonly rejoining?: Rejoining | undefined
  backup(file: string): Effect.Effect<void, StoreUnavailable>
  /** Background maintenance while the store is open. */
  readonly upkeep: Effect.Effect<void, StoreUnavailable>
}
