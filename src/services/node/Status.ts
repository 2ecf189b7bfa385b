/**
 * What `status` and `peers` show, as programs read it. The field names are a contract.
 */
import { Schema, Struct } from "effect"
import { countNames } from "../../core/replica/Kind.ts"
import { type Explained, messageOf } from "../../core/text/Explained.ts"
import { inThisForm } from "./Invocation.ts"

/** What went wrong: all of it in `message`, and the problem and the next step apart where they are known apart. */
const reported = {
  _tag: Schema.String,
  message: Schema.String,
  problem: Schema.optionalKey(Schema.String),
  next_step: Schema.optionalKey(Schema.String)
}
export const LastError = Schema.Struct(reported)
export interface LastError extends Schema.Schema.Type<typeof LastError> {}

/** A failure, as it is reported. `about` names what it is about. */
export const report = ({ _tag, problem, nextStep }: { readonly _tag: string } & Explained, about = ""): LastError => {
  const told = inThisForm(about === "" ? problem : `${about}: ${problem}`)
  const step = nextStep === undefined ? undefined : inThisForm(nextStep)
  return {
    _tag,
    message: messageOf({ problem: told, nextStep: step }),
    problem: told,
    ...(step === undefined ? {} : { next_step: step })
  }
}

export const PeerState = Schema.Literals(["connecting", "syncing", "live", "backoff", "refused", "paused"])
export type PeerState = typeof PeerState.Type

/** So many operations; `at_least` where more were not counted, or cannot be. */
const lacking = { operations: Schema.Natural, at_least: Schema.optionalKey(Schema.Literal(true)) }
export const ItLacks = Schema.Struct(lacking)
export interface ItLacks extends Schema.Schema.Type<typeof ItLacks> {}

/** What another node has and this one does not: operations of so many nodes, and how many where that is known. */
export const WeLack = Schema.Struct({
  origins: Schema.Natural,
  operations: Schema.optionalKey(Schema.Natural)
})
export interface WeLack extends Schema.Schema.Type<typeof WeLack> {}

/** A node that was met before and is not among the peers now. */
export const Absent = Schema.Struct({
  node_id: Schema.String,
  last_seen_at: Schema.Finite,
  it_lacks: ItLacks
})
export interface Absent extends Schema.Schema.Type<typeof Absent> {}

/**
 * Something that is not as it should be, and what to do. `node` is the node that it is about, by its id or its address;
 * this one, where it is missing.
 */
export const Trouble = Schema.Struct({
  _tag: Schema.String,
  text: Schema.String,
  next_step: Schema.optionalKey(Schema.String),
  node: Schema.optionalKey(Schema.String)
})
export interface Trouble extends Schema.Schema.Type<typeof Trouble> {}

/**
 * One peer. Times are in Unix seconds; `clock_offset_ms` is positive when the peer's clock is ahead. `last_seen_at` is
 * there when the peer was connected before, and is not now; `uses_previous_passphrase` when it came with the passphrase
 * before the present one last. `it_lacks` is what this node has and the peer has not acknowledged; `we_lack` is there
 * when the peer has something for us. Both by the last word of the peer.
 */
export const PeerStatus = Schema.Struct({
  node_id: Schema.NullOr(Schema.String),
  address: Schema.String,
  port: Schema.Natural,
  source: Schema.Literals(["mdns", "static", "inbound"]),
  protocol: Schema.NullOr(Schema.Literals([1, 2])),
  state: PeerState,
  tls: Schema.NullOr(Schema.Literals(["ca", "auto", "none"])),
  lag_ops: Schema.NullOr(Schema.Natural),
  clock_offset_ms: Schema.NullOr(Schema.Int),
  last_sync_at: Schema.NullOr(Schema.Finite),
  last_seen_at: Schema.optionalKey(Schema.Finite),
  uses_previous_passphrase: Schema.optionalKey(Schema.Literal(true)),
  it_lacks: Schema.optionalKey(ItLacks),
  we_lack: Schema.optionalKey(WeLack),
  last_error: Schema.NullOr(LastError)
})
export interface PeerStatus extends Schema.Schema.Type<typeof PeerStatus> {}

