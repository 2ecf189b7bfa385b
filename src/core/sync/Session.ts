/**
 * The sync protocol, form 2, as a state machine without I/O: `step(state, event) -> [state, actions]`.
 *
 * One session is one connection between two replicas, in either role. It routes each event to the part that it is for:
 *
 * - `Greeting.ts`: the proofs of the passphrase, who the peer is, and what both sides hold. Nothing of the memory is
 *   sent before it.
 * - `Send.ts`: the pump of an open session, the same on both sides. `Receive.ts`, `Commits.ts` and `Acknowledge.ts`:
 *   the intake.
 * - `DigestCheck.ts`: whether both sides hold the same. `Repair.ts`: the comparison of rows, where they do not.
 * - `Ending.ts`: how it ends, after which nothing happens any more.
 *
 * `step` never throws, for any event in any state. Time comes in with the events; `deadline` says when the next `Tick`
 * is wanted. Two sessions that are fed each other's frames in order end with equal clocks and equal states.
 */
import { HashMap, Option, Result } from "effect"
import * as Deferral from "./Deferral.ts"
import { close, fail, refused, violated } from "./Ending.ts"
import * as Greeting from "./Greeting.ts"
import { hello } from "./Hello.ts"
import * as Acknowledge from "./Acknowledge.ts"
import * as Commits from "./Commits.ts"
import * as DigestCheck from "./DigestCheck.ts"
import * as Receive from "./Receive.ts"
import * as Relaying from "./Relaying.ts"
import * as Repair from "./Repair.ts"
import * as Send from "./Send.ts"
import { times } from "./SessionLimits.ts"
import type { Machine } from "./SessionMachine.ts"
import type { Options } from "./SessionOptions.ts"
import { andThen, at, initial, type Session, type Step, withLocal } from "./SessionState.ts"
import type { Action, Event } from "./SessionEvents.ts"
import { PeerClosed, PeerTimeout, ProtocolViolation, RateLimited } from "./SyncFailure.ts"
import { view } from "./SessionView.ts"
import * as Wire from "./Wire.ts"

export { largestFrame, view } from "./SessionView.ts"
export type { Options } from "./SessionOptions.ts"
export { initial, type Session, type Step } from "./SessionState.ts"
export { noRecord, type Action, type Event, type PeerRecord, type View } from "./SessionEvents.ts"

/** The first step of a connection: the dialler speaks first. */
export const open = (session: Session): Step =>
  session.options.role === "dialler" ? [session, hello(session, "sync_request", session.startedAt)] : [session, []]

/** What happens next. */
export const step = (session: Session, event: Event): Step => {
  if (session.phase === "closed") return [session, []]
  const [reacted, actions] = react(at(session, event.now), event)
  const next = DigestCheck.noteArrival(reacted, event.now)
  const moved = onCut(session, next, actions)
  if (moved !== undefined) return moved
  return next.peer === undefined || next.diverged === session.diverged
    ? [next, actions]
    : [next, [...actions, { _tag: "Diverged", peer: next.peer, diverged: next.diverged }]]
}

/**
 * The step where one of the two cuts has moved in an open session, and that matters; none where the session goes on as
 * it is.
 */
const onCut = (before: Session, session: Session, actions: ReadonlyArray<Action>): Step | undefined => {
  const { phase, local, cut } = session
  const isPeers = cut !== before.cut
  if (phase !== "open" || !(isPeers || local.cut !== before.local.cut)) return undefined
  // Pending work is dropped.
  const away = before.phase === "open" ? Greeting.tooLongAway(session) : undefined
  if (away !== undefined) return fail(session, "too_long_away", away)
  // A peer that is new as well takes over the cut before it takes a row: in the next greeting.
  const isFirst = local.cut?.isFilling === true && before.local.cut?.isFilling === false
  if (isFirst && cut !== undefined && HashMap.isEmpty(cut.confirmed)) {
    const code = Wire.closeCodes.going_away
    return close(session, code, "", new PeerClosed({ code, reason: "" }))
  }
  const adopting = isPeers ? Greeting.adoption(session) : []
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
      return Greeting.onIdentified(session, event.record, event.now)
    case "Delta":
      return Send.onDelta(session, event.request, event.delta, event.now)
    case "Committed":
      return andThen(Commits.onCommitted(session, event, event.now), (next) =>
        Send.pump(Commits.commitVouched(next, event.now), event.now)
      )
    case "Uncommitted":
      return [Commits.onUncommitted(session, event.now), []]
    case "Changed":
      return event.snapshot.version <= session.local.version
        ? [session, []]
        : Send.onChange(
            Commits.commitVouched(
              DigestCheck.compareDigest(withLocal(session, event.snapshot, event.now), event.now),
              event.now
            ),
            event.change,
            event.now
          )
    case "Scanned":
      return Repair.onScanned(session, event.request, event.page, event.now)
    case "Compare":
      return [{ ...session, repair: { ...session.repair, isRequested: true } }, []]
    case "Relay":
      return [Relaying.onRelay(session, event, event.now), []]
    case "Tick":
      return onTick(session, event.now)
    case "Refuse":
      return fail(session, "duplicate_node_id", event.failure)
    case "Stop":
      return close(session, event.code, event.reason, undefined)
  }
}

/** The protocol of one connection. */
export const machine = (options: Options): Machine<Session> => ({
  begin: (local, now) => open(initial(options, local, now)),
  step,
  deadline,
  view
})

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
  const committed = andThen(pinged, (next) => Commits.commit(DigestCheck.compareDigest(next, now), now))
  const announced = andThen(committed, (next) =>
    now >= (next.inbound.announceAt ?? Infinity) ? Acknowledge.announce(next, Option.none()) : [next, []]
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
          ? Greeting.onGreeting(session, message, now)
          : session.phase === "opening"
            ? Greeting.onOpening(session, message, now)
            : Greeting.outOfTurn(session, message)
  })
}

/** Each message is limited in the origins that it names; what many of them have named together is limited here. */
const withinOrigins = (before: Session, taken: Step): Step => {
  return HashMap.size(taken[0].inbound.deferred) <= Wire.limits.origins
    ? taken
    : fail(before, "protocol", Receive.tooManyOrigins)
}

const onMessage = (session: Session, message: Wire.Message, size: number, now: number, newOrigins: number): Step => {
  const broken = (failure: ProtocolViolation) => fail(session, "protocol", failure)
  switch (message.type) {
    case "sync_request":
      return Greeting.onHello(session, message, now)
    case "sync_response":
      return violated(session, "a second sync_response")
    case "sync_data":
      return Result.getOrElse(Receive.onData(session, message, size, now, newOrigins), broken)
    case "sync_ack":
      return Result.match(Acknowledge.onAck(session, message, now), {
        onFailure: broken,
        onSuccess: (told) => andThen(told, (next) => Send.pump(next, now))
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
