/**
 * The state of a session, what can happen to it, and what it asks for.
 */
import { HashMap, Option, type Redacted } from "effect"
import type { ClockDrift, SessionFailure } from "../Failure.ts"
import type { Role } from "../Handshake.ts"
import type { Reading } from "../Hlc.ts"
import type { NodeId } from "../NodeId.ts"
import type { Batch, Delta, DeltaRequest, Snapshot } from "../Replica.ts"
import * as VectorClock from "../VectorClock.ts"

/** Times of the protocol, in milliseconds. */
export const times = {
  /** From the connection to the end of the handshake. */
  handshake: 10_000,
  /** Silence after which we ask for a sign of life, and after which the peer is given up. */
  ping: 15_000,
  timeout: 40_000,
  /** How long an operation of a third party waits for news that the peer has it from elsewhere. */
  relay: 300,
  /** How long progress made elsewhere waits before it is told, so that many commits make one message. */
  tell: 100
} as const

/** Bytes that may be under way without an acknowledgement. */
export const creditBytes = 4 * 1024 * 1024

/** Frames that may be under way without an acknowledgement. */
export const creditFrames = 256

/** Frames in a row that carry nothing, which a peer may send. */
export const emptyFrames = 16

/** Origins that one read asks for at most. */
export const originsPerRead = 256

/** What a session is told when it begins. */
export interface Options {
  readonly role: Role
  readonly self: NodeId
  /** The key derived from the passphrase. */
  readonly key: Redacted.Redacted<Uint8Array>
  readonly nonces: { readonly dialler: string; readonly server: string }
  readonly binding: Redacted.Redacted<Uint8Array>
  /** How the peer is called before its id is known: its address. */
  readonly remote: string
  /** The peer that we expect to meet, where one is expected. */
  readonly expected: NodeId | undefined
  /** Ends when both sides have proved themselves: the server then never meets us. */
  readonly isProbe?: boolean
  /** How far our own history went when the store was opened, and whom we have met since then. */
  readonly openedAt: Reading
  readonly met: ReadonlySet<NodeId>
  readonly maxFrameBytes: number
  readonly maxDriftMs: number
}

/** An origin that holds something the peer may lack: beyond `from`, to be sent at `due` (ms) or later. */
export interface Dirty {
  readonly from: Reading
  readonly due: number
  /** Whether one of its operations may have won over one of ours, which the peer may therefore never see. */
  readonly beatsOwn: boolean
}

/** The sending half. */
export interface Outbound {
  readonly dirty: HashMap.HashMap<NodeId, Dirty>
  /** The store version whose writes are accounted for in `dirty`. */
  readonly seen: number
  /** The read that is under way. */
  readonly reading: DeltaRequest | undefined
  /** The number of the next frame. */
  readonly seq: number
  /** Whether the next frame is the first since the pump (re)started. */
  readonly fresh: boolean
  /** Whether the last frame left nothing to send. */
  readonly complete: boolean
  /** What the peer was told that it may claim. */
  readonly offered: VectorClock.VectorClock
  /** Frames that are not acknowledged yet, and their bytes together. */
  readonly unacked: ReadonlyArray<{ readonly seq: number; readonly bytes: number; readonly operations: number }>
  readonly unackedBytes: number
}

/** The receiving half. */
export interface Inbound {
  /** The number of the next frame. */
  readonly seq: number
  /** Frames that are being committed, oldest first. */
  readonly committing: ReadonlyArray<{ readonly seq: number; readonly more: boolean }>
  /** First reading of each origin that is ahead of time. While there is one, nothing can be claimed. */
  readonly held: HashMap.HashMap<NodeId, Reading>
  /** We asked for a restart, and what still comes belongs to the pump before it. */
  readonly stale: boolean
  readonly empties: number
  /** Whether the peer's round is complete. */
  readonly complete: boolean
  /** When the last frame was committed (ms). */
  readonly lastSyncAt: number | undefined
  /** When progress has to be told (ms). */
  readonly tellAt: number | undefined
}

export interface Session {
  readonly options: Options
  readonly phase: "opening" | "open" | "closed"
  readonly openedAt: number
  /** When the peer last gave a sign of life, and when we last asked for one (ms). */
  readonly heardAt: number
  readonly pingedAt: number
  readonly peer: NodeId | undefined
  /** Our state as the store last told. */
  readonly local: Snapshot
  /** The peer's clock as far as it told us. */
  readonly known: VectorClock.VectorClock
  /** Our clock as far as the peer was told. */
  readonly announced: VectorClock.VectorClock
  /** How far the peer's wall time is ahead of ours (ms). */
  readonly offset: number | undefined
  /** Whether the peer had another digest at the same clock. */
  readonly diverged: boolean
  readonly outbound: Outbound
  readonly inbound: Inbound
}

