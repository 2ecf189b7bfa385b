/**
 * The messages of the wire as values, form 2, with their limits and the codes of a close.
 */
import type { Option } from "effect"
import type * as Cut from "../replica/Cut.ts"
import type { NodeId } from "../replica/NodeId.ts"
import * as Operation from "../replica/Operation.ts"
import type { Part } from "../replica/Ranges.ts"
import type * as Relayed from "../replica/Relayed.ts"
import type { Holdings } from "../replica/Replica.ts"
import type * as VectorClock from "../replica/VectorClock.ts"
import type * as TraceParent from "./TraceParent.ts"

/** Limits on the data of a peer that is held at once. Bytes are limited by the transport, before a frame gets here. */
export const limits = {
  /** Nesting of a frame: the envelope, the list of changes, and the data of an operation. */
  depth: Operation.maxDataDepth + 4,
  operationsPerFrame: 20_000,
  origins: 10_000,
  /**
   * Bytes of the first frame of a side that has not proved itself. The sender chooses the form and the revision, so all
   * of them have the same limit. Where the clock comes before the proof, it is room for some 700 origins.
   */
  greetingBytes: 65_536,
  /** Rows that are named because they are too large. */
  deferredRows: 256,
  features: 32,
  /** Origins whose rows a greeting sums up. */
  uncovered: 1_000,
  rangesPerFrame: 8_192,
  /** Characters of a reason, message or proof. */
  text: 1_000,
  /** Characters of a malformed operation that are kept. */
  quarantinedText: 4_096
} as const

/** Reasons of a refusal, and the close code that goes with each. */
export const closeCodes = {
  going_away: 1001,
  internal_error: 1011,
  protocol: 4400,
  invalid_passphrase: 4401,
  removed: 4403,
  duplicate_node_id: 4409,
  duplicate_connection: 4410,
  too_large: 4413,
  too_long_away: 4411,
  timeout: 4408,
  rate_limited: 4429
} as const
export type Reason = keyof typeof closeCodes

/** The feature of a dialler that only checks whether the handshake would succeed. */
export const probe = "probe"

/** The limits of a side, in bytes: of a frame, and of the text of one operation. */
export interface Takes {
  readonly frame: number
  readonly operation: number
}

/** The limits of a side that does not report them. */
export const defaultTakes: Takes = { frame: 8 * 1024 * 1024, operation: 8 * 1024 * 1024 - 1_024 }

/** The node id and its vector clock: the first message of each side. A request inside a session restarts the pump. */
export interface Hello {
  readonly type: "sync_request" | "sync_response"
  /** None in a request inside a session. */
  readonly nodeId: NodeId | undefined
  /** None in a greeting that names the hash of the clock instead, or nothing but the proof. */
  readonly clock: VectorClock.VectorClock | undefined
  readonly clockHash?: string | undefined
  /** Whether the clock goes on in the next message. */
  readonly more?: boolean
  readonly takes?: Takes | undefined
  /** HMAC proof of the passphrase; empty in a request inside a session. */
  readonly proof: string
  /** The digest of the state at `clock`; none while more is held than `clock` covers. */
  readonly digest: Option.Option<string>
  /** The digest of all rows, where it is not that of `clock`. */
  readonly rows: Option.Option<string>
  /** The clock of origins with rows beyond `clock`. */
  readonly uncovered: Holdings
  readonly features: ReadonlyArray<string>
  /** A ticket for the receiver; see `Handshake.ts`. */
  readonly ticket?: string | undefined
  /** Which run of the sender's store this is, and how long it has lasted (ms); see `Instances.ts`. */
  readonly instance?: { readonly id: string; readonly age: number } | undefined
  /** The digest of all rows but tombstones, where some were collected. */
  readonly live?: string | undefined
  /** Up to where the sender drops tombstones; see `core/replica/Cut.ts`. */
  readonly cut?: Cut.Told | undefined
  /** The sender's wall time in ms. */
  readonly time: number
}

