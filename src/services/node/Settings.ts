/**
 * The settings of a node, each defined once, in this table. The type `Settings`, the variables, the flags of `start`
 * with their help, the defaults and the checks are derived from its entry. A test compares `docs/configuration.md` with
 * it.
 */
import { Duration, Option, type Redacted } from "effect"
import { defaultPort } from "../../core/peers/Address.ts"
import * as Form from "./SettingForms.ts"

/** An entry of the table. */
export interface Setting<Variable extends string, A> {
  /** In the environment. The flag is derived from it (`flagOf`). */
  readonly variable: Variable
  readonly form: Form.Form<A>
  /** The value when none is given. */
  readonly default: A
  /** The default as help and documents write it. */
  readonly shown: string
  /** What it is, as the help of the flag says it. */
  readonly help: string
  readonly isSecret: boolean
}

const setting = <const V extends string, A>(variable: V, form: Form.Form<A>, value: NoInfer<A>, help: string) =>
  ({ variable, form, default: value, shown: form.show(value), help, isSecret: false }) as const satisfies Setting<V, A>

/** Has no flag: other users can read command lines. */
const secret = <const V extends string>(variable: V, shown: string, help: string) => {
  const unset = Option.none<Redacted.Redacted<string>>()
  return { variable, form: Form.secret, default: unset, shown, help, isSecret: true } as const
}

const mebibyte = 1024 * 1024

