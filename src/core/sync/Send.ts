/**
 * The pump: sends the operations that the peer lacks. Catching up and live pushes are the same steps.
 *
 * An origin is *dirty* while it may hold something that the peer lacks. The pump reads the next bounded piece of the
 * due dirty origins, sends it as one frame, moves their cursors, and waits for credit. When nothing is dirty, the frame
 * says what the peer may now claim (`through`): our clock as it was in the very transaction that found nothing left.
 *
 * Why claims wait for that moment: a superseded operation leaves no trace, and what wins over it may belong to any
 * origin. Only a peer that has everything we hold knows a winner over every operation that our clock covers. One claim
 * may come earlier. We have seen every operation of our own history, and every operation that superseded one of them.
 * So our history may be claimed as soon as it is sent, unless an operation that superseded a part of it is still
 * waiting.
 *
 * Our own operations are due at once; to a peer that has all that came before, they are sent without a read. Those of
 * third parties wait a moment, for the peer usually has them from their origin by then, and says so.
 */
import { HashMap, Option } from "effect"
import * as Cut from "../replica/Cut.ts"
import * as Hlc from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import type { Operation } from "../replica/Operation.ts"
import type { Change, Delta, DeltaRequest } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Wire from "./Wire.ts"
import * as Coverage from "./Coverage.ts"
import * as Deferral from "./Deferral.ts"
import * as DirtyOrigins from "./DirtyOrigins.ts"
import * as Outbound from "./Outbound.ts"
import { envelopeBytes, originsPerRead } from "./SessionLimits.ts"
import { andThen, type Session, type Step, withLocal } from "./SessionState.ts"
import type { Action } from "./SessionEvents.ts"
import { isComparable, isDigestWithheld, isSettled } from "./ToldDigest.ts"

/** Starts over from the known clock of the peer: everything beyond is due. */
export const restart = (session: Session, now: number): Session => ({
  ...session,
  outbound: {
    ...session.outbound,
    ...allDirty(session, now),
    offered: VectorClock.empty,
    fresh: true,
    complete: false,
    inFlight: undefined
  }
})

/**
 * The peer has what we told to have. There is nothing more to be said, unless we hold something beyond that: then the
 * peer, which has heard no digest that belongs to the clock, waits for our first frame.
 */
export const inSync = (session: Session, now: number): Session => {
  const restarted = restart(session, now)
  const isAll =
    Coverage.isWhole(session.local, session.announced) &&
    isSettled(session.local) &&
    isComparable(session) &&
    !isDigestWithheld(session)
  return isAll && HashMap.isEmpty(restarted.outbound.dirty)
    ? { ...restarted, outbound: { ...restarted.outbound, fresh: false, complete: true } }
    : restarted
}

/** Everything that the peer may lack. */
const allDirty = (
  { local, known, uncovered }: Session,
  now: number
): Pick<Outbound.Outbound, "dirty" | "seen" | "deferral"> => ({
  dirty: DirtyOrigins.all(local, known, uncovered, now),
  seen: local.version,
  // It is found again.
  deferral: Deferral.none
})

/** Reads on, when there is something to do and credit to do it. */
export const pump = (session: Session, now: number): Step => {
  const { outbound, local } = session
  if (session.phase !== "open" || outbound.inFlight !== undefined || !hasCredit(session)) return [session, []]
  const from: Array<readonly [NodeId, Hlc.Timestamp]> = []
  for (const [node, dirty] of HashMap.entries(outbound.dirty)) {
    if (DirtyOrigins.dueOf(dirty, isBusy(outbound)) <= now && from.length < originsPerRead)
      from.push([node, dirty.from])
  }
  const isQuiet = outbound.seen >= local.version && !isClaimDue(session) && !isClaimFree(session)
  if (from.length === 0 && isQuiet) return [session, []]
  const request = requestOf(session, from)
  return [{ ...session, outbound: { ...outbound, inFlight: request } }, [{ _tag: "Read", request }]]
}

const requestOf = (session: Session, from: DeltaRequest["from"]): DeltaRequest => ({
  from,
  since: session.outbound.seen,
  maxBytes: frameBytes(session),
  maxOperations: Wire.limits.operationsPerFrame
})

/**
 * The store changed. Our own writes go out as they are where nothing else of ours waits: they are all that a read from
 * the cursor before them would find.
 */
