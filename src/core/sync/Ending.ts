/**
 * How a session ends: it refuses the peer, is refused, or is closed in good order.
 */
import { Schema } from "effect"
import { NodeId } from "../replica/NodeId.ts"
import { times } from "./SessionLimits.ts"
import { andThen, type Session, type Step } from "./SessionState.ts"
import {
  DuplicateNodeId,
  PassphraseMismatch,
  PeerClosed,
  PeerPaused,
  PeerRemoved,
  PeerTimeout,
  ProtocolViolation,
  RateLimited,
  type SessionFailure,
  TooLongAway,
  UnprovedRefusal,
  type UnprovedReason
} from "./SyncFailure.ts"
import * as Wire from "./Wire.ts"

/** Refuses a peer that breaks the protocol. */
export const violated = (session: Session, detail: string): Step =>
  fail(session, "protocol", new ProtocolViolation({ detail }))

/** The peer refused us, and said why. */
export const refused = (session: Session, refusal: Wire.Refusal): Step => {
  const { peer, options } = session
  return close(session, 1000, "", failureOf(refusal, peer ?? options.remote, options.self))
}

/** The other side refused us before it proved itself: any machine can say this. */
export const refusedUnproved = (session: Session, refusal: Wire.Refusal): Step => {
  const { remote, self } = session.options
  switch (refusal.reason) {
    // What these say harms nothing. And a peer with another passphrase can never prove itself.
    case "invalid_passphrase":
    case "rate_limited":
    case "timeout":
    case "too_large":
      return close(session, 1000, "", failureOf(refusal, remote, self))
    default:
      return close(session, 1000, "", new UnprovedRefusal({ by: remote, reason: unprovedReasonOf(refusal) }))
  }
}

const unprovedReasonOf = ({ reason, isPaused }: Wire.Refusal): UnprovedReason => {
  switch (reason) {
    case "duplicate_node_id":
    case "too_long_away":
    case "removed":
    case "protocol":
    case "internal_error":
      return reason
    case "going_away":
      return isPaused === true ? "paused" : reason
    default:
      return "other"
  }
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
      return new PeerTimeout({ waitedFor: "message", seconds: times.timeout / 1000, by })
    case "going_away":
      if (refusal.isPaused === true) return new PeerPaused({ nodeId: self, by })
      return new PeerClosed({ code: Wire.closeCodes.going_away, reason: `${by} says: ${quote(message)}` })
    case "too_large":
      return new PeerClosed({ code: Wire.closeCodes.too_large, reason: "a frame over its limit" })
    default:
      return new ProtocolViolation({ detail: `${by} says: ${quote(message === "" ? reason : message)}` })
  }
}

const isNodeId = Schema.is(NodeId)

/**
 * Refuses the peer: says why, and closes. `proof`: that this side knows the passphrase, where the peer does not know
 * that yet.
 */
export const fail = (session: Session, reason: Wire.Reason, failure: SessionFailure, proof?: string): Step => {
  const text = Wire.encode({
    type: "sync_error",
    reason,
    message: failure.message.slice(0, Wire.limits.text),
    retryAfter: failure._tag === "RateLimited" ? failure.retryAfterSeconds : undefined,
    nodeId: failure._tag === "TooLongAway" && isNodeId(failure.nodeId) ? failure.nodeId : undefined,
    isPaused: failure._tag === "PeerPaused" ? true : undefined,
    proof
  })
  return andThen([session, [{ _tag: "Send", text, operations: 0 }]], (next) =>
    close(next, Wire.closeCodes[reason], reason, failure)
  )
}

export const close = (session: Session, code: number, reason: string, failure: SessionFailure | undefined): Step => [
  { ...session, phase: "closed" },
  [
    ...(failure?._tag === "TooLongAway" && failure.isSelf && session.peer !== undefined
      ? [{ _tag: "Away" } as const]
      : []),
    { _tag: "Close", code, reason, failure }
  ]
]
