/**
 * What can go wrong between two replicas, as tagged errors. Each message ends with what to do next, because these are the
 * words that an operator reads in the log, in `peers` and in `doctor`.
 */
import { Schema } from "effect"
import * as ClockOffset from "../text/ClockOffset.ts"

/** The next step of each failure that has one: its message ends with these words. */
export const nextSteps = {
  ClockDrift: "set the clocks of both machines, for example with NTP",
  ClockZone: "one side has the wrong time zone or daylight saving time: check it on both machines",
  ProtocolViolation: "check that both run compatible versions",
  FrameTooLarge: "raise FERAL_SYNC_MAX_RECV_BYTES there; larger rows are left out from now on",
  PassphraseUnset: "set FERAL_SYNC_PASSPHRASE there to the same value as here",
  DuplicateNodeId: "stop one of the two and run feral-sync identity new for it",
  SelfConnection: "it can be taken out of FERAL_SYNC_PEERS",
  PeerTimeout: "check the network between the two, and that the node there is alive",
  PeerRemoved: "if that was not meant, run feral-sync peers readmit with its id",
  PassphraseMismatch: "make FERAL_SYNC_PASSPHRASE the same on both nodes; one where it is not set made its own",
  RateLimited: "make FERAL_SYNC_PASSPHRASE the same on all nodes; the connection is then made by itself",
  AskedToWait: "the node tries again by itself; if this goes on, compare FERAL_SYNC_PASSPHRASE on both nodes",
  LegacyKeptOut: "set it to tls or on to let them in",
  LegacyExposed: "give both nodes certificates of one CA, or set FERAL_SYNC_LEGACY=on to allow it",
  LegacyUnnamed: "write plain://HOST:PORT in FERAL_SYNC_PEERS to allow it",
  NoScopeGranted: "grant a scope there, and set FERAL_SYNC_LEGACY_SCOPE here to its name",
  PeerIdentityRequired:
    "turn that requirement off there: feral-sync has no peer identity, and cannot join such a network",
  PeerGrantInvalid: "remove the grant for this node there: feral-sync shows none",
  PeerRefused: "see the log of that node for the reason",
  Quarantined: "write the row again on the node that it comes from",
  RowsTooLarge: "split these rows into smaller ones",
  DeferredByPeer: "stop this node and run feral-sync identity new --reissue",
  ClockFast: "set the clock of this machine before anything is written, for example with NTP",
  ClockAhead:
    "check the clock of this machine; if it is right, stop this node and run feral-sync identity new --reissue",
  TimestampReused: "find the copied data directory and run feral-sync identity new for it",
  OwnOperationsForeign:
    "if a copy of this data directory runs elsewhere, run feral-sync identity new for it; else change the passphrase",
  OwnOperationsReturned: "this is as it should be after a restore; else look for a copy of this data directory",
  OverQuota:
    "upgrade this node if a newer version wrote them, raise FERAL_SYNC_MAX_OPAQUE_BYTES and FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES, or remove such rows with feral-sync purge",
  OverQuotaThere: "upgrade that node, raise its quota, or run feral-sync purge there",
  RowsPurgedHere: "run the same feral-sync purge there",
  RowsPurged: "run the same feral-sync purge on this node",
  PeerSlowed:
    "if it has that much to send, raise FERAL_SYNC_MAX_PEER_RATE_BYTES or FERAL_SYNC_MAX_PEER_BURST_BYTES; else stop that node",
  OriginsLeftOut: "they are taken bit by bit; if their ids are made up, stop that node and change the passphrase",
  OriginsFull:
    "see who wrote with feral-sync origins list, change the passphrase if ids are made up, and remove their rows with feral-sync purge --origin NODE-ID",
  Diverged: "they are compared and repaired by themselves; feral-sync verify does so now"
} as const

/** What to do about two clocks that are so far apart (ms). */
export const clockNextStep = (offset: number): string =>
  ClockOffset.zoneDifference(offset) === undefined ? nextSteps.ClockDrift : nextSteps.ClockZone

