/**
 * `start`: runs a node until it is told to stop.
 */
import { Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { buffer as bytesOf } from "node:stream/consumers"
import * as Config from "../services/node/Config.ts"
import { flagOf, type Variable, variables } from "../services/node/Variables.ts"
import * as Logging from "../services/node/Logging.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"

/** The flag of a variable. The configuration validates its value, and names the flag in its problems. */
const option = (variable: Variable, metavar: string, description: string) =>
  Fields.maybe(
    Flag.String(flagOf(variable)).pipe(Flag.withMetavar(metavar), Flag.withDescription(`${description} (${variable})`))
  )

/** The settings of a node: a flag for each variable. */
export const flags = {
  FERAL_SYNC_HOST: option("FERAL_SYNC_HOST", "ADDRESS", "Address to listen on; default: all"),
  FERAL_SYNC_PORT: option("FERAL_SYNC_PORT", "PORT", "Port to listen on, 0 for any free port; default: 9090"),
  FERAL_SYNC_PEERS: option("FERAL_SYNC_PEERS", "HOST:PORT,…", "Static peers; IPv6 as [::1]:9090"),
  FERAL_SYNC_TLS_CERT: option("FERAL_SYNC_TLS_CERT", "FILE", "Certificate of this node, PEM"),
  FERAL_SYNC_TLS_KEY: option("FERAL_SYNC_TLS_KEY", "FILE", "Private key of this node, PEM"),
  FERAL_SYNC_TLS_CA: option(
    "FERAL_SYNC_TLS_CA",
    "FILE",
    "Certificate of the CA that issued the certificates of all nodes, PEM"
  ),
  FERAL_SYNC_REQUIRE_CLIENT_CERT: Fields.maybe(
    Flag.String(flagOf("FERAL_SYNC_REQUIRE_CLIENT_CERT")).pipe(
      Flag.withOptionalValue("true"),
      Flag.withMetavar("BOOL"),
      Flag.withDescription("Require clients to present a certificate from this CA (FERAL_SYNC_REQUIRE_CLIENT_CERT)")
    )
  ),
  FERAL_SYNC_MDNS: option("FERAL_SYNC_MDNS", "ON|OFF", "Find peers by mDNS; default: on"),
  FERAL_SYNC_MDNS_INTERFACE: option(
    "FERAL_SYNC_MDNS_INTERFACE",
    "NAME|ADDRESS,…",
    "Interfaces to use for mDNS, by name or address; default: all"
  ),
  FERAL_SYNC_MDNS_TIMEOUT: option(
    "FERAL_SYNC_MDNS_TIMEOUT",
    "SECONDS",
    "Seconds to wait for mDNS before static peers are used; default: 30"
  ),
  FERAL_SYNC_INTERVAL: option(
    "FERAL_SYNC_INTERVAL",
    "SECONDS",
    "Seconds between two syncs with an existing FERAL node; default: 30"
  ),
  FERAL_SYNC_LEGACY: option(
    "FERAL_SYNC_LEGACY",
    "OFF|TLS|ON",
    "Whether existing FERAL nodes are accepted: off, tls or on; default: tls"
  ),
  FERAL_SYNC_LEGACY_SCOPE: option(
    "FERAL_SYNC_LEGACY_SCOPE",
    "LABEL",
    "Scope label for the newest existing FERAL nodes"
  ),
  FERAL_SYNC_MAX_CLOCK_DRIFT_MS: option(
    "FERAL_SYNC_MAX_CLOCK_DRIFT_MS",
    "MS",
    "How far ahead the clock of another node may be, in ms; default: 300000"
  ),
  FERAL_SYNC_MAX_FRAME_BYTES: option(
    "FERAL_SYNC_MAX_FRAME_BYTES",
    "BYTES",
    "Largest frame to send, in bytes; default: 262144"
  ),
  FERAL_SYNC_MAX_RECV_BYTES: option(
    "FERAL_SYNC_MAX_RECV_BYTES",
    "BYTES",
    "Largest frame to accept, in bytes; default: 8388608"
  ),
  FERAL_SYNC_LEGACY_MAX_RECV_BYTES: option(
    "FERAL_SYNC_LEGACY_MAX_RECV_BYTES",
    "BYTES",
    "Largest frame to accept from an existing FERAL node, in bytes; default: 134217728"
  ),
  FERAL_SYNC_MAX_OPAQUE_BYTES: option(
    "FERAL_SYNC_MAX_OPAQUE_BYTES",
    "BYTES",
    "Limit for all rows of unknown kinds, in bytes; default: 268435456"
  ),
  FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES: option(
    "FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES",
    "BYTES",
    "Limit for rows of unknown kinds from one origin, in bytes; default: 67108864"
  ),
  FERAL_SYNC_MAX_PEER_RATE_BYTES: option(
    "FERAL_SYNC_MAX_PEER_RATE_BYTES",
    "BYTES",
    "Bytes per second to accept from one address, 0 for no limit; default: 1048576"
  ),
  FERAL_SYNC_MAX_PEER_BURST_BYTES: option(
    "FERAL_SYNC_MAX_PEER_BURST_BYTES",
    "BYTES",
    "Bytes to accept from one address at full speed before that limit; default: 1073741824"
  ),
  FERAL_SYNC_TOMBSTONE_DAYS: option(
    "FERAL_SYNC_TOMBSTONE_DAYS",
    "DAYS",
    "Days to keep deletions that every node has; default: forever"
  ),
  FERAL_SYNC_HISTORY: option(
    "FERAL_SYNC_HISTORY",
    "ON|OFF",
    "Keep the last versions of notes and facts on this node; default: on"
  ),
  FERAL_SYNC_API_PORT: option(
    "FERAL_SYNC_API_PORT",
    "PORT",
    "Port for status over HTTP on 127.0.0.1, 0 for none; default: 9091"
  ),
  FERAL_SYNC_LOG: option(
    "FERAL_SYNC_LOG",
    "PRETTY|JSON",
    "Format of the log on standard error: pretty or json; default: pretty"
  ),
  FERAL_SYNC_LOG_LEVEL: option("FERAL_SYNC_LOG_LEVEL", "LEVEL", "Log level: debug, info, warn or error; default: info"),
  passphraseFile: Fields.maybe(
    Flag.String("passphrase-file").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Read the passphrase from a file, or from stdin with -; wins over FERAL_SYNC_PASSPHRASE")
    )
  )
}

