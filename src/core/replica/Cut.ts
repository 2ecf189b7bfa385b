/**
 * The cut: up to where tombstones may be dropped, and who may be met after some were.
 *
 * A replica keeps two clocks, which only grow (but for a replica that is being filled):
 *
 * - `confirmed`: the last tombstones that every node that counts has agreed to (`Stability.ts`), and that are old
 *   enough. It is on the disk, synced, before any peer is told of it.
 * - `collected`: what every node that counts has told to have confirmed. Tombstones that it covers are dropped.
 *
 * **The rule.** Two replicas exchange rows only while each has confirmed what the other has collected. Otherwise one of
 * them was too long away. A replica that holds nothing but what it wrote itself, later than anything that was
 * collected, always may come in (`since`): it takes over the cut of whom it meets. From then on it keeps to the rule as
 * well, until it is equal to another one.
 *
 * **Why no deleted row comes back.** Let `t` be a tombstone that a node `a` has dropped, and `r` a row in its slot that
 * loses to `t`.
 *
 * 1. *A node that has confirmed `t` does not hold `r`.* It agreed to a clock that covers `t` with each node that
 *    counts, with equal digests of all rows, tombstones included. So it held `t`, or a winner over it, and `r` was
 *    gone. What it has confirmed it has on its disk, in order after the rows. A backup from before holds less of both.
 * 2. *Nor does it take `r` later.* Until it has collected `t`, it holds `t` or a winner. From then on it meets only
 *    nodes that have confirmed `t`.
 * 3. *A replica that came in fresh* holds no row that is older than `t`. It takes over `confirmed` and `collected`, and
 *    as long as it was not equal to another replica, it confirms no more than all whom it took rows from. So all of
 *    them had no `r` to give.
 * 4. *So no node from which `a` takes rows has `r`.* The rule refuses all others. A late copy of `t` itself is left out
 *    where its slot is empty.
 *
 * **Nodes that do not count** (removed, or unseen for too long) are remembered: such a node has to have confirmed all
 * that we have, or to come in fresh. Without that, a node whose restored backup claims what it has lost could meet it
 * between the two steps.
 *
 * **What a peer says drops nothing here.** `collected` grows to what *all* nodes that count have told, our own word
 * among them. A liar can keep others from collecting, and end its own connection. Only a fresh replica believes the
 * first one that it meets.
 *
 * Source: Wuu and Bernstein (1984), as in `Stability.ts`. Cassandra repairs before it purges tombstones
 * (`only_purge_repaired_tombstones`).
 */
import { HashMap, HashSet } from "effect"
import type { Acknowledgement } from "./Acknowledgement.ts"
import { isTombstone } from "./Merge.ts"
import type { NodeId } from "./NodeId.ts"
import type { Operation } from "./Operation.ts"
import * as Stability from "./Stability.ts"
import * as VectorClock from "./VectorClock.ts"

/** The parts of a cut that peers get. */
export interface Told {
  readonly confirmed: VectorClock.VectorClock
  readonly collected: VectorClock.VectorClock
  /** All rows here were written by this node itself, at this time or later (ms). */
  readonly since: number | undefined
  /** Whether the replica came in fresh, and was not equal to another one since. */
  readonly isFilling: boolean
}

export interface Cut extends Told {
  /** Nodes that did not count when `confirmed` grew beyond what they had agreed to. */
  readonly leftOut: HashSet.HashSet<NodeId>
  /** How many tombstones were dropped here. */
  readonly count: number
  /** Whether what this node wrote before it rejoined is still to come from the others. */
  readonly isRejoined?: boolean
  /** Whether this node was found to be too long away. */
  readonly isAway?: boolean
}

/** The cut of a replica that never collected anything. */
export const none: Cut = {
  confirmed: VectorClock.empty,
  collected: VectorClock.empty,
  since: undefined,
  isFilling: false,
  leftOut: HashSet.empty(),
  count: 0
}

/** Origins whose tombstones are collected, at most: a cut is told in every greeting. */
export const mostOrigins = 100

/** Whether an operation is a tombstone that `collected` covers. */
export const isCollected = (collected: VectorClock.VectorClock, operation: Operation): boolean =>
  isTombstone(operation) && VectorClock.covers(collected, operation.hlc)

