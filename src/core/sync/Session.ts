/**
 * The sync protocol, form 2, as a state machine without I/O: `step(state, event) -> [state, actions]`.
 *
 * One session is one connection between two replicas, in either role. It goes through three phases.
 *
 * - *opening*: the dialler sends `sync_request` with its clock and its proof of the passphrase; the server verifies it before
 *   it says anything about itself, and answers `sync_response` with its own proof, which the dialler verifies. Nothing of
 *   the memory is sent before both proofs hold.
 * - *open*: both sides run the same pump (`session/Send.ts`) and the same intake (`session/Receive.ts`), for as long as
 *   the connection lasts.
 * - *closed*: nothing happens any more.
 *
 * `step` never throws, for any event in any state. Time comes in with the events; `deadline` says when the next `Tick` is
 * wanted. Two sessions that are fed each other's frames in order end with equal clocks and equal states.
 */
import { HashMap, HashSet, Option, Redacted, Result, Schema } from "effect"
import {
  DuplicateNodeId,
  PassphraseMismatch,
  PeerClosed,
  PeerRemoved,
  PeerTimeout,
  ProtocolViolation,
  RateLimited,
  RowsPurged,
  TooLongAway,
  type SessionFailure
} from "./SyncFailure.ts"
import * as Barred from "./Barred.ts"
import * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import * as Handshake from "./Handshake.ts"
import * as Coverage from "./Coverage.ts"
import * as Deferral from "./Deferral.ts"
import { NodeId, utf8Length } from "../replica/NodeId.ts"
import * as Receive from "./Receive.ts"
import * as Send from "./Send.ts"
import * as Repair from "./Repair.ts"
import {
  type Action,
  andThen,
  at,
  digestsOf,
  isDigestWithheld,
  ruleFeature,
  envelopeBytes,
  type Event,
  type PeerRecord,
  type Session,
  type Step,
  takesOf,
  times,
  type View,
  withLocal
} from "./SessionState.ts"
import { holdingOf, type Holdings, noHoldings, type Snapshot } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Wire from "./Wire.ts"

export {
  initial,
  noRecord,
  type Action,
  type Event,
  type Options,
  type PeerRecord,
  type Session,
  type Step,
  type View
} from "./SessionState.ts"

/** The first step of a connection: the dialler speaks first. */
export const open = (session: Session): Step =>
  session.options.role === "dialler" ? [session, hello(session, "sync_request", session.startedAt)] : [session, []]

/** What happens next. */
export const step = (session: Session, event: Event): Step => {
  if (session.phase === "closed") return [session, []]
  const [reacted, actions] = react(at(session, event.now), event)
  const next = Receive.noteArrival(reacted, event.now)
  const moved = onCut(session, next, actions)
  if (moved !== undefined) return moved
  return next.peer === undefined || next.diverged === session.diverged
    ? [next, actions]
    : [next, [...actions, { _tag: "Diverged", peer: next.peer, diverged: next.diverged }]]
}

/** The step where one of the two cuts has moved in an open session, and that matters; none where the session goes on as it is. */
const onCut = (before: Session, session: Session, actions: ReadonlyArray<Action>): Step | undefined => {
  const { phase, local, cut } = session
  const isPeers = cut !== before.cut
  if (phase !== "open" || !(isPeers || local.cut !== before.local.cut)) return undefined
  // Pending work is dropped.
  const away = before.phase === "open" ? tooLongAway(session) : undefined
  if (away !== undefined) return fail(session, "too_long_away", away)
  // A peer that is new as well takes over the cut before it takes a row: in the next greeting.
  const isFirst = local.cut?.isFilling === true && before.local.cut?.isFilling === false
  if (isFirst && cut !== undefined && HashMap.isEmpty(cut.confirmed)) {
    const code = Wire.closeCodes.going_away
    return close(session, code, "", new PeerClosed({ code, reason: "" }))
  }
  const adopting = isPeers ? adoption(session) : []
  return adopting.length > 0 ? [session, [...adopting, ...actions]] : undefined
}

