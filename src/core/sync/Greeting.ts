/**
 * How a session begins: who the other side is, and what both of them hold. `Hello.ts` has what this side says.
 *
 * Each side proves the passphrase before it says anything about itself. Then the peer is looked up, and the vector
 * clocks follow, or equal hashes of them. The same messages restart the pump of an open session.
 */
import { Option, Redacted } from "effect"
import * as Cut from "../replica/Cut.ts"
import type { NodeId } from "../replica/NodeId.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Barred from "./Barred.ts"
import * as Coverage from "./Coverage.ts"
import { close, fail, refused, refusedUnproved, violated } from "./Ending.ts"
import * as Handshake from "./Handshake.ts"
import * as DigestCheck from "./DigestCheck.ts"
import { clockToTell, hello, transcript } from "./Hello.ts"
import * as Repair from "./Repair.ts"
import * as Send from "./Send.ts"
import { andThen, type Session, type Step } from "./SessionState.ts"
import type { Action, PeerRecord } from "./SessionEvents.ts"
import { isDigestWithheld, ruleFeature } from "./ToldDigest.ts"
import { DuplicateNodeId, PassphraseMismatch, type SessionFailure, TooLongAway } from "./SyncFailure.ts"
import * as Wire from "./Wire.ts"

export const outOfTurn = (session: Session, { type }: Wire.Message): Step =>
  violated(session, `${type} before the handshake`)

/** The handshake: each side takes exactly one message. */
export const onOpening = (session: Session, message: Wire.Message, now: number): Step => {
  const { options } = session
  if (message.type === "sync_error") {
    return isProvedRefusal(session, message) ? refused(session, message) : refusedUnproved(session, message)
  }
  if (message.type !== (options.role === "dialler" ? "sync_response" : "sync_request")) {
    return outOfTurn(session, message)
  }
  const { nodeId } = message
  if (nodeId === undefined) return violated(session, "a hello without an id")
  const theirRole = options.role === "dialler" ? "server" : "dialler"
  const proved = withKeyOf(session, theirRole, nodeId, message.proof)
  if (proved === undefined) return fail(session, "invalid_passphrase", new PassphraseMismatch({ by: "this node" }))
  return onProved(proved, nodeId, message, now)
}

/** The session with the key that was proved; nothing when none was. */
const withKeyOf = (session: Session, role: Handshake.Role, nodeId: string, proof: string): Session | undefined => {
  const { key, previousKey } = session.options
  const about = transcript(session, role, nodeId)
  if (Handshake.verify(Redacted.value(key), role, about, proof)) return session
  if (previousKey === undefined || !Handshake.verify(Redacted.value(previousKey), role, about, proof)) return undefined
  return { ...session, options: { ...session.options, key: previousKey, isPrevious: true } }
}

/** Refuses a dialler that has proved itself, with our own proof: so it can believe this. */
const refuseProved = (session: Session, nodeId: NodeId, reason: Wire.Reason, failure: SessionFailure): Step => {
  const { key, role } = session.options
  const about = { ...transcript(session, role, nodeId), server: noNodeId }
  return fail(
    session,
    reason,
    failure,
    role === "server" ? Handshake.prove(Redacted.value(key), role, about) : undefined
  )
}

/** Whether the server that we dialled has proved itself with its refusal. */
const isProvedRefusal = (session: Session, { proof }: Wire.Refusal): boolean =>
  session.options.role === "dialler" &&
  proof !== undefined &&
  withKeyOf(session, "server", noNodeId, proof) !== undefined

/** In a refusal the server does not name itself. No node has this id, so such a proof is good for nothing else. */
const noNodeId = ""

/** Before anything is said to it, the peer is looked up. */
const onProved = (session: Session, nodeId: NodeId, message: Wire.Hello, now: number): Step => {
  const { options } = session
  // A probe is answered and not met, so that it takes the place of no other connection, under any id.
  if (options.role === "server" && message.features.includes(Wire.probe)) {
    return andThen([session, hello({ ...session, peer: nodeId }, "sync_response", now)], (next) =>
      close(next, 1000, "", undefined)
    )
  }
  if (nodeId === options.self) {
    return refuseProved(session, nodeId, "duplicate_node_id", new DuplicateNodeId({ nodeId }))
  }
  return [
    { ...session, phase: "identifying", identifying: { ...message, nodeId } },
    [{ _tag: "Identify", peer: nodeId }]
  ]
}

/** The peer has proved itself, and we know what we know of it. */
export const onIdentified = (session: Session, record: PeerRecord, now: number): Step => {
  const { options, identifying: message } = session
  if (message === undefined) return [session, []]
  const { nodeId } = message
  if (record.barred !== undefined) {
    const { reason, failure } = Barred.ending(record.barred, nodeId)
    return refuseProved(session, nodeId, reason, failure)
  }
  const takes = record.takes ?? session.takes
  const met: Session = { ...session, phase: "greeting", identifying: undefined, peer: nodeId, record, takes }
  const announced = clockToTell(met)
  const answer = options.role === "server" ? hello(met, "sync_response", now) : []
  const established: Action = { _tag: "Established", peer: nodeId }
  const proved: Step = [{ ...met, announced }, [...answer, established, ...peerActions(met, message)]]
  // Where proofs come first, the dialler tells its state once it knows that of the server.
  if (options.revision === 2 && options.role === "server") return proved
  return andThen(proved, (next) => onHello(next, message, now))
}

