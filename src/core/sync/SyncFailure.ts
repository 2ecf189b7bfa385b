/**
 * The ways in which a session between two replicas fails, as tagged errors. Each says what the problem is and what to
 * do next: an operator reads both in the log, in `peers` and in `doctor`. What an operator has to know while sessions
 * go on is in `SyncAlarm.ts`.
 */
import { Schema, Struct } from "effect"
import * as ClockOffset from "../text/ClockOffset.ts"
import { messageOf, sizeOf } from "../text/Explained.ts"
import { clockNextStep, nextSteps } from "./SyncNextSteps.ts"

export * from "./SyncAlarm.ts"
export * from "./SyncNextSteps.ts"

/** A timestamp lies further in the future than the drift bound allows. Times in milliseconds. */
export class ClockDrift extends Schema.TaggedError<ClockDrift>()("ClockDrift", {
  remote: Schema.Number,
  local: Schema.Number,
  limit: Schema.Number
}) {
  readonly problem = `a clock is ${ClockOffset.amount(this.remote - this.local)} ahead of ours (allowed: ${this.limit / 1000} s)`
  readonly nextStep = clockNextStep(this.remote - this.local)
  override readonly message = messageOf(this)
}

/** The other side broke the protocol; the connection is closed. */
export class ProtocolViolation extends Schema.TaggedError<ProtocolViolation>()("ProtocolViolation", {
  detail: Schema.String
}) {
  readonly problem = `the peer violated the protocol: ${this.detail}`
  readonly nextStep = nextSteps.ProtocolViolation
  override readonly message = messageOf(this)
}

/** The peer closed because a frame is larger than it accepts. Bytes of the largest one that was under way. */
export class FrameTooLarge extends Schema.TaggedError<FrameTooLarge>()("FrameTooLarge", {
  peer: Schema.String,
  bytes: Schema.Number
}) {
  readonly problem = `${this.peer} does not accept a frame of ${sizeOf(this.bytes)}`
  readonly nextStep = nextSteps.FrameTooLarge
  override readonly message = messageOf(this)
}

/** The passphrases of the two nodes differ. `by` is the node that noticed. */
export class PassphraseMismatch extends Schema.TaggedError<PassphraseMismatch>()("PassphraseMismatch", {
  by: Schema.String
}) {
  readonly problem = `passphrase mismatch, found by ${this.by}`
  readonly nextStep = nextSteps.PassphraseMismatch
  override readonly message = messageOf(this)
}

/** The other node has no passphrase. */
export class PassphraseUnset extends Schema.TaggedError<PassphraseUnset>()("PassphraseUnset", {
  by: Schema.String
}) {
  readonly problem = `${this.by} has no passphrase`
  readonly nextStep = nextSteps.PassphraseUnset
  override readonly message = messageOf(this)
}

/** A node was removed by its id. `by` is the node that said so, where it was not this one. */
export class PeerRemoved extends Schema.TaggedError<PeerRemoved>()("PeerRemoved", {
  nodeId: Schema.String,
  by: Schema.optionalKey(Schema.String)
}) {
  readonly problem = `${saidBy(this)}the node ${this.nodeId} was removed`
  readonly nextStep = `${nextSteps.PeerRemoved}${this.by === undefined ? "" : " there"}`
  override readonly message = messageOf(this)
}

/** Syncing with a node was paused by its id. `by` is the node that said so, where it was not this one. */
export class PeerPaused extends Schema.TaggedError<PeerPaused>()("PeerPaused", {
  nodeId: Schema.String,
  by: Schema.optionalKey(Schema.String)
}) {
  readonly problem = `${saidBy(this)}syncing with the node ${this.nodeId} is paused`
  readonly nextStep = this.by === undefined ? nextSteps.PeerPaused : nextSteps.PeerPausedThere
  override readonly message = messageOf(this)
}

/**
 * A node was too long away: the other one has dropped tombstones that this one never saw, and its rows could bring back
 * what was deleted. `by` is the node that said so, where it was not found out here.
 */
