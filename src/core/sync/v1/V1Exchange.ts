/**
 * One exchange with an existing FERAL node (form 1), in either role, as a state machine without I/O. It takes the
 * events and makes the actions of a session (`SessionEvents.ts`), and is run in the same way.
 *
 * An exchange is: `sync_request`, `sync_response`, the dialler's operations, the server's operations, the end. What
 * makes it hard is what the old nodes do not say:
 *
 * - **They ask with one mark for all origins.** An early node sends what is after *our mark for its own id*, whatever
 *   the origin.
 * - **Their clock does not show what they hold.** It is empty after a restart. `V1Memory.ts` has the clock that we ask
 *   with.
 * - **Their word about third origins proves nothing.** What they relay is merged, but only the mark of the peer's own
 *   origin moves, and with the newest only over what came.
 * - **The newest drop what carries no scope that they granted**, and say nothing. When a clock shows that nothing was
 *   taken, the status says so, and one operation at a time is offered until it is.
 * - **They take little at a time.** An early node takes one frame under 1 MiB; the rest goes in the next exchange.
 * - **An early node takes what came last for the newest.** Where what we sent lost against what it sent in the same
 *   exchange, it gets the winner back, once.
 */
import { Redacted, Result } from "effect"
import {
  DuplicateNodeId,
  PassphraseMismatch,
  PassphraseUnset,
  PeerTimeout,
  ProtocolViolation,
  RateLimited,
  UnprovedRefusal
} from "../SyncFailure.ts"
import * as Barred from "../Barred.ts"
import { isSamePassphrase } from "../Handshake.ts"
import type { NodeId } from "../../replica/NodeId.ts"
import type { Action, Event } from "../SessionEvents.ts"
import type { Machine } from "../SessionMachine.ts"
import * as VectorClock from "../../replica/VectorClock.ts"
import { closeCodes, limits } from "../Wire.ts"
import * as V1Memory from "./V1Memory.ts"
import * as V1Receive from "./V1Receive.ts"
import { failureOf } from "./V1Refusal.ts"
import * as V1Send from "./V1Send.ts"
import {
  deadline,
  done,
  end,
  everything,
  type Exchange,
  initial,
  type Options,
  type PeerRecord,
  send,
  type Step,
  view
} from "./V1State.ts"
import * as V1Wire from "./V1Wire.ts"

export type { Memory } from "./V1Memory.ts"
export { deadline, initial, isUnfinished, noRecord, remember, view } from "./V1State.ts"
export type { Exchange, Options, PeerRecord, Remembered, Step } from "./V1State.ts"

/** The first step: the dialler speaks first. */
export const open = (exchange: Exchange): Step => {
  const { options, local, since } = exchange
  const { self, expected, passphrase } = options
  if (options.role === "server") return [exchange, []]
  // The node that will answer, and its report, are not known yet: its last report is the best guess.
  const memory = options.expectedMemory
  const asked =
    expected === undefined
      ? everything
      : V1Memory.ask(
          memory,
          { ours: local.vectorClock, theirs: memory?.clock ?? VectorClock.empty, peer: expected, self },
          since
        )
  const text = V1Wire.encode({
    type: "sync_request",
    nodeId: self,
    clock: asked.clock,
    passphrase: Redacted.value(passphrase)
  })
  return [{ ...exchange, asked }, [send(text)]]
}

/** What happens next. */
export const step = (before: Exchange, event: Event<PeerRecord>): Step => {
  if (before.phase === "closed") return [before, []]
  // A clock that was set back makes no wait longer.
  const exchange = event.now < before.since ? { ...before, since: event.now } : before
  switch (event._tag) {
    case "Received":
      if (exchange.phase === "greeting" && event.text.length > limits.greetingBytes) {
        return end(exchange, new ProtocolViolation({ detail: `a hello of ${event.text.length} characters` }))
      }
      return Result.match(V1Wire.decode(event.text), {
        onFailure: (failure) => end(exchange, failure),
        onSuccess: (message) => onMessage(exchange, message, event.now)
      })
    case "Limited":
      return exchange.phase === "greeting" ? tooMany(exchange, Math.ceil(event.wait / 1000)) : [exchange, []]
    case "Identified":
      return onIdentified(exchange, event.record, event.now)
    case "Delta":
      return event.request === exchange.inFlight ? V1Send.onDelta(exchange, event.delta, event.now) : [exchange, []]
    case "Committed":
      return onCommitted(exchange, event, event.now)
    case "Uncommitted":
      // It is for the next exchange to bring it again.
      return [
        { ...exchange, phase: "closed" },
        [{ _tag: "Close", code: closeCodes.internal_error, reason: "store unavailable", failure: undefined }]
      ]
    case "Tick":
      return event.now < deadline(exchange)
        ? [exchange, []]
        : end(exchange, new PeerTimeout({ waitedFor: "answer", seconds: (event.now - exchange.since) / 1000 }))
    case "Refuse":
      return end(exchange, event.failure)
    case "Stop":
      return [
        { ...exchange, phase: "closed" },
        [{ _tag: "Close", code: event.code, reason: event.reason, failure: undefined }]
      ]
    case "Alive":
    case "Changed":
    case "Compare":
    case "Relay":
    case "Scanned":
      return [exchange, []]
  }
}

/** The protocol of one connection. */
export const machine = (options: Options): Machine<Exchange, PeerRecord> => ({
  begin: (local, now) => open(initial(options, local, now)),
  step,
  deadline,
  view
})

