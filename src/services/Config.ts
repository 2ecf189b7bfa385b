/**
 * The configuration of a node: every variable of the README's table, validated together.
 */
import { Context, type Duration, type Option, type Redacted } from "effect"
import type { Address } from "./Discovery.ts"

/** PEM files of mode `ca`. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** What a node needs to know. Durations and sizes are validated; paths are absolute. */
export interface Settings {
  readonly home: string
  readonly host: string | undefined
  readonly port: number
  readonly passphrase: Option.Option<Redacted.Redacted<string>>
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
  readonly apiPort: number
  readonly log: "pretty" | "json"
  readonly logLevel: "debug" | "info" | "warn" | "error"
}

export class Config extends Context.Service<Config, Settings>()("feral-sync/services/Config") {}
