/**
 * One exchange with an existing FERAL node (form 1), in either role, as a state machine without I/O. It takes the events and
 * makes the actions of a session (`session/State.ts`), and is run in the same way.
 *
 * An exchange is: `sync_request`, `sync_response`, the dialler's operations, the server's operations, the end. What makes it hard
 * is what the old nodes do not say:
 *
 * - **They ask with one mark for all origins.** An early node sends what is after *our mark for its own id*, whatever the origin.
 *   So that it skips nothing, we report for its id the lowest of our marks over the origins where it is ahead of us.
 * - **Their clock does not show what they hold.** It is empty after a restart. On the first contact, and when the clock has shrunk,
 *   we ask for everything.
 * - **Their word about third origins proves nothing.** What they relay is merged, but only the mark of the peer's own origin moves.
 * - **The newest drop what carries no scope that they granted**, and say nothing. When a clock shows that nothing was taken, the
 *   status says so, and one operation at a time is offered until it is.
 * - **They take little at a time.** An early node takes one frame under 1 MiB; the rest goes in the next exchange.
 */
import { HashMap, Redacted, Result } from "effect"
import {
  PassphraseMismatch,
  PassphraseUnset,
  PeerTimeout,
  ProtocolViolation,
  RateLimited,
  type SessionFailure
} from "../Failure.ts"
import { isSamePassphrase } from "../Handshake.ts"
import * as Hlc from "../Hlc.ts"
import type { NodeId } from "../NodeId.ts"
import { originsAfter, type Snapshot } from "../Replica.ts"
import { warnings } from "../session/Inbound.ts"
import { type Action, emptyFrames, type Event } from "../session/State.ts"
import * as VectorClock from "../VectorClock.ts"
import { closeCodes, limits } from "../Wire.ts"
import * as Sending from "./Sending.ts"
import { claim, deadline, done, end, type Exchange, markFor, send, type Step, tookNothing } from "./State.ts"
import * as Wire from "./Wire.ts"

export { deadline, initial, isUnfinished, markFor, remember, view } from "./State.ts"
export type { Exchange, Memory, Options, Step } from "./State.ts"

/** The first step: the dialler speaks first. */
export const open = (exchange: Exchange): Step => {
  const { options, local } = exchange
  if (options.role === "server") return [exchange, []]
  // Who will answer, and what it will report, is not known yet: what it reported last time is the best guess.
  const memory = options.expected === undefined ? undefined : options.memories.get(options.expected)
  const asked =
    memory === undefined || options.expected === undefined
      ? Hlc.zero
      : markFor(local.clock, memory.clock, options.expected, options.self)
  const clock =
    options.expected === undefined ? VectorClock.empty : VectorClock.withEntry(local.clock, options.expected, asked)
  const text = Wire.encode({
    type: "sync_request",
    nodeId: options.self,
    clock,
    passphrase: Redacted.value(options.passphrase)
  })
  return [{ ...exchange, asked }, [send(text)]]
}

/** What happens next. */
export const step = (exchange: Exchange, event: Event): Step => {
  if (exchange.phase === "closed") return [exchange, []]
  switch (event._tag) {
    case "Received":
      if (exchange.phase === "greeting" && event.text.length > limits.greetingBytes) {
        return end(exchange, new ProtocolViolation({ detail: `a greeting of ${event.text.length} characters` }))
      }
      return Result.match(Wire.decode(event.text), {
        onFailure: (failure) => end(exchange, failure),
        onSuccess: (message) => onMessage(exchange, message, event.now)
      })
    case "Limited":
      return exchange.phase === "greeting" ? tooMany(exchange, Math.ceil(event.wait / 1000)) : [exchange, []]
    case "Delta":
      return event.request === exchange.reading ? Sending.onDelta(exchange, event.delta, event.now) : [exchange, []]
    case "Committed":
      return onCommitted(exchange, event.snapshot, event.now)
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
    case "Stop":
      return [
        { ...exchange, phase: "closed" },
        [{ _tag: "Close", code: event.code, reason: event.reason, failure: undefined }]
      ]
    case "Alive":
    case "Changed":
    case "Compare":
    case "Scanned":
      return [exchange, []]
  }
}

const onMessage = (exchange: Exchange, message: Wire.Message, now: number): Step => {
  const { options, phase } = exchange
  switch (message.type) {
    case "sync_error":
      return end(exchange, failureOf(message, exchange.peer ?? options.remote))
    case "sync_request":
      return phase === "greeting" && options.role === "server"
        ? onRequest(exchange, message, now)
        : unexpected(exchange, message)
    case "sync_response":
      return phase === "greeting" && options.role === "dialler"
        ? onResponse(exchange, message, now)
        : unexpected(exchange, message)
    case "sync_data":
      return phase === "receiving" ? onData(exchange, message, now) : unexpected(exchange, message)
  }
}

const unexpected = (exchange: Exchange, { type }: Wire.Message): Step =>
  end(exchange, new ProtocolViolation({ detail: `${type} out of turn` }))