/** The values of the flags, `--home` included. */
export const overrides = Effect.fnUntraced(function* ({
  passphraseFile,
  ...given
}: Partial<Record<Variable | "passphraseFile", string | undefined>>) {
  const home = yield* Globals.Home
  const held = passphraseFile === undefined ? undefined : yield* readPassphrase(passphraseFile)
  const overrides: Config.Overrides = {
    values: defined({ ...given, FERAL_HOME: home }),
    ...(held === undefined ? {} : { passphrase: held.passphrase }),
    ...(held === undefined || Option.isNone(held.previous) ? {} : { passphrasePrevious: held.previous.value })
  }
  return overrides
})

export const command = Command.make(
  "start",
  flags,
  Effect.fnUntraced(function* (given) {
    const settings = yield* Config.load(yield* overrides(given))
    const { run } = yield* Effect.promise(() => import("./Running.ts"))
    const collector = yield* telemetry
    return yield* run(settings, yield* Globals.Json).pipe(
      Effect.provide(Layer.provideMerge(collector, Logging.layer(settings)))
    )
  }, stopped)
).pipe(
  Command.withDescription(
    "Run a node until SIGINT, SIGTERM, SIGHUP or SIGQUIT. A flag wins over the variable of its name."
  ),
  Command.withShortDescription("Run a node"),
  Command.withExamples([
    { command: "feral-sync start" },
    { command: "feral-sync start --port 9190 --peers 192.168.1.5:9090,[fd00::5]:9090" },
    { command: "feral-sync start --passphrase-file - < passphrase" },
    { command: "feral-sync start --tls-cert peer-cert.pem --tls-key peer-key.pem --tls-ca ca-cert.pem" }
  ])
)

/** Traces, metrics and log for a collector, where the environment names one. */
const telemetry = Effect.suspend(() =>
  Object.entries(process.env).some(([name, value]) => value && /^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/.test(name))
    ? Effect.promise(() => import("../services/node/Otlp.ts")).pipe(Effect.map(({ layer }) => layer(process.env)))
    : Effect.succeed(Layer.empty)
)

/** A node that is stopped exits with 0; for other commands, a signal is a failure. */
function stopped<A, E, R>(node: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.onInterrupt(node, () =>
    Effect.sync(() => {
      process.exitCode = 0
    })
  )
}

/** The contents of a file, or of stdin with `-`. */
export const readPassphrase = Effect.fnUntraced(function* (file: string) {
  const { fromFile, fromBytes } = yield* Effect.promise(() => import("../services/node/Passphrase.ts"))
  return file === "-"
    ? yield* fromBytes("stdin", yield* Effect.promise(() => bytesOf(process.stdin)))
    : yield* fromFile(file)
})

const defined = (values: Partial<Record<Variable, string | undefined>>): Partial<Record<Variable, string>> => {
  const kept: Partial<Record<Variable, string>> = {}
  for (const variable of variables) {
    const value = values[variable]
    if (value !== undefined) kept[variable] = value
  }
  return kept
}
