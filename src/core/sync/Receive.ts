/**
 * The receiving half: takes frames in order, defers operations that are ahead of time, commits, acknowledges.
 *
 * Clock poison does not spread: an operation more than the drift bound ahead of local time is not taken, nor what follows it
 * of the same origin; all others are. While something is held back, nothing new is claimed, for what is held may have
 * superseded operations that we therefore never saw. When its time has come, the peer is asked to start its pump again
 * from what we claim.
 */
import { HashMap, HashSet, Option, Result } from "effect"
import * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import { ClockDrift, OriginsLeftOut, OverQuota, PeerSlowed, ProtocolViolation } from "./SyncFailure.ts"
import * as Hlc from "../replica/Hlc.ts"
import { byCodePoint, type NodeId } from "../replica/NodeId.ts"
import type { Operation } from "../replica/Operation.ts"
import * as Purge from "../replica/Purge.ts"
import { type Batch, knows, originsWith, isAnnounced } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Wire from "./Wire.ts"
import * as Coverage from "./Coverage.ts"
import * as Deferral from "./Deferral.ts"
import { acknowledge, mergeKnown, withDeferral } from "./Send.ts"
import {
  andThen,
  commitFrames,
  commitSize,
  credit,
  emptyFrames,
  envelopeBytes,
  type Frame,
  type Inbound,
  leftOutWait,
  type Session,
  type Step,
  times,
  waitingSize,
  withLocal
} from "./SessionState.ts"
import type { Action, Event } from "./SessionEvents.ts"
import { digestsOf, isLive, isComparable, isSettled } from "./ToldDigest.ts"

/** Origins that are named, of those whose rows the quota keeps out. */
const overQuotaNamed = 16

/** A wait that is longer than this is told (ms). */
const reportedWait = 1_000

const violation = (detail: string) => Result.fail(new ProtocolViolation({ detail }))

/** Takes a frame of operations, of `size` characters. Fails with its problem. */
export const onData = (
  session: Session,
  data: Wire.Data,
  size: number,
  now: number,
  newOrigins: number
): Result.Result<Step, ProtocolViolation> => {
  const { inbound, peer, options } = session
  if (data.seq !== inbound.seq) {
    return violation(`received frame ${data.seq}, expected frame ${inbound.seq}`)
  }
  const isEmpty = data.operations.length + data.malformed.length === 0 && HashMap.isEmpty(data.through)
  const empties = isEmpty ? inbound.empties + 1 : 0
  if (empties > emptyFrames) return violation(`${empties} empty frames in a row`)

  const before = withDeferral(session, Deferral.withoutSuperseded(session.outbound.deferral, data.operations))
  const { operations: allowed, brought, leftOut, isFull } = withinAllowance(session, data, newOrigins)
  const { operations, held } = holdBack(
    { operations: allowed, through: data.through },
    data.fresh ? HashMap.empty() : inbound.deferred,
    now,
    options.maxDriftMs
  )
  const stale = inbound.stale && !data.fresh
  const isPartial = stale || !HashMap.isEmpty(held) || HashSet.size(leftOut) > 0
  const through = isPartial ? VectorClock.empty : data.through
  const quarantined = peer === undefined ? [] : data.malformed.map((malformed) => ({ peer, ...malformed }))
  const frame: Frame = {
    seq: data.seq,
    more: data.more,
    fresh: data.fresh,
    batch: { operations, coverage: through, quarantined },
    size,
    trace: data.trace
  }
  const waiting = [...inbound.waiting, frame]
  if (waiting.length > credit.frames || sizeOf(waiting) > waitingSize) {
    return violation("it sent more than the credit allows")
  }
  const next: Session = {
    ...mergeKnown(before, data.through, now),
    inbound: {
      ...inbound,
      seq: inbound.seq + 1,
      waiting,
      commitAt: inbound.taken > 0 ? undefined : (inbound.commitAt ?? Math.max(now, inbound.notBefore)),
      deferred: held,
      brought,
      leftOut,
      askAgainAt:
        HashSet.size(leftOut) === 0
          ? Infinity
          : Math.min(inbound.askAgainAt, now + waitFor(HashSet.size(leftOut), isFull)),
      stale,
      empties
    }
  }
  const [after, commits] = isGathered(next, now) ? commit(next, now) : [next, []]
  const news: ReadonlyArray<Action> = [
    ...warnings(inbound.deferred, held, now, options.maxDriftMs),
    ...(HashSet.size(brought) > HashSet.size(inbound.brought)
      ? [{ _tag: "Brought" as const, origins: HashSet.size(brought) - HashSet.size(inbound.brought) }]
      : []),
    ...(HashSet.size(leftOut) > 0 && HashSet.size(inbound.leftOut) === 0
      ? [{ _tag: "Warn" as const, warning: leftOutOf(leftOut) }]
      : [])
  ]
  return Result.succeed([after, [...news, ...commits]])
}

