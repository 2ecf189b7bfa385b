/**
 * What can go wrong between a node and the machine that it runs on, as tagged errors. The failures of a session between
 * two nodes are in `core/sync/SyncFailure.ts`. Each message ends with the next step.
 */
import { Schema } from "effect"
import * as SyncFailure from "../../core/sync/SyncFailure.ts"
import { commandLine } from "./Invocation.ts"
import { kinds } from "../../core/replica/Merge.ts"

/** The configuration is wrong. Every problem is listed, not just the first. */
export class ConfigInvalid extends Schema.TaggedError<ConfigInvalid>()("ConfigInvalid", {
  problems: Schema.Array(Schema.Struct({ variable: Schema.String, problem: Schema.String }))
}) {
  override get message(): string {
    return `the configuration is not valid:\n${this.problems.map(({ variable, problem }) => `  ${variable}: ${problem}`).join("\n")}`
  }
}

/** A certificate or key cannot be used. */
export class TlsMaterialInvalid extends Schema.TaggedError<TlsMaterialInvalid>()("TlsMaterialInvalid", {
  file: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `${this.file}: ${this.problem}`
  }
}

/** Multicast DNS cannot be used here. */
export class MdnsUnavailable extends Schema.TaggedError<MdnsUnavailable>()("MdnsUnavailable", {
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `mDNS is unavailable (${this.detail}): using the static peers now; ${nextSteps.MdnsUnavailable}`
  }
}

/** mDNS works here, and shows no other node. */
export class PeersNotDiscovered extends Schema.TaggedError<PeersNotDiscovered>()("PeersNotDiscovered", {}) {
  override get message(): string {
    return `peers are not discovered (no other node answers on _feral._tcp): ${nextSteps.PeersNotDiscovered}`
  }
}

/** No connection to a peer could be made. */
export class PeerUnreachable extends Schema.TaggedError<PeerUnreachable>()("PeerUnreachable", {
  address: Schema.String,
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `${this.address} cannot be reached (${this.detail}): ${nextSteps.PeerUnreachable}`
  }
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
  override get message(): string {
    return `TLS handshake with ${this.address} failed: ${this.reason} (${this.detail}); ${tlsNextSteps[this.reason]}`
  }
}

/** What to do when a handshake failed. */
export const tlsNextSteps: Record<TlsReason, string> = {
  untrusted: "sign both certificates with the same CA, or use no TLS variables on both nodes",
  expired: "sign a new certificate with the same CA",
  "not yet valid": "check the clocks of both machines, or wait until the certificate is valid",
  "wrong purpose":
    "sign that certificate again with extendedKeyUsage=serverAuth,clientAuth (feral-sync tls issue does); feral-sync doctor on its node names the fault",
  "invalid certificate": "run feral-sync doctor on the node of that certificate: it names the fault and the way out",
  revoked: "if that device is to come back, sign a new certificate for it with the same CA",
  "client certificate required":
    "set FERAL_SYNC_TLS_CERT, _KEY and _CA on the node that dials, with a certificate of this CA",
  protocol: "check that a feral-sync node listens at this address and port",
  "plain peer":
    "the node there speaks no TLS; FERAL_SYNC_LEGACY=on would allow it, and would send the passphrase in clear"
}

/** The port to listen on cannot be had. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  address: Schema.String,
  detail: Schema.String,
  /** What to do about this cause. */
  nextStep: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `cannot listen on ${this.address} (${this.detail}): ${this.nextStep ?? nextSteps.ListenFailed}`
  }
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
  nextStep: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    const problem = this.reason === "other" ? this.detail : `${this.reason} (${this.detail})`
    return `the database cannot be used: ${problem}; ${this.nextStep ?? storeNextSteps[this.reason]}`
  }

  /** Whether the same may be possible later, with the same file. */
  get mayPass(): boolean {
    return this.reason === "disk full" || this.reason === "read-only" || this.reason === "locked"
  }
}

export const storeNextSteps: Record<StoreReason, string> = {
  "disk full": "free some space; nothing that was acknowledged is lost",
  "read-only": "make the data directory writable for this user",
  corrupt:
    "stop the node, restore a backup with feral-sync restore FILE, and start it; without a backup, move sync.db away: the peers give back what they have",
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
  override get message(): string {
    return `an entry of ${this.bytes} bytes is over the limit of ${this.limit}: split it into smaller ones`
  }
}

