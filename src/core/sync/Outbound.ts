/**
 * The state of the sending half of a session: what the peer may lack, and what is under way to it. `Send.ts` has its
 * steps.
 */
import type { Timestamp } from "../replica/Hlc.ts"
import type { DeltaRequest, Snapshot } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Deferral from "./Deferral.ts"
import * as DirtyOrigins from "./DirtyOrigins.ts"
import { type Credit, credit } from "./SessionLimits.ts"

/** The sending half. */
export interface Outbound {
  readonly dirty: DirtyOrigins.DirtyOrigins
  /** The store version whose writes are accounted for in `dirty`. */
  readonly seen: number
  /** The read that is under way. */
  readonly inFlight: DeltaRequest | undefined
  /** The number of the next frame. */
  readonly seq: number
  /** Whether the next frame is the first since the pump (re)started. */
  readonly fresh: boolean
  /** The first timestamp of ours that the peer holds back, as it told last. */
  readonly deferredOwn: Timestamp | undefined
  /** The first operation of some origins that the peer keeps out because its quota is used up, as it told last. */
  readonly overQuota: VectorClock.VectorClock
  /** Whether the last frame left nothing to send. */
  readonly complete: boolean
  /** The coverage that was sent to the peer. */
  readonly offered: VectorClock.VectorClock
  /**
   * Whether something was dirty when claims were looked at last, or not all claims fitted: some may have been kept
   * back.
   */
  readonly unclaimed: boolean
  /** The operations that are too large for the peer, and the report about them. */
  readonly deferral: Deferral.Deferral
  readonly announcedDeferral: Deferral.Deferral
  /** Frames that are not acknowledged yet, and their bytes together. */
  readonly unacked: ReadonlyArray<{ readonly seq: number; readonly bytes: number; readonly operations: number }>
  readonly unackedBytes: number
}

/** The sending half before anything was sent. */
export const initial = (local: Snapshot): Outbound => ({
  dirty: DirtyOrigins.none,
  seen: local.version,
  inFlight: undefined,
  seq: 0,
  fresh: true,
  deferredOwn: undefined,
  overQuota: VectorClock.empty,
  complete: false,
  offered: VectorClock.empty,
  unclaimed: false,
  deferral: Deferral.none,
  announcedDeferral: Deferral.none,
  unacked: [],
  unackedBytes: 0
})

/** After a frame of operations was sent. */
export const counted = (outbound: Outbound, bytes: number, operations: number): Outbound => ({
  ...outbound,
  seq: outbound.seq + 1,
  unacked: [...outbound.unacked, { seq: outbound.seq, bytes, operations }],
  unackedBytes: outbound.unackedBytes + bytes
})

/** After the peer has committed our frames up to `seq`. */
export const acknowledged = (outbound: Outbound, seq: number): Outbound => {
  const unacked = outbound.unacked.filter((frame) => frame.seq > seq)
  return { ...outbound, unacked, unackedBytes: unacked.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** Whether a further frame may be sent. */
export const hasCredit = ({ unacked, unackedBytes }: Outbound, { bytes, frames }: Credit = credit): boolean =>
  unackedBytes < bytes && unacked.length < frames

/** With all times moved by `by` (ms). */
export const moved = (outbound: Outbound, by: number): Outbound => ({
  ...outbound,
  dirty: DirtyOrigins.moved(outbound.dirty, by)
})
