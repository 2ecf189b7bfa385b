/**
 * Acknowledgements: how far each side has come, and what it does not take yet.
 */
import { HashMap, Option, Result } from "effect"
import * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import { ProtocolViolation } from "./SyncFailure.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Wire from "./Wire.ts"
import * as Coverage from "./Coverage.ts"
import * as Relaying from "./Relaying.ts"
import { acknowledge, mergeKnown } from "./Send.ts"
import type { Action } from "./SessionEvents.ts"
import { envelopeBytes } from "./SessionLimits.ts"
import type { Session, Step } from "./SessionState.ts"
import { digestsOf } from "./ToldDigest.ts"
import { onDigest, purgedHere, isMissing, isUnderWay } from "./DigestCheck.ts"

/** Origins that are named, of those whose rows the quota keeps out. */
export const overQuotaNamed = 16

/** Tells the peer how far we are: in answer to its frame `seq`, or of our own accord. */
export const announce = (session: Session, seq: Option.Option<number>): Step => {
  const { local, announced, inbound, announcedCut } = session
  // The rest follows in the next frame.
  const [clock = VectorClock.empty, ...more] = Wire.partsOf(
    Coverage.announceable(session, VectorClock.difference(Coverage.all(session), announced)),
    // The rest is for what is asked and answered about writes.
    (session.takes.frame * 3) / 4 - 2 * envelopeBytes
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
  if (Option.isNone(seq) && HashMap.isEmpty(clock) && !session.isDigestDue && !Relaying.isDue(session))
    return [{ ...told, announcedDigest: session.announcedDigest }, []]
  const overQuota = HashMap.fromIterable([...HashMap.entries(inbound.overQuota)].slice(0, overQuotaNamed))
  const purged = purgedHere(session)
  const [next, relayed] = Relaying.announce(told)
  const text = Wire.encode({
    type: "sync_ack",
    seq,
    clock,
    ...digests,
    held: inbound.deferred,
    underWay,
    overQuota,
    purged,
    ...(announcedCut !== local.cut && session.cut !== undefined && local.cut && { cut: Cut.toldOf(local.cut) }),
    ...relayed
  })
  return [next, [{ _tag: "Send", text, operations: 0 }]]
}

/** The peer told how far it is. Fails with its problem. */
export const onAck = (
  session: Session,
  ack: Wire.Ack,
  now: number
): Result.Result<readonly [Session, ReadonlyArray<Action>], ProtocolViolation> => {
  if (Option.exists(ack.seq, (seq) => seq >= session.outbound.seq)) {
    return Result.fail(new ProtocolViolation({ detail: "it acknowledges a frame that was never sent" }))
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
  return Result.succeed(Relaying.onTold(onDigest(mergeKnown(told, ack.clock, now), ack, now), ack))
}