/** The warnings about origins that are left out. */
export const leftOutOf = (origins: Iterable<NodeId>): OriginsLeftOut => {
  const all = [...origins]
  return new OriginsLeftOut({ count: all.length, origins: all.slice(0, 3) })
}

/** Where there is no place left, asking soon would bring the same again. */
const waitFor = (origins: number, isFull: boolean): number =>
  isFull ? leftOutWait.most : Math.min(Math.max(leftOutWait.least, origins * leftOutWait.each), leftOutWait.most)

/**
 * The operations of origins that are known, and of as many new ones as may be taken. An operation that is left out is asked for
 * later, and until then nothing is claimed, for it may have superseded others. Coverage needs no place: a store keeps none of an
 * origin of which it never took an operation.
 */
const withinAllowance = (
  { inbound, local, options }: Session,
  data: Wire.Data,
  newOrigins: number
): Pick<Wire.Data, "operations"> & Pick<Inbound, "brought" | "leftOut"> & { readonly isFull: boolean } => {
  const isInStore = (node: NodeId) => knows(options.self, local, node)
  let { brought } = inbound
  let leftOut = data.fresh ? HashSet.empty<NodeId>() : inbound.leftOut
  // Counted when it matters: most frames name no new origin.
  let room: number | undefined
  let isFull = false
  const isTaken = (node: NodeId): boolean => {
    if (isInStore(node) || HashSet.has(brought, node)) return true
    if (room === undefined) {
      const taken = HashSet.filter(inbound.brought, (node) => !isInStore(node))
      const places = Wire.limits.origins - originsWith(options.self, local, taken)
      isFull = places < 1
      room = Math.min(newOrigins, places)
    }
    if (room < 1) return false
    room--
    brought = HashSet.add(brought, node)
    return true
  }
  const operations = data.operations.filter(({ hlc: { node } }) => {
    // Once left out, an origin stays out until it is asked for anew: what comes later must not come first.
    const isIn = !HashSet.has(leftOut, node) && isTaken(node)
    if (!isIn && HashSet.size(leftOut) < Wire.limits.origins) leftOut = HashSet.add(leftOut, node)
    return isIn
  })
  return { operations, brought, leftOut, isFull }
}

const sizeOf = (frames: ReadonlyArray<Frame>): number => frames.reduce((sum, { size }) => sum + size, 0)

const throughOf = (frames: ReadonlyArray<Frame>): VectorClock.VectorClock =>
  frames.reduce((sum, { batch }) => VectorClock.merge(sum, batch.coverage), VectorClock.empty)

/** Whether enough has come for a commit, or it was gathered for long enough. */
const isGathered = ({ inbound: { waiting, commitAt = Infinity } }: Session, now: number): boolean =>
  now >= commitAt + times.gather ||
  (now >= commitAt && (waiting.length >= commitFrames || sizeOf(waiting) >= commitSize))

/**
 * Asks for the commit of the oldest frames, if it is time. Until a tick comes, which it does when nothing else is to be done,
 * frames that have arrived already join those that wait.
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

/**
 * Has coverage written down that counted in this session alone: rows of its origin have come since, by whatever way, and the peer
 * gives it only once.
 */
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

