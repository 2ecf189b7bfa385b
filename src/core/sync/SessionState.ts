/**
 * The state of a session, and how it changes with time and with the store.
 */
import { HashMap, HashSet, type Redacted } from "effect"
import type * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import type { Role } from "./Handshake.ts"
import type { Timestamp } from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import * as Relayed from "../replica/Relayed.ts"
import type { Position, Range, RangeRequest, Split, Summary } from "../replica/Ranges.ts"
import type { Batch, DeltaRequest, Holdings, Snapshot } from "../replica/Replica.ts"
import { noHoldings } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import type { Action, PeerRecord } from "./SessionEvents.ts"
import type { TraceParent } from "./TraceParent.ts"
import { type Deferred, defaultTakes, type Hello, type Takes, type AnnouncedRange } from "./Wire.ts"
import * as Coverage from "./Coverage.ts"
import * as Deferral from "./Deferral.ts"

/** Times of the protocol, in milliseconds. */
export const times = {
  /** From the connection to the end of the handshake. */
  handshake: 10_000,
  /** Silence after which we ask for a sign of life, and after which the peer is given up. */
  ping: 15_000,
  timeout: 40_000,
  /** How long an operation of a third party waits for news that the peer has it from elsewhere. */
  relay: 300,
  /** How long it waits at most while the peer has not acknowledged what it was sent: in a crowd, news comes late. */
  relayBusy: 5_000,
  /** How long frames are gathered for one commit at most, while more of them come all the time. */
  gather: 10,
  /** How long progress made elsewhere waits before it is told, so that many commits make one message. */
  announce: 100,
  /** Between two messages about writes that a node waits for. */
  relayed: 1_000,
  /** Until a commit that was not possible is tried again: this, and twice as long each time. */
  retry: { first: 1_000, cap: 30_000 },
  /** Between two pieces of rows that are compared, so that other work goes on. */
  slice: 4,
  /** How long a difference between rows that no clock covers must last: nothing tells what is still under way. */
  uncovered: 3_000,
  /** Between two dialogues about the same difference: this, and twice as long each time. */
  repair: 30_000,
  /** Between two dialogues in any case. */
  repairAgain: 5_000,
  /** How long a difference that is explained must last until rows are compared all the same: this, twice as long each time, at most. */
  explained: { first: 60_000, cap: 3_600_000 }
} as const

/**
 * Characters of frames that are committed together, and their number: enough to share what a commit costs, and few enough that
 * it does not keep others waiting.
 */
export const commitSize = 1024 * 1024
export const commitFrames = 16

/** Characters of frames that wait to be committed: the credit, and the largest frame besides. */
export const waitingSize = 16 * 1024 * 1024

/** The credit: bytes and frames in flight without an acknowledgement. */
export interface Credit {
  readonly bytes: number
  readonly frames: number
}

/** The credit of every node, which all that receive make room for. Less of it can be used. */
export const credit: Credit = { bytes: 4 * 1024 * 1024, frames: 256 }

/** How long new origins that were left out wait at least, and at most, and the time for each of them (ms). */
export const leftOutWait = { least: 60_000, most: 3_600_000, each: 100 } as const

/** Frames in a row that carry nothing, which a peer may send. */
export const emptyFrames = 16

/** Origins that one read asks for at most. */
export const originsPerRead = 256

/** The options of a session. */
export interface Options {
  readonly role: Role
  readonly self: NodeId
  /** The key derived from the passphrase. */
  readonly key: Redacted.Redacted<Uint8Array>
  /** While the passphrase is being changed: the key of the one before, which a dialler may still prove. */
  readonly previousKey?: Redacted.Redacted<Uint8Array> | undefined
  /** Whether `key` is that of the passphrase before. */
  readonly isPrevious?: boolean
  readonly nonces: { readonly dialler: string; readonly server: string }
  readonly binding: Redacted.Redacted<Uint8Array>
  /** How the peer is called before its id is known: its address. */
  readonly remote: string
  /** The peer that we expect to meet, where one is expected. */
  readonly expected: NodeId | undefined
  /** Ends when both sides have proved themselves: the server then never meets us. */
  readonly isProbe?: boolean
  /** Whether we have met that peer since the store was opened. */
  readonly isExpectedMet?: boolean
  /** How far our own history went when the store was opened. */
  readonly ownTimestampAtOpen: Timestamp
  readonly maxFrameBytes: number
  readonly maxDriftMs: number
  /**
   * How both sides begin, as the upgrade showed: 1 (the default) with their clocks, as nodes did before they could tell; 2 with
   * their proofs, the hash of the clock after it, and the clock itself only if the hashes differ.
   */
  readonly revision?: 1 | 2
  /** Bytes of a frame that we take. */
  readonly maxRecvBytes?: number
  /** Which run of our store this is, and how long it had lasted when the session began (ms). */
  readonly instance?: { readonly id: string; readonly age: number }
  /** How much of the credit is used; all of it by default. */
  readonly credit?: Credit
}