/** The parts of a cut that a peer is told. */
export const toldOf = ({ confirmed, collected, since, isFilling }: Cut): Told => ({
  confirmed,
  collected,
  since,
  isFilling
})

/**
 * Whether two replicas may exchange rows. If not, why: this one or the peer was too long away, the two were apart while
 * both collected, or the peer knows no cut.
 */
export type Verdict = "admitted" | "self away" | "peer away" | "apart" | "peer too old"

/** Whether a replica may exchange rows with `peer`, which told `theirs`; none of a version that knows no cut. */
export const verdict = (ours: Cut, theirs: Told | undefined, peer: NodeId): Verdict => {
  if (theirs === undefined) return HashMap.isEmpty(ours.collected) ? "admitted" : "peer too old"
  const isSelfAway = !mayComeIn(ours, theirs) && !VectorClock.includes(ours.confirmed, theirs.collected)
  if (isPeerAway(ours, theirs, peer)) return isSelfAway ? "apart" : "peer away"
  return isSelfAway ? "self away" : "admitted"
}

const isPeerAway = (ours: Cut, theirs: Told, peer: NodeId): boolean => {
  // A replica that rejoins is not to be filled by those that were away as well.
  if (ours.isRejoined === true && HashMap.isEmpty(ours.confirmed) && HashMap.isEmpty(theirs.confirmed)) return true
  if (!mayComeIn(theirs, ours) && !VectorClock.includes(theirs.confirmed, ours.collected)) return true
  const isNew = theirs.isFilling || theirs.since !== undefined
  return HashSet.has(ours.leftOut, peer) && !isNew && !VectorClock.includes(theirs.confirmed, ours.confirmed)
}

/**
 * Whether a replica may take over the cut of another one. While it is being filled, it keeps to the network that it
 * came into.
 */
const mayComeIn = (one: Told, other: Told): boolean => isFresh(one, other) && !one.isFilling

/** Whether all rows of one replica are later than all that another one has collected. */
const isFresh = ({ since }: Told, { collected }: Told): boolean =>
  since !== undefined && HashMap.every(collected, ({ wall }) => wall < since)

/**
 * The cut of a replica that takes rows from a peer; none where it stays as it is. No replica confirms less than it has
 * collected. If that would be the result, the two do not belong to one network, for example because this one has just
 * met the other half of a split network.
 */
export const adopted = (ours: Cut, theirs: Told): Cut | undefined => {
  const cut = joined(ours, theirs)
  return cut !== undefined && VectorClock.includes(cut.confirmed, cut.collected) ? cut : undefined
}

const joined = (ours: Cut, theirs: Told): Cut | undefined => {
  // It holds nothing older than the tombstones that we have collected.
  if (isFresh(theirs, ours) && HashMap.isEmpty(theirs.confirmed)) return undefined
  if (HashMap.isEmpty(theirs.confirmed)) return ours.isFilling ? { ...ours, confirmed: VectorClock.empty } : undefined
  if (ours.isFilling) {
    const confirmed = VectorClock.meet(ours.confirmed, theirs.confirmed)
    const collected = VectorClock.merge(ours.collected, theirs.collected)
    const isSame = VectorClock.includes(confirmed, ours.confirmed) && VectorClock.includes(ours.collected, collected)
    return isSame ? undefined : { ...ours, confirmed, collected }
  }
  if (!isFresh(ours, theirs)) return undefined
  // What it was filled with had no rows: it is as new as before, and lacks the tombstones that this peer has dropped.
  if (!HashMap.isEmpty(ours.confirmed) && VectorClock.includes(ours.collected, theirs.collected)) return undefined
  const collected = VectorClock.merge(ours.collected, theirs.collected)
  return { ...ours, confirmed: theirs.confirmed, collected, isFilling: true }
}

/** The cut of a replica that is equal to another one. */
export const filled = (cut: Cut): Cut => {
  if (!cut.isFilling && cut.isRejoined !== true && cut.isAway !== true) return cut
  const { isRejoined: _, isAway: __, ...rest } = cut
  return { ...rest, isFilling: false }
}

/** The input of the next cut. */
export interface Known extends Stability.Known {
  readonly cut: Cut
  /** Who is connected now. */
  readonly connected: ReadonlySet<string>
  readonly now: number
  /** How old a tombstone has to be, and how long a node may be unseen before it does not count (ms). */
  readonly keepMs: number
  /** Whether others have had the time to be seen. */
  readonly mayLeaveOut: boolean
}