/** In the order in which help shows them. */
export const table = {
  home: setting("FERAL_HOME", Form.directory, "~/.feral", "Data directory"),
  host: setting("FERAL_SYNC_HOST", Form.host, undefined, "Address to listen on"),
  port: setting("FERAL_SYNC_PORT", Form.port, defaultPort, "Port to listen on, 0 for any free port"),
  passphrase: secret(
    "FERAL_SYNC_PASSPHRASE",
    "made at the first start",
    "Passphrase that all nodes of a network share"
  ),
  passphrasePrevious: secret(
    "FERAL_SYNC_PASSPHRASE_PREVIOUS",
    Form.none,
    "Previous passphrase, accepted while the passphrase is being changed"
  ),
  peers: setting("FERAL_SYNC_PEERS", Form.peers, [], "Static peers; IPv6 as [::1]:9090"),
  tlsCert: setting("FERAL_SYNC_TLS_CERT", Form.file, undefined, "Certificate of this node, PEM"),
  tlsKey: setting("FERAL_SYNC_TLS_KEY", Form.file, undefined, "Private key of this node, PEM"),
  tlsCa: setting(
    "FERAL_SYNC_TLS_CA",
    Form.file,
    undefined,
    "Certificate of the CA that issued the certificates of all nodes, PEM"
  ),
  tlsCrl: setting("FERAL_SYNC_TLS_CRL", Form.file, undefined, "List of revoked certificates, PEM"),
  requireClientCert: setting(
    "FERAL_SYNC_REQUIRE_CLIENT_CERT",
    Form.onOffOrAlone,
    false,
    "Require clients to present a certificate from this CA"
  ),
  mdns: setting("FERAL_SYNC_MDNS", Form.onOff, true, "Find peers by mDNS"),
  mdnsInterfaces: setting(
    "FERAL_SYNC_MDNS_INTERFACE",
    Form.interfaces,
    [],
    "Interfaces to use for mDNS, by name or address"
  ),
  mdnsTimeout: setting(
    "FERAL_SYNC_MDNS_TIMEOUT",
    Form.duration(0),
    Duration.seconds(30),
    "How long to wait for mDNS before static peers are used"
  ),
  interval: setting(
    "FERAL_SYNC_INTERVAL",
    Form.duration(1),
    Duration.seconds(30),
    "Time between two syncs with an existing FERAL node"
  ),
  legacy: setting(
    "FERAL_SYNC_LEGACY",
    Form.oneOf("off", "tls", "on"),
    "tls",
    "Whether existing FERAL nodes are accepted: off, tls or on"
  ),
  legacyScope: setting(
    "FERAL_SYNC_LEGACY_SCOPE",
    Form.label,
    Option.none(),
    "Scope to put on rows sent to existing FERAL nodes of the newest version"
  ),
  maxClockDriftMs: setting(
    "FERAL_SYNC_MAX_CLOCK_DRIFT_MS",
    Form.integer("MS", 0),
    300_000,
    "How far ahead the clock of another node may be, in ms"
  ),
  maxFrameBytes: setting(
    "FERAL_SYNC_MAX_FRAME_BYTES",
    Form.bytes(4096, 64 * mebibyte),
    256 * 1024,
    "Largest frame to send, in bytes"
  ),
  maxRecvBytes: setting(
    "FERAL_SYNC_MAX_RECV_BYTES",
    Form.bytes(4096, 64 * mebibyte),
    8 * mebibyte,
    "Largest frame to accept, in bytes"
  ),
  /** An existing FERAL node sends all that it has in one frame. */
  legacyMaxRecvBytes: setting(
    "FERAL_SYNC_LEGACY_MAX_RECV_BYTES",
    Form.bytes(mebibyte, 512 * 1024 * mebibyte - 1024),
    128 * mebibyte,
    "Largest frame to accept from an existing FERAL node, in bytes"
  ),
  maxOpaqueBytes: setting(
    "FERAL_SYNC_MAX_OPAQUE_BYTES",
    Form.bytes(0),
    256 * mebibyte,
    "Limit for all rows of unknown kinds, in bytes"
  ),
  maxOpaqueOriginBytes: setting(
    "FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES",
    Form.bytes(0),
    64 * mebibyte,
    "Limit for rows of unknown kinds from one origin, in bytes"
  ),
  maxPeerRateBytes: setting(
    "FERAL_SYNC_MAX_PEER_RATE_BYTES",
    Form.bytes(0),
    mebibyte,
    "Bytes per second to accept from one address, 0 for no limit"
  ),
  maxPeerBurstBytes: setting(
    "FERAL_SYNC_MAX_PEER_BURST_BYTES",
    Form.bytes(mebibyte),
    1024 * mebibyte,
    "Bytes to accept from one address before the rate limit applies"
  ),
  tombstoneMs: setting("FERAL_SYNC_TOMBSTONE_DAYS", Form.days, undefined, "Days to keep deletions that every node has"),
  history: setting("FERAL_SYNC_HISTORY", Form.onOff, true, "Keep the last versions of notes and facts on this node"),
  apiPort: setting("FERAL_SYNC_API_PORT", Form.port, 9091, "Port for status over HTTP on 127.0.0.1, 0 for none"),
  log: setting(
    "FERAL_SYNC_LOG",
    Form.oneOf("pretty", "json"),
    "pretty",
    "Format of the log on standard error: pretty or json"
  ),
  logLevel: setting(
    "FERAL_SYNC_LOG_LEVEL",
    Form.oneOf("debug", "info", "warn", "error"),
    "info",
    "Log level: debug, info, warn or error"
  )
}

type Table = typeof table
type TlsName = "tlsCert" | "tlsKey" | "tlsCa" | "tlsCrl"

/** The name of a variable, with those that hold secrets. */
export type AnyVariable = Table[keyof Table]["variable"]

/** The name of a variable that has a flag. */
export type Variable = Extract<Table[keyof Table], { readonly isSecret: false }>["variable"]

/** A value for each entry of the table. */
export type Values = { readonly [Name in keyof Table]: Table[Name]["default"] }

/** PEM files of mode `ca`. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
  /** Lists of revoked certificates. */
  readonly crl?: string | undefined
}

/** The settings of a node. All are valid; paths are absolute. */
export interface Settings extends Omit<Values, TlsName> {
  readonly tls: Option.Option<TlsFiles>
}

/** The flag that stands for a variable: `--api-port` for FERAL_SYNC_API_PORT. */
export const flagOf = (variable: Variable): string =>
  variable
    .replace(/^FERAL_(SYNC_)?/, "")
    .toLowerCase()
    .replaceAll("_", "-")
