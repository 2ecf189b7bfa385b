/**
 * What can go wrong between a node and the machine that it runs on, as tagged errors. The failures of a session between
 * two nodes are in `core/sync/SyncFailure.ts`. Each says what the problem is and what to do next.
 */
import { Schema } from "effect"
import { counted, type Explained, messageOf, some } from "../../core/text/Explained.ts"
import { commandLine, quoted } from "./Invocation.ts"
import * as Kind from "../../core/replica/Kind.ts"
import { NodeId } from "../../core/replica/NodeId.ts"

/** The configuration is wrong. Every problem is listed, not just the first. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  problems: Schema.Array(Schema.Struct({ variable: Schema.String, problem: Schema.String }))
}) {
  override readonly message = `the configuration is not valid:\n${this.problems.map(({ variable, problem }) => `  ${variable}: ${problem}`).join("\n")}`
}

/** A certificate or key cannot be used. */
export class TlsMaterialInvalid extends Schema.TaggedError<TlsMaterialInvalid>()("TlsMaterialInvalid", {
  file: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = `${this.file}: ${this.problem}`
}

/** Multicast DNS cannot be used here. */
export class MdnsUnavailable extends Schema.TaggedError<MdnsUnavailable>()("MdnsUnavailable", {
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly problem = `mDNS is unavailable (${this.detail}): using the static peers now`
  readonly nextStep = nextSteps.MdnsUnavailable
  override readonly message = messageOf(this)
}

/** mDNS works here, and shows no other node. */
export class PeersNotDiscovered extends Schema.TaggedError<PeersNotDiscovered>()("PeersNotDiscovered", {}) {
  readonly problem = "peers are not discovered (no other node answers on _feral._tcp)"
  readonly nextStep = nextSteps.PeersNotDiscovered
  override readonly message = messageOf(this)
}

/** No connection to a peer could be made. */
export class PeerUnreachable extends Schema.TaggedError<PeerUnreachable>()("PeerUnreachable", {
  address: Schema.String,
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly problem = `${this.address} cannot be reached (${this.detail})`
  readonly nextStep = nextSteps.PeerUnreachable
  override readonly message = messageOf(this)
}

/** Why a TLS handshake failed. */
export const TlsReason = Schema.Literals([
  "untrusted",
  "expired",
  "not yet valid",
  "wrong purpose",
  "invalid certificate",
  "revoked",
  "client certificate required",
  "protocol",
  "plain peer"
])
export type TlsReason = typeof TlsReason.Type

/** The TLS handshake with a peer failed. `detail` shows subject and issuer where they are known. */
export class TlsHandshakeFailed extends Schema.TaggedError<TlsHandshakeFailed>()("TlsHandshakeFailed", {
  address: Schema.String,
  reason: TlsReason,
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly problem = `TLS handshake with ${this.address} failed: ${this.reason} (${this.detail})`
  readonly nextStep = tlsNextSteps[this.reason]
  override readonly message = messageOf(this)
}

/** What to do when a handshake failed. */
export const tlsNextSteps: Record<TlsReason, string> = {
  untrusted: "sign both certificates with the same CA, or use no TLS variables on both nodes",
  expired: "sign a new certificate with the same CA",
  "not yet valid": "check the clocks of both machines, or wait until the certificate is valid",
  "wrong purpose":
    "sign that certificate again with extendedKeyUsage=serverAuth,clientAuth (feral-sync tls issue does); feral-sync doctor on its node names the fault",
  "invalid certificate": "run feral-sync doctor on the node with that certificate: it names the fault and the fix",
  revoked: "to allow that device again, sign a new certificate for it with the same CA",
  "client certificate required":
    "set FERAL_SYNC_TLS_CERT, _KEY and _CA on the connecting node, with a certificate from this CA",
  protocol: "check that a feral-sync node listens at this address and port",
  "plain peer": "that node does not use TLS; FERAL_SYNC_LEGACY=on allows it, but sends the passphrase in cleartext"
}

/** The port to listen on cannot be had. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  address: Schema.String,
  detail: Schema.String,
  /** What to do about this cause. */
  advice: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly problem = `cannot listen on ${this.address} (${this.detail})`
  readonly nextStep = this.advice ?? nextSteps.ListenFailed
  override readonly message = messageOf(this)
}

/** Why the database cannot be used. */
export const StoreReason = Schema.Literals([
  "disk full",
  "read-only",
  "corrupt",
  "locked",
  "not found",
  "clock ahead",
  "other"
])
export type StoreReason = typeof StoreReason.Type

/** The database cannot be used. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  reason: StoreReason,
  detail: Schema.String,
  /** What to do, where more is known than the reason. */
  advice: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly problem = `the database cannot be used: ${this.reason === "other" ? this.detail : `${this.reason} (${this.detail})`}`
  readonly nextStep = this.advice ?? storeNextSteps[this.reason]
  override readonly message = messageOf(this)

  /** Whether the same may be possible later, with the same file. */
  get mayPass(): boolean {
    return this.reason === "disk full" || this.reason === "read-only" || this.reason === "locked"
  }
}

export const storeNextSteps: Record<StoreReason, string> = {
  "disk full": "free some space; no acknowledged write is lost",
  "read-only": "make the data directory writable for this user",
  corrupt:
    "stop the node, restore a backup with feral-sync restore FILE, and start it. Without a backup, move sync.db away: the node gets the rows back from its peers",
  locked: "another process uses this data directory; stop it, or use another FERAL_HOME",
  "not found": "check FERAL_HOME",
  "clock ahead":
    "check the clock of this machine; if it is right, stop the node and run feral-sync identity new --reissue (or raise FERAL_SYNC_MAX_CLOCK_DRIFT_MS)",
  other: "check the data directory and the log"
}

/** An operation is too large for any peer to take. Sizes in bytes. */
export class OperationTooLarge extends Schema.TaggedError<OperationTooLarge>()("OperationTooLarge", {
  bytes: Schema.Number,
  limit: Schema.Number
}) {
  readonly problem = `an entry of ${this.bytes} bytes exceeds the limit of ${this.limit}`
  readonly nextStep = "split it into smaller ones"
  override readonly message = messageOf(this)
}

/** The input of a write is not valid. Every problem is listed; a field within another is named by its path. */
export class InputInvalid extends Schema.TaggedError<InputInvalid>()("InputInvalid", {
  problems: Schema.Array(Schema.Struct({ field: Schema.String, problem: Schema.String }))
}) {
  readonly problem = `nothing was written (${this.problems.map(({ field, problem }) => `${field === "" ? "the input" : field} ${problem}`).join("; ")})`
  readonly nextStep = "correct this and write it again"
  override readonly message = messageOf(this)
}

/** A question is not valid: a filter, a limit or a cursor. Every problem is listed. */
export class QueryInvalid extends Schema.TaggedError<QueryInvalid>()("QueryInvalid", {
  problems: Schema.Array(Schema.Struct({ field: Schema.String, problem: Schema.String }))
}) {
  readonly problem = `the query is not valid (${this.problems.map(({ field, problem }) => `${field === "" ? "it" : field} ${problem}`).join("; ")})`
  readonly nextStep = "correct this and ask again"
  override readonly message = messageOf(this)
}

/** A local write names a kind that this version does not know. Operations of such kinds are only passed on. */
export class KindUnknown extends Schema.TaggedError<KindUnknown>()("KindUnknown", { kind: Schema.String }) {
  readonly problem = `nothing was written (${JSON.stringify(this.kind)} is not a known kind)`
  readonly nextStep = `use ${Kind.names.join(", ")}`
  override readonly message = messageOf(this)
}

/** An application declares a kind with another rule than the rows have that are there. */
export class KindMismatch extends Schema.TaggedError<KindMismatch>()("KindMismatch", {
  kind: Schema.String,
  declared: Schema.String,
  held: Schema.Array(Schema.String)
}) {
  readonly problem = `the kind ${this.kind} is declared with the rule ${this.declared}, but its rows here have the rule ${this.held.join(" and ")}`
  readonly nextStep = `declare it with the rule ${this.held[0]}, or use another name and copy the rows`
  override readonly message = messageOf(this)
}

/** The declaration of a kind is not valid. */
export class KindInvalid extends Schema.TaggedError<KindInvalid>()("KindInvalid", {
  kind: Schema.String,
  reason: Schema.String
}) {
  readonly problem = `the kind ${JSON.stringify(this.kind)} cannot be declared: ${this.reason}`
  readonly nextStep = "correct its declaration"
  override readonly message = messageOf(this)
}

/** A kind is used that was not declared when the node was started. */
export class KindUndeclared extends Schema.TaggedError<KindUndeclared>()("KindUndeclared", { kind: Schema.String }) {
  readonly problem = `the kind ${JSON.stringify(this.kind)} was not declared on this node`
  readonly nextStep = `see those that there are with ${commandLine("list")}, or give it to FeralSync.layer, in kinds`
  override readonly message = messageOf(this)
}

/** Origins cannot be forgotten: some of them have to stay. */
export class OriginsKept extends Schema.TaggedError<OriginsKept>()("OriginsKept", {
  kept: Schema.Array(
    Schema.Struct({
      origin: Schema.String,
      reason: Schema.Literals(["self", "rows", "purged", "unknown", "latest"])
    })
  )
}) {
  readonly explained = keptBecause(this.kept)
  readonly problem = this.explained.problem
  readonly nextStep = this.explained.nextStep
  override readonly message = messageOf(this)
}

const keptBecause = ([first, ...more]: OriginsKept["kept"]): Explained => {
  if (first === undefined) return { problem: "nothing was forgotten", nextStep: "name the origins to forget" }
  const name = JSON.stringify(first.origin)
  const [why, nextStep] = {
    self: [`${name} is this node itself`, "leave it out"],
    rows: [
      `${name} still has rows here`,
      `leave it out, or remove its rows first with ${commandLine("purge --origin NODE-ID")}`
    ],
    purged: [`rows of ${name} were purged here, and would come back`, "leave it out"],
    unknown: [`no origin ${name} is known here`, `see ${commandLine("origins list")}`],
    latest: [
      `${name} has the latest timestamp that this node has seen`,
      "write something, for example a note, and try again"
    ]
  }[first.reason]
  const others = more.length === 0 ? "" : ` (and ${more.length} more have to stay)`
  return { problem: `nothing was forgotten: ${why}${others}`, nextStep }
}

/** A purge that is refused. */
export class PurgeRefused extends Schema.TaggedError<PurgeRefused>()("PurgeRefused", {
  reason: Schema.Literals(["scope", "invalid", "known kind", "own rows"]),
  name: Schema.String
}) {
  readonly explained = notPurged(this.reason, JSON.stringify(this.name))
  readonly problem = this.explained.problem
  readonly nextStep = this.explained.nextStep
  override readonly message = messageOf(this)
}

const notPurged = (reason: PurgeRefused["reason"], name: string): Explained => {
  const refused = (why: string, nextStep: string) => ({ problem: `nothing was removed${why}`, nextStep })
  switch (reason) {
    case "scope":
      return refused("", "name either a kind or an origin")
    case "invalid":
      return refused(` (${name} is not the name of a kind or a node)`, `give it as ${commandLine("status")} shows it`)
    case "known kind":
      return refused(
        ` (this version knows ${name})`,
        `delete its rows one by one, or remove those of one node with ${commandLine("purge --origin NODE-ID")}`
      )
    case "own rows":
      return refused(` (${name} is this node itself)`, "delete its rows one by one, or give the id of another node")
  }
}

/** A file that was named for a backup, an export or an import cannot be used. */
export class FileUnusable extends Schema.TaggedError<FileUnusable>()("FileUnusable", {
  file: Schema.String,
  problem: Schema.String,
  nextStep: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = messageOf({ problem: `${this.file}: ${this.problem}`, nextStep: this.nextStep })
}

/** The service manager of this machine could not be asked, or did not do what it was asked. */
export class ServiceFailed extends Schema.TaggedError<ServiceFailed>()("ServiceFailed", {
  problem: Schema.String,
  nextStep: Schema.String
}) {
  override readonly message = messageOf(this)
}

const stepToFind = (name: string): string => {
  const kind = Kind.find(name)
  return kind === undefined ? "check the id" : `see the ids with ${commandLine(`${kind.words.command} list`)}`
}

/** There is no such row. */
export class RowNotFound extends Schema.TaggedError<RowNotFound>()("RowNotFound", {
  kind: Schema.String,
  id: Schema.String
}) {
  readonly problem = `no ${Kind.find(this.kind)?.words.one ?? "row"} has the id ${JSON.stringify(this.id)}`
  readonly nextStep = stepToFind(this.kind)
  override readonly message = messageOf(this)
}

/** A row of a kind of an application does not fit the schema of the kind. `value` has its columns as they are. */
export class RowUnreadable extends Schema.TaggedError<RowUnreadable>()("RowUnreadable", {
  kind: Schema.String,
  id: Schema.String,
  value: Schema.Record(Schema.String, Schema.Unknown),
  reason: Schema.String
}) {
  readonly problem = `the row ${JSON.stringify(this.id)} of ${this.kind} does not fit its schema (${this.reason})`
  readonly nextStep = "bring the application up to date on all nodes, or give new columns a default"
  override readonly message = messageOf(this)
}

/** A peer with this id, or at this address, is not known. */
export class PeerNotFound extends Schema.TaggedError<PeerNotFound>()("PeerNotFound", { peer: Schema.String }) {
  readonly problem = `no known peer is ${JSON.stringify(this.peer)}`
  readonly nextStep = `see the peers with ${commandLine("peers")}`
  override readonly message = messageOf(this)
}

/** A browser came with a code that is not good, or not any more. */
export class CodeRefused extends Schema.TaggedError<CodeRefused>()("CodeRefused", {}) {
  readonly problem = "this code was used before, or is too old"
  readonly nextStep = `get another one with ${commandLine("open")}`
  override readonly message = messageOf(this)
}

/** Where the versions of a row are seen: only of kinds where the last writer wins are any kept. */
const historyOf = (name: string, id: string): string => {
  const kind: Kind.Kind | undefined = Kind.find(name)
  return kind?.rule === "lww"
    ? `see the versions with ${commandLine(`${kind.words.command} history ${quoted(id)}`)}`
    : "check the number of the version"
}

/** This node keeps no such version of a row, or one that cannot be restored. */
export class VersionNotFound extends Schema.TaggedError<VersionNotFound>()("VersionNotFound", {
  kind: Schema.String,
  id: Schema.String,
  version: Schema.Number
}) {
  readonly problem = `no version ${this.version} of ${JSON.stringify(this.id)} can be restored here`
  readonly nextStep = historyOf(this.kind, this.id)
  override readonly message = messageOf(this)
}

/** A node, and when it was last heard of (Unix seconds). `via`: the nodes that passed this on, where it did not say so itself. */
export const Holder = Schema.Struct({
  node: NodeId,
  at: Schema.Finite,
  via: Schema.optionalKey(Schema.Array(NodeId))
})
export interface Holder extends Schema.Schema.Type<typeof Holder> {}

/** A write is saved here, and not yet on as many other nodes as was asked for. */
export class NotYetOnNodes extends Schema.TaggedError<NotYetOnNodes>()("NotYetOnNodes", {
  hlc: Schema.String,
  wanted: Schema.Int,
  /** The nodes that have it, and those that are not known to have it. */
  reached: Schema.Array(Holder),
  missing: Schema.Array(Holder)
}) {
  readonly problem = `the write is saved on this node, but only ${this.reached.length} of ${counted(this.wanted, "other node")} acknowledged it in time`
  readonly nextStep =
    this.missing.length === 0
      ? `no other node is known that lacks it: check ${commandLine("peers")}`
      : `it reaches ${some(this.missing.map(({ node }) => node))} when they are connected: see ${commandLine("peers")}`
  override readonly message = messageOf(this)
}

/** The next step of each failure that has the same one always. */
export const nextSteps = {
  MdnsUnavailable: "check that an interface with multicast is up and that UDP 5353 is open",
  PeersNotDiscovered:
    "start a node on another machine, open UDP 5353 on both, or set FERAL_SYNC_PEERS (host:port,host:port)",
  PeerUnreachable: "check that the node there runs and that its port is open",
  ListenFailed: "stop what uses the port, or set FERAL_SYNC_PORT (0 takes any free port)"
} as const