const react = (session: Session, event: Event): Step => {
  switch (event._tag) {
    case "Received":
      return withinOrigins(
        session,
        onFrame({ ...session, aliveAt: event.now }, event.text, event.now, event.newOrigins)
      )
    case "Alive":
      return [event.isAnswer ? answered({ ...session, aliveAt: event.now }) : { ...session, aliveAt: event.now }, []]
    case "Limited":
      return session.phase === "opening"
        ? fail(session, "rate_limited", new RateLimited({ retryAfterSeconds: Math.ceil(event.wait / 1000) }))
        : [session, []]
    case "Identified":
      return onIdentified(session, event.record, event.now)
    case "Delta":
      return Send.onDelta(session, event.request, event.delta, event.now)
    case "Committed":
      return andThen(Receive.onCommitted(session, event, event.now), (next) =>
        Send.pump(Receive.commitVouched(next, event.now), event.now)
      )
    case "Uncommitted":
      return [Receive.onUncommitted(session, event.now), []]
    case "Changed":
      return event.snapshot.version <= session.local.version
        ? [session, []]
        : Send.onChange(
            Receive.commitVouched(
              Receive.compareDigest(withLocal(session, event.snapshot, event.now), event.now),
              event.now
            ),
            event.change,
            event.now
          )
    case "Scanned":
      return Repair.onScanned(session, event.request, event.page, event.now)
    case "Compare":
      return [{ ...session, repair: { ...session.repair, isRequested: true } }, []]
    case "Tick":
      return onTick(session, event.now)
    case "Refuse":
      return fail(session, "duplicate_node_id", event.failure)
    case "Stop":
      return close(session, event.code, event.reason, undefined)
  }
}

/** When the session wants a `Tick` at the latest, in ms. */
export const deadline = (session: Session): number => {
  switch (session.phase) {
    case "closed":
      return Infinity
    case "opening":
    case "identifying":
    case "greeting":
      return session.startedAt + times.handshake
    case "open":
      return Math.min(
        pingAt(session),
        session.aliveAt + times.timeout,
        session.inbound.announceAt ?? Infinity,
        session.inbound.commitAt ?? Infinity,
        session.suspicion?.at ?? Infinity,
        Send.dueAt(session),
        Repair.dueAt(session),
        Receive.releaseAt(session)
      )
  }
}

const pingAt = ({ pingedAt }: Session): number => pingedAt + times.ping

const ping = (session: Session, now: number): Step => [
  { ...session, pingedAt: now, unansweredAt: session.unansweredAt ?? now },
  [{ _tag: "Ping" }]
]

/** The session after one of our pings was answered: not before the first of them. */
const answered = (session: Session): Session =>
  session.unansweredAt === undefined ? session : { ...session, provedAt: session.unansweredAt, unansweredAt: undefined }

const onTick = (session: Session, now: number): Step => {
  if (session.phase !== "open") {
    return now < session.startedAt + times.handshake
      ? [session, []]
      : fail(session, "timeout", new PeerTimeout({ waitedFor: "handshake", seconds: times.handshake / 1000 }))
  }
  if (now >= session.aliveAt + times.timeout) {
    return fail(session, "timeout", new PeerTimeout({ waitedFor: "message", seconds: times.timeout / 1000 }))
  }
  const pinged: Step = now >= pingAt(session) ? ping(session, now) : [session, []]
  const committed = andThen(pinged, (next) => Receive.commit(Receive.compareDigest(next, now), now))
  const announced = andThen(committed, (next) =>
    now >= (next.inbound.announceAt ?? Infinity) ? Receive.announce(next, Option.none()) : [next, []]
  )
  const released = andThen(announced, (next) =>
    now >= Receive.releaseAt(next) ? Receive.release(next, hello(next, "sync_request", now)) : [next, []]
  )
  return andThen(
    andThen(released, (next) => Send.pump(next, now)),
    (next) => Repair.work(next, now)
  )
}

