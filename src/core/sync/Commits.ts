/**
 * The commits of a session: which frames are committed together and when, and what follows from it.
 */
import { HashMap, HashSet, Option } from "effect"
import { OverQuota, PeerSlowed } from "./SyncFailure.ts"
import * as Hlc from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import { type Batch, isAnnounced } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Coverage from "./Coverage.ts"
import type { Frame } from "./Inbound.ts"
import { commitFrames, commitSize, times } from "./SessionLimits.ts"
import { andThen, type Session, type Step, withLocal } from "./SessionState.ts"
import type { Action, Event } from "./SessionEvents.ts"
import { announce, overQuotaNamed } from "./Acknowledge.ts"
import { compareDigest } from "./DigestCheck.ts"

/** A wait that is longer than this is told (ms). */
const reportedWait = 1_000

export const sizeOf = (frames: ReadonlyArray<Frame>): number => frames.reduce((sum, { size }) => sum + size, 0)

const throughOf = (frames: ReadonlyArray<Frame>): VectorClock.VectorClock =>
  frames.reduce((sum, { batch }) => VectorClock.merge(sum, batch.coverage), VectorClock.empty)

/** Whether enough has come for a commit, or it was gathered for long enough. */
export const isGathered = ({ inbound: { waiting, commitAt = Infinity } }: Session, now: number): boolean =>
  now >= commitAt + times.gather ||
  (now >= commitAt && (waiting.length >= commitFrames || sizeOf(waiting) >= commitSize))

/**
 * Asks for the commit of the oldest frames, if it is time. Until a tick comes, which it does when nothing else is to be
 * done, frames that have arrived already join those that wait.
 */
export const commit = (session: Session, now: number): Step => {
  const { inbound } = session
  const [first, ...more] = inbound.waiting
  if (first === undefined || now < (inbound.commitAt ?? Infinity)) return [session, []]
  const frames = [first]
  for (const frame of more) {
    if (frame.fresh || frames.length >= commitFrames || sizeOf(frames) + frame.size > commitSize) break
    frames.push(frame)
  }
  // Left-out operations are sent again when the pump of the peer starts over.
  const overQuota = first.fresh ? VectorClock.empty : inbound.overQuota
  const batch: Batch = {
    operations: frames.length === 1 ? first.batch.operations : frames.flatMap(({ batch }) => batch.operations),
    coverage: VectorClock.before(throughOf(frames), overQuota),
    quarantined: frames.flatMap(({ batch }) => batch.quarantined),
    ...fromPeer(session)
  }
  const trace = frames.find(({ trace }) => trace !== undefined)?.trace
  return [
    { ...session, inbound: { ...inbound, taken: frames.length, commitAt: undefined, overQuota } },
    [{ _tag: "Commit", batch, ...(trace && { trace }) }]
  ]
}

/** The facts that the store has to check again before it takes a batch. */
const fromPeer = ({ peer, cut, local }: Session): Pick<Batch, "from"> =>
  peer === undefined || local.cut === undefined ? {} : { from: { node: peer, told: cut } }

/** Persists session-only coverage once rows of that origin have arrived: the peer sends it only once. */
export const commitVouched = (session: Session, now: number): Session => {
  const { inbound, local, vouched } = session
  const isKnown = (_: Hlc.Timestamp, node: NodeId) =>
    HashMap.has(local.holdings, node) && HashMap.has(local.frontier, node)
  if (HashMap.isEmpty(vouched)) return session
  const claimable = VectorClock.before(vouched, inbound.overQuota)
  const through = HashMap.filter(VectorClock.difference(claimable, local.vectorClock), isKnown)
  if (HashMap.isEmpty(through) || inbound.seq === 0) return session
  const last = inbound.waiting.at(-1)
  if (last !== undefined && VectorClock.includes(last.batch.coverage, through)) return session
  // It joins what waits, or waits alone, as a part of the last frame.
  const frame: Frame =
    last !== undefined && inbound.taken < inbound.waiting.length
      ? { ...last, batch: { ...last.batch, coverage: VectorClock.merge(last.batch.coverage, through) } }
      : {
          seq: inbound.seq - 1,
          more: !inbound.complete,
          fresh: false,
          batch: { operations: [], coverage: through, quarantined: [] },
          size: 0
        }
  const before = frame.size === 0 ? inbound.waiting : inbound.waiting.slice(0, -1)
  const commitAt = inbound.taken > 0 ? undefined : (inbound.commitAt ?? now)
  return { ...session, inbound: { ...inbound, waiting: [...before, frame], commitAt } }
}

