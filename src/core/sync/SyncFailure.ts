/**
 * What can go wrong between two replicas, as tagged errors. Each says what the problem is and what to do next: an operator reads
 * both in the log, in `peers` and in `doctor`.
 */
import { Schema } from "effect"
import * as ClockOffset from "../text/ClockOffset.ts"
import { counted, messageOf, some } from "../text/Explained.ts"

/** What to do next. */
export const nextSteps = {
  ClockDrift: "set the clocks of both machines, for example with NTP",
  ClockZone: "one side has the wrong time zone or daylight saving time: check it on both machines",
  ProtocolViolation: "check that both run compatible versions",
  FrameTooLarge: "raise FERAL_SYNC_MAX_RECV_BYTES there; larger rows are no longer sent to it",
  PassphraseUnset: "set FERAL_SYNC_PASSPHRASE there to the same value as here",
  DuplicateNodeId: "stop one of the two and run feral-sync identity new for it",
  SelfConnection: "remove it from FERAL_SYNC_PEERS",
  PeerTimeout: "check the network between the two nodes, and that the other node is running",
  PeerRemoved: "to allow it again, run feral-sync peers readmit with its id",
  PeerPaused: "to go on, run feral-sync peers resume with its id",
  TooLongAway: "stop this node, run feral-sync rejoin, and start it again",
  ApartTooLong: "stop the nodes of one side, run feral-sync rejoin on them, and start them again",
  TooLongAwayThere: "run feral-sync rejoin on that node",
  CollectedForLegacy: "update it to feral-sync, with an empty data directory",
  TooOldForCut: "update feral-sync on that node",
  PassphraseMismatch: "make FERAL_SYNC_PASSPHRASE the same on both nodes; a node where it is not set created its own",
  RateLimited: "make FERAL_SYNC_PASSPHRASE the same on all nodes; the node then connects automatically",
  AskedToWait: "the node tries again automatically; if this continues, compare FERAL_SYNC_PASSPHRASE on both nodes",
  LegacyKeptOut: "set it to tls or on to accept them",
  LegacyExposed: "give both nodes certificates of one CA, or set FERAL_SYNC_LEGACY=on to allow it",
  LegacyUnnamed: "write plain://HOST:PORT in FERAL_SYNC_PEERS to allow it",
  NoScopeGranted: "grant a scope there, and set FERAL_SYNC_LEGACY_SCOPE here to its name",
  PeerIdentityRequired: "turn that requirement off there: feral-sync does not support peer identities",
  PeerGrantInvalid: "remove the grant for this node there: feral-sync does not support grants",
  PeerRefused: "see the log of that node for the reason",
  Quarantined: "write the row again on the node that it comes from",
  RowsTooLarge: "split these rows into smaller ones",
  DeferredByPeer: "stop this node and run feral-sync identity new --reissue",
  ClockFast: "set the clock of this machine before anything is written, for example with NTP",
  ClockAhead:
    "check the clock of this machine; if it is right, stop this node and run feral-sync identity new --reissue",
  TimestampReused: "find the copied data directory and run feral-sync identity new for it",
  OwnOperationsForeign:
    "if a copy of this data directory runs elsewhere, run feral-sync identity new for it; otherwise change the passphrase",
  OwnOperationsReturned: "this is normal after a restore; otherwise look for a copy of this data directory",
  OverQuota:
    "upgrade this node if a newer version wrote them, raise FERAL_SYNC_MAX_OPAQUE_BYTES and FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES, or remove such rows with feral-sync purge",
  OverQuotaThere: "upgrade that node, raise its quota, or run feral-sync purge there",
  RowsPurgedHere: "run the same feral-sync purge there",
  RowsPurged: "run the same feral-sync purge on this node",
  PeerSlowed:
    "if this is expected, raise FERAL_SYNC_MAX_PEER_RATE_BYTES or FERAL_SYNC_MAX_PEER_BURST_BYTES; otherwise stop that node",
  OriginsLeftOut: "they are accepted gradually; if their ids are made up, stop that node and change the passphrase",
  OriginsFull:
    "see them with feral-sync origins list; if ids are made up, change the passphrase and remove their rows with feral-sync purge --origin NODE-ID",
  Diverged: "the nodes repair them automatically; run feral-sync verify to do so now"
} as const

/** What to do about two clocks that are so far apart (ms). */
export const clockNextStep = (offset: number): string =>
  ClockOffset.zoneDifference(offset) === undefined ? nextSteps.ClockDrift : nextSteps.ClockZone

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