const onFrame = (session: Session, text: string, now: number, newOrigins = Infinity): Step => {
  if (session.phase === "opening" && text.length > Wire.limits.greetingBytes) {
    return fail(session, "too_large", new ProtocolViolation({ detail: `a hello of ${text.length} characters` }))
  }
  return Result.match(Wire.decode(text), {
    onFailure: (failure) => fail(session, "protocol", failure),
    onSuccess: (message) =>
      session.phase === "open"
        ? onMessage(session, message, text.length, now, newOrigins)
        : session.phase === "greeting"
          ? onGreeting(session, message, now)
          : session.phase === "opening"
            ? onOpening(session, message, now)
            : outOfTurn(session, message)
  })
}

/** Each message is limited in the origins that it names; what many of them have named together is limited here. */
const withinOrigins = (before: Session, taken: Step): Step => {
  return HashMap.size(taken[0].inbound.deferred) <= Wire.limits.origins
    ? taken
    : fail(before, "protocol", Receive.tooManyOrigins)
}

const outOfTurn = (session: Session, { type }: Wire.Message): Step =>
  fail(session, "protocol", new ProtocolViolation({ detail: `${type} before the handshake` }))

/** The handshake: each side takes exactly one message. */
const onOpening = (session: Session, message: Wire.Message, now: number): Step => {
  const { options } = session
  if (message.type === "sync_error") return refused(session, message)
  if (message.type !== (options.role === "dialler" ? "sync_response" : "sync_request")) {
    return outOfTurn(session, message)
  }
  const { nodeId } = message
  if (nodeId === undefined) return fail(session, "protocol", new ProtocolViolation({ detail: "a hello without an id" }))
  const theirRole = options.role === "dialler" ? "server" : "dialler"
  const proved = withKeyOf(session, theirRole, nodeId, message.proof)
  if (proved === undefined) return fail(session, "invalid_passphrase", new PassphraseMismatch({ by: "this node" }))
  return onProved(proved, nodeId, message, now)
}

/** The session with the key that was proved; nothing when none was. */
const withKeyOf = (session: Session, role: Handshake.Role, nodeId: NodeId, proof: string): Session | undefined => {
  const { key, previousKey } = session.options
  const about = transcript(session, role, nodeId)
  if (Handshake.verify(Redacted.value(key), role, about, proof)) return session
  if (previousKey === undefined || !Handshake.verify(Redacted.value(previousKey), role, about, proof)) return undefined
  return { ...session, options: { ...session.options, key: previousKey, isPrevious: true } }
}

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
    return fail(session, "duplicate_node_id", new DuplicateNodeId({ nodeId }))
  }
  return [
    { ...session, phase: "identifying", identifying: { ...message, nodeId } },
    [{ _tag: "Identify", peer: nodeId }]
  ]
}

