/**
 * The intake: takes frames in order, and defers operations that are ahead of time. `Commits.ts` goes on with them.
 *
 * Clock poison does not spread: an operation more than the drift bound ahead of local time is not taken, nor what
 * follows it of the same origin; all others are. While something is held back, nothing new is claimed, for what is held
 * may have superseded operations that we therefore never saw. When its time has come, the peer is asked to start its
 * pump again from what we claim.
 */
import { HashMap, HashSet, Result } from "effect"
import { ClockDrift, OriginsLeftOut, ProtocolViolation } from "./SyncFailure.ts"
import * as Hlc from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import type { Operation } from "../replica/Operation.ts"
import { isAhead, knows, originsWith } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Wire from "./Wire.ts"
import * as Deferral from "./Deferral.ts"
import { mergeKnown, withDeferral } from "./Send.ts"
import type { Frame, Inbound } from "./Inbound.ts"
import { credit, emptyFrames, leftOutWait, waitingSize } from "./SessionLimits.ts"
import type { Session, Step } from "./SessionState.ts"
import type { Action } from "./SessionEvents.ts"
import { sizeOf, isGathered, commit } from "./Commits.ts"

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
  const { operations, deferred } = holdBack(
    { operations: allowed, through: data.through },
    data.fresh ? HashMap.empty() : inbound.deferred,
    (timestamp) => isAhead(session.local, timestamp, now, options.maxDriftMs)
  )
  const stale = inbound.stale && !data.fresh
  const isPartial = stale || !HashMap.isEmpty(deferred) || HashSet.size(leftOut) > 0
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
      deferred,
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
    ...warnings(inbound.deferred, deferred, now, options.maxDriftMs),
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
 * The operations of origins that are known, and of as many new ones as may be taken. An operation that is left out is
 * asked for later, and until then nothing is claimed, for it may have superseded others. Coverage needs no place: a
 * store keeps none of an origin of which it never took an operation.
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

/** The warning that is due when the first operation is held back. */
export const warnings = (
  before: Inbound["deferred"],
  deferred: Inbound["deferred"],
  now: number,
  limit: number
): ReadonlyArray<Action> => {
  const [first] = HashMap.values(deferred)
  if (first === undefined || !HashMap.isEmpty(before)) return []
  return [{ _tag: "Warn", warning: new ClockDrift({ remote: first.wall, local: now, limit }) }]
}

/** Origin limit exceeded: invented origins, or too large a network. */
export const tooManyOrigins = new ProtocolViolation({ detail: `more than ${Wire.limits.origins} origins in all` })

/**
 * Splits a frame into operations to take now and operations to defer: those that come too early, and what follows them.
 */
const holdBack = (
  { operations, through }: Pick<Wire.Data, "operations" | "through">,
  before: Inbound["deferred"],
  isEarly: (timestamp: Hlc.Hlc) => boolean
): { readonly operations: ReadonlyArray<Operation>; readonly deferred: Inbound["deferred"] } => {
  let deferred = before
  const hold = ({ node, wall, counter }: Hlc.Hlc) => {
    if (!HashMap.has(deferred, node)) deferred = HashMap.set(deferred, node, { wall, counter })
  }
  const taken = operations.filter(({ hlc }) => {
    if (isEarly(hlc)) hold(hlc)
    return !HashMap.has(deferred, hlc.node)
  })
  for (const [node, timestamp] of HashMap.entries(through)) {
    const claimed = { ...timestamp, node }
    if (isEarly(claimed)) hold(claimed)
  }
  return { operations: taken, deferred }
}

/** When the first operation that is held back can be taken (ms). */
export const releaseAt = ({ inbound, options }: Session): number => {
  if (inbound.stale) return Infinity
  let at = inbound.roomAt
  if (HashSet.size(inbound.leftOut) > 0) at = Math.min(at, inbound.askAgainAt)
  for (const timestamp of HashMap.values(inbound.deferred)) at = Math.min(at, timestamp.wall - options.maxDriftMs)
  return at
}

/** The time has come: asks the peer to start over from what we claim. */
export const release = (session: Session, hellos: ReadonlyArray<Action>): Step => [
  { ...session, inbound: { ...session.inbound, stale: true, complete: false, askAgainAt: Infinity, roomAt: Infinity } },
  hellos
]
