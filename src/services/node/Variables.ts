/**
 * The variables of the configuration: the valid values of each, and the problem for others.
 *
 * Every problem is found in one pass. A problem names the variable, or the flag, that the value came from, and says what
 * would be right. A variable that is set to nothing counts as unset; the passphrase alone does not, for there the
 * difference matters.
 */
import { Duration, Option, Redacted, Result } from "effect"
import { join } from "node:path"
import { defaultPort } from "../../core/peers/Address.ts"
import type { Settings, TlsFiles } from "./Settings.ts"
import { userHome } from "./UserHome.ts"
import { boolean, days, duration, host, integer, interfaces, oneOf, path, peers, port } from "./VariableTexts.ts"

export interface Problem {
  readonly variable: string
  readonly problem: string
}

/** Every variable but the passphrase, which has no flag: other users can read command lines. */
export const variables = [
  "FERAL_HOME",
  "FERAL_SYNC_HOST",
  "FERAL_SYNC_PORT",
  "FERAL_SYNC_PEERS",
  "FERAL_SYNC_TLS_CERT",
  "FERAL_SYNC_TLS_KEY",
  "FERAL_SYNC_TLS_CA",
  "FERAL_SYNC_TLS_CRL",
  "FERAL_SYNC_REQUIRE_CLIENT_CERT",
  "FERAL_SYNC_MDNS",
  "FERAL_SYNC_MDNS_INTERFACE",
  "FERAL_SYNC_MDNS_TIMEOUT",
  "FERAL_SYNC_INTERVAL",
  "FERAL_SYNC_LEGACY",
  "FERAL_SYNC_LEGACY_SCOPE",
  "FERAL_SYNC_MAX_CLOCK_DRIFT_MS",
  "FERAL_SYNC_MAX_FRAME_BYTES",
  "FERAL_SYNC_MAX_RECV_BYTES",
  "FERAL_SYNC_LEGACY_MAX_RECV_BYTES",
  "FERAL_SYNC_MAX_OPAQUE_BYTES",
  "FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES",
  "FERAL_SYNC_MAX_PEER_RATE_BYTES",
  "FERAL_SYNC_MAX_PEER_BURST_BYTES",
  "FERAL_SYNC_TOMBSTONE_DAYS",
  "FERAL_SYNC_HISTORY",
  "FERAL_SYNC_API_PORT",
  "FERAL_SYNC_LOG",
  "FERAL_SYNC_LOG_LEVEL"
] as const
export type Variable = (typeof variables)[number]

/** The variable that holds the passphrase. */
export const passphraseVariable = "FERAL_SYNC_PASSPHRASE"

/** The variable that holds the one before, while it is being changed. */
export const previousVariable = "FERAL_SYNC_PASSPHRASE_PREVIOUS"

/** The variable that names the pager of commands. A node does not read it. */
export const pagerVariable = "FERAL_SYNC_PAGER"

/** The flag that stands for a variable: `--api-port` for FERAL_SYNC_API_PORT. */
export const flagOf = (variable: Variable): string =>
  variable
    .replace(/^FERAL_(SYNC_)?/, "")
    .toLowerCase()
    .replaceAll("_", "-")

/** A value as it was given, and the name under which the user knows it. */
export interface Given {
  readonly name: string
  readonly text: string
}

/** The given values. */
export interface Input {
  readonly values: Partial<Record<Variable, Given>>
  readonly passphrase: Option.Option<Redacted.Redacted<string>>
  readonly passphrasePrevious?: Option.Option<Redacted.Redacted<string>>
}

/** The data directory when nothing says otherwise. */
export const defaultHome = (): Result.Result<string, string> => {
  const home = userHome()
  return home === undefined
    ? Result.fail("is not set, and this user has no home directory: set FERAL_HOME to the data directory")
    : Result.succeed(join(home, ".feral"))
}