/** What was given to be written is not as it should be. Every problem is listed; a field within another is named by its path. */
export class InputInvalid extends Schema.TaggedError<InputInvalid>()("InputInvalid", {
  problems: Schema.Array(Schema.Struct({ field: Schema.String, problem: Schema.String }))
}) {
  override get message(): string {
    const said = this.problems.map(({ field, problem }) => `${field === "" ? "the input" : field} ${problem}`)
    return `nothing was written (${said.join("; ")}): correct this and write it again`
  }
}

/** A local write names a kind that this version does not know. Operations of such kinds are only passed on. */
export class KindUnknown extends Schema.TaggedError<KindUnknown>()("KindUnknown", { kind: Schema.String }) {
  override get message(): string {
    return `nothing was written (${JSON.stringify(this.kind)} is not a known kind): use ${kinds.join(", ")}`
  }
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
  override get message(): string {
    const [first, ...more] = this.kept
    const others = more.length === 0 ? "" : ` (and ${more.length} more have to stay)`
    return `nothing was forgotten: ${first === undefined ? "" : keptBecause(first)}${others}`
  }
}

const keptBecause = ({ origin, reason }: OriginsKept["kept"][number]): string => {
  const name = JSON.stringify(origin)
  switch (reason) {
    case "self":
      return `${name} is this node itself: leave it out`
    case "rows":
      return `${name} still has rows here: leave it out, or remove its rows first with ${commandLine("purge --origin NODE-ID")}`
    case "purged":
      return `rows of ${name} were purged here, and would come back: leave it out`
    case "unknown":
      return `no origin ${name} is known here: see ${commandLine("origins list")}`
    case "latest":
      return `${name} has the latest timestamp that this node has seen: write something, for example a note, and try again`
  }
}

/** What was asked to be purged cannot be. */
export class PurgeRefused extends Schema.TaggedError<PurgeRefused>()("PurgeRefused", {
  reason: Schema.Literals(["scope", "invalid", "known kind", "own rows"]),
  name: Schema.String
}) {
  override get message(): string {
    const name = JSON.stringify(this.name)
    switch (this.reason) {
      case "scope":
        return "nothing was removed: name a kind or an origin, one of the two"
      case "invalid":
        return `nothing was removed (${name} is not a name of a kind or a node): give it as ${commandLine("status")} shows it`
      case "known kind":
        return `nothing was removed (this version knows ${name}): delete its rows one by one, or remove those of one node with ${commandLine("purge --origin NODE-ID")}`
      case "own rows":
        return `nothing was removed (${name} is this node itself): delete its rows one by one, or give the id of another node`
    }
  }
}

/** A file that was named for a backup, an export or an import cannot be used. */
export class FileUnusable extends Schema.TaggedError<FileUnusable>()("FileUnusable", {
  file: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `${this.file}: ${this.problem}`
  }
}

const rowWords: { readonly [kind: string]: { readonly one: string; readonly list: string } } = {
  notes: { one: "note", list: "note list" },
  knowledge: { one: "fact", list: "fact list" },
  episodes: { one: "episode", list: "episode list" },
  execution_log: { one: "log entry", list: "log list" }
}

/** There is no such row. */
export class RowNotFound extends Schema.TaggedError<RowNotFound>()("RowNotFound", {
  kind: Schema.String,
  id: Schema.String
}) {
  override get message(): string {
    const { one, list } = rowWords[this.kind] ?? { one: "row", list: undefined }
    const step = list === undefined ? "check the id" : `see the ids with ${commandLine(list)}`
    return `no ${one} has the id ${JSON.stringify(this.id)}: ${step}`
  }
}

/** The next step of each failure that has the same one always. */
export const nextSteps = {
  MdnsUnavailable: "check that an interface with multicast is up and that UDP 5353 is open",
  PeersNotDiscovered:
    "start a node on another machine, open UDP 5353 on both, or set FERAL_SYNC_PEERS (host:port,host:port)",
  PeerUnreachable: "check that the node there runs and that its port is open",
  ListenFailed: "stop what uses the port, or set FERAL_SYNC_PORT (0 takes any free one)"
} as const

const everyNextStep: ReadonlyArray<string> = [SyncFailure.nextSteps, nextSteps, tlsNextSteps, storeNextSteps]
  .flatMap((steps) => Object.values(steps))
  .sort((a, b) => b.length - a.length)

/** The message of any failure, of a session too, in two: what is wrong, and the next step that it ends with, if it has one. */
export const inTwo = (
  message: string,
  known?: string
): { readonly problem: string; readonly nextStep: string | undefined } => {
  const nextStep = known ?? everyNextStep.find((step) => message.endsWith(step))
  if (nextStep === undefined) return { problem: message, nextStep }
  return { problem: message.slice(0, -nextStep.length).replace(/[:;] $/, ""), nextStep }
}