export class TooLongAway extends Schema.TaggedError<TooLongAway>()("TooLongAway", {
  nodeId: Schema.String,
  isSelf: Schema.Boolean,
  /** Whether both have dropped what the other one never saw: one of the two is enough. */
  isApart: Schema.optionalKey(Schema.Literal(true)),
  /** Whether the version of that node cannot tell. */
  isOld: Schema.Boolean,
  by: Schema.optionalKey(Schema.String)
}) {
  readonly problem = `${saidBy(this)}${awayOf(this)}`
  readonly nextStep = this.isOld
    ? nextSteps.TooOldForCut
    : this.isApart === true
      ? nextSteps.ApartTooLong
      : this.isSelf
        ? nextSteps.TooLongAway
        : nextSteps.TooLongAwayThere
  override readonly message = messageOf(this)
}

const awayOf = ({ nodeId, isSelf, isApart, isOld }: Pick<TooLongAway, "nodeId" | "isSelf" | "isApart" | "isOld">) => {
  if (isOld) return `deletions were collected, and ${nodeId} runs a version that is too old to support that`
  if (isApart === true) return `this node and ${nodeId} both collected deletions while disconnected from each other`
  const node = isSelf ? `this node (${nodeId})` : `the node ${nodeId}`
  return `${node} was away while deletions were collected, and could bring back deleted rows`
}

/** Two nodes claim one identity. `by` is the node that said so, where it was not found out here. */
export class DuplicateNodeId extends Schema.TaggedError<DuplicateNodeId>()("DuplicateNodeId", {
  nodeId: Schema.String,
  by: Schema.optionalKey(Schema.String),
  /** Where both of them were met, when neither of them is this node. */
  at: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  readonly problem =
    this.at === undefined
      ? `${saidBy(this)}another node uses the id ${this.nodeId} too: a data directory was copied`
      : `two nodes use the id ${this.nodeId} (${this.at.join(" and ")}): a data directory was copied`
  readonly nextStep = nextSteps.DuplicateNodeId
  override readonly message = messageOf(this)
}

const saidBy = ({ by }: { readonly by?: string }): string => (by === undefined ? "" : `${by} says: `)

/** We reached ourselves: one of the configured addresses is our own. */
export class SelfConnection extends Schema.TaggedError<SelfConnection>()("SelfConnection", {}) {
  readonly problem = "this address belongs to this node"
  readonly nextStep = nextSteps.SelfConnection
  override readonly message = messageOf(this)
}

/**
 * The peer sent nothing that was waited for, or read nothing (`waitedFor` is "reading"). `by` is the peer that says so
 * of this node.
 */
export class PeerTimeout extends Schema.TaggedError<PeerTimeout>()("PeerTimeout", {
  waitedFor: Schema.String,
  seconds: Schema.Number,
  by: Schema.optionalKey(Schema.String)
}) {
  readonly problem = silenceOf(this)
  readonly nextStep = nextSteps.PeerTimeout
  override readonly message = messageOf(this)
}

const silenceOf = ({ waitedFor, seconds, by }: Pick<PeerTimeout, "waitedFor" | "seconds" | "by">): string => {
  if (by !== undefined) return `${by} timed out: it received nothing from this node for ${seconds} s`
  return waitedFor === "reading"
    ? `the peer has not read any data for ${seconds} s`
    : `no ${waitedFor} from the peer for ${seconds} s`
}

/** An existing FERAL node that the policy of this node refuses. */
export class LegacyRefused extends Schema.TaggedError<LegacyRefused>()("LegacyRefused", {
  problem: Schema.String,
  nextStep: Schema.String
}) {
  override readonly message = messageOf(this)
}

/**
 * Too many failed passphrase attempts came from an address: further ones are refused for a while. `by` is the node that
 * asks us to wait, where we are the one that waits: it has proved nothing, so its word says nothing about a passphrase.
 */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  retryAfterSeconds: Schema.Number,
  by: Schema.optionalKey(Schema.String)
}) {
  readonly problem =
    this.by === undefined
      ? `too many failed passphrase attempts from this address; try again in ${this.retryAfterSeconds} s`
      : `${this.by} asks to wait ${this.retryAfterSeconds} s before the next attempt`
  readonly nextStep = this.by === undefined ? nextSteps.RateLimited : nextSteps.AskedToWait
  override readonly message = messageOf(this)
}

