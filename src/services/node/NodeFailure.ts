/**
 * What can go wrong between a node and the machine that it runs on, as tagged errors. The failures of a session between
 * two nodes are in `core/sync/SyncFailure.ts`, those of reads and writes in `MemoryFailure.ts`. Each says what the
 * problem is and what to do next.
 */
import { Schema } from "effect"
import { type Explained, messageOf } from "../../core/text/Explained.ts"
import { commandLine } from "./Invocation.ts"

export * from "./MemoryFailure.ts"

/** The configuration is wrong. Every problem is listed, not just the first. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  problems: Schema.Array(
    Schema.Struct({ variable: Schema.String, problem: Schema.String, nextStep: Schema.optionalKey(Schema.String) })
  )
}) {
  readonly problem = `the configuration is not valid:\n${this.problems.map(problemOfVariable).join("\n")}`
  /** Of a single problem. Of several, each has its own. */
  readonly nextStep = this.problems.length === 1 ? this.problems[0]?.nextStep : undefined
  override readonly message = this.problem
}

const problemOfVariable = ({ variable, problem, nextStep }: ConfigInvalid["problems"][number]): string =>
  `  ${variable}: ${messageOf({ problem, nextStep }, ": ")}`

/** A certificate or key cannot be used. */
export class TlsMaterialInvalid extends Schema.TaggedError<TlsMaterialInvalid>()("TlsMaterialInvalid", {
  file: Schema.String,
  problem: Schema.String,
  nextStep: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = `${this.file}: ${messageOf(this, ": ")}`
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
  protocol:
    "check that a feral-sync node listens there, and that the key of its certificate is RSA, Ed25519, or on P-256, P-384 or P-521",
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
  nextStep: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = `${this.file}: ${messageOf(this, ": ")}`
}

/** The service manager of this machine could not be asked, or did not do what it was asked. */
export class ServiceFailed extends Schema.TaggedError<ServiceFailed>()("ServiceFailed", {
  problem: Schema.String,
  nextStep: Schema.String
}) {
  override readonly message = messageOf(this)
}

/** A peer with this id, or at this address, is not known. */
export class PeerNotFound extends Schema.TaggedError<PeerNotFound>()("PeerNotFound", { peer: Schema.String }) {
  readonly problem = `unknown peer ${JSON.stringify(this.peer)}`
  readonly nextStep = `see the peers with ${commandLine("peers")}`
  override readonly message = messageOf(this)
}

/** A browser came with a code that is not good, or not any more. */
export class CodeRefused extends Schema.TaggedError<CodeRefused>()("CodeRefused", {}) {
  readonly problem = "this code was already used, or has expired"
  readonly nextStep = `get a new code with ${commandLine("open")}`
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