/**
 * A peer, after its rows were compared with ours. `behind`: one of the two lacks operations that are still being sent.
 * `deferred`: one of the two defers operations that are ahead of its clock. `not comparable`: the peer does not support
 * comparing rows. `rows_repaired` counts the rows that changed here.
 */
export const Compared = Schema.Struct({
  node_id: Schema.String,
  result: Schema.Literals(["equal", "repaired", "differs", "behind", "deferred", "not comparable"]),
  rows_repaired: Schema.Natural,
  /** Why it stays like that. */
  reason: Schema.optionalKey(Schema.String)
})
export interface Compared extends Schema.Schema.Type<typeof Compared> {}

/**
 * What a request to sync now has led to: a dial, a connection that is under way, or a comparison of the rows.
 * `waiting`: this node knows no address of it, and it has to connect by itself.
 */
export const Synced = Schema.Struct({
  node_id: Schema.NullOr(Schema.String),
  result: Schema.Literals(["dialling", "connecting", "waiting", "paused", ...Compared.fields.result.literals])
})
export interface Synced extends Schema.Schema.Type<typeof Synced> {}

/** Whether syncing with a node is paused now. */
export const Pausing = Schema.Struct({ node_id: Schema.String, is_paused: Schema.Boolean })
export interface Pausing extends Schema.Schema.Type<typeof Pausing> {}

/** A connection with a peer, in Unix seconds. One that lasts has no end yet; `problem` says what a failure was. */
export const PeerConnection = Schema.Struct({
  began_at: Schema.Finite,
  ended_at: Schema.NullOr(Schema.Finite),
  dialled_by: Schema.Literals(["us", "peer"]),
  host: Schema.String,
  end: Schema.optionalKey(Schema.String),
  problem: Schema.optionalKey(Schema.String)
})
export interface PeerConnection extends Schema.Schema.Type<typeof PeerConnection> {}

/** A peer, with what went to and came from it since this node started, and its last connections, the newest first. */
export const PeerDetail = Schema.Struct({
  ...PeerStatus.fields,
  bytes_received: Schema.Natural,
  bytes_sent: Schema.Natural,
  operations_received: Schema.Natural,
  operations_sent: Schema.Natural,
  digest_mismatches: Schema.Natural,
  repairs: Schema.Natural,
  connections: Schema.Array(PeerConnection)
})
export interface PeerDetail extends Schema.Schema.Type<typeof PeerDetail> {}

/** The sums over all rows, computed again, and the stored values that were wrong. */
export const AuditedRows = Schema.Struct({
  rows: Schema.Natural,
  digest: Schema.String,
  corrected: Schema.Array(Schema.String)
})
export interface AuditedRows extends Schema.Schema.Type<typeof AuditedRows> {}

/**
 * A condition that the operator should look at first. A `notice` may be normal.
 */
export const Alarm = Schema.Struct({ ...reported, level: Schema.Literals(["alarm", "notice"]) })
export interface Alarm extends Schema.Schema.Type<typeof Alarm> {}

/**
 * Rows of kinds that this version does not know, in bytes: what they take, and may take. `origins` are the nodes that
 * wrote them, the largest first. `held_back` are the origins of which rows are kept out because there is no room, with
 * the first timestamp that is kept out. `purged` are rows that were purged here and may still be on other nodes.
 */
export const OpaqueRows = Schema.Struct({
  bytes: Schema.Natural,
  limit_bytes: Schema.NullOr(Schema.Natural),
  limit_bytes_per_origin: Schema.NullOr(Schema.Natural),
  origins: Schema.Array(Schema.Struct({ origin: Schema.String, bytes: Schema.Natural })),
  held_back: Schema.Array(Schema.Struct({ origin: Schema.String, from: Schema.String })),
  purged: Schema.Array(
    Schema.Struct({
      kind: Schema.NullOr(Schema.String),
      origin: Schema.String,
      rows: Schema.Natural,
      bytes: Schema.Natural
    })
  )
})
export interface OpaqueRows extends Schema.Schema.Type<typeof OpaqueRows> {}

/** The rate limit of one network address, in bytes: per second over a long time, and at full speed before that. */
export const PeerLimits = Schema.Struct({
  bytes_per_second: Schema.NullOr(Schema.Natural),
  burst_bytes: Schema.Natural
})
export interface PeerLimits extends Schema.Schema.Type<typeof PeerLimits> {}