/** An existing FERAL node lets in only nodes that it knows by an identity of its own making. */
export class PeerIdentityRequired extends Schema.TaggedError<PeerIdentityRequired>()("PeerIdentityRequired", {
  by: Schema.String
}) {
  readonly problem = `${this.by} accepts only nodes with a registered peer identity`
  readonly nextStep = nextSteps.PeerIdentityRequired
  override readonly message = messageOf(this)
}

/** An existing FERAL node expects a grant of this node that we do not hold. */
export class PeerGrantInvalid extends Schema.TaggedError<PeerGrantInvalid>()("PeerGrantInvalid", {
  by: Schema.String
}) {
  readonly problem = `${this.by} expects a peer grant that this node does not have`
  readonly nextStep = nextSteps.PeerGrantInvalid
  override readonly message = messageOf(this)
}

/** An existing FERAL node refuses us, in words of its own. */
export class PeerRefused extends Schema.TaggedError<PeerRefused>()("PeerRefused", {
  by: Schema.String,
  reason: Schema.String
}) {
  readonly problem = `${this.by} refuses the connection (${JSON.stringify(this.reason)})`
  readonly nextStep = nextSteps.PeerRefused
  override readonly message = messageOf(this)
}

/** Why a side that has not proved itself says that it refuses us, in our words. Any machine can say it. */
const unprovedReasons = {
  duplicate_node_id: "it says that both nodes have the same id",
  too_long_away: "it says that one of the two nodes was away too long",
  removed: "it says that this node was removed there",
  paused: "it says that syncing is paused there",
  going_away: "it says that it is stopping",
  protocol: "it says that this node violated the protocol",
  internal_error: "it says that it has an internal error",
  other: "for a reason that this node does not know"
} as const

export type UnprovedReason = keyof typeof unprovedReasons

/** A side refuses us before it has proved itself. Nothing on this node is to be changed for it. */
export class UnprovedRefusal extends Schema.TaggedError<UnprovedRefusal>()("UnprovedRefusal", {
  by: Schema.String,
  reason: Schema.Literals(Struct.keys(unprovedReasons))
}) {
  readonly problem = `${this.by}, which has not proved itself, refuses the connection (${unprovedReasons[this.reason]})`
  readonly nextStep = nextSteps.UnprovedRefusal
  override readonly message = messageOf(this)
}

/** The announcement of another machine has the id of this node. Announcements prove nothing. */
export class DuplicateAnnounced extends Schema.TaggedError<DuplicateAnnounced>()("DuplicateAnnounced", {
  nodeId: Schema.String,
  by: Schema.String
}) {
  readonly problem = `${this.by} announces itself by mDNS with the id of this node, ${this.nodeId}, which proves nothing yet`
  readonly nextStep = nextSteps.DuplicateAnnounced
  override readonly message = messageOf(this)
}

/** The connection is over, by the wish of one side. */
export class PeerClosed extends Schema.TaggedError<PeerClosed>()("PeerClosed", {
  code: Schema.Number,
  reason: Schema.String,
  /** Set where this node closed the connection, for what the peer did. */
  byUs: Schema.optionalKey(Schema.Boolean),
  /** What to do, where more is known than that. */
  advice: Schema.optionalKey(Schema.String)
}) {
  readonly problem =
    this.byUs === true
      ? `this node closed the connection (${this.code}): ${this.reason}`
      : `the peer closed the connection (${this.code}${this.reason === "" ? "" : `: ${this.reason}`})`
  readonly nextStep = this.advice ?? (this.byUs === true ? nextSteps.PeerClosedHere : nextSteps.PeerClosed)
  override readonly message = messageOf(this)
}

/** Every way in which a session can end. */
export type SessionFailure =
  | ClockDrift
  | ProtocolViolation
  | FrameTooLarge
  | PassphraseMismatch
  | PassphraseUnset
  | DuplicateNodeId
  | PeerRemoved
  | PeerPaused
  | TooLongAway
  | SelfConnection
  | PeerTimeout
  | LegacyRefused
  | RateLimited
  | PeerIdentityRequired
  | PeerGrantInvalid
  | PeerRefused
  | UnprovedRefusal
  | DuplicateAnnounced
  | PeerClosed
