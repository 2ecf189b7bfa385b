/**
 * The state of a session, and how it changes with time and with the store.
 */
import { HashMap } from "effect"
import type * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import type { NodeId } from "../replica/NodeId.ts"
import * as Relayed from "../replica/Relayed.ts"
import { type Holdings, noHoldings, type Snapshot } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Coverage from "./Coverage.ts"
import * as Inbound from "./Inbound.ts"
import * as Outbound from "./Outbound.ts"
import * as RepairState from "./RepairState.ts"
import type { Action, PeerRecord } from "./SessionEvents.ts"
import { movedBy, times } from "./SessionLimits.ts"
import type { Options } from "./SessionOptions.ts"
import { defaultTakes, type Hello, type Takes } from "./Wire.ts"

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
   * From `identifying` on, the peer has proved itself. From `greeting` on, its record is loaded. From `open` on, its
   * vector clock is known.
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
  /** A time at which the peer was alive (ms): it answered a ping sent then. Received frames may have been delayed. */
  readonly provedAt: number
  readonly peer: NodeId | undefined
  /** The greeting to process once the peer is identified. */
  readonly identifying: (Hello & { readonly nodeId: NodeId }) | undefined
  readonly record: PeerRecord | undefined
  /** Our state as the store last told. */
  readonly local: Snapshot
  /** The peer's clock as far as it told us. */
  readonly known: VectorClock.VectorClock
  /** Our clock as far as the peer was told. */
  readonly announced: VectorClock.VectorClock
  /**
   * What is covered here and not kept: coverage of origins without rows. It ends with the session; see `Coverage.ts`.
   */
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
  /**
   * The digest that the peer was told last, where it has not been given more coverage since: then it compares no
   * digest.
   */
  readonly announcedDigest: string | undefined
  /** Whether the peer was told that rows are under way: when they are not any more, it is told that. */
  readonly isUnderWayAnnounced: boolean
  /** Whether the peer had another digest at the same clock. */
  readonly diverged: boolean
  readonly repair: RepairState.Repair
  readonly relaying: Relaying
  readonly outbound: Outbound.Outbound
  readonly inbound: Inbound.Inbound
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
  repair: RepairState.initial,
  relaying: { questions: Relayed.none, answers: Relayed.none, asked: Relayed.none, told: new Set() },
  outbound: Outbound.initial(local),
  inbound: Inbound.initial
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
 * The session at the time of its next event. Where the clock was set back, all that was to be done after some time is
 * to be done after that time still.
 */
export const at = (session: Session, now: number): Session => {
  const by = now - session.now
  if (by >= 0) return by === 0 ? session : { ...session, now }
  const { suspicion, repair, outbound, inbound } = session
  return {
    ...session,
    now,
    startedAt: session.startedAt + by,
    aliveAt: session.aliveAt + by,
    pingedAt: session.pingedAt + by,
    unansweredAt: movedBy(session.unansweredAt, by),
    provedAt: session.provedAt + by,
    suspicion: suspicion && { ...suspicion, at: suspicion.at + by },
    repair: RepairState.moved(repair, by),
    outbound: Outbound.moved(outbound, by),
    inbound: Inbound.moved(inbound, by)
  }
}
