/**
 * How a session is, as `status` shows it.
 */
import { HashMap, HashSet } from "effect"
import * as Digest from "../replica/Digest.ts"
import * as Deferral from "./Deferral.ts"
import * as Commits from "./Commits.ts"
import * as DigestCheck from "./DigestCheck.ts"
import * as Receive from "./Receive.ts"
import * as Repair from "./Repair.ts"
import type { Session } from "./SessionState.ts"
import type { View } from "./SessionEvents.ts"
import { RowsPurged } from "./SyncFailure.ts"

/** How a session is, for `status`. */
export const view = (session: Session): View => ({
  peer: session.peer,
  aliveAt: session.aliveAt,
  provedAt: session.provedAt,
  state: isCaughtUp(session) ? "live" : session.phase === "open" ? "syncing" : "connecting",
  // What there is to send is known when both clocks are.
  lag:
    session.phase === "open" && HashMap.isEmpty(session.outbound.dirty)
      ? session.outbound.unacked.reduce((sum, frame) => sum + frame.operations, 0) +
        Deferral.countOf(session.outbound.deferral)
      : undefined,
  offset: session.offset,
  lastSyncAt: session.inbound.lastSyncAt,
  isComplete: session.inbound.complete,
  deferred: session.inbound.deferred,
  deferredOwn: session.outbound.deferredOwn,
  leftOut: HashSet.isEmpty(session.inbound.leftOut) ? undefined : Receive.leftOutOf(session.inbound.leftOut),
  diverged: session.diverged,
  usesPrevious: session.options.isPrevious === true,
  tooLarge: tooLargeOf(session),
  overQuota: overQuotaOf(session),
  purged: purgedOf(session),
  slowedUntil: session.inbound.notBefore > session.now ? session.inbound.notBefore : undefined,
  repair: session.repair.isSupported
    ? { isInSync: Repair.isInSync(session), activeAt: session.repair.activeAt }
    : undefined
})

const tooLargeOf = ({ peer, options, outbound, inbound }: Session) => {
  const name = peer ?? options.remote
  return (
    Deferral.named(name, "there", Deferral.toWire(outbound.deferral)) ??
    (inbound.leftOutByPeer && Deferral.named(name, "here", inbound.leftOutByPeer))
  )
}

const overQuotaOf = (session: Session) =>
  Commits.quotaUsed(session, "here", session.inbound.overQuota) ??
  Commits.quotaUsed(session, "there", session.outbound.overQuota)

const purgedOf = (session: Session): RowsPurged | undefined => {
  const { peer, options, peerDigest: heard, local } = session
  const here = DigestCheck.purgedHere(session)
  if (here > 0) return new RowsPurged({ peer: peer ?? options.remote, where: "here", count: here })
  const there = heard?.purged ?? 0
  if (heard === undefined || there === 0 || heard.digest === Digest.toText(local.digest)) return undefined
  return new RowsPurged({ peer: peer ?? options.remote, where: "there", count: there })
}

/** The bytes of the largest frame that is under way, and how many operations it has. */
export const largestFrame = ({ outbound }: Session): { readonly bytes: number; readonly operations: number } =>
  outbound.unacked.reduce((largest, frame) => (frame.bytes > largest.bytes ? frame : largest), {
    bytes: 0,
    operations: 0
  })

const isCaughtUp = ({ phase, inbound, outbound }: Session): boolean =>
  phase === "open" && inbound.complete && !outbound.fresh && HashMap.isEmpty(outbound.dirty)