/** A peer defers what this node writes, because it lies in the future. Times in milliseconds. */
export class DeferredByPeer extends Schema.TaggedError<DeferredByPeer>()("DeferredByPeer", {
  wall: Schema.Number,
  local: Schema.Number
}) {
  readonly ahead = Math.round((this.wall - this.local) / 1000)
  readonly problem = `the peer defers what this node wrote: ${
    this.ahead > 0 ? `its timestamps are ${this.ahead} s ahead of the clock here` : "the clock there is behind"
  }`
  readonly nextStep = this.ahead > 0 ? nextSteps.DeferredByPeer : nextSteps.ClockDrift
  override readonly message = messageOf(this)
}

/** The clock of this machine is ahead of those of most peers (ms). */
export class ClockFast extends Schema.TaggedError<ClockFast>()("ClockFast", {
  ahead: Schema.Number,
  peers: Schema.Number,
  of: Schema.Number
}) {
  readonly problem = `the clock of this machine is ${ClockOffset.amount(this.ahead)} ahead of ${
    this.of === 1 ? "that of the connected peer" : `those of ${this.peers} of ${this.of} connected peers`
  }`
  readonly nextStep = nextSteps.ClockFast
  override readonly message = messageOf(this)
}

/** This node wrote under a clock that was ahead (ms). It refuses writes until that time has come: peers would not take them. */
export class ClockAhead extends Schema.TaggedError<ClockAhead>()("ClockAhead", { ahead: Schema.Number }) {
  readonly problem = `the last timestamp of this node is ${ClockOffset.amount(this.ahead)} ahead of the clock of this machine, and writes are refused`
  readonly nextStep = nextSteps.ClockAhead
  override readonly message = messageOf(this)
}

/** Timestamps stand for two contents each: two nodes used one id. */
export class TimestampReused extends Schema.TaggedError<TimestampReused>()("TimestampReused", {
  count: Schema.Number,
  node: Schema.String
}) {
  readonly problem = `${counted(this.count, "operation")} came with a timestamp of another operation (from ${this.node}): two nodes used one id`
  readonly nextStep = nextSteps.TimestampReused
  override readonly message = messageOf(this)
}

/** Operations came under the id of this node that it never wrote. */
export class OwnOperationsForeign extends Schema.TaggedError<OwnOperationsForeign>()("OwnOperationsForeign", {
  count: Schema.Number,
  first: Schema.String
}) {
  readonly problem = `${counted(this.count, "operation")} came under the id of this node, which never wrote them (${this.first})`
  readonly nextStep = nextSteps.OwnOperationsForeign
  override readonly message = messageOf(this)
}

/** Operations of this node came back from peers that its database did not have. */
export class OwnOperationsReturned extends Schema.TaggedError<OwnOperationsReturned>()("OwnOperationsReturned", {
  count: Schema.Number,
  first: Schema.String
}) {
  readonly problem = `${counted(this.count, "operation")} of this node came back from peers, and the database did not have them (${this.first})`
  readonly nextStep = nextSteps.OwnOperationsReturned
  override readonly message = messageOf(this)
}

/** A peer brings more new origins than are taken at once. The rest is left out for now; the session goes on. */
export class OriginsLeftOut extends Schema.TaggedError<OriginsLeftOut>()("OriginsLeftOut", {
  count: Schema.Number,
  /** Some of them. */
  origins: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  readonly problem = `the peer brings ${this.count} new origins${
    this.origins === undefined || this.origins.length === 0 ? "" : ` (${some(this.origins, this.count)})`
  } more than are accepted at once, and their rows wait`
  readonly nextStep = nextSteps.OriginsLeftOut
  override readonly message = messageOf(this)
}

/** This node has rows of as many origins as the limit allows: rows of further origins wait. */
export class OriginsFull extends Schema.TaggedError<OriginsFull>()("OriginsFull", { count: Schema.Number }) {
  readonly problem = `this node has rows of ${this.count} origins, which is the limit; rows of further origins wait`
  readonly nextStep = nextSteps.OriginsFull
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

/** Rows are larger than one side accepts: they stay where they are, and all others go on. The first of them are named. */
export class RowsTooLarge extends Schema.TaggedError<RowsTooLarge>()("RowsTooLarge", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  count: Schema.Number,
  rows: Schema.Array(Schema.Struct({ table: Schema.String, row_id: Schema.String, bytes: Schema.Number }))
}) {
  readonly problem = `${counted(this.count, "row")} ${this.count === 1 ? "is" : "are"} larger than ${
    this.where === "there" ? `${this.peer} accepts` : `this node accepts from ${this.peer}`
  }: ${rowsOf(this)}`
  readonly nextStep = `raise FERAL_SYNC_MAX_RECV_BYTES ${this.where}`
  override readonly message = messageOf(this)
}

const rowsOf = ({ rows, count }: Pick<RowsTooLarge, "rows" | "count">): string => {
  const named = rows.slice(0, 3).map(({ table, row_id, bytes }) => `${table} ${row_id}, ${sizeOf(bytes)}`)
  return [...named, ...(count > named.length ? [`${count - named.length} more`] : [])].join("; ")
}

/** Rows of unknown kinds exceed the quota. They are kept out, and all other rows go on. */
export class OverQuota extends Schema.TaggedError<OverQuota>()("OverQuota", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  /** Whose rows they are; the first of them. */
  origins: Schema.Array(Schema.String)
}) {
  readonly problem = `rows of unknown kinds from ${some(this.origins)} are held back${
    this.where === "here"
      ? ", because the quota of this node is used up"
      : ` by ${this.peer}, because its quota is used up`
  }`
  readonly nextStep = this.where === "here" ? nextSteps.OverQuota : nextSteps.OverQuotaThere
  override readonly message = messageOf(this)
}