/** Our own limit. */
export const takesOf = ({ maxRecvBytes = defaultTakes.frame }: Options): Takes => ({
  frame: maxRecvBytes,
  operation: maxRecvBytes - envelopeBytes
})

/** Room for the envelope of a frame of operations. */
export const envelopeBytes = 1_024

/**
 * An origin that holds something the peer may lack: beyond `from`, to be sent at `due` (ms), or later while the peer is busy with
 * what it was sent before, but not later than `latest`.
 */
export interface Dirty {
  readonly from: Timestamp
  readonly due: number
  readonly latest: number
  /** Whether one of its operations may have won over one of ours, which the peer may therefore never see. */
  readonly supersedesOwn: boolean
}

/** The sending half. */
export interface Outbound {
  readonly dirty: HashMap.HashMap<NodeId, Dirty>
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
  /** Whether something was dirty when claims were looked at last, or not all claims fitted: some may have been kept back. */
  readonly unclaimed: boolean
  /** The operations that are too large for the peer, and the report about them. */
  readonly deferral: Deferral.Deferral
  readonly announcedDeferral: Deferral.Deferral
  /** Frames that are not acknowledged yet, and their bytes together. */
  readonly unacked: ReadonlyArray<{ readonly seq: number; readonly bytes: number; readonly operations: number }>
  readonly unackedBytes: number
}

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
  /** First reading of each origin that is ahead of time. While there is one, nothing can be claimed. */
  readonly deferred: HashMap.HashMap<NodeId, Timestamp>
  /** Origins that the peer was the first to name, and that were taken. */
  readonly brought: HashSet.HashSet<NodeId>
  /** New origins whose operations were not taken. While there are some, nothing can be claimed. */
  readonly leftOut: HashSet.HashSet<NodeId>
  /** When the peer is asked for them again (ms). */
  readonly askAgainAt: number
  /**
   * The first operation of each origin that the quota for rows of unknown kinds kept out, since the pump of the peer (re)started: the
   * coverage of that origin ends before it. Nothing else waits for it, for such an operation replaces no row.
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

/** A range to be compared with what the peer told of it; without that, all our parts of it are told. */
export interface Task {
  readonly range: Range
  readonly theirs: Summary | undefined
  /** Whether tombstones are left out. */
  readonly isLive: boolean
}

/** The comparison of rows with the peer; see `Repair.ts`. */
export interface Repair {
  /** Whether the peer takes part. */
  readonly isSupported: boolean
  /** Whether a caller waits for a comparison now, whichever side is to begin. */
  readonly isRequested: boolean
  /** Dialogues that we began since the states were equal last, and when we began the last one (ms). */
  readonly attempts: number
  /** Those of them that a difference led to that was explained. */
  readonly checks: number
  readonly beganAt: number | undefined
  /** When the peer began its last dialogue (ms), and the frames that it sent since either side began one. */
  readonly askedAt: number | undefined
  readonly frames: number
  /** When something last happened (ms). */
  readonly activeAt: number | undefined
  /** The greatest round that the peer has sent. */
  readonly round: number
  /** Ranges to be compared, oldest first, and the rows of the first one so far. */
  readonly tasks: ReadonlyArray<Task>
  readonly split: Split | undefined
  /** The last row that was read of the first task. */
  readonly at: Position | undefined
  /** What the next message tells, and whether that is without tombstones. */
  readonly announced: ReadonlyArray<AnnouncedRange>
  readonly isTelling: boolean
  /** Ranges whose operations the peer is to get. */
  readonly settling: ReadonlyArray<Range>
  /** The read that is under way, and its purpose. */
  readonly inFlight: { readonly request: RangeRequest; readonly isSettling: boolean } | undefined
  /** When the next piece may be read (ms). */
  readonly due: number
}

