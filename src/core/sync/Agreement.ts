/**
 * What an open session shows of what its peer holds (`core/replica/Acknowledgement.ts`). Needs nothing from the peer
 * but what it says anyway, and so works with nodes of every version of form 2.
 */
import type { Report } from "../replica/Acknowledgement.ts"
import * as Digest from "../replica/Digest.ts"
import * as Coverage from "./Coverage.ts"
import type { Session } from "./SessionState.ts"
import { isSettled } from "./ToldDigest.ts"

/** The report of a session; none before the peer has told its clock. */
export const reportOf = (session: Session): Report | undefined => {
  const { phase, peer, known, peerDigest: heard, local, cut } = session
  if (phase !== "open" || peer === undefined) return undefined
  const isAgreed =
    heard?.isSettled === true &&
    isSettled(local) &&
    heard.digest === Digest.toText(local.digest) &&
    Coverage.isSame(session, heard.clock)
  return {
    node: peer,
    clock: known,
    agreed: isAgreed ? local.vectorClock : undefined,
    ...(cut && { confirmed: cut.confirmed })
  }
}

/** The report of `after`, where it may be another one than that of `before`. */
export const news = (before: Session | undefined, after: Session): Report | undefined => {
  const isTold =
    before?.phase !== after.phase ||
    before.known !== after.known ||
    before.peerDigest !== after.peerDigest ||
    before.cut !== after.cut
  if (!isTold && before.local.version === after.local.version) return undefined
  const report = reportOf(after)
  return isTold || report?.agreed !== undefined ? report : undefined
}