/** The address of a peer exceeds its rate limit: its operations wait, and are accepted gradually. */
export class PeerSlowed extends Schema.TaggedError<PeerSlowed>()("PeerSlowed", { peer: Schema.String }) {
  readonly problem = `${this.peer} sends more than the rate limit of one address, and is slowed down`
  readonly nextStep = nextSteps.PeerSlowed
  override readonly message = messageOf(this)
}

/** One of two nodes has purged rows that the other one holds. Nothing else is different. */
export class RowsPurged extends Schema.TaggedError<RowsPurged>()("RowsPurged", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  count: Schema.Number
}) {
  readonly problem =
    this.where === "here"
      ? `${this.peer} holds ${counted(this.count, "row")} that this node has purged`
      : `${this.peer} has purged ${counted(this.count, "row")} that this node holds`
  readonly nextStep = this.where === "here" ? nextSteps.RowsPurgedHere : nextSteps.RowsPurged
  override readonly message = messageOf(this)
}

const sizeOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`

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

/** Syncing with a node was paused by its id, here. */
export class PeerPaused extends Schema.TaggedError<PeerPaused>()("PeerPaused", { nodeId: Schema.String }) {
  readonly problem = `syncing with the node ${this.nodeId} is paused`
  readonly nextStep = nextSteps.PeerPaused
  override readonly message = messageOf(this)
}

/**
 * A node was too long away: the other one has dropped tombstones that this one never saw, and its rows could bring back what was deleted.
 * `by` is the node that said so, where it was not found out here.
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
  if (isOld) return `deletions were collected, and the version of ${nodeId} is too old for that`
  if (isApart === true) return `this node and ${nodeId} were apart while both collected deletions`
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

/** The peer fell silent. */
export class PeerTimeout extends Schema.TaggedError<PeerTimeout>()("PeerTimeout", {
  waitedFor: Schema.String,
  seconds: Schema.Number
}) {
  readonly problem = `no ${this.waitedFor} from the peer for ${this.seconds} s`
  readonly nextStep = nextSteps.PeerTimeout
  override readonly message = messageOf(this)
}

/** An existing FERAL node that the policy of this node refuses. */
export class LegacyRefused extends Schema.TaggedError<LegacyRefused>()("LegacyRefused", {
  problem: Schema.String,
  nextStep: Schema.String
}) {
  override readonly message = messageOf(this)
}

/**
 * Too many failed passphrase attempts came from an address: further ones are refused for a while. `by` is the node that asks us to
 * wait, where we are the one that waits: it has proved nothing, so its word says nothing about a passphrase.
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

/** The connection is over, by the wish of one side. */
export class PeerClosed extends Schema.TaggedError<PeerClosed>()("PeerClosed", {
  code: Schema.Number,
  reason: Schema.String,
  /** Set where this node closed the connection, for what the peer did. */
  byUs: Schema.optionalKey(Schema.Boolean)
}) {
  readonly problem =
    this.byUs === true
      ? `this node closed the connection (${this.code}): ${this.reason}`
      : `the peer closed the connection (${this.code}${this.reason === "" ? "" : `: ${this.reason}`})`
  readonly nextStep = undefined
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
  | PeerClosed