/** The digest of all rows of the peer, with its clock at that moment. */
export interface PeerDigest {
  readonly clock: VectorClock.VectorClock
  readonly digest: string
  /** The digest without tombstones, where one of the two has collected some. */
  readonly live?: string | undefined
  /** How many of our rows the peer has purged, as far as it can tell. */
  readonly purged: number
  /** Whether the clock covers all these rows: then equal clocks mean equal digests at once. */
  readonly isSettled: boolean
  /** Whether the peer knew of rows that one of us does not have yet, or cannot have. */
  readonly isUnderWay: boolean
}

/** Two digests that differ, whether something explains that, and when rows are to be compared if they still do (ms). */
export interface Suspicion {
  readonly ours: string
  readonly theirs: string
  readonly isExplained: boolean
  readonly at: number
}

/** Questions and answers about writes that a node waits for; see `Relaying.ts`. */
export interface Relaying {
  /** What the peer is to be asked and told. */
  readonly questions: Relayed.Questions
  readonly answers: Relayed.Answers
  /** What it was asked and told. */
  readonly asked: Relayed.Questions
  readonly told: ReadonlySet<string>
}

export interface Session {
  readonly options: Options
  /**
   * From `identifying` on the peer has proved itself, from `greeting` on we know what we know of it, and from `open` on we know its vector
   * clock.
   */
  readonly phase: "opening" | "identifying" | "greeting" | "open" | "closed"
  readonly startedAt: number
  /** The time of the last event (ms). */
  readonly now: number
  /** When the peer last gave a sign of life, and when we last asked for one (ms). */
  readonly aliveAt: number
  readonly pingedAt: number
  /** When the first of the pings was sent that are not answered yet (ms). */
  readonly unansweredAt: number | undefined
  /** A time at which the peer was alive (ms): it answered a ping of then. What is heard can have been under way for long. */
  readonly provedAt: number
  readonly peer: NodeId | undefined
  /** The greeting that is gone on with once its sender is identified. */
  readonly identifying: (Hello & { readonly nodeId: NodeId }) | undefined
  readonly record: PeerRecord | undefined
  /** Our state as the store last told. */
  readonly local: Snapshot
  /** The peer's clock as far as it told us. */
  readonly known: VectorClock.VectorClock
  /** Our clock as far as the peer was told. */
  readonly announced: VectorClock.VectorClock
  /** What is covered here and not kept: coverage of origins without rows. It ends with the session; see `Coverage.ts`. */
  readonly vouched: VectorClock.VectorClock
  /** The first parts of a clock of which the last one is still to come. */
  readonly begun: VectorClock.VectorClock
  /** The limits of the peer. */
  readonly takes: Takes
  /** How far the peer's wall time is ahead of ours (ms). */
  readonly offset: number | undefined
  /** The digest that the peer told last, with its clock at that moment. */
  readonly peerDigest: PeerDigest | undefined
  /** Whether the peer knows every rule of kinds of applications that we know. */
  readonly knowsRules: boolean
  /** What the peer holds of the origins of which it has rows beyond its clock, as its greeting told. */
  readonly uncovered: Holdings
  /** What the peer told of its cut; none from a peer that knows no cut. And what it was told of ours. */
  readonly cut: Cut.Told | undefined
  readonly announcedCut: Cut.Cut | undefined
  /** A difference that counts when it lasts. */
  readonly suspicion: Suspicion | undefined
  /** Whether the peer has to hear our digest, though our clock has not moved. */
  readonly isDigestDue: boolean
  /** The digest that the peer was told last, where it has not been given more coverage since: then it compares no digest. */
  readonly announcedDigest: string | undefined
  /** Whether the peer was told that rows are under way: when they are not any more, it is told that. */
  readonly isUnderWayAnnounced: boolean
  /** Whether the peer had another digest at the same clock. */
  readonly diverged: boolean
  readonly repair: Repair
  readonly relaying: Relaying
  readonly outbound: Outbound
  readonly inbound: Inbound
}

/** A state and its actions. */
export type Step = readonly [Session, ReadonlyArray<Action>]

/** Goes on from a step: the actions of the second come after those of the first. */
export const andThen = ([session, actions]: Step, next: (session: Session) => Step): Step => {
  const [after, more] = next(session)
  return more.length === 0 ? [after, actions] : actions.length === 0 ? [after, more] : [after, [...actions, ...more]]
}

