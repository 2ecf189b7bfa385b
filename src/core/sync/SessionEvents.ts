/**
 * What happens to a session, what it asks for, and how it is seen from outside.
 */
import type { HashMap, Option, Redacted } from "effect"
import type * as Cut from "../replica/Cut.ts"
import type { Timestamp } from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import type * as Relayed from "../replica/Relayed.ts"
import type { RangePage, RangeRequest } from "../replica/Ranges.ts"
import type { Batch, Change, Delta, DeltaRequest, Snapshot } from "../replica/Replica.ts"
import type * as VectorClock from "../replica/VectorClock.ts"
import type { Barred } from "./Barred.ts"
import type {
  ClockDrift,
  DuplicateNodeId,
  OriginsLeftOut,
  OverQuota,
  PeerSlowed,
  RowsPurged,
  RowsTooLarge,
  SessionFailure
} from "./SyncFailure.ts"
import type { TraceParent } from "./TraceParent.ts"
import type { Takes } from "./Wire.ts"

/** What this node knows of a peer by its id. */
export interface PeerRecord {
  /** Whether we have met it since the store was opened. */
  readonly isMet: boolean
  /** Why it is not let in, where it is not. */
  readonly barred?: Barred | undefined
  /** The ticket that it is given. */
  readonly ticket?: Redacted.Redacted<string> | undefined
  /** Its limit, where it is known and the peer does not report it. */
  readonly takes?: Takes | undefined
}

/** Of a peer that was never met. */
export const noRecord: PeerRecord = { isMet: false }

/** The events. `now` is the local wall time in ms, and `R` what is known of a peer by its id. */
export type Event<R = PeerRecord> =
  /** `newOrigins` is how many origins that are not known yet may be taken; as many as there may be, without it. */
  | { readonly _tag: "Received"; readonly now: number; readonly text: string; readonly newOrigins?: number }
  | { readonly _tag: "Alive"; readonly now: number; readonly isAnswer: boolean }
  /** Instead of a frame: too many wrong proofs came from where the peer is, and none is looked at for `wait` ms. */
  | { readonly _tag: "Limited"; readonly now: number; readonly wait: number }
  /** The answer to `Identify`. */
  | { readonly _tag: "Identified"; readonly now: number; readonly record: R }
  /** The answer to the `Read` with this request. */
  | { readonly _tag: "Delta"; readonly now: number; readonly request: DeltaRequest; readonly delta: Delta }
  /**
   * The answer to `Commit`. `hasChanged`: whether it changed anything, so that `snapshot.version` is its own.
   * `overQuota`: the first operation of each origin that was left out for want of room. `notBefore`: when the next
   * commit may begin (ms).
   */
  | {
      readonly _tag: "Committed"
      readonly now: number
      readonly snapshot: Snapshot
      readonly hasChanged: boolean
      readonly overQuota?: VectorClock.VectorClock
      readonly notBefore?: number
    }
  /** The other answer to `Commit`: nothing was written, and it may be possible later. */
  | { readonly _tag: "Uncommitted"; readonly now: number }
  /** The answer to the `Scan` with this request; none when the rows cannot be read. */
  | {
      readonly _tag: "Scanned"
      readonly now: number
      readonly request: RangeRequest
      readonly page: Option.Option<RangePage>
    }
  /** A caller wants the rows compared now. */
  | { readonly _tag: "Compare"; readonly now: number }
  /** The store changed, by whatever hand. `change` is the commit that led to this snapshot, where it is at hand. */
  | { readonly _tag: "Changed"; readonly now: number; readonly snapshot: Snapshot; readonly change?: Change }
  /** What the peer is to be asked and told of writes that a node waits for. */
  | ({ readonly _tag: "Relay"; readonly now: number } & Pick<Relayed.Peer, "questions" | "answers">)
  | { readonly _tag: "Tick"; readonly now: number }
  /** The peer is refused: another node with its id is alive. */
  | { readonly _tag: "Refuse"; readonly now: number; readonly failure: DuplicateNodeId }
  /** We want to end the session. */
  | { readonly _tag: "Stop"; readonly now: number; readonly code: number; readonly reason: string }

/** Warnings for the operator of a session that goes on. */
export type Warning = ClockDrift | OriginsLeftOut | OverQuota | PeerSlowed | RowsTooLarge

