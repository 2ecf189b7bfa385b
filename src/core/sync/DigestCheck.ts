/**
 * Compares what both sides hold: the digest that the peer told, and ours at the same vector clock. A difference that
 * lasts leads to a comparison of rows (`Repair.ts`).
 */
import { HashMap, HashSet, Option } from "effect"
import * as Digest from "../replica/Digest.ts"
import { byCodePoint } from "../replica/NodeId.ts"
import * as Purge from "../replica/Purge.ts"
import type * as Wire from "./Wire.ts"
import * as Coverage from "./Coverage.ts"
import * as Deferral from "./Deferral.ts"
import { times } from "./SessionLimits.ts"
import type { Session } from "./SessionState.ts"
import { isLive, isComparable, isSettled } from "./ToldDigest.ts"

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
 * Compares digests. Where both sides claim the same and the clocks cover all rows, equal clocks mean equal rows. Where
 * they do not, rows may be under way that no clock tells of: a difference counts when it lasts while nothing is under
 * way.
 *
 * A difference is explained where the clocks differ, or where one side knows of rows that the other one lacks. What
 * explains it may last for ever, as a row that is too large for one side does, and hide another difference meanwhile.
 * So rows are compared all the same when neither side has changed for a while: without an alarm, and less and less
 * often.
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
export const isMissing = (session: Session): boolean => isLeftOut(session) || purgedHere(session) > 0

const isLeftOut = ({ inbound, outbound, local }: Session): boolean =>
  local.isCollecting === true ||
  inbound.stale ||
  HashMap.size(inbound.deferred) + HashSet.size(inbound.leftOut) + HashMap.size(inbound.overQuota) > 0 ||
  Deferral.countOf(outbound.deferral) + (inbound.leftOutByPeer?.count ?? 0) > 0

/** Whether rows are known of that one of the two does not have, or not yet. */
export const isUnderWay = (session: Session): boolean => {
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