/** What each setting is when it is not given. A user without a home directory has no default for `home`. */
export const defaults = (): Omit<Settings, "home"> => ({
  host: undefined,
  port: defaultPort,
  passphrase: Option.none(),
  passphrasePrevious: Option.none(),
  peers: [],
  tls: Option.none(),
  requireClientCert: false,
  mdns: true,
  mdnsInterfaces: [],
  mdnsTimeout: Duration.seconds(30),
  interval: Duration.seconds(30),
  legacy: "tls",
  legacyScope: Option.none(),
  maxClockDriftMs: 300_000,
  maxFrameBytes: 256 * 1024,
  maxRecvBytes: 8 * 1024 * 1024,
  legacyMaxRecvBytes: 128 * 1024 * 1024,
  maxOpaqueBytes: 256 * 1024 * 1024,
  maxOpaqueOriginBytes: 64 * 1024 * 1024,
  maxPeerRateBytes: 1024 * 1024,
  maxPeerBurstBytes: 1024 * 1024 * 1024,
  tombstoneMs: undefined,
  history: true,
  apiPort: 9091,
  log: "pretty",
  logLevel: "info"
})

/** The settings, or everything that is wrong. */
export const parse = ({
  values,
  passphrase,
  passphrasePrevious = Option.none()
}: Input): Result.Result<Settings, ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const byDefault = defaults()

  const given = (variable: Variable): Given | undefined => {
    const value = values[variable]
    return value === undefined || value.text.trim() === "" ? undefined : { ...value, text: value.text.trim() }
  }
  const read = <A>(variable: Variable, fallback: A, parseText: (text: string) => Result.Result<A, string>): A => {
    const value = given(variable)
    if (value === undefined) return fallback
    const parsed = parseText(value.text)
    if (Result.isSuccess(parsed)) return parsed.success
    problems.push({ variable: value.name, problem: parsed.failure })
    return fallback
  }

  const requireClientCert = read("FERAL_SYNC_REQUIRE_CLIENT_CERT", byDefault.requireClientCert, boolean)
  const maxFrameBytes = read("FERAL_SYNC_MAX_FRAME_BYTES", byDefault.maxFrameBytes, integer(4096, maxBytes))
  const recv = given("FERAL_SYNC_MAX_RECV_BYTES")
  const homeByDefault = defaultHome()
  if (Result.isFailure(homeByDefault) && given("FERAL_HOME") === undefined) {
    problems.push({ variable: "FERAL_HOME", problem: homeByDefault.failure })
  }
  const settings: Settings = {
    home: read(
      "FERAL_HOME",
      Result.getOrElse(homeByDefault, () => ""),
      path
    ),
    host: read("FERAL_SYNC_HOST", byDefault.host, host),
    port: read("FERAL_SYNC_PORT", byDefault.port, port),
    passphrase,
    // Set to nothing, it is unset.
    passphrasePrevious: Option.filter(passphrasePrevious, (text) => Redacted.value(text) !== ""),
    peers: read("FERAL_SYNC_PEERS", byDefault.peers, peers),
    tls: tlsFiles(tlsVariables.map(given), given("FERAL_SYNC_TLS_CRL"), problems),
    requireClientCert,
    mdns: read("FERAL_SYNC_MDNS", byDefault.mdns, boolean),
    mdnsInterfaces: read("FERAL_SYNC_MDNS_INTERFACE", byDefault.mdnsInterfaces, interfaces),
    mdnsTimeout: read("FERAL_SYNC_MDNS_TIMEOUT", byDefault.mdnsTimeout, duration(0)),
    interval: read("FERAL_SYNC_INTERVAL", byDefault.interval, duration(1)),
    legacy: read("FERAL_SYNC_LEGACY", byDefault.legacy, oneOf("off", "tls", "on")),
    legacyScope: read("FERAL_SYNC_LEGACY_SCOPE", byDefault.legacyScope, (text) => Result.succeed(Option.some(text))),
    maxClockDriftMs: read("FERAL_SYNC_MAX_CLOCK_DRIFT_MS", byDefault.maxClockDriftMs, integer(0)),
    maxFrameBytes,
    // A node accepts frames as large as those it sends, so that nodes with equal settings work together.
    maxRecvBytes: read(
      "FERAL_SYNC_MAX_RECV_BYTES",
      Math.max(byDefault.maxRecvBytes, maxFrameBytes),
      integer(4096, maxBytes)
    ),
    legacyMaxRecvBytes: read(
      "FERAL_SYNC_LEGACY_MAX_RECV_BYTES",
      byDefault.legacyMaxRecvBytes,
      integer(1024 * 1024, 512 * 1024 * 1024 - 1024)
    ),
    maxOpaqueBytes: read("FERAL_SYNC_MAX_OPAQUE_BYTES", byDefault.maxOpaqueBytes, integer(0)),
    maxOpaqueOriginBytes: read("FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES", byDefault.maxOpaqueOriginBytes, integer(0)),
    maxPeerRateBytes: read("FERAL_SYNC_MAX_PEER_RATE_BYTES", byDefault.maxPeerRateBytes, integer(0)),
    maxPeerBurstBytes: read("FERAL_SYNC_MAX_PEER_BURST_BYTES", byDefault.maxPeerBurstBytes, integer(1024 * 1024)),
    tombstoneMs: read("FERAL_SYNC_TOMBSTONE_DAYS", byDefault.tombstoneMs, days),
    history: read("FERAL_SYNC_HISTORY", byDefault.history, boolean),
    apiPort: read("FERAL_SYNC_API_PORT", byDefault.apiPort, port),
    log: read("FERAL_SYNC_LOG", byDefault.log, oneOf("pretty", "json")),
    logLevel: read("FERAL_SYNC_LOG_LEVEL", byDefault.logLevel, oneOf("debug", "info", "warn", "error"))
  }
  if (recv !== undefined && settings.maxRecvBytes < maxFrameBytes) {
    problems.push({
      variable: recv.name,
      problem: `${settings.maxRecvBytes} is below FERAL_SYNC_MAX_FRAME_BYTES (${maxFrameBytes}): give at least as much`
    })
  }
  const demand = given("FERAL_SYNC_REQUIRE_CLIENT_CERT")
  const hasTlsFiles = tlsVariables.some((variable) => given(variable) !== undefined)
  if (demand !== undefined && requireClientCert && !hasTlsFiles) {
    problems.push({
      variable: demand.name,
      problem: "client certificates can be required only with a CA: set FERAL_SYNC_TLS_CERT, _KEY and _CA as well"
    })
  }
  const crl = given("FERAL_SYNC_TLS_CRL")
  // Otherwise a revoked device could connect without a certificate.
  if (crl !== undefined && !(hasTlsFiles && requireClientCert)) {
    problems.push({
      variable: crl.name,
      problem: hasTlsFiles
        ? "revocation has an effect only if client certificates are required: set FERAL_SYNC_REQUIRE_CLIENT_CERT=true as well"
        : "certificates can be revoked only with a CA: set FERAL_SYNC_TLS_CERT, _KEY and _CA as well"
    })
  }
  if (Option.isSome(passphrase) && Redacted.value(passphrase.value) === "") {
    problems.push({
      variable: passphraseVariable,
      problem: "an empty passphrase is never accepted: set one, or unset the variable to create one"
    })
  }
  for (const [variable, secret] of [
    [passphraseVariable, passphrase],
    [previousVariable, passphrasePrevious]
  ] as const) {
    // Node puts this character in the place of bytes that are not UTF-8: another passphrase than the one that was meant.
    if (Option.isSome(secret) && Redacted.value(secret.value).includes("\ufffd")) {
      problems.push({ variable, problem: "the text is not UTF-8: give it as UTF-8" })
    }
  }
  if (Option.isSome(settings.passphrasePrevious) && Option.isNone(passphrase)) {
    problems.push({
      variable: previousVariable,
      problem: `needs the new one in ${passphraseVariable}; in a passphrase file, the old one is the second line`
    })
  }
  return problems.length === 0 ? Result.succeed(settings) : Result.fail(problems)
}

const maxBytes = 64 * 1024 * 1024

const tlsVariables = ["FERAL_SYNC_TLS_CERT", "FERAL_SYNC_TLS_KEY", "FERAL_SYNC_TLS_CA"] as const

/** All three files, and with them a list of revoked certificates if there is one; or none. */
const tlsFiles = (
  files: ReadonlyArray<Given | undefined>,
  list: Given | undefined,
  problems: Array<Problem>
): Option.Option<TlsFiles> => {
  const present = files.find((file) => file !== undefined)
  if (present === undefined) return Option.none()
  for (const [index, file] of files.entries()) {
    if (file !== undefined) continue
    problems.push({
      variable: tlsVariables[index] ?? present.name,
      problem: `is not set, but ${present.name} is: set all of FERAL_SYNC_TLS_CERT, _KEY and _CA, or none of them`
    })
  }
  const absolute = (file: Given | undefined) => Result.getOrElse(path(file?.text ?? ""), () => "")
  const [cert = "", key = "", ca = ""] = files.map(absolute)
  return Option.some({ cert, key, ca, ...(list === undefined ? {} : { crl: absolute(list) }) })
}
