/** A session as its owner sees it, and what it asks of its owner. */
import type { Effect, Redacted, Stream } from "effect"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type * as Relayed from "../../core/replica/Relayed.ts"
import type { Quarantined } from "../../core/replica/Replica.ts"
import type { PeerRecord, View, Warning } from "../../core/sync/SessionEvents.ts"
import type { DuplicateNodeId, SessionFailure } from "../../core/sync/SyncFailure.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import type * as Traffic from "./Traffic.ts"

/** Problems that do not end a session. */
export type Warned = Warning | StoreUnavailable

/** The callbacks of a session. */
export interface SessionHandler<R = PeerRecord> {
  /** What is known of a node by its id, which has proved itself. */
  identify(peer: NodeId): R
  established(peer: NodeId): Effect.Effect<void>
  /** The peer said which run of its store this is. Returned is why it is refused, if it is. */
  ran?(peer: NodeId, instance: string, age: number): Effect.Effect<DuplicateNodeId | undefined>
  /** The peer gave us a ticket. */
  ticketed?(peer: NodeId, ticket: Redacted.Redacted<string>): Effect.Effect<void>
  warned(warning: Warned): Effect.Effect<void>
  /** A step was carried out. Returns the next action, if any. */
  carried?(): Effect.Effect<void> | undefined
  /** What the peer is to be asked and told of writes that a node waits for, and when that may have changed. */
  readonly relays?: {
    readonly changes: Stream.Stream<void>
    readonly due: Effect.Effect<Pick<Relayed.Peer, "questions" | "answers">>
    receive(questions: Relayed.Questions | undefined, words: ReadonlyArray<Relayed.Told>): Effect.Effect<void>
  }
  /** Something that came cannot be read. It is in the quarantine. */
  quarantined(operations: ReadonlyArray<Quarantined>): Effect.Effect<void>
}

/** A session that runs. */
export interface Running<S> {
  /** The state of the session now. */
  state(): S
  view(): View
  /** What went over the connection so far. */
  readonly traffic: Traffic.Traffic
  /**
   * The time in which the times of the view are (ms), at a moment of the time that only passes. The clock may have been
   * set since the last event, and the session does not know of it yet.
   */
  timeAt(passed: number): number
  /** Why the operations of the peer cannot be written at present. */
  trouble(): StoreUnavailable | undefined
  /** Has the rows of both sides compared, once nothing is under way. */
  readonly compare: Effect.Effect<void>
  /** Refuses the peer: another node with its id is alive. */
  refuse(failure: DuplicateNodeId): Effect.Effect<void>
  /** Ends the session in good order. */
  stop(code: number, reason: string): Effect.Effect<void>
  /** Runs until the session ends: with success when it was our wish. */
  readonly done: Effect.Effect<void, SessionFailure | StoreUnavailable>
}