/** A clock reading lies further in the future than the drift bound allows. Times in milliseconds. */
export class ClockDrift extends Schema.TaggedError<ClockDrift>()("ClockDrift", {
  remote: Schema.Number,
  local: Schema.Number,
  limit: Schema.Number
}) {
  override get message(): string {
    const ahead = this.remote - this.local
    return `a clock is ${ClockOffset.amount(ahead)} ahead of ours (allowed: ${this.limit / 1000} s): ${clockNextStep(ahead)}`
  }
}

/** A peer does not take what this node writes, for it lies in the future. Times in milliseconds. */
export class DeferredByPeer extends Schema.TaggedError<DeferredByPeer>()("DeferredByPeer", {
  wall: Schema.Number,
  local: Schema.Number
}) {
  override get message(): string {
    const ahead = Math.round((this.wall - this.local) / 1000)
    return ahead > 0
      ? `the peer does not take what this node wrote: its timestamps are ${ahead} s ahead of the clock here: ${nextSteps.DeferredByPeer}`
      : `the peer does not take what this node wrote: the clock there is behind: ${nextSteps.ClockDrift}`
  }
}

/** The clock of this machine is ahead of those of most peers (ms). */
export class ClockFast extends Schema.TaggedError<ClockFast>()("ClockFast", {
  ahead: Schema.Number,
  peers: Schema.Number,
  of: Schema.Number
}) {
  override get message(): string {
    const whose = this.of === 1 ? "that of the connected peer" : `those of ${this.peers} of ${this.of} connected peers`
    return `the clock of this machine is ${ClockOffset.amount(this.ahead)} ahead of ${whose}: ${nextSteps.ClockFast}`
  }
}

/** This node wrote under a clock that was ahead (ms): until that time has come it writes nothing, for no peer would take it. */
export class ClockAhead extends Schema.TaggedError<ClockAhead>()("ClockAhead", { ahead: Schema.Number }) {
  override get message(): string {
    return `the last timestamp of this node is ${ClockOffset.amount(this.ahead)} ahead of the clock of this machine, and writes are refused: ${nextSteps.ClockAhead}`
  }
}

/** Timestamps stand for two contents each: two nodes used one id. */
export class TimestampReused extends Schema.TaggedError<TimestampReused>()("TimestampReused", {
  count: Schema.Number,
  node: Schema.String
}) {
  override get message(): string {
    const many = this.count === 1 ? "1 operation" : `${this.count} operations`
    return `${many} came with a timestamp that another content has (from ${this.node}): two nodes used one id; ${nextSteps.TimestampReused}`
  }
}

/** Operations came under the id of this node that it never wrote. */
export class OwnOperationsForeign extends Schema.TaggedError<OwnOperationsForeign>()("OwnOperationsForeign", {
  count: Schema.Number,
  first: Schema.String
}) {
  override get message(): string {
    const many = this.count === 1 ? "1 operation" : `${this.count} operations`
    return `${many} came under the id of this node, and it never wrote them (${this.first}): ${nextSteps.OwnOperationsForeign}`
  }
}

/** Operations of this node came back from peers that its database did not have. */
export class OwnOperationsReturned extends Schema.TaggedError<OwnOperationsReturned>()("OwnOperationsReturned", {
  count: Schema.Number,
  first: Schema.String
}) {
  override get message(): string {
    const many = this.count === 1 ? "1 own operation" : `${this.count} own operations`
    return `${many} came back that the database did not have (${this.first}), was a backup restored? ${nextSteps.OwnOperationsReturned}`
  }
}