/** What can happen. `now` is the local wall time in ms. */
export type Event =
  | { readonly _tag: "Received"; readonly now: number; readonly text: string }
  | { readonly _tag: "Alive"; readonly now: number }
  /** Instead of a frame: too many wrong proofs came from where the peer is, and none is looked at for `wait` ms. */
  | { readonly _tag: "Limited"; readonly now: number; readonly wait: number }
  /** The answer to the `Read` with this request. */
  | { readonly _tag: "Delta"; readonly now: number; readonly request: DeltaRequest; readonly delta: Delta }
  /** The answer to `Commit`. */
  | { readonly _tag: "Committed"; readonly now: number; readonly snapshot: Snapshot }
  /** The store changed, by whatever hand. */
  | { readonly _tag: "Changed"; readonly now: number; readonly snapshot: Snapshot }
  | { readonly _tag: "Tick"; readonly now: number }
  /** We want to end the session. */
  | { readonly _tag: "Stop"; readonly now: number; readonly code: number; readonly reason: string }

/** What a session asks for. */
export type Action =
  /** `operations` says how many operations the frame carries. */
  | { readonly _tag: "Send"; readonly text: string; readonly operations: number }
  | { readonly _tag: "Ping" }
  /** Answer with `Delta`. One is under way at a time. */
  | { readonly _tag: "Read"; readonly request: DeltaRequest }
  /** Answer with `Committed`, in order. */
  | { readonly _tag: "Commit"; readonly batch: Batch }
  /** The handshake is done: both sides have proved themselves. */
  | { readonly _tag: "Established"; readonly peer: NodeId }
  /** Something that an operator should know of, while the session goes on. */
  | { readonly _tag: "Warn"; readonly warning: ClockDrift }
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
  readonly state: "connecting" | "syncing" | "live"
  /** Operations that the peer is not known to have committed; none while it is not known what it lacks. */
  readonly lag: number | undefined
  /** How far the peer's wall time is ahead of ours (ms). */
  readonly offset: number | undefined
  readonly lastSyncAt: number | undefined
  /** First reading of each origin that is ahead of time. */
  readonly held: HashMap.HashMap<NodeId, Reading>
  readonly diverged: boolean
}

/** A state and what it asks for. */
export type Step = readonly [Session, ReadonlyArray<Action>]

/** Goes on from a step: what the second asks for comes after what the first asks for. */
export const andThen = ([session, actions]: Step, next: (session: Session) => Step): Step => {
  const [after, more] = next(session)
  return more.length === 0 ? [after, actions] : actions.length === 0 ? [after, more] : [after, [...actions, ...more]]
}

/** A session before anything happened. */
export const initial = (options: Options, local: Snapshot, now: number): Session => ({
  options,
  phase: "opening",
  openedAt: now,
  heardAt: now,
  pingedAt: now,
  peer: undefined,
  local,
  known: VectorClock.empty,
  announced: VectorClock.empty,
  offset: undefined,
  diverged: false,
  outbound: {
    dirty: HashMap.empty(),
    seen: local.version,
    reading: undefined,
    seq: 0,
    fresh: true,
    complete: false,
    offered: VectorClock.empty,
    unacked: [],
    unackedBytes: 0
  },
  inbound: {
    seq: 0,
    committing: [],
    held: HashMap.empty(),
    stale: false,
    empties: 0,
    complete: false,
    lastSyncAt: undefined,
    tellAt: undefined
  }
})

/** The session after it heard of our state: progress will be told, together with what else comes within a moment. */
export const withLocal = (session: Session, local: Snapshot, now: number): Session =>
  local.version <= session.local.version
    ? session
    : { ...session, local, inbound: { ...session.inbound, tellAt: session.inbound.tellAt ?? now + times.tell } }

/** Our digest, once everything that we hold is covered by our clock. */
export const settledDigest = ({ clock, tops, digest }: Snapshot): Option.Option<Snapshot["digest"]> =>
  VectorClock.includes(clock, tops) ? Option.some(digest) : Option.none()