/** The peer has proved itself, and we know what we know of it. */
const onIdentified = (session: Session, record: PeerRecord, now: number): Step => {
  const { options, identifying: message } = session
  if (message === undefined) return [session, []]
  const { nodeId } = message
  if (record.barred !== undefined) {
    const { reason, failure } = Barred.ending(record.barred, nodeId)
    return fail(session, reason, failure)
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
const onGreeting = (session: Session, message: Wire.Message, now: number): Step => {
  if (message.type === "sync_error") return refused(session, message)
  if (message.type !== "sync_request") {
    return fail(session, "protocol", new ProtocolViolation({ detail: `${message.type} before the vector clocks` }))
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
const onHello = (before: Session, message: Wire.Hello, now: number): Step => {
  const session = message.cut === undefined ? before : { ...before, cut: message.cut }
  const away = session.phase === "greeting" ? tooLongAway(session) : undefined
  if (away !== undefined) return fail(session, "too_long_away", away)
  return andThen([session, adoption(session)], (next) => onClock(next, message, now))
}

/** The failure where one of the two was away too long for the other (`core/replica/Cut.ts`). */
const tooLongAway = ({ peer, local, cut, options }: Session): TooLongAway | undefined => {
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
const adoption = ({ phase, local, cut }: Session): ReadonlyArray<Action> =>
  (phase === "greeting" || local.cut?.isFilling === true) &&
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
  // The dialler has told its clock when it saw that the hashes differ. Now it is the server's turn.
  const isAnswerDue =
    session.phase === "greeting" && session.options.revision === 2 && session.options.role === "server"
  const answer = isAnswerDue ? hello(heard, "sync_request", now) : []
  const open: Session = { ...heard, phase: "open", announced: isAnswerDue ? clockToTell(heard) : heard.announced }
  return andThen([Send.restart(open, now), answer], (next) => Send.pump(next, now))
}

const withoutClock = (session: Session): Step =>
  fail(session, "protocol", new ProtocolViolation({ detail: "neither a vector clock nor the hash of one" }))

/** Compares the hashes of the clocks. Where they are the same, nothing more has to be said. */
const onHash = (session: Session, message: Wire.Hello, now: number): Step => {
  const { options, announced, phase } = session
  if (phase !== "greeting" || options.revision !== 2) return withoutClock(session)
  const isSame = Handshake.hashOfClock(announced) === message.clockHash
  if (!isSame && options.role === "server") {
    return fail(session, "protocol", new ProtocolViolation({ detail: "the hash of a vector clock that is not ours" }))
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
  return Receive.onDigest(
    {
      ...(isDue ? Receive.withDigestDue(session, now) : session),
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

/** The features of this side. A side with revision 1 has a version that knows no kinds of applications. */
const featuresOf = ({ revision }: Session["options"]): ReadonlyArray<string> =>
  revision === 2 ? [Repair.feature, ruleFeature] : [Repair.feature]

const onMessage = (session: Session, message: Wire.Message, size: number, now: number, newOrigins: number): Step => {
  const violated = (failure: ProtocolViolation) => fail(session, "protocol", failure)
  switch (message.type) {
    case "sync_request":
      return onHello(session, message, now)
    case "sync_response":
      return fail(session, "protocol", new ProtocolViolation({ detail: "a second sync_response" }))
    case "sync_data":
      return Result.getOrElse(Receive.onData(session, message, size, now, newOrigins), violated)
    case "sync_ack":
      return Result.match(Receive.onAck(session, message, now), {
        onFailure: violated,
        onSuccess: (told) => Send.pump(told, now)
      })
    case "sync_deferred": {
      const warning = Deferral.named(session.peer ?? session.options.remote, "here", message)
      const warn: ReadonlyArray<Action> = warning === undefined ? [] : [{ _tag: "Warn", warning }]
      return [{ ...session, inbound: { ...session.inbound, leftOutByPeer: message } }, warn]
    }
    case "sync_ranges":
      return [Repair.onRanges(session, message, now), []]
    case "sync_error":
      return refused(session, message)
  }
}

/**
 * Our greeting. The server's answer is the first in which both node ids are known. To a side that has not proved itself it
 * says nothing but the proof, where both sides can begin like that.
 */
const hello = (session: Session, type: Wire.Hello["type"], now: number, clockHash?: string): ReadonlyArray<Action> => {
  const { options, local, phase, peer } = session
  const isFirst = phase === "opening" || type === "sync_response"
  const isHashed = options.revision === 2 && (clockHash !== undefined || isFirst)
  const features = options.isProbe === true ? [Wire.probe] : []
  const proof = isFirst
    ? Handshake.prove(Redacted.value(options.key), options.role, transcript(session, options.role, peer ?? ""))
    : ""
  const first = {
    type,
    nodeId: options.self,
    clock: undefined,
    proof,
    digest: Option.none(),
    rows: Option.none(),
    uncovered: noHoldings,
    features,
    time: 0
  } as const
  if (options.revision === 2 && isFirst && options.role === "dialler") return [sendHello(first)]
  const clock = phase === "open" ? Coverage.greetingClock(session) : clockToTell(session)
  // Until the peer has reported its limits, the smallest configurable ones apply.
  const room = options.revision !== 2 ? Infinity : isHashed && clockHash === undefined ? 2_000 : session.takes.frame / 4
  const uncovered = uncoveredOf(local, room)
  const told: Wire.Hello = {
    ...first,
    nodeId: options.revision === 2 && !isFirst ? undefined : options.self,
    // A digest is the digest of a clock: none goes with a clock that is not ours.
    ...(Coverage.isWhole(local, clock) ? digestsOf(session) : {}),
    uncovered,
    features: options.isProbe === true ? features : featuresOf(options),
    time: now,
    // A side that begins with its clock is of a version that knows no cut.
    ...(phase !== "open" && options.revision === 2 && options.isProbe !== true && local.cut
      ? { cut: Cut.toldOf(local.cut) }
      : {}),
    ...(phase === "greeting" ? { ticket: ticketFor(session), instance: instanceOf(session, now) } : {}),
    ...(options.revision === 2 ? { takes: takesOf(options) } : {})
  }
  if (isHashed) {
    // What does not fit here goes with the clock, which is asked for by a hash that no clock has.
    const isWhole = HashMap.size(uncovered) === HashMap.size(uncoveredOf(local, Infinity))
    return [sendHello({ ...told, clockHash: clockHash ?? (isWhole ? Handshake.hashOfClock(clock) : "-") })]
  }
  if (options.revision !== 2) return [sendHello({ ...told, clock })]
  const parts = Wire.partsOf(clock, session.takes.frame - room - 2 * envelopeBytes)
  return parts.map((clock, index) =>
    sendHello(index < parts.length - 1 ? { ...told, clock, uncovered: noHoldings, more: true } : { ...told, clock })
  )
}

const instanceOf = ({ options, startedAt }: Session, now: number): Wire.Hello["instance"] =>
  options.instance && { id: options.instance.id, age: Math.max(0, Math.round(options.instance.age + now - startedAt)) }

/** A node with only the old passphrase gets no ticket: it may be the one that is to be locked out. */
const ticketFor = ({ options, record }: Session): string | undefined => {
  if (options.isPrevious === true) return undefined
  return record?.ticket && Redacted.value(record.ticket)
}

const sendHello = (hello: Wire.Hello): Action => ({ _tag: "Send", text: Wire.encode(hello), operations: 0 })
/** What we hold of the origins of which we have rows beyond our clock: as many of them as a greeting tells of, in `room` bytes. */
const uncoveredOf = ({ vectorClock: clock, frontier, holdings }: Snapshot, room: number): Holdings => {
  let bytes = 0
  const fits = (node: NodeId) => (bytes += utf8Length(JSON.stringify(node)) + 40) <= room
  return HashMap.fromIterable(
    [...HashMap.keys(VectorClock.difference(frontier, clock))]
      .filter((node) => HashMap.has(holdings, node))
      .slice(0, Wire.limits.uncovered)
      .filter(fits)
      .map((node) => [node, holdingOf(holdings, node)] as const)
  )
}

/**
 * The clock of a greeting. After a restore, peers may know more of our own history than we do: whom we meet for the first time
 * since the store was opened is asked for all that came after that moment.
 */
const clockToTell = (session: Session): VectorClock.VectorClock => {
  const { options, record } = session
  const clock = Coverage.greetingClock(session)
  const isMet = record === undefined ? options.isExpectedMet === true : record.isMet
  return isMet || !HashMap.has(clock, options.self)
    ? clock
    : VectorClock.withEntry(clock, options.self, options.ownTimestampAtOpen)
}

/** The input of a proof of `prover`, where `theirs` is the peer's node id. */
const transcript = ({ options }: Session, prover: Handshake.Role, theirs: string): Handshake.Transcript => {
  const [dialler, server] = options.role === "dialler" ? [options.self, theirs] : [theirs, options.self]
  return {
    nonces: options.nonces,
    binding: Redacted.value(options.binding),
    dialler,
    server: prover === "dialler" ? "" : server
  }
}

/** The peer refused us, and said why. */
const refused = (session: Session, refusal: Wire.Refusal): Step => {
  const { peer, options } = session
  return close(session, 1000, "", failureOf(refusal, peer ?? options.remote, options.self))
}

/** The longest wait that a peer may ask of us, and the one when it names none (seconds). */
const retryAfter = { most: 60, unnamed: 60 } as const

/** Characters of a refusal that are shown. */
const quotedText = 200

/** The words of the other side, as they can be shown: without control characters. */
const quote = (text: string): string => text.replace(/\p{C}+/gu, " ").slice(0, quotedText)

const failureOf = (refusal: Wire.Refusal, by: string, self: string): SessionFailure => {
  const { reason, message } = refusal
  switch (reason) {
    case "invalid_passphrase":
      return new PassphraseMismatch({ by })
    case "too_long_away":
      return new TooLongAway({
        nodeId: refusal.nodeId ?? self,
        by,
        isSelf: (refusal.nodeId ?? self) === self,
        isOld: false
      })
    case "removed":
      return new PeerRemoved({ nodeId: self, by })
    case "duplicate_node_id":
      return new DuplicateNodeId({ nodeId: self, by })
    case "rate_limited":
      return new RateLimited({
        retryAfterSeconds: Math.min(refusal.retryAfter ?? retryAfter.unnamed, retryAfter.most),
        by
      })
    case "timeout":
      return new PeerTimeout({ waitedFor: `message from this node, says ${by},`, seconds: times.timeout / 1000 })
    case "going_away":
      return new PeerClosed({ code: Wire.closeCodes.going_away, reason: `${by} says: ${message}` })
    case "too_large":
      return new PeerClosed({ code: Wire.closeCodes.too_large, reason: "a frame over its limit" })
    default:
      return new ProtocolViolation({ detail: `${by} says: ${quote(message === "" ? reason : message)}` })
  }
}

const isNodeId = Schema.is(NodeId)

/** Refuses the peer: says why, and closes. */
const fail = (session: Session, reason: Wire.Reason, failure: SessionFailure): Step => {
  const text = Wire.encode({
    type: "sync_error",
    reason,
    message: failure.message.slice(0, Wire.limits.text),
    retryAfter: failure._tag === "RateLimited" ? failure.retryAfterSeconds : undefined,
    nodeId: failure._tag === "TooLongAway" && isNodeId(failure.nodeId) ? failure.nodeId : undefined
  })
  return andThen([session, [{ _tag: "Send", text, operations: 0 }]], (next) =>
    close(next, Wire.closeCodes[reason], reason, failure)
  )
}

const close = (session: Session, code: number, reason: string, failure: SessionFailure | undefined): Step => [
  { ...session, phase: "closed" },
  [
    ...(failure?._tag === "TooLongAway" && failure.isSelf && session.peer !== undefined
      ? [{ _tag: "Away" } as const]
      : []),
    { _tag: "Close", code, reason, failure }
  ]
]

/** How a session is, for `status`. */
export const view = (session: Session): View => ({
  peer: session.peer,
  aliveAt: session.aliveAt,
  provedAt: session.provedAt,
  state: isCaughtUp(session) ? "live" : session.phase === "open" ? "syncing" : "connecting",
  lag:
    isCaughtUp(session) || HashMap.isEmpty(session.outbound.dirty)
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
  Receive.quotaUsed(session, "here", session.inbound.overQuota) ??
  Receive.quotaUsed(session, "there", session.outbound.overQuota)

const purgedOf = (session: Session): RowsPurged | undefined => {
  const { peer, options, peerDigest: heard, local } = session
  const here = Receive.purgedHere(session)
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
