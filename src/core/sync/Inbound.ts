/**
 * The state of the receiving half of a session: what came, and what of it is not committed yet. `Receive.ts` and
 * `Commits.ts` have its steps.
 */
import { HashMap, HashSet } from "effect"
import type { Timestamp } from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import type { Batch } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import { movedBy, times } from "./SessionLimits.ts"
import type { TraceParent } from "./TraceParent.ts"
import type { Deferred } from "./Wire.ts"

/** A frame of operations that came in. */
export interface Frame {
  readonly seq: number
  readonly more: boolean
  /** Whether it is the first since the pump of the peer (re)started. */
  readonly fresh: boolean
  readonly batch: Batch
  /** Characters of its text. */
  readonly size: number
  readonly trace?: TraceParent | undefined
}

/** The receiving half. */
export interface Inbound {
  /** The number of the next frame. */
  readonly seq: number
  /** Frames that are to be committed, oldest first, and how many of them the commit that is under way has taken. */
  readonly waiting: ReadonlyArray<Frame>
  readonly taken: number
  /** When the next commit may begin (ms); none while one is under way, or nothing waits. */
  readonly commitAt: number | undefined
  /** How long it waits after one that was not possible. */
  readonly retryAfter: number
  /** First timestamp of each origin that is ahead of time. While there is one, nothing can be claimed. */
  readonly deferred: HashMap.HashMap<NodeId, Timestamp>
  /** Origins that the peer was the first to name, and that were taken. */
  readonly brought: HashSet.HashSet<NodeId>
  /** New origins whose operations were not taken. While there are some, nothing can be claimed. */
  readonly leftOut: HashSet.HashSet<NodeId>
  /** When the peer is asked for them again (ms). */
  readonly askAgainAt: number
  /**
   * The first operation of each origin that the quota for rows of unknown kinds kept out, since the pump of the peer
   * (re)started: the coverage of that origin ends before it. Nothing else waits for it, for such an operation replaces
   * no row.
   */
  readonly overQuota: VectorClock.VectorClock
  /** When the peer is asked for these again (ms): there is room. */
  readonly roomAt: number
  /** When the next commit may begin at the earliest (ms): the peer has sent more than its share. */
  readonly notBefore: number
  /** We asked for a restart, and what still comes belongs to the pump before it. */
  readonly stale: boolean
  readonly empties: number
  /** The operations that the peer leaves out because they are too large for us. */
  readonly leftOutByPeer: Deferred | undefined
  /** Whether the peer's round is complete. */
  readonly complete: boolean
  /** When the last frame was committed (ms). */
  readonly lastSyncAt: number | undefined
  /** When progress has to be told (ms). */
  readonly announceAt: number | undefined
}

/** The receiving half before anything came. */
export const initial: Inbound = {
  seq: 0,
  waiting: [],
  taken: 0,
  commitAt: undefined,
  retryAfter: times.retry.first,
  deferred: HashMap.empty(),
  brought: HashSet.empty(),
  leftOut: HashSet.empty(),
  askAgainAt: Infinity,
  overQuota: VectorClock.empty,
  roomAt: Infinity,
  notBefore: -Infinity,
  stale: false,
  empties: 0,
  leftOutByPeer: undefined,
  complete: false,
  lastSyncAt: undefined,
  announceAt: undefined
}

/** With all times moved by `by` (ms). */
export const moved = (inbound: Inbound, by: number): Inbound => ({
  ...inbound,
  commitAt: movedBy(inbound.commitAt, by),
  askAgainAt: inbound.askAgainAt + by,
  roomAt: inbound.roomAt + by,
  notBefore: inbound.notBefore + by,
  announceAt: movedBy(inbound.announceAt, by)
})