/**
 * The rows that are kept to say that something was deleted. `stable`: every other node that counts has them
 * (`core/replica/Stability.ts`). `waiting_for` are nodes that have not agreed to all that this node claims; of very
 * many, the first. Times are in Unix seconds. `collected` is how many were dropped here, `keep_days` how long one is
 * kept that every node has: for ever, when it is null. `not_confirmed_by` are nodes that have not confirmed what this
 * one would drop: on those, too, collecting has to be switched on.
 */
export const Tombstones = Schema.Struct({
  held: Schema.Natural,
  stable: Schema.Natural,
  collected: Schema.optionalKey(Schema.Natural),
  keep_days: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
  not_confirmed_by: Schema.optionalKey(Schema.Array(Schema.String)),
  waiting: Schema.Natural,
  waiting_for: Schema.Array(
    Schema.Struct({
      node_id: Schema.String,
      agreed_at: Schema.NullOr(Schema.Finite),
      last_seen_at: Schema.NullOr(Schema.Finite)
    })
  )
})
export interface Tombstones extends Schema.Schema.Type<typeof Tombstones> {}

/**
 * The whole node. Optional fields are left out when they do not apply. `alarms` lists the most urgent alarm first.
 * `tls_expires_at`, in Unix seconds, is when the first certificate that the node depends on expires; a node without a
 * CA depends on none. `log_lines_lost` counts log lines that could not be written. `held_by` is the process that holds
 * the data directory and does not answer, if the system shows it. Earlier versions lack `opaque` and `peer_limits`.
 * `damage` means that the database is damaged: the node no longer syncs. `summary` is the state in one to three
 * sentences (`Summary.ts`). `absent` lists nodes that were met before and are not among the peers. `last_write_error`
 * is why the last write failed. `indexing` is the progress of the search index while it is incomplete. `commands` is
 * what to type on this machine, in the form in which the node was started: `open` signs a browser in, `passphrase`
 * shows the passphrase where a file has it; `join` starts the next node on another machine.
 */
export const NodeStatus = Schema.Struct({
  summary: Schema.optionalKey(Schema.String),
  troubles: Schema.optionalKey(Schema.Array(Trouble)),
  absent: Schema.optionalKey(Schema.Array(Absent)),
  last_write_error: Schema.optionalKey(LastError),
  damage: Schema.optionalKey(LastError),
  node_id: Schema.String,
  version: Schema.String,
  port: Schema.NullOr(Schema.Natural),
  api_port: Schema.NullOr(Schema.Natural),
  tls: Schema.Literals(["ca", "auto"]),
  tls_expires_at: Schema.optionalKey(Schema.Finite),
  legacy: Schema.Literals(["off", "tls", "on"]),
  uptime_seconds: Schema.Finite,
  vector_clock: Schema.Record(Schema.String, Schema.String),
  digest: Schema.String,
  counts: Schema.Struct({
    ...Struct.Record(countNames, Schema.Natural),
    quarantine: Schema.Natural,
    kinds: Schema.optionalKey(Schema.Record(Schema.String, Schema.Natural))
  }),
  opaque: Schema.optionalKey(OpaqueRows),
  peer_limits: Schema.optionalKey(PeerLimits),
  tombstones: Schema.optionalKey(Tombstones),
  alarms: Schema.optionalKey(Schema.Array(Alarm)),
  indexing: Schema.optionalKey(Schema.Struct({ done: Schema.Natural, total: Schema.Natural })),
  log_lines_lost: Schema.optionalKey(Schema.Natural),
  accepts_previous_passphrase: Schema.optionalKey(Schema.Literal(true)),
  held_by: Schema.optionalKey(Schema.Struct({ pid: Schema.Natural, command: Schema.String })),
  commands: Schema.optionalKey(
    Schema.Struct({ open: Schema.String, passphrase: Schema.optionalKey(Schema.String), join: Schema.String })
  ),
  discovery: Schema.Struct({
    mdns: Schema.Literals(["on", "off", "unavailable"]),
    static: Schema.Literals(["waiting", "active", "none"])
  }),
  peers: Schema.Array(PeerStatus)
})
export interface NodeStatus extends Schema.Schema.Type<typeof NodeStatus> {}