/** The warning that is due when the first operation is held back. */
export const warnings = (
  before: Inbound["deferred"],
  held: Inbound["deferred"],
  now: number,
  limit: number
): ReadonlyArray<Action> => {
  const [first] = HashMap.values(held)
  if (first === undefined || !HashMap.isEmpty(before)) return []
  return [{ _tag: "Warn", warning: new ClockDrift({ remote: first.wall, local: now, limit }) }]
}

/** A peer makes up origins, or the network has outgrown the protocol. */
export const tooManyOrigins = new ProtocolViolation({ detail: `more than ${Wire.limits.origins} origins in all` })

/** Splits a frame into operations to take now and operations to defer. */
const holdBack = (
  { operations, through }: Pick<Wire.Data, "operations" | "through">,
  before: Inbound["deferred"],
  now: number,
  maxDrift: number
): { readonly operations: ReadonlyArray<Operation>; readonly held: Inbound["deferred"] } => {
  let held = before
  const hold = (node: NodeId, reading: Hlc.Timestamp) => {
    if (!HashMap.has(held, node)) held = HashMap.set(held, node, { wall: reading.wall, counter: reading.counter })
  }
  const taken = operations.filter(({ hlc }) => {
    if (Hlc.isDrifting(hlc, now, maxDrift)) hold(hlc.node, hlc)
    return !HashMap.has(held, hlc.node)
  })
  for (const [node, reading] of HashMap.entries(through)) {
    if (Hlc.isDrifting(reading, now, maxDrift)) hold(node, reading)
  }
  return { operations: taken, held }
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

/** As people are told of rows of unknown kinds for which there is no room, on the side that keeps them out (`here`) and on the other. */
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
 * Whether the peer brought rows of an origin that had none here, and that is covered further here than the peer was told: from now
 * on that is told, and nothing else would be sent that says so.
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
 * What the peer has sent is not sent back, also where no clock says that the peer has it: a commit that directly follows the last one
 * that was looked at has written nothing else. A commit that changed nothing has no version of its own: the next version is another's.
 */
const withoutEcho = (session: Session, { snapshot: { version }, hasChanged }: Committed): Session => {
  const { outbound, local } = session
  const isNext = hasChanged && version === local.version + 1
  return outbound.inFlight === undefined && outbound.seen === local.version && isNext
    ? { ...session, outbound: { ...outbound, seen: version } }
    : session
}

/** Tells the peer how far we are: in answer to its frame `seq`, or of our own accord. */
export const announce = (session: Session, seq: Option.Option<number>): Step => {
  const { local, announced, inbound, announcedCut } = session
  // The rest follows in the next frame.
  const [clock = VectorClock.empty, ...more] = Wire.partsOf(
    Coverage.announceable(session, VectorClock.difference(Coverage.all(session), announced)),
    session.takes.frame - 2 * envelopeBytes
  )
  // A digest is the digest of a clock: it goes with the last part of it.
  const digests = more.length > 0 ? { digest: Option.none(), rows: Option.none() } : digestsOf(session)
  const underWay = isMissing(session) || (Option.isSome(digests.rows) && isUnderWay(session))
  const told: Session = {
    ...session,
    announced: VectorClock.merge(announced, clock),
    isDigestDue: more.length > 0 && session.isDigestDue,
    announcedDigest: more.length > 0 ? undefined : Digest.toText(local.digest),
    isUnderWayAnnounced: underWay,
    announcedCut: local.cut,
    inbound: { ...inbound, announceAt: more.length > 0 ? session.aliveAt : undefined }
  }
  if (Option.isNone(seq) && HashMap.isEmpty(clock) && !session.isDigestDue)
    return [{ ...told, announcedDigest: session.announcedDigest }, []]
  const overQuota = HashMap.fromIterable([...HashMap.entries(inbound.overQuota)].slice(0, overQuotaNamed))
  const purged = purgedHere(session)
  const text = Wire.encode({
    type: "sync_ack",
    seq,
    clock,
    ...digests,
    held: inbound.deferred,
    underWay,
    overQuota,
    purged,
    ...(announcedCut !== local.cut && session.cut !== undefined && local.cut && { cut: Cut.toldOf(local.cut) })
  })
  return [told, [{ _tag: "Send", text, operations: 0 }]]
}

/** The peer told how far it is. Fails with its problem. */
export const onAck = (session: Session, ack: Wire.Ack, now: number): Result.Result<Session, ProtocolViolation> => {
  if (Option.exists(ack.seq, (seq) => seq >= session.outbound.seq)) {
    return violation("it acknowledges a frame that was never sent")
  }
  const heard: Session = {
    ...session,
    cut: ack.cut ?? session.cut,
    outbound: {
      ...session.outbound,
      deferredOwn: Option.getOrUndefined(HashMap.get(ack.held, session.options.self)),
      overQuota: ack.overQuota ?? VectorClock.empty
    }
  }
  const told = Option.match(ack.seq, { onNone: () => heard, onSome: (seq) => acknowledge(heard, seq) })
  return Result.succeed(onDigest(mergeKnown(told, ack.clock, now), ack, now))
}

/** The peer told its digest. */
export const onDigest = (
  session: Session,
  {
    digest,
    rows,
    live,
    underWay = false,
    purged = 0
  }: Pick<Wire.Ack, "digest" | "rows" | "live" | "underWay" | "purged">,
  now: number
): Session => {
  const heard = Option.map(
    Option.orElse(digest, () => rows),
    (text) => ({
      clock: session.known,
      digest: text,
      live,
      purged,
      isSettled: Option.isSome(digest),
      isUnderWay: underWay
    })
  )
  return compareDigest({ ...session, peerDigest: Option.getOrUndefined(heard) }, now)
}

/**
 * Compares digests. Where both sides claim the same and the clocks cover all rows, equal clocks mean equal rows. Where they do not,
 * rows may be under way that no clock tells of: a difference counts when it lasts while nothing is under way.
 *
 * A difference is explained where the clocks differ, or where one side knows of rows that the other one lacks. What explains it may
 * last for ever, as a row that is too large for one side does, and hide another difference meanwhile. So rows are compared all the
 * same when neither side has changed for a while: without an alarm, and less and less often.
 */
export const compareDigest = (session: Session, now: number): Session => {
  const { peerDigest: heard, local } = session
  if (!isComparable(session)) return withDiverged({ ...session, suspicion: undefined }, false, now)
  if (heard === undefined) return session.suspicion === undefined ? session : { ...session, suspicion: undefined }
  // Where one of the two has collected tombstones, the other one may still hold them.
  const [ours, theirs] = isLive(session)
    ? [local.live && Digest.toText(local.live), heard.live]
    : [Digest.toText(local.digest), heard.digest]
  if (ours === undefined || theirs === undefined) return { ...session, suspicion: undefined }
  if (!Coverage.isSame(session, heard.clock)) return suspect(session, ours, theirs, true, now)
  // Purged rows on either side explain a difference. The peer gets a report of our purges.
  const isPurgedHere = purgedHere(session) > 0
  if (ours === theirs || heard.purged > 0 || isPurgedHere) {
    const told = isPurgedHere && !session.isUnderWayAnnounced ? withDigestDue(session, now) : session
    const repair = ours === theirs && told.repair.checks > 0 ? { ...told.repair, checks: 0 } : told.repair
    return withDiverged({ ...told, repair, suspicion: undefined }, false, now)
  }
  if (session.diverged || (heard.isSettled && isSettled(local))) {
    return withDiverged({ ...session, suspicion: undefined }, true, now)
  }
  return suspect(session, ours, theirs, heard.isUnderWay || isUnderWay(session), now)
}

/** Two digests differ. Once they have done so for long enough, rows are compared. */
const suspect = (session: Session, ours: string, theirs: string, isExplained: boolean, now: number): Session => {
  const { suspicion, repair, options, peer } = session
  const isSame = suspicion?.ours === ours && suspicion.theirs === theirs && suspicion.isExplained === isExplained
  if (!isSame) {
    const { first, cap } = times.explained
    const patience = isExplained ? Math.min(first * 2 ** repair.checks, cap) : times.uncovered
    return { ...session, suspicion: { ours, theirs, isExplained, at: now + patience } }
  }
  if (now < suspicion.at) return session
  if (!isExplained) return withDiverged({ ...session, suspicion: undefined }, true, now)
  // Once for these two digests, and on one of the two sides.
  const isOurs = peer !== undefined && byCodePoint(options.self, peer) < 0
  return {
    ...session,
    suspicion: { ...suspicion, at: Infinity },
    repair: isOurs ? { ...repair, isRequested: true, checks: repair.checks + 1 } : repair
  }
}

/** How many rows the peer holds that were purged here, where these are the whole difference between the two. */
export const purgedHere = (session: Session): number => {
  const { peerDigest: heard, local } = session
  if (heard === undefined || HashMap.isEmpty(local.purges) || !Coverage.isSame(session, heard.clock)) return 0
  if (heard.digest === Digest.toText(local.digest)) return 0
  return Purge.explains(local.purges, local.digest, heard.digest) ?? 0
}

/** Whether rows are known of that one of the two does not take, or not yet. */
const isMissing = (session: Session): boolean => isLeftOut(session) || purgedHere(session) > 0

const isLeftOut = ({ inbound, outbound, local }: Session): boolean =>
  local.isCollecting === true ||
  inbound.stale ||
  HashMap.size(inbound.deferred) + HashSet.size(inbound.leftOut) + HashMap.size(inbound.overQuota) > 0 ||
  Deferral.countOf(outbound.deferral) + (inbound.leftOutByPeer?.count ?? 0) > 0

/** Whether rows are known of that one of the two does not have, or not yet. */
const isUnderWay = (session: Session): boolean => {
  const { inbound, outbound } = session
  const waiting = inbound.waiting.length + outbound.unacked.length + HashMap.size(outbound.dirty)
  return !inbound.complete || waiting > 0 || isMissing(session)
}

/** A peer that was told that rows are under way hears when they are not any more. */
export const noteArrival = (session: Session, now: number): Session =>
  !session.isUnderWayAnnounced || session.phase !== "open" || isUnderWay(session)
    ? session
    : { ...withDigestDue(session, now), isUnderWayAnnounced: false }

/** The peer is to hear our digest, together with what else has to be told within a moment. */
export const withDigestDue = (session: Session, now: number): Session => ({
  ...session,
  isDigestDue: true,
  inbound: { ...session.inbound, announceAt: session.inbound.announceAt ?? now + times.announce }
})

const withDiverged = (session: Session, diverged: boolean, now: number): Session => {
  const { repair } = session
  // A peer that was told of the difference before it got more coverage has to see it anew.
  const isSeen = !diverged || session.announcedDigest === Digest.toText(session.local.digest)
  if (diverged === session.diverged && isSeen) return session
  return {
    // The peer sees it too when it hears our digest.
    ...withDigestDue(session, now),
    diverged,
    repair: diverged ? repair : { ...repair, attempts: 0, isRequested: false }
  }
}

/** When the first operation that is held back can be taken (ms). */
export const releaseAt = ({ inbound, options }: Session): number => {
  if (inbound.stale) return Infinity
  let at = inbound.roomAt
  if (HashSet.size(inbound.leftOut) > 0) at = Math.min(at, inbound.askAgainAt)
  for (const reading of HashMap.values(inbound.deferred)) at = Math.min(at, reading.wall - options.maxDriftMs)
  return at
}

/** The time has come: asks the peer to start over from what we claim. */
export const release = (session: Session, hellos: ReadonlyArray<Action>): Step => [
  { ...session, inbound: { ...session.inbound, stale: true, complete: false, askAgainAt: Infinity, roomAt: Infinity } },
  hellos
]
