/**
 * The origins that may hold something the peer lacks, with a cursor for each: what makes an origin dirty, how its
 * cursor moves, and when it is due.
 */
import { HashMap, Option } from "effect"
import type * as ChangedOrigins from "../replica/ChangedOrigins.ts"
import * as Hlc from "../replica/Hlc.ts"
import type { Supersessions } from "../replica/Merge.ts"
import type { NodeId } from "../replica/NodeId.ts"
import {
  type Delta,
  type DeltaRequest,
  holdingOf,
  type Holdings,
  isSameHolding,
  type Snapshot
} from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import { times } from "./SessionLimits.ts"

/**
 * An origin with operations that the peer may lack: those beyond `from`. They are sent at `due` (ms), or later while
 * the peer is still busy, but not later than `latest`.
 */
export interface Dirty {
  readonly from: Hlc.Timestamp
  readonly due: number
  readonly latest: number
  /** Whether one of its operations may have won over one of ours, which the peer may therefore never see. */
  readonly supersedesOwn: boolean
}

export type DirtyOrigins = HashMap.HashMap<NodeId, Dirty>

export const none: DirtyOrigins = HashMap.empty()

/**
 * Everything that a peer may lack. Of an origin of which it holds the same rows as we do it lacks none, whatever the
 * clocks say: anything it replaced since then has been superseded.
 */
export const all = (local: Snapshot, known: VectorClock.VectorClock, theirs: Holdings, now: number): DirtyOrigins =>
  HashMap.map(HashMap.filter(VectorClock.difference(local.frontier, known), isLacking(local, theirs)), (_, node) => ({
    from: VectorClock.get(known, node),
    due: now,
    latest: now,
    supersedesOwn: true
  }))

const isLacking =
  ({ holdings }: Snapshot, theirs: Holdings) =>
  (_: Hlc.Timestamp, node: NodeId): boolean =>
    HashMap.has(holdings, node) &&
    (!HashMap.has(theirs, node) || !isSameHolding(holdingOf(theirs, node), holdingOf(holdings, node)))

/** The cursors after a read: origins that are done leave, the others stand at the last operation that is sent. */
export const afterRead = (
  before: DirtyOrigins,
  request: DeltaRequest,
  delta: Delta,
  sent: Hlc.Hlc | undefined,
  cut: Hlc.Hlc | undefined
): DirtyOrigins => {
  const last = new Map<NodeId, Hlc.Timestamp>()
  for (const { hlc } of delta.operations) last.set(hlc.node, hlc)
  let isCut = false
  return HashMap.mutate(before, (dirty) => {
    request.from.forEach(([node, from], index) => {
      const origin = Option.getOrUndefined(HashMap.get(before, node))
      if (isCut || origin === undefined) return
      if (cut?.node === node) {
        isCut = true
        // Of several operations under one reading, which only a broken origin makes, those that do not fit are left
        // out: they would be read again for ever.
        const isTorn = sent !== undefined && Hlc.HlcOrder(sent, cut) === 0
        HashMap.set(dirty, node, { ...origin, from: isTorn ? cut : Hlc.predecessor(cut) })
      } else if (index < delta.exhausted) HashMap.remove(dirty, node)
      else HashMap.set(dirty, node, { ...origin, from: Hlc.latest(from, last.get(node) ?? from) })
    })
  })
}

/** A read, the origins that were dirty when it was asked for, and what the peer has now. */
interface Meanwhile {
  readonly request: DeltaRequest
  readonly atRequest: DirtyOrigins
  readonly known: VectorClock.VectorClock
  readonly self: NodeId
  readonly now: number
}

/**
 * The dirty origins after what was written during a read. The read has seen all of these writes, and has taken those
 * that lie beyond the cursors it was given.
 */
export const withChanged = (
  before: DirtyOrigins,
  { ranges, supersessions }: ChangedOrigins.ChangedOrigins,
  { request, atRequest, known, self, now }: Meanwhile
): DirtyOrigins => {
  if (ranges.size === 0 && supersessions.size === 0) return before
  const read = new Map(request.from)
  const winners = superseders(self, supersessions, atRequest)
  return HashMap.mutate(before, (dirty) => {
    for (const [node, { least, greatest }] of ranges) {
      const cursor = read.get(node)
      if (cursor !== undefined && Hlc.isAfter(least, cursor)) continue
      const has = VectorClock.get(known, node)
      if (!Hlc.isAfter(greatest, has)) continue
      const from = Hlc.latest(has, Hlc.predecessor(least))
      const { due, latest } = node === self ? { due: now, latest: now } : relayAt(now)
      const origin = Option.getOrElse(HashMap.get(dirty, node), (): Dirty => ({
        from,
        due,
        latest,
        supersedesOwn: false
      }))
      HashMap.set(dirty, node, {
        ...origin,
        from: Hlc.isAfter(origin.from, from) ? from : origin.from,
        due: Math.min(origin.due, due),
        latest: Math.min(origin.latest, latest)
      })
    }
    for (const node of winners) {
      const origin = Option.getOrUndefined(HashMap.get(dirty, node))
      if (origin !== undefined) HashMap.set(dirty, node, { ...origin, supersedesOwn: true })
    }
  })
}

/** The origins whose operations won over one of `self`, at first hand or through others that they won over. */
const superseders = (self: NodeId, supersessions: Supersessions, dirty: DirtyOrigins): ReadonlySet<NodeId> => {
  const found = new Set<NodeId>()
  const isSuperseder = (node: NodeId): boolean =>
    node === self || found.has(node) || Option.exists(HashMap.get(dirty, node), ({ supersedesOwn }) => supersedesOwn)
  for (let before = -1; before < found.size;) {
    before = found.size
    for (const [winner, losers] of supersessions) if ([...losers].some(isSuperseder)) found.add(winner)
  }
  return found
}

/** What the peer has, as far as is known, and what there is. */
interface Known {
  readonly known: VectorClock.VectorClock
  readonly frontier: VectorClock.VectorClock
  readonly self: NodeId
  readonly now: number
}

/**
 * The dirty origins after the peer told what it has of some of them. While it goes on to get the operations of a
 * third party from another node, what it still lacks of them waits again.
 */
export const afterTold = (
  before: DirtyOrigins,
  told: VectorClock.VectorClock,
  { known, frontier, self, now }: Known
): DirtyOrigins =>
  HashMap.isEmpty(before)
    ? before
    : HashMap.mutate(before, (dirty) => {
        for (const node of HashMap.keys(told)) {
          const origin = Option.getOrUndefined(HashMap.get(dirty, node))
          if (origin === undefined) continue
          const has = VectorClock.get(known, node)
          if (!Hlc.isAfter(VectorClock.get(frontier, node), has)) HashMap.remove(dirty, node)
          else if (Hlc.isAfter(has, origin.from)) {
            HashMap.set(dirty, node, { ...origin, from: has, ...(node === self ? {} : relayAt(now)) })
          }
        }
      })

/** When operations of third parties that have come now are passed on (ms). */
const relayAt = (now: number): Pick<Dirty, "due" | "latest"> => ({
  due: now + times.relay,
  latest: now + times.relayBusy
})

/** When an origin is due (ms): later where the peer is busy with what it was sent before. */
export const dueOf = ({ due, latest }: Dirty, isBusy: boolean): number => (isBusy ? Math.max(due, latest) : due)

/** With all times moved by `by` (ms). */
export const moved = (origins: DirtyOrigins, by: number): DirtyOrigins =>
  HashMap.map(origins, (dirty) => ({ ...dirty, due: dirty.due + by, latest: dirty.latest + by }))