const onMessage = (exchange: Exchange, message: V1Wire.Message, now: number): Step => {
  const { options, phase } = exchange
  switch (message.type) {
    case "sync_error":
      // A client that has not shown the passphrase may be any machine.
      if (options.role === "server" && exchange.peer === undefined)
        return end(exchange, new UnprovedRefusal({ by: options.remote, reason: "other" }))
      return end(exchange, failureOf(message, exchange.peer ?? options.remote, options.self))
    case "sync_request":
      return phase === "greeting" && options.role === "server"
        ? onRequest(exchange, message)
        : unexpected(exchange, message)
    case "sync_response":
      return phase === "greeting" && options.role === "dialler"
        ? identify(exchange, message)
        : unexpected(exchange, message)
    case "sync_data":
      return phase === "receiving" ? V1Receive.onData(exchange, message, now) : unexpected(exchange, message)
  }
}

const unexpected = (exchange: Exchange, { type }: V1Wire.Message): Step =>
  end(exchange, new ProtocolViolation({ detail: `${type} out of turn` }))

const onRequest = (exchange: Exchange, request: V1Wire.Request): Step => {
  const { options } = exchange
  const { previous } = options
  const isCurrent = isSamePassphrase(Redacted.value(options.passphrase), request.passphrase)
  const isPrevious = previous !== undefined && isSamePassphrase(Redacted.value(previous), request.passphrase)
  if (!isCurrent && !isPrevious) {
    const failure =
      request.passphrase === ""
        ? new PassphraseUnset({ by: options.remote })
        : new PassphraseMismatch({ by: "this node" })
    return end(
      exchange,
      failure,
      V1Wire.encode({ type: "sync_error", message: "Invalid passphrase", reason: "invalid_passphrase" })
    )
  }
  return identify(isCurrent ? exchange : { ...exchange, options: { ...options, isPrevious } }, request)
}

/** Before anything is said to it, the peer is looked up. */
const identify = (exchange: Exchange, message: V1Wire.Request | V1Wire.Response): Step =>
  message.nodeId === exchange.options.self
    ? duplicate(exchange)
    : [{ ...exchange, phase: "identifying", identifying: message }, [{ _tag: "Identify", peer: message.nodeId }]]

const onIdentified = (exchange: Exchange, record: PeerRecord, now: number): Step => {
  const { identifying: message, options } = exchange
  if (message === undefined) return [exchange, []]
  const { nodeId, clock } = message
  if (record.barred !== undefined) return refuse(exchange, record.barred, nodeId)
  const identified = withPeer(exchange, nodeId, record, clock, now)
  const established: Action = { _tag: "Established", peer: nodeId }
  if (options.role === "server") {
    const text = V1Wire.encode({ type: "sync_response", nodeId: options.self, clock: identified.needed.clock })
    return [{ ...identified, asked: identified.needed, phase: "receiving" }, [send(text), established]]
  }
  // Asked under another node id: the report was not meant for this node, so it is asked once more.
  const isOther = options.expected !== undefined && options.expected !== nodeId
  const asked = isOther ? { ...identified.asked, isWhole: false } : identified.asked
  const [sending, actions] = V1Send.start(
    { ...identified, asked, needed: isOther ? everything : identified.needed },
    now
  )
  return [sending, [established, ...actions]]
}

const refuse = (exchange: Exchange, barred: Barred.Barred, nodeId: NodeId): Step => {
  const { reason, failure } = Barred.ending(barred, nodeId)
  return end(exchange, failure, V1Wire.encode({ type: "sync_error", message: failure.message, reason }))
}

const duplicate = (exchange: Exchange): Step => end(exchange, new DuplicateNodeId({ nodeId: exchange.options.self }))

/** Notes the peer, and what we know of it. */
const withPeer = (
  exchange: Exchange,
  peer: NodeId,
  record: PeerRecord,
  clock: VectorClock.VectorClock,
  now: number
): Exchange => {
  const { options, local } = exchange
  const { memory = V1Memory.none, late } = record
  return {
    ...exchange,
    identifying: undefined,
    rowScopes: record.scopes,
    since: now,
    peer,
    memory,
    reported: clock,
    known: clock,
    needed: V1Memory.ask(record.memory, { ours: local.vectorClock, theirs: clock, peer, self: options.self }, now),
    isNewest: memory.isNewest,
    takesNothing: V1Memory.tookNothing(memory, clock),
    tooLarge: memory.tooLarge,
    returns: new Map([...memory.returns.map((one) => [V1Receive.rowOf(one), one] as const), ...late]),
    late,
    sentRows: memory.sentRows,
    quarantined: memory.quarantined
  }
}

const onCommitted = (exchange: Exchange, committed: V1Receive.Committed, now: number): Step => {
  const [next, actions] = V1Receive.onCommitted(exchange, committed, now)
  if (actions.length > 0 || next.taking !== undefined || !next.isAllReceived) return [next, actions]
  return next.options.role === "dialler" ? done(next) : V1Send.start(next, now)
}

/** Its passphrase is not even looked at. */
const tooMany = (exchange: Exchange, seconds: number): Step => {
  const message = `Too many attempts with a wrong passphrase: wait ${seconds} s`
  const text = V1Wire.encode({ type: "sync_error", message, reason: "rate_limited" })
  return end(exchange, new RateLimited({ retryAfterSeconds: seconds }), text)
}