/** The nodes that do not count: those that were removed, and those that were not seen for too long. */
export const notCounted = (known: Known): ReadonlySet<NodeId> => {
  const { acknowledgements, removed, connected, now, keepMs, mayLeaveOut } = known
  const byNode = new Map(acknowledgements.map((one) => [one.node, one]))
  const isGone = (node: NodeId): boolean => {
    if (!mayLeaveOut || connected.has(node)) return false
    const one = byNode.get(node)
    // An existing FERAL node never reports what it holds, and often comes back under another id. The operator decides
    // about it.
    if (one !== undefined && HashMap.isEmpty(one.clock)) return false
    return Math.max(one?.seenAt ?? 0, VectorClock.get(known.frontier, node).wall) + keepMs < now
  }
  return new Set([...removed, ...[...Stability.nodesOf(known)].filter((node) => node !== known.self && isGone(node))])
}

/** The nodes that count and have not confirmed all that we have. */
export const unconfirmed = (
  known: Pick<Known, "self" | "clock" | "frontier" | "acknowledgements" | "cut">,
  without: ReadonlySet<NodeId>
): ReadonlyArray<NodeId> => {
  const byNode = new Map(known.acknowledgements.map((one) => [one.node, one]))
  return [...Stability.nodesOf(known)].filter(
    (node) =>
      node !== known.self &&
      !without.has(node) &&
      !VectorClock.includes(byNode.get(node)?.confirmed ?? VectorClock.empty, known.cut.confirmed)
  )
}

/** All nodes move in steps that are this part of the time: so they move together. */
const steps = 24

/** The tombstones that are stable and old enough. */
export const candidates = (known: Known, without: ReadonlySet<NodeId>): VectorClock.VectorClock => {
  const { now, keepMs } = known
  const step = Math.max(1, Math.floor(keepMs / steps))
  const wall = Math.floor((now - keepMs) / step) * step
  if (wall <= 0) return VectorClock.empty
  const last = { wall, counter: 0 }
  return VectorClock.meet(
    Stability.of({ ...known, removed: without }).clock,
    HashMap.map(known.clock, () => last)
  )
}

/**
 * The cut after `latest`, the last tombstones that `candidates` covers, were found. `without` do not count. The same
 * object when nothing has changed.
 */
export const next = (known: Known, without: ReadonlySet<NodeId>, latest: VectorClock.VectorClock): Cut => {
  const { cut, acknowledgements, self } = known
  if (cut.isFilling) return cut
  const byNode = new Map<NodeId, Acknowledgement>(acknowledgements.map((one) => [one.node, one]))
  const room = mostOrigins - HashMap.size(cut.confirmed)
  const fresh = [...HashMap.keys(latest)]
    .filter((node) => !HashMap.has(cut.confirmed, node))
    .slice(0, Math.max(0, room))
  const isTaken = (node: NodeId) => HashMap.has(cut.confirmed, node) || fresh.includes(node)
  const confirmed = VectorClock.merge(
    cut.confirmed,
    HashMap.filter(latest, (_, node) => isTaken(node))
  )
  let told = confirmed
  for (const node of Stability.nodesOf(known)) {
    if (node === self || without.has(node)) continue
    told = VectorClock.meet(told, byNode.get(node)?.confirmed ?? VectorClock.empty)
  }
  const collected = Stability.isOverfull(known) ? cut.collected : VectorClock.merge(cut.collected, told)
  const hasAgreed = (node: NodeId) => VectorClock.includes(byNode.get(node)?.agreed ?? VectorClock.empty, confirmed)
  const leftOut = VectorClock.includes(cut.confirmed, confirmed)
    ? cut.leftOut
    : HashSet.fromIterable([...cut.leftOut, ...without].filter((node) => !hasAgreed(node)).slice(0, limitLeftOut))
  const isSame = VectorClock.includes(cut.confirmed, confirmed) && VectorClock.includes(cut.collected, collected)
  return isSame ? cut : { ...cut, confirmed, collected, leftOut }
}

/** Nodes that are remembered as left out, at most. */
const limitLeftOut = 10_000