export const onChange = (session: Session, change: Change | undefined, now: number): Step => {
  const { outbound, local, known, options } = session
  const { self } = options
  const isNext = change?.version === outbound.seen + 1 && change.version === local.version
  if (!isNext || change.changedOrigins === undefined || HashMap.has(outbound.dirty, self)) return pump(session, now)
  const { ranges, supersessions } = change.changedOrigins
  const range = ranges.get(self)
  if (range === undefined || session.phase !== "open" || outbound.inFlight !== undefined || !hasCredit(session))
    return pump(session, now)
  const from = Hlc.latest(VectorClock.get(known, self), Hlc.predecessor(range.least))
  const request = requestOf(session, [[self, from]])
  const dirty = HashMap.set(outbound.dirty, self, { from, due: now, latest: now, supersedesOwn: false })
  const operations = change.operations
    .filter(({ hlc }) => hlc.node === self && Hlc.isAfter(hlc, from))
    .sort((a, b) => Hlc.HlcOrder(a.hlc, b.hlc))
  const others = new Map([...ranges].filter(([node]) => node !== self))
  const changedOrigins = Option.some({ ranges: others, supersessions })
  const delta: Delta = { snapshot: local, operations, exhausted: 1, changedOrigins }
  return onDelta({ ...session, outbound: { ...outbound, dirty, inFlight: request } }, request, delta, now)
}

/** Whether a frame without operations is owed: the first one, and one that ends an open round. */
const isClaimDue = ({ outbound }: Session): boolean =>
  HashMap.isEmpty(outbound.dirty) && (outbound.fresh || !outbound.complete)

/** Whether claims were kept back, and nothing keeps them back any more: the peer had the rest from elsewhere. */
const isClaimFree = ({ outbound }: Session): boolean => HashMap.isEmpty(outbound.dirty) && outbound.unclaimed

/** Sends the operations of a read, and goes on. */
export const onDelta = (session: Session, request: DeltaRequest, delta: Delta, now: number): Step => {
  // The pump was restarted meanwhile: earlier reads are of no use any more.
  if (session.phase !== "open" || request !== session.outbound.inFlight) return [session, []]
  const current = withLocal(session, delta.snapshot, now)
  if (Option.isNone(delta.changedOrigins)) {
    // Coverage may have grown without rows: nothing is dirty for that.
    const outbound = { ...current.outbound, ...allDirty(current, now), unclaimed: true, inFlight: undefined }
    return pump({ ...current, outbound }, now)
  }
  // Leave room for the envelope, which holds the claims.
  const unsent = delta.operations.filter(
    (operation) => !VectorClock.covers(session.known, operation.hlc) && !isCollectedThere(session, operation)
  )
  const room = frameBytes(session) - envelopeBytes
  const { changes, bytes, taken, tooLarge } = Wire.fill(unsent, room, session.takes.operation)
  const [last, cut] = [unsent[taken - 1], unsent[taken]]
  const dirty = DirtyOrigins.withChanged(
    DirtyOrigins.afterRead(session.outbound.dirty, request, delta, last?.hlc, cut?.hlc),
    delta.changedOrigins.value,
    { request, atRequest: session.outbound.dirty, known: session.known, self: session.options.self, now }
  )
  const complete = HashMap.isEmpty(dirty)
  const found: Outbound.Outbound = {
    ...session.outbound,
    dirty,
    seen: current.local.version,
    inFlight: undefined,
    deferral: Deferral.add(Deferral.withoutSuperseded(session.outbound.deferral, unsent), tooLarge)
  }
  // The rest of the coverage follows in the next frame.
  const [through = VectorClock.empty, ...left] = Wire.partsOf(
    claims({ ...current, outbound: found }),
    room - bytes + 512
  )
  const outbound: Outbound.Outbound = { ...found, unclaimed: !complete || left.length > 0 }
  const isNews = changes.length > 0 || !HashMap.isEmpty(through) || (complete && isClaimDue({ ...current, outbound }))
  if (!isNews) return andThen(announceDeferral({ ...current, outbound }), (next) => pump(next, now))

  const text = Wire.encodeData({ seq: outbound.seq, more: !complete, fresh: outbound.fresh, through }, changes)
  const sent: Session = {
    ...current,
    announced: VectorClock.merge(current.announced, through),
    announcedDigest: HashMap.isEmpty(through) ? current.announcedDigest : undefined,
    outbound: {
      ...Outbound.counted(outbound, bytes, changes.length),
      fresh: false,
      complete,
      offered: VectorClock.merge(outbound.offered, through)
    }
  }
  const send: Action = { _tag: "Send", text, operations: changes.length, ...(!complete && { more: true }) }
  const told = tellCut(sent)
  return andThen(andThen([told[0], [...told[1], send]], announceDeferral), (next) => pump(next, now))
}

/**
 * Sends our cut to a peer during its initial transfer, before the rows: they lack tombstones that we have dropped.
 * Without the cut, the peer could accept rows from others that those tombstones would have replaced.
 */