/** Nothing could be written: received frames wait, and as they are not acknowledged, the peer soon sends no more. */
export const onUncommitted = (session: Session, now: number): Session => {
  const { inbound } = session
  const retryAfter = Math.min(2 * inbound.retryAfter, times.retry.cap)
  return { ...session, inbound: { ...inbound, taken: 0, commitAt: now + inbound.retryAfter, retryAfter } }
}

/** The answer to a commit. */
type Committed = Omit<Extract<Event, { readonly _tag: "Committed" }>, "_tag" | "now">

/** The batch is committed: acknowledges it, and takes the frames that came meanwhile. */
export const onCommitted = (session: Session, committed: Committed, now: number): Step => {
  const { inbound } = session
  const last = inbound.waiting[inbound.taken - 1]
  if (last === undefined) return [session, []]
  const waiting = inbound.waiting.slice(inbound.taken)
  const overQuota = VectorClock.earliest(inbound.overQuota, committed.overQuota ?? VectorClock.empty)
  const notBefore = committed.notBefore ?? inbound.notBefore
  const isNews = HashMap.isEmpty(inbound.overQuota) && !HashMap.isEmpty(overQuota)
  const full = isNews ? quotaUsed(session, "here", overQuota) : undefined
  const name = session.peer ?? session.options.remote
  const slowed = notBefore - now > reportedWait ? new PeerSlowed({ peer: name }) : undefined
  const warns = [full, slowed].flatMap((warning): ReadonlyArray<Action> =>
    warning === undefined ? [] : [{ _tag: "Warn", warning }]
  )
  const taken = Coverage.vouch(
    withLocal(withoutEcho(session, committed), committed.snapshot, now),
    VectorClock.before(throughOf(inbound.waiting.slice(0, inbound.taken)), overQuota)
  )
  const current = isNewlyAnnounced(session, taken)
    ? { ...taken, outbound: { ...taken.outbound, unclaimed: true } }
    : taken
  const told = announce(
    {
      ...compareDigest(current, now),
      inbound: {
        ...inbound,
        overQuota,
        notBefore,
        waiting,
        // Operations that the store has not kept free their room.
        brought: waiting.length > 0 ? inbound.brought : HashSet.empty(),
        taken: 0,
        commitAt: waiting.length > 0 ? Math.max(now, notBefore) : undefined,
        retryAfter: times.retry.first,
        complete: !last.more,
        lastSyncAt: now
      }
    },
    Option.some(last.seq)
  )
  return warns.length === 0 ? told : andThen([session, warns], () => told)
}

/**
 * As people are told of rows of unknown kinds for which there is no room, on the side that keeps them out (`here`) and
 * on the other.
 */
export const quotaUsed = (
  { peer, options }: Pick<Session, "peer" | "options">,
  where: "here" | "there",
  overQuota: VectorClock.VectorClock
): OverQuota | undefined =>
  HashMap.isEmpty(overQuota)
    ? undefined
    : new OverQuota({
        peer: peer ?? options.remote,
        where,
        origins: [...HashMap.keys(overQuota)].slice(0, overQuotaNamed)
      })

/**
 * Whether the peer brought rows of an origin that had none here, and that is covered further here than the peer knows.
 * From now on that coverage is announced, and no other message would contain it.
 */
const isNewlyAnnounced = ({ inbound, local: before }: Session, { local, known }: Session): boolean =>
  inbound.waiting
    .slice(0, inbound.taken)
    .some(({ batch }) =>
      batch.operations.some(
        ({ hlc: { node } }) =>
          !isAnnounced(before, node) &&
          isAnnounced(local, node) &&
          Hlc.isAfter(VectorClock.get(local.vectorClock, node), VectorClock.get(known, node))
      )
    )

/**
 * Operations from the peer are not sent back, even where no clock says that the peer has them. A commit that directly
 * follows the last examined one has written nothing else. A commit that changed nothing has no version of its own: the
 * next version is another's.
 */
const withoutEcho = (session: Session, { snapshot: { version }, hasChanged }: Committed): Session => {
  const { outbound, local } = session
  const isNext = hasChanged && version === local.version + 1
  return outbound.inFlight === undefined && outbound.seen === local.version && isNext
    ? { ...session, outbound: { ...outbound, seen: version } }
    : session
}
