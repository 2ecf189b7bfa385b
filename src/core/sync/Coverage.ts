/**
 * Which coverage one session speaks of, believes and compares.
 *
 * Coverage of an origin is a number that stands for knowledge: of every operation of the origin up to there, this
 * replica holds that one or one that wins over it. A row leaves its slot only to an operation that wins over it, so the
 * knowledge never goes away, also when the number is forgotten. Hence three rules.
 *
 * - **Only origins with rows are told.** Two replicas that hold the same rows tell the same origins. Coverage of an
 *   origin without rows says nothing about rows: all its operations lost to others, which are held, or there never were
 *   any. Clocks that agree on all origins with rows belong to equal rows: operations without a row can be left out of a
 *   merge.
 * - **Forgetting an origin costs one extra exchange.** A peer that still has rows of a forgotten origin sends them.
 *   They lose again, and the peer gets the winners in the same session: then it has no such row either. So nothing is
 *   sent a third time, and two nodes that are equal send nothing. No operation comes back, because its winner is still
 *   there.
 * - **What one session has named counts in that session** (`vouched`). It is announced back to the peer that named it,
 *   so that both sides see each other at the same point. It ends with the session. It is not kept, and not passed on to
 *   other nodes: made-up origins go nowhere, and no two nodes keep them alive for each other.
 *
 * A replica that lets go of rows in any other way than for their winners remembers that (`purges`), and tells all its
 * coverage.
 */
import { HashMap } from "effect"
import * as Hlc from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import type { Told } from "../replica/Cut.ts"
import { isAnnounced, type Snapshot } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import { limits } from "./Wire.ts"

/**
 * What of a session this is about: our state, both clocks as each side was told them, and what is covered here and not
 * kept.
 */
export interface Known {
  readonly local: Snapshot
  readonly known: VectorClock.VectorClock
  readonly announced: VectorClock.VectorClock
  readonly vouched: VectorClock.VectorClock
  /** The cut of the peer, as it reported it. */
  readonly cut?: Told | undefined
}

/** Everything that is covered here, as far as this session knows. */
export const all = ({ local, vouched }: Pick<Known, "local" | "vouched">): VectorClock.VectorClock =>
  HashMap.isEmpty(vouched) ? local.vectorClock : VectorClock.merge(local.vectorClock, vouched)

/**
 * The part of `clock` that the peer is told: origins with rows, and those that one of the two has named in this
 * session. A replica that came in fresh is told all: it may have rejoined, and wants to know what was ever seen.
 */
export const announceable = (
  { local, known, announced, cut }: Known,
  clock: VectorClock.VectorClock
): VectorClock.VectorClock =>
  cut?.since !== undefined
    ? clock
    : HashMap.filter(
        clock,
        (_, node) => isAnnounced(local, node) || HashMap.has(known, node) || HashMap.has(announced, node)
      )

/** The clock of a greeting. No side takes one of more origins than the limit; what is left out is only sent again. */
export const greetingClock = (session: Known): VectorClock.VectorClock =>
  withinLimit(session.local, announceable(session, all(session)))

/** As much of a clock as a session holds: first what is said of origins with rows here. */
export const withinLimit = (local: Snapshot, clock: VectorClock.VectorClock): VectorClock.VectorClock => {
  if (HashMap.size(clock) <= limits.origins) return clock
  const entries = [...HashMap.entries(clock)]
  const isHeld = (node: NodeId) => HashMap.has(local.holdings, node)
  const [ours, others] = [true, false].map((isOurs) => entries.filter(([node]) => isHeld(node) === isOurs))
  return VectorClock.fromEntries([...(ours ?? []), ...(others ?? [])].slice(0, limits.origins))
}

/** Whether a clock says all that ours says of rows. */
export const isWhole = ({ vectorClock: clock, holdings }: Snapshot, told: VectorClock.VectorClock): boolean => {
  for (const node of HashMap.keys(holdings)) {
    if (Hlc.isAfter(VectorClock.get(clock, node), VectorClock.get(told, node))) return false
  }
  return true
}

/** Whether a clock of the peer and ours stand for the same history. */
export const isSame = (session: Pick<Known, "local" | "vouched">, theirs: VectorClock.VectorClock): boolean =>
  isWhole(session.local, theirs) && VectorClock.includes(all(session), theirs)

/** With coverage that the peer gave and that the store does not keep. It is bounded like every clock. */
export const vouch = <S extends Pick<Known, "local" | "vouched">>(session: S, clock: VectorClock.VectorClock): S => {
  const news = VectorClock.difference(clock, all(session))
  if (HashMap.isEmpty(news)) return session
  const { vouched } = session
  const isFull = HashMap.size(vouched) + HashMap.size(news) > limits.origins
  const taken = isFull ? HashMap.filter(news, (_, node) => HashMap.has(vouched, node)) : news
  return { ...session, vouched: VectorClock.merge(vouched, taken) }
}

/**
 * What the store has forgotten between two snapshots is still true: the session keeps what one of the two has named.
 */
export const remember = <S extends Known>(session: S, after: Snapshot): S => {
  const { local, known, announced } = session
  if (after.forgets === local.forgets) return session
  const isLost = (_: Hlc.Timestamp, node: NodeId) =>
    !HashMap.has(after.vectorClock, node) && (HashMap.has(known, node) || HashMap.has(announced, node))
  return vouch({ ...session, local: after }, HashMap.filter(local.vectorClock, isLost))
}