const tellCut = (session: Session): Step => {
  const { local, cut, announcedCut } = session
  const isFilled = cut === undefined || (!cut.isFilling && cut.since === undefined)
  if (local.cut === undefined || HashMap.isEmpty(local.cut.confirmed) || isFilled || local.cut === announcedCut)
    return [session, []]
  const text = Wire.encode({
    type: "sync_ack",
    seq: Option.none(),
    clock: VectorClock.empty,
    // A digest belongs to a clock, and that comes after the rows.
    digest: Option.none(),
    rows: Option.none(),
    held: session.inbound.deferred,
    underWay: true,
    cut: Cut.toldOf(local.cut)
  })
  return [{ ...session, announcedCut: local.cut, isDigestDue: true }, [{ _tag: "Send", text, operations: 0 }]]
}

/** Once a round is complete: reports the rows that were left out, to the peer and to the operator of this node. */
const announceDeferral = (session: Session): Step => {
  const { outbound, peer, options } = session
  if (outbound.deferral === outbound.announcedDeferral || !HashMap.isEmpty(outbound.dirty)) return [session, []]
  const told: Session = { ...session, outbound: { ...outbound, announcedDeferral: outbound.deferral } }
  if (Deferral.countOf(outbound.deferral) + Deferral.countOf(outbound.announcedDeferral) === 0) return [told, []]
  const message = Deferral.toWire(outbound.deferral)
  const warning = Deferral.named(peer ?? options.remote, "there", message)
  return [
    told,
    [
      ...(warning === undefined ? [] : [{ _tag: "Warn", warning } as const]),
      ...(options.revision === 2 ? [{ _tag: "Send", text: Wire.encode(message), operations: 0 } as const] : [])
    ]
  ]
}

/** Whether the peer has collected a tombstone: it would leave it out. */
export const isCollectedThere = ({ cut }: Pick<Session, "cut">, operation: Operation): boolean =>
  cut !== undefined && Cut.isCollected(cut.collected, operation)

/** Bytes of a frame that we send: what both sides allow. */
export const frameBytes = ({ options, takes }: Session): number => Math.min(options.maxFrameBytes, takes.frame)

/** The coverage that the peer did not get yet. */
const claims = (session: Session): VectorClock.VectorClock => {
  const {
    outbound: { dirty, offered, deferral },
    known,
    options: { self }
  } = session
  const clock = Deferral.claimable(deferral, Coverage.all(session))
  if (HashMap.isEmpty(dirty))
    return Coverage.announceable(session, VectorClock.difference(VectorClock.difference(clock, offered), known))
  const own = VectorClock.get(clock, self)
  return HashMap.has(dirty, self) ||
    HashMap.some(dirty, ({ supersedesOwn }) => supersedesOwn) ||
    VectorClock.covers(offered, { ...own, node: self }) ||
    VectorClock.covers(known, { ...own, node: self })
    ? VectorClock.empty
    : VectorClock.advance(VectorClock.empty, self, own)
}

/**
 * The peer acknowledged what it has: that need not be sent. While it goes on to get the operations of a third party
 * from another node, what it still lacks of them waits again.
 */
export const mergeKnown = (session: Session, told: VectorClock.VectorClock, now: number): Session => {
  const { outbound, local, options } = session
  const clock = withinOrigins(session, told)
  const known = VectorClock.merge(session.known, clock)
  const dirty = DirtyOrigins.afterTold(outbound.dirty, clock, {
    known,
    frontier: local.frontier,
    self: options.self,
    now
  })
  return withDeferral({ ...session, known, outbound: { ...outbound, dirty } }, Deferral.cover(outbound.deferral, known))
}

/** With less left out: the coverage that was kept back for it can be sent. */
export const withDeferral = (session: Session, deferral: Deferral.Deferral): Session =>
  deferral === session.outbound.deferral
    ? session
    : { ...session, outbound: { ...session.outbound, deferral, unclaimed: true } }

/**
 * What a peer has of origins that no other node knows need not be remembered: it shows in many entries, and is bounded.
 */
const withinOrigins = ({ known, local }: Session, clock: VectorClock.VectorClock): VectorClock.VectorClock =>
  HashMap.size(known) + HashMap.size(clock) <= Wire.limits.origins
    ? clock
    : HashMap.filter(clock, (_, node) => HashMap.has(known, node) || HashMap.has(local.frontier, node))

/** The peer has committed our frames up to `seq`. */
export const acknowledge = (session: Session, seq: number): Session => ({
  ...session,
  outbound: Outbound.acknowledged(session.outbound, seq)
})

export const hasCredit = ({ options, outbound }: Session): boolean => Outbound.hasCredit(outbound, options.credit)

/** Whether the peer has not committed yet what it was sent. */
const isBusy = ({ unacked }: Outbound.Outbound): boolean => unacked.length > 0

/** When the next dirty origin is due (ms). */
export const dueAt = (session: Session): number => {
  const { outbound, phase } = session
  let at = Infinity
  if (phase !== "open" || outbound.inFlight !== undefined || !hasCredit(session)) return at
  for (const dirty of HashMap.values(outbound.dirty)) at = Math.min(at, DirtyOrigins.dueOf(dirty, isBusy(outbound)))
  return at
}