const onRequest = (exchange: Exchange, request: Wire.Request, now: number): Step => {
  const { options, local } = exchange
  if (!isSamePassphrase(Redacted.value(options.passphrase), request.passphrase)) {
    const failure =
      request.passphrase === ""
        ? new PassphraseUnset({ by: options.remote })
        : new PassphraseMismatch({ by: "this node" })
    return end(
      exchange,
      failure,
      Wire.encode({ type: "sync_error", message: "Invalid passphrase", reason: "invalid_passphrase" })
    )
  }
  const [met, established] = meet(exchange, request.nodeId, request.clock, now)
  const clock = VectorClock.withEntry(local.clock, request.nodeId, met.needed)
  return [
    { ...met, asked: met.needed, phase: "receiving" },
    [send(Wire.encode({ type: "sync_response", nodeId: options.self, clock })), established]
  ]
}

const onResponse = (exchange: Exchange, response: Wire.Response, now: number): Step => {
  const [met, established] = meet(exchange, response.nodeId, response.clock, now)
  // Asked as somebody else's: then the mark that we reported was not one for this node.
  const asked = exchange.options.expected === response.nodeId ? met.asked : Hlc.zero
  const [sending, actions] = Sending.start({ ...met, asked }, now)
  return [sending, [established, ...actions]]
}

/** Notes who is there. */
const meet = (
  exchange: Exchange,
  peer: NodeId,
  clock: VectorClock.VectorClock,
  now: number
): readonly [Exchange, Action] => {
  const { options, local } = exchange
  const memory = options.memories.get(peer)
  const isFresh = memory === undefined || !VectorClock.includes(clock, memory.clock)
  return [
    {
      ...exchange,
      since: now,
      peer,
      reported: clock,
      known: clock,
      needed: isFresh ? Hlc.zero : markFor(local.clock, clock, peer, options.self),
      isNewest: memory?.isNewest ?? false,
      takesNothing: memory !== undefined && tookNothing(memory, clock)
    },
    { _tag: "Established", peer }
  ]
}

const onData = (exchange: Exchange, data: Wire.Data, now: number): Step => {
  const { options, peer } = exchange
  const empties = data.operations.length + data.malformed.length === 0 ? exchange.empties + 1 : 0
  if (empties > emptyFrames) {
    return end(exchange, new ProtocolViolation({ detail: `${empties} empty frames in a row` }))
  }
  let held = exchange.held
  let ownTop = exchange.ownTop
  const operations = data.operations.filter(({ hlc }) => {
    if (hlc.node === peer) ownTop = Hlc.latest(ownTop, hlc)
    if (Hlc.isDrifting(hlc, now, options.maxDriftMs) && !HashMap.has(held, hlc.node)) {
      held = HashMap.set(held, hlc.node, { wall: hlc.wall, counter: hlc.counter })
    }
    return !HashMap.has(held, hlc.node)
  })
  const next: Exchange = {
    ...exchange,
    since: now,
    held,
    ownTop,
    isNewest: exchange.isNewest || data.isNewest,
    received: exchange.received + operations.length,
    empties,
    known: VectorClock.merge(exchange.known, VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))),
    committing: [...exchange.committing, { last: !data.more }]
  }
  const through = data.more ? VectorClock.empty : claim(next)
  if (originsAfter(options.self, exchange.local, { operations, through }) > limits.origins) {
    return end(exchange, new ProtocolViolation({ detail: `more than ${limits.origins} origins in all` }))
  }
  const quarantined = peer === undefined ? [] : data.malformed.map((malformed) => ({ peer, ...malformed }))
  const commit: Action = { _tag: "Commit", batch: { operations, through, quarantined } }
  return [next, [...warnings(exchange.held, held, now, options.maxDriftMs), commit]]
}

const onCommitted = (exchange: Exchange, local: Snapshot, now: number): Step => {
  const [frame, ...committing] = exchange.committing
  if (frame === undefined) return [exchange, []]
  const next = { ...exchange, local, committing, since: now }
  if (!frame.last) return [next, []]
  return exchange.options.role === "dialler" ? done(next) : Sending.start(next, now)
}

/** Its passphrase is not even looked at. */
const tooMany = (exchange: Exchange, seconds: number): Step => {
  const message = `Too many attempts with a wrong passphrase: wait ${seconds} s`
  const text = Wire.encode({ type: "sync_error", message, reason: "rate_limited" })
  return end(exchange, new RateLimited({ retryAfterSeconds: seconds }), text)
}

const failureOf = ({ message, reason }: Wire.Refusal, by: string): SessionFailure => {
  if (reason === "passphrase_unset") return new PassphraseUnset({ by })
  if (reason === "invalid_passphrase" || /passphrase/i.test(message)) return new PassphraseMismatch({ by })
  return new ProtocolViolation({ detail: `${by} says: ${message === "" ? reason : message}` })
}