/** Both proofs hold, and the clock of the peer is still to come: it, or the hash of ours where the two are the same. */
export const onGreeting = (session: Session, message: Wire.Message, now: number): Step => {
  if (message.type === "sync_error") return refused(session, message)
  if (message.type !== "sync_request") {
    return violated(session, `${message.type} before the vector clocks`)
  }
  return andThen([session, peerActions(session, message)], (next) => onHello(next, message, now))
}

/** The parts of a greeting that are not for this session, from a peer that has proved itself. */
const peerActions = ({ peer }: Session, { ticket, instance }: Wire.Hello): ReadonlyArray<Action> => {
  if (peer === undefined) return []
  const actions: Array<Action> = []
  if (ticket !== undefined && Handshake.isTicket(ticket)) {
    actions.push({ _tag: "Ticketed", peer, ticket: Redacted.make(ticket, { label: "ticket" }) })
  }
  if (instance !== undefined) actions.push({ _tag: "Ran", peer, instance: instance.id, age: instance.age })
  return actions
}

/** The state of the peer: its cut, and its clock or the hash of it. */
export const onHello = (before: Session, message: Wire.Hello, now: number): Step => {
  const session = message.cut === undefined ? before : { ...before, cut: message.cut }
  const away = session.phase === "greeting" ? tooLongAway(session) : undefined
  if (away !== undefined) return fail(session, "too_long_away", away)
  return andThen([session, adoption(session)], (next) => onClock(next, message, now))
}

/** The failure where one of the two was away too long for the other (`core/replica/Cut.ts`). */
export const tooLongAway = ({ peer, local, cut, options }: Session): TooLongAway | undefined => {
  if (peer === undefined || local.cut === undefined) return undefined
  const verdict = Cut.verdict(local.cut, cut, peer)
  if (verdict === "admitted") return undefined
  const isSelf = verdict === "self away"
  return new TooLongAway({
    nodeId: isSelf ? options.self : peer,
    isSelf: isSelf || verdict === "apart",
    isOld: verdict === "peer too old",
    ...(verdict === "apart" && { isApart: true })
  })
}

/** A replica that came in fresh takes over the cut of the peer, before it takes rows from it. */
export const adoption = ({ phase, local, cut }: Session): ReadonlyArray<Action> =>
  (phase === "greeting" || local.cut?.isFilling === true || local.cut?.since !== undefined) &&
  cut !== undefined &&
  local.cut !== undefined &&
  Cut.adopted(local.cut, cut) !== undefined
    ? [{ _tag: "Adopt", told: cut }]
    : []

const onClock = (session: Session, message: Wire.Hello, now: number): Step => {
  const { clock, clockHash } = message
  if (clock === undefined) return clockHash === undefined ? withoutClock(session) : onHash(session, message, now)
  const begun = Coverage.withinLimit(session.local, VectorClock.merge(session.begun, clock))
  if (message.more === true) return [{ ...session, begun }, []]
  const heard = onClockKnown({ ...session, begun: VectorClock.empty }, message, begun, now)
  // In revision 2 the dialler has told its clock when it saw that the hashes differ, and it is the server's turn. In
  // revision 1 the server has told its clock with its proof.
  const isAnswerDue =
    session.phase === "greeting" && session.options.role === (session.options.revision === 2 ? "server" : "dialler")
  const answer = isAnswerDue ? hello(heard, "sync_request", now) : []
  const open: Session = { ...heard, phase: "open", announced: isAnswerDue ? clockToTell(heard) : heard.announced }
  return andThen([Send.restart(open, now), answer], (next) => Send.pump(next, now))
}

const withoutClock = (session: Session): Step => violated(session, "neither a vector clock nor the hash of one")

/** Compares the hashes of the clocks. Where they are the same, nothing more has to be said. */
const onHash = (session: Session, message: Wire.Hello, now: number): Step => {
  const { options, announced, phase } = session
  if (phase !== "greeting" || options.revision !== 2) return withoutClock(session)
  const isSame = Handshake.hashOfClock(announced) === message.clockHash
  if (!isSame && options.role === "server") {
    return violated(session, "the hash of a vector clock that is not ours")
  }
  // A digest belongs to a clock, and that is still to come when it is another one than ours.
  const known = isSame ? announced : VectorClock.empty
  const heard = onClockKnown(
    session,
    isSame ? message : { ...message, digest: Option.none(), rows: Option.none() },
    known,
    now
  )
  if (!isSame) return [heard, hello(heard, "sync_request", now)]
  const answer = options.role === "dialler" ? hello(heard, "sync_request", now, message.clockHash) : []
  const level = Send.inSync({ ...heard, phase: "open" }, now)
  const isAll = Option.isSome(message.digest)
  const inbound = isAll ? { ...level.inbound, complete: true, lastSyncAt: now } : level.inbound
  return andThen([{ ...level, inbound }, answer], (next) => Send.pump(next, now))
}

/** The contents of a greeting: the peer's clock, which replaces what we knew, its digest and its time. */
const onClockKnown = (session: Session, message: Wire.Hello, known: VectorClock.VectorClock, now: number): Session => {
  const knowsRules = message.features.includes(ruleFeature)
  // A server that has rows of kinds of applications tells its digest once it knows what the peer makes of them.
  const isDue = knowsRules && !session.knowsRules && isDigestWithheld(session)
  return DigestCheck.onDigest(
    {
      ...(isDue ? DigestCheck.withDigestDue(session, now) : session),
      known,
      uncovered: message.uncovered,
      takes: message.takes ?? session.takes,
      offset: message.time - now,
      knowsRules,
      repair: { ...session.repair, isSupported: message.features.includes(Repair.feature) }
    },
    message,
    now
  )
}