/** Operations, in order. */
export interface Data {
  readonly type: "sync_data"
  /** Counts the frames of one direction of a session, from 0. */
  readonly seq: number
  /** Whether more frames of this round follow. */
  readonly more: boolean
  /** Whether this is the first frame after the pump (re)started. */
  readonly fresh: boolean
  /** The coverage of the receiver once this frame and all before it are committed. */
  readonly through: VectorClock.VectorClock
  readonly operations: ReadonlyArray<Operation.Operation>
  readonly malformed: ReadonlyArray<Malformed>
  /** The trace of the sender, when it makes one. */
  readonly trace?: TraceParent.TraceParent | undefined
}

/** A part of a frame that is not an operation. */
export interface Malformed {
  readonly reason: string
  readonly text: string
}

/** The clock that the sender has committed. */
export interface Ack {
  readonly type: "sync_ack"
  /** The last frame that is committed; none when this only tells of progress made elsewhere. */
  readonly seq: Option.Option<number>
  /** Entries of the sender's clock that changed since it last told. */
  readonly clock: VectorClock.VectorClock
  readonly digest: Option.Option<string>
  readonly rows: Option.Option<string>
  /** Origins whose operations are held back for their clock, with the first timestamp held. */
  readonly held: VectorClock.VectorClock
  /** Whether the sender knows of rows that one of the two does not have yet, or cannot have. */
  readonly underWay?: boolean
  /**
   * The first operation of some origins that the sender keeps out because its quota for rows of unknown kinds is used
   * up.
   */
  readonly overQuota?: VectorClock.VectorClock
  /** How many rows of the receiver the sender has purged, where that is all in which they differ. */
  readonly purged?: number
  /** As in a greeting. */
  readonly live?: string | undefined
  readonly cut?: Cut.Told | undefined
  /** All writes that the sender asks about now; none where they are the same as before. */
  readonly asks?: Relayed.Questions
  /** Nodes that have writes that the receiver asked about. */
  readonly holders?: ReadonlyArray<Holder>
}

/**
 * A node that has the write with this HLC: when it was last heard of (ms ago), and the nodes that passed this on to the
 * sender.
 */
export interface Holder {
  readonly hlc: string
  readonly node: NodeId
  readonly age: number
  readonly via: ReadonlyArray<NodeId>
}

/** Summaries of some ranges of rows of the sender. Only for peers that name the feature `repair`. */
export interface Ranges {
  readonly type: "sync_ranges"
  /** Counts the messages of a dialogue, from 0. */
  readonly round: number
  readonly ranges: ReadonlyArray<AnnouncedRange>
  /** Whether tombstones are left out. */
  readonly isLive?: boolean
}

/** A range; when it is settled, each side sends what it has of it, and nothing more is said about it. */
export interface AnnouncedRange extends Part {
  readonly settle: boolean
}

/** The rows that the sender leaves out because they are larger than the receiver takes: how many, and some of them. */
export interface Deferred {
  readonly type: "sync_deferred"
  readonly count: number
  readonly rows: ReadonlyArray<{ readonly table: string; readonly row_id: string; readonly bytes: number }>
}

/** A refusal. */
export interface Refusal {
  readonly type: "sync_error"
  readonly reason: string
  readonly message: string
  /** With `rate_limited`: when another try may be made, in seconds from now. */
  readonly retryAfter?: number | undefined
  /** With `too_long_away`: the node that has to rejoin. */
  readonly nodeId?: NodeId | undefined
  /** With `going_away`: syncing with the other side is paused. Earlier versions only see that it is away. */
  readonly isPaused?: true | undefined
  /** From a server that has not proved itself yet, to a dialler that has; see `Greeting.ts`. */
  readonly proof?: string | undefined
}

export type Message = Hello | Data | Ack | Ranges | Deferred | Refusal
