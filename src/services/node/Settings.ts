/** The settings of a node. */
import type { Duration, Option, Redacted } from "effect"
import type { Address } from "../../core/peers/Address.ts"

/** PEM files of mode `ca`. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
  /** Lists of revoked certificates. */
  readonly crl?: string | undefined
}

/** The settings of a node. Durations and sizes are validated; paths are absolute. */
export interface Settings {
  readonly home: string
  readonly host: string | undefined
  readonly port: number
  readonly passphrase: Option.Option<Redacted.Redacted<string>>
  /** The one before, while the passphrase is being changed. */
  readonly passphrasePrevious: Option.Option<Redacted.Redacted<string>>
  readonly peers: ReadonlyArray<Address>
  readonly tls: Option.Option<TlsFiles>
  readonly requireClientCert: boolean
  readonly mdns: boolean
  /** Addresses of the interfaces to use; empty for all. */
  readonly mdnsInterfaces: ReadonlyArray<string>
  readonly mdnsTimeout: Duration.Duration
  readonly interval: Duration.Duration
  readonly legacy: "off" | "tls" | "on"
  readonly legacyScope: Option.Option<string>
  readonly maxClockDriftMs: number
  readonly maxFrameBytes: number
  readonly maxRecvBytes: number
  /** Bytes of the largest frame that an existing FERAL node may send which has proved itself: all that it has is in one. */
  readonly legacyMaxRecvBytes: number
  /** Bytes that rows of kinds which this version does not know may take: all of them, and those of one origin. */
  readonly maxOpaqueBytes: number
  readonly maxOpaqueOriginBytes: number
  /** Bytes that are taken from one network address in a second over a long time, 0 for any number, and at once. */
  readonly maxPeerRateBytes: number
  readonly maxPeerBurstBytes: number
  /** How long tombstones are kept that every node has (ms); for ever, without it. */
  readonly tombstoneMs?: number | undefined
  /** Whether the last versions of notes and facts are kept on this node. */
  readonly history: boolean
  readonly apiPort: number
  readonly log: "pretty" | "json"
  readonly logLevel: "debug" | "info" | "warn" | "error"
}