/** A session before anything happened. */
export const initial = (options: Options, local: Snapshot, now: number): Session => ({
  options,
  phase: "opening",
  startedAt: now,
  now,
  aliveAt: now,
  pingedAt: now,
  unansweredAt: undefined,
  provedAt: now,
  peer: undefined,
  identifying: undefined,
  record: undefined,
  local,
  known: VectorClock.empty,
  announced: VectorClock.empty,
  vouched: VectorClock.empty,
  begun: VectorClock.empty,
  takes: defaultTakes,
  offset: undefined,
  peerDigest: undefined,
  knowsRules: false,
  uncovered: noHoldings,
  cut: undefined,
  announcedCut: undefined,
  suspicion: undefined,
  isDigestDue: false,
  announcedDigest: undefined,
  isUnderWayAnnounced: false,
  diverged: false,
  repair: {
    isSupported: false,
    isRequested: false,
    attempts: 0,
    checks: 0,
    beganAt: undefined,
    askedAt: undefined,
    frames: 0,
    activeAt: undefined,
    round: 0,
    tasks: [],
    split: undefined,
    at: undefined,
    isTelling: false,
    announced: [],
    settling: [],
    inFlight: undefined,
    due: 0
  },
  relaying: { questions: Relayed.none, answers: Relayed.none, asked: Relayed.none, told: new Set() },
  outbound: {
    dirty: HashMap.empty(),
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
  },
  inbound: {
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
})

/** The session after it heard of our state: progress will be told, together with what else comes within a moment. */
export const withLocal = (session: Session, local: Snapshot, now: number): Session =>
  local.version <= session.local.version
    ? session
    : {
        ...Coverage.remember(session, local),
        local,
        isDigestDue:
          session.isDigestDue || isChangedUnderClock(session.local, local) || isCutNews(session.local, local),
        inbound: {
          ...session.inbound,
          announceAt: session.inbound.announceAt ?? now + times.announce,
          roomAt: hasRoom(session, local) ? Math.min(session.inbound.roomAt, now) : session.inbound.roomAt
        }
      }

/** Whether there may be room again for what the quota kept out: rows were purged. */
const hasRoom = ({ inbound, local }: Session, { purges }: Snapshot): boolean =>
  purges !== local.purges && !HashMap.isEmpty(inbound.overQuota)

/** Whether rows have changed while the clock has not: rows that it had covered before, or that it does not cover. */
const isChangedUnderClock = (before: Snapshot, after: Snapshot): boolean =>
  !Digest.equals(before.digest, after.digest) && VectorClock.includes(before.vectorClock, after.vectorClock)

/** Whether the peer has to hear of the cut, or that all tombstones that it covers are dropped. */
const isCutNews = (before: Snapshot, { cut, isCollecting }: Snapshot): boolean =>
  cut !== before.cut || isCollecting !== before.isCollecting

/**
 * The session at the time of its next event. Where the clock was set back, all that was to be done after some time is to be done after
 * that time still.
 */
export const at = (session: Session, now: number): Session => {
  const by = now - session.now
  if (by >= 0) return by === 0 ? session : { ...session, now }
  const moved = (time: number | undefined) => (time === undefined ? undefined : time + by)
  const { suspicion, repair, outbound, inbound } = session
  return {
    ...session,
    now,
    startedAt: session.startedAt + by,
    aliveAt: session.aliveAt + by,
    pingedAt: session.pingedAt + by,
    unansweredAt: moved(session.unansweredAt),
    provedAt: session.provedAt + by,
    suspicion: suspicion && { ...suspicion, at: suspicion.at + by },
    repair: {
      ...repair,
      beganAt: moved(repair.beganAt),
      askedAt: moved(repair.askedAt),
      activeAt: moved(repair.activeAt),
      due: repair.due + by
    },
    outbound: {
      ...outbound,
      dirty: HashMap.map(outbound.dirty, (dirty) => ({ ...dirty, due: dirty.due + by, latest: dirty.latest + by }))
    },
    inbound: {
      ...inbound,
      commitAt: moved(inbound.commitAt),
      askAgainAt: inbound.askAgainAt + by,
      roomAt: inbound.roomAt + by,
      notBefore: inbound.notBefore + by,
      announceAt: moved(inbound.announceAt)
    }
  }
}