/** A peer brings more new origins than are taken at once. They are left out for now; all else goes on. */
export class OriginsLeftOut extends Schema.TaggedError<OriginsLeftOut>()("OriginsLeftOut", {
  count: Schema.Number,
  /** Some of them. */
  origins: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  override get message(): string {
    const { count, origins = [] } = this
    const names = origins.length === 0 ? "" : ` (${origins.slice(0, 3).join(", ")}${count > 3 ? ", …" : ""})`
    return `the peer brings ${count} new origins${names} more than are taken at once, and their rows wait: ${nextSteps.OriginsLeftOut}`
  }
}

/** This node has rows of as many origins as there may be: those of further ones wait. */
export class OriginsFull extends Schema.TaggedError<OriginsFull>()("OriginsFull", { count: Schema.Number }) {
  override get message(): string {
    return `this node has rows of ${this.count} origins, the most that there can be; rows of further origins wait: ${nextSteps.OriginsFull}`
  }
}

/** The other side broke the protocol; the connection is closed. */
export class ProtocolViolation extends Schema.TaggedError<ProtocolViolation>()("ProtocolViolation", {
  detail: Schema.String
}) {
  override get message(): string {
    return `the peer broke the protocol: ${this.detail}; ${nextSteps.ProtocolViolation}`
  }
}

/** The peer closed because a frame is larger than it accepts. Bytes of the largest one that was under way. */
export class FrameTooLarge extends Schema.TaggedError<FrameTooLarge>()("FrameTooLarge", {
  peer: Schema.String,
  bytes: Schema.Number
}) {
  override get message(): string {
    return `${this.peer} does not accept a frame of ${sizeOf(this.bytes)}: ${nextSteps.FrameTooLarge}`
  }
}

/** Rows are larger than one side accepts: they stay where they are, and all others go on. The first of them are named. */
export class RowsTooLarge extends Schema.TaggedError<RowsTooLarge>()("RowsTooLarge", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  count: Schema.Number,
  rows: Schema.Array(Schema.Struct({ table: Schema.String, row_id: Schema.String, bytes: Schema.Number }))
}) {
  override get message(): string {
    const named = this.rows.slice(0, 3).map(({ table, row_id, bytes }) => `${table} ${row_id}, ${sizeOf(bytes)}`)
    const rows = [...named, ...(this.count > named.length ? [`${this.count - named.length} more`] : [])].join("; ")
    const subject = this.count === 1 ? "1 row is larger" : `${this.count} rows are larger`
    return this.where === "there"
      ? `${subject} than ${this.peer} accepts: ${rows}; raise FERAL_SYNC_MAX_RECV_BYTES there`
      : `${subject} than this node accepts from ${this.peer}: ${rows}; raise FERAL_SYNC_MAX_RECV_BYTES here`
  }
}

/** Rows of unknown kinds for which there is no room under the quota. They are kept out, and all other rows go on. */
export class OverQuota extends Schema.TaggedError<OverQuota>()("OverQuota", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  /** Whose rows they are; the first of them. */
  origins: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const named = this.origins.slice(0, 3).join(", ")
    const rows = `rows of unknown kinds from ${named}${this.origins.length > 3 ? ", …" : ""} are held back`
    return this.where === "here"
      ? `${rows}, because the quota of this node is used up: ${nextSteps.OverQuota}`
      : `${rows} by ${this.peer}, because its quota is used up: ${nextSteps.OverQuotaThere}`
  }
}

/** The address of a peer has sent more than its share: what it sends waits, and is taken bit by bit. */
export class PeerSlowed extends Schema.TaggedError<PeerSlowed>()("PeerSlowed", { peer: Schema.String }) {
  override get message(): string {
    return `${this.peer} sends more than is stored from one address at a time, and is slowed down: ${nextSteps.PeerSlowed}`
  }
}

/** One of two nodes has purged rows that the other one holds. Nothing else is different. */
export class RowsPurged extends Schema.TaggedError<RowsPurged>()("RowsPurged", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  count: Schema.Number
}) {
  override get message(): string {
    const rows = this.count === 1 ? "1 row" : `${this.count} rows`
    return this.where === "here"
      ? `${this.peer} holds ${rows} that this node has purged: ${nextSteps.RowsPurgedHere}`
      : `${this.peer} has purged ${rows} that this node holds: ${nextSteps.RowsPurged}`
  }
}

const sizeOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`

/** The passphrases of the two nodes differ. `by` is the node that noticed. */
export class PassphraseMismatch extends Schema.TaggedError<PassphraseMismatch>()("PassphraseMismatch", {
  by: Schema.String
}) {
  override get message(): string {
    return `passphrase mismatch, found by ${this.by}: ${nextSteps.PassphraseMismatch}`
  }
}

/** The other node has no passphrase. */
export class PassphraseUnset extends Schema.TaggedError<PassphraseUnset>()("PassphraseUnset", {
  by: Schema.String
}) {
  override get message(): string {
    return `${this.by} has no passphrase: ${nextSteps.PassphraseUnset}`
  }
}

/** A node was removed by its id. `by` is who said so, where it was not this node. */
export class PeerRemoved extends Schema.TaggedError<PeerRemoved>()("PeerRemoved", {
  nodeId: Schema.String,
  by: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `${this.by === undefined ? "" : `${this.by} says: `}the node ${this.nodeId} was removed; ${nextSteps.PeerRemoved}${this.by === undefined ? "" : " there"}`
  }
}

/** Two nodes claim one identity. `by` is who said so, where it was not found out here. */
export class DuplicateNodeId extends Schema.TaggedError<DuplicateNodeId>()("DuplicateNodeId", {
  nodeId: Schema.String,
  by: Schema.optionalKey(Schema.String),
  /** Where both of them were met, when neither of them is this node. */
  at: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  override get message(): string {
    if (this.at !== undefined) {
      return `two nodes use the id ${this.nodeId} (${this.at.join(" and ")}): a data directory was copied; ${nextSteps.DuplicateNodeId}`
    }
    return `${this.by === undefined ? "" : `${this.by} says: `}another node uses the id ${this.nodeId} too: a data directory was copied; ${nextSteps.DuplicateNodeId}`
  }
}

/** We reached ourselves: one of the configured addresses is our own. */
export class SelfConnection extends Schema.TaggedError<SelfConnection>()("SelfConnection", {}) {
  override get message(): string {
    return `this address is our own: ${nextSteps.SelfConnection}`
  }
}

/** The peer fell silent. */
export class PeerTimeout extends Schema.TaggedError<PeerTimeout>()("PeerTimeout", {
  waitedFor: Schema.String,
  seconds: Schema.Number
}) {
  override get message(): string {
    return `no ${this.waitedFor} from the peer for ${this.seconds} s: ${nextSteps.PeerTimeout}`
  }
}

/** An existing FERAL node, which our policy does not let in. */
export class LegacyRefused extends Schema.TaggedError<LegacyRefused>()("LegacyRefused", {
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

/**
 * Too many wrong proofs came from an address: no other one is looked at for a while. `by` is who asks us to wait, where we are
 * the one that waits: it has proved nothing, so its word is no news of any passphrase.
 */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  retryAfterSeconds: Schema.Number,
  by: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return this.by === undefined
      ? `too many wrong passphrases from this address, the next one is looked at in ${this.retryAfterSeconds} s: ${nextSteps.RateLimited}`
      : `${this.by} asks to wait ${this.retryAfterSeconds} s before the next attempt: ${nextSteps.AskedToWait}`
  }
}

/** An existing FERAL node lets in only nodes that it knows by an identity of its own making. */
export class PeerIdentityRequired extends Schema.TaggedError<PeerIdentityRequired>()("PeerIdentityRequired", {
  by: Schema.String
}) {
  override get message(): string {
    return `${this.by} lets in only nodes with a registered peer identity: ${nextSteps.PeerIdentityRequired}`
  }
}

/** An existing FERAL node expects a grant of this node that we do not hold. */
export class PeerGrantInvalid extends Schema.TaggedError<PeerGrantInvalid>()("PeerGrantInvalid", {
  by: Schema.String
}) {
  override get message(): string {
    return `${this.by} expects a peer grant that this node does not hold: ${nextSteps.PeerGrantInvalid}`
  }
}

/** An existing FERAL node refuses us, in words of its own. */
export class PeerRefused extends Schema.TaggedError<PeerRefused>()("PeerRefused", {
  by: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.by} refuses the connection (${JSON.stringify(this.reason)}): ${nextSteps.PeerRefused}`
  }
}

/** The connection is over, by the wish of one side. */
export class PeerClosed extends Schema.TaggedError<PeerClosed>()("PeerClosed", {
  code: Schema.Number,
  reason: Schema.String,
  /** Set where this node closed the connection, for what the peer did. */
  byUs: Schema.optionalKey(Schema.Boolean)
}) {
  override get message(): string {
    if (this.byUs === true) return `this node closed the connection (${this.code}): ${this.reason}`
    return `the peer closed the connection (${this.code}${this.reason === "" ? "" : `: ${this.reason}`})`
  }
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
  | SelfConnection
  | PeerTimeout
  | LegacyRefused
  | RateLimited
  | PeerIdentityRequired
  | PeerGrantInvalid
  | PeerRefused
  | PeerClosed