/** The actions of a session. */
export type Action =
  /** `operations` says how many operations the frame carries, `more` whether the round goes on after it. */
  | { readonly _tag: "Send"; readonly text: string; readonly operations: number; readonly more?: true }
  | { readonly _tag: "Ping" }
  /** Answer with `Identified`. */
  | { readonly _tag: "Identify"; readonly peer: NodeId }
  /** Answer with `Delta`. One is under way at a time. */
  | { readonly _tag: "Read"; readonly request: DeltaRequest }
  /** Answer with `Scanned`. One is under way at a time. */
  | { readonly _tag: "Scan"; readonly request: RangeRequest }
  /** Answer with `Committed` or `Uncommitted`. One is under way at a time. */
  | { readonly _tag: "Commit"; readonly batch: Batch; readonly trace?: TraceParent }
  /** Take over the cut of the peer, before anything that it sends. */
  | { readonly _tag: "Adopt"; readonly told: Cut.Told }
  /** The peer does not take us any more: we were too long away. */
  | { readonly _tag: "Away" }
  /** The handshake is done: both sides have proved themselves. */
  | { readonly _tag: "Established"; readonly peer: NodeId }
  /** The peer, which has proved itself, gave us a ticket for the next time. */
  | { readonly _tag: "Ticketed"; readonly peer: NodeId; readonly ticket: Redacted.Redacted<string> }
  /** The peer said which run of its store this is, and for how long it has lasted (ms). */
  | { readonly _tag: "Ran"; readonly peer: NodeId; readonly instance: string; readonly age: number }
  /**
   * The peer asked about writes that a node waits for, or told which nodes have them. Without `questions` it asks as
   * before.
   */
  | {
      readonly _tag: "Relayed"
      readonly peer: NodeId
      readonly questions: Relayed.Questions | undefined
      readonly words: ReadonlyArray<Relayed.Told>
    }
  /** The peer claims the same history and holds other rows; or does so no more. */
  | { readonly _tag: "Diverged"; readonly peer: NodeId; readonly diverged: boolean }
  /** Something that an operator should know of, while the session goes on. */
  | { readonly _tag: "Warn"; readonly warning: Warning }
  /** So many origins were taken that were not known before. */
  | { readonly _tag: "Brought"; readonly origins: number }
  /** The end. Without a failure it was our wish. */
  | {
      readonly _tag: "Close"
      readonly code: number
      readonly reason: string
      readonly failure: SessionFailure | undefined
    }

/** How a session is, for `status`. */
export interface View {
  readonly peer: NodeId | undefined
  /** When the peer last gave a sign of life (ms). */
  readonly aliveAt: number
  /** A time at which the peer was alive for certain (ms). */
  readonly provedAt: number
  readonly state: "connecting" | "syncing" | "live"
  /** Operations that the peer is not known to have committed; none while it is not known what it lacks. */
  readonly lag: number | undefined
  /** How far the peer's wall time is ahead of ours (ms). */
  readonly offset: number | undefined
  readonly lastSyncAt: number | undefined
  /** Whether all is here that the peer had to send so far. */
  readonly isComplete?: boolean
  /** First timestamp of each origin that is ahead of time. */
  readonly deferred: HashMap.HashMap<NodeId, Timestamp>
  /** The first timestamp of ours that the peer does not take, because it is ahead of the clock there. */
  readonly deferredOwn: Timestamp | undefined
  /** New origins of the peer that wait to be taken. */
  readonly leftOut: OriginsLeftOut | undefined
  readonly diverged: boolean
  /** Whether the two have proved the passphrase before the present one to each other. */
  readonly usesPrevious?: boolean
  /** Rows that one side cannot take. */
  readonly tooLarge?: RowsTooLarge | undefined
  /** Rows of unknown kinds that one side keeps out because its quota is used up. */
  readonly overQuota?: OverQuota | undefined
  /** Rows that one side has purged and the other one holds. */
  readonly purged?: RowsPurged | undefined
  /** Until when what the peer sends waits, because it has sent more than its share (ms). */
  readonly slowedUntil?: number | undefined
  /** How the comparison of rows goes; none with a peer that takes no part in it. */
  readonly repair:
    | {
        /** Whether both sides claim the same. */
        readonly isInSync: boolean
        readonly activeAt: number | undefined
      }
    | undefined
}
