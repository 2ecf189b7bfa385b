/**
 * `tls`: makes a private CA and certificates, revokes one, and says what a certificate is.
 */
import { Clock, Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { existsSync, statSync } from "node:fs"
import { isIPv6 } from "node:net"
import { dirname, join, resolve } from "node:path"
import { commandLine } from "../services/node/Invocation.ts"
import * as Config from "../services/node/Config.ts"
import * as Description from "../services/transport/tls/Description.ts"
import * as Issuer from "../services/transport/tls/Issuer.ts"
import * as Material from "../services/transport/tls/Material.ts"
import * as Renewal from "../services/transport/tls/Renewal.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { counted, oneLine, quoted, writeJson, writeLine } from "./Output.ts"

const { fileNames } = Issuer

const name = Flag.String("name").pipe(
  Flag.filterMap(
    (text) => Result.getSuccess(Issuer.parseName(text)),
    () => "a host name or an IP address"
  ),
  Flag.withMetavar("NAME"),
  Flag.withDescription("A name or an address of the node; may be given several times")
)

const days = Fields.number(
  "days",
  "N",
  "How many days the certificate is valid (default: 365)",
  (value) => Number.isInteger(value) && value >= 1 && value <= 36_500,
  "a whole number of days, 1 to 36500"
).pipe(Flag.withDefault(365))

const out = (description: string) =>
  Fields.maybe(Fields.textFlag("out", "DIR", description).pipe(Flag.map((directory) => resolve(directory))))

/** Where the CA is when nothing says otherwise. */
const ownDirectory = Effect.fnUntraced(function* () {
  return join(yield* Config.loadHome(yield* Globals.Home), "tls")
})

const init = Command.make(
  "init",
  { out: out("Where to write the files (default: tls in the data directory)"), names: Fields.several(name), days },
  Effect.fnUntraced(function* ({ out, names: [first, ...more], days }) {
    const directory = out ?? (yield* ownDirectory())
    const names = first === undefined ? yield* Issuer.ownNames : ([first, ...more] as const)
    const issued = yield* Issuer.init({ directory, names, days })
    const caKey = join(directory, fileNames.caKey)
    if (yield* Globals.Json) return yield* writeJson({ ...facts(issued), ca_key: caKey })
    yield* writeLine(
      [
        `Created a CA and a certificate for this node in ${directory}`,
        `  ${fileNames.ca}    the CA, valid until ${date(issued.caExpiresAt)}: every node needs a copy`,
        `  ${fileNames.caKey}     its key, which signs the certificates of further nodes: keep it safe, nodes do not need it`,
        `  ${fileNames.cert}  the certificate of this node, valid until ${date(issued.expiresAt)}: ${issued.names.join(", ")}`,
        `  ${fileNames.key}   its key, for this node alone`,
        "",
        "On this node:",
        ...exports(directory),
        "",
        "For the next node, sign a certificate here. The command prints how to copy it:",
        `  ${commandLine(`tls issue --ca ${quoted(directory)} --name NAME-OF-THE-NEXT-NODE`)}`
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Create a CA and a certificate for this node. Without --name, the certificate is for the name and the addresses of this machine."
  ),
  Command.withShortDescription("Create a CA and a certificate for this node"),
  Command.withExamples([
    { command: "feral-sync tls init" },
    { command: "feral-sync tls init --out certificates --name laptop --name 192.168.1.20" }
  ])
)

const caFlag = Fields.maybe(
  Fields.textFlag("ca", "DIR|FILE", "The CA: its directory, or its certificate (default: the one that tls init made)")
)

const caKeyFlag = Fields.maybe(
  Fields.textFlag("ca-key", "FILE", `The key of the CA (default: ${fileNames.caKey} beside its certificate)`)
)

/** The certificate of the CA that is meant. */
const caOf = Effect.fnUntraced(function* (given: string | undefined) {
  const place = given === undefined ? yield* ownDirectory() : resolve(given)
  return isDirectory(place) ? join(place, fileNames.ca) : place
})

const keyOf = (ca: string, given: string | undefined): string =>
  given === undefined ? join(dirname(ca), fileNames.caKey) : resolve(given)

const issue = Command.make(
  "issue",
  {
    ca: caFlag,
    caKey: caKeyFlag,
    names: Flag.atLeast(name, 1),
    out: out("Where to write the files (default: a directory next to the CA, named after the node)"),
    days,
    force: Globals.Switch("force").pipe(
      Flag.withDescription("Replace an existing certificate"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ ca: given, caKey, names: [first, ...more], out, days, force }) {
    if (first === undefined) return
    const ca = yield* caOf(given)
    const issued = yield* Issuer.issue({
      ca,
      caKey: keyOf(ca, caKey),
      directory: out ?? join(dirname(ca), first),
      names: [first, ...more],
      days,
      replace: force
    })
    if (yield* Globals.Json) return yield* writeJson(facts(issued))
    yield* writeLine(
      [
        `Signed a certificate for ${first}, valid until ${date(issued.expiresAt)}, in ${issued.directory}`,
        "",
        "Copy the directory to that node:",
        `  scp -r ${quoted(issued.directory)} ${isIPv6(first) ? `[${first}]` : first}:feral-tls`,
        "and there:",
        ...exports("~/feral-tls")
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Sign a certificate for a node with an existing CA, made by tls init or by openssl."),
  Command.withShortDescription("Sign a certificate for another node"),
  Command.withExamples([
    { command: "feral-sync tls issue --name desktop --name 192.168.1.21" },
    { command: "feral-sync tls issue --ca ca-cert.pem --ca-key ca-key.pem --name desktop --out desktop" }
  ])
)

const revoke = Command.make(
  "revoke",
  {
    certificate: Argument.String("certificate").pipe(
      Argument.withDescription("The certificate of the lost device: its file, or its serial number")
    ),
    ca: caFlag,
    caKey: caKeyFlag,
    crl: Fields.maybe(
      Fields.textFlag("crl", "FILE", `The list of revoked certificates (default: ${fileNames.crl} beside the CA)`)
    )
  },
  Effect.fnUntraced(function* ({ certificate, ca: given, caKey, crl }) {
    const ca = yield* caOf(given)
    const revoked = yield* Issuer.revoke({
      ca,
      caKey: keyOf(ca, caKey),
      crl: crl === undefined ? join(dirname(ca), fileNames.crl) : resolve(crl),
      which: certificate
    })
    if (yield* Globals.Json) {
      const { crl, serial, subject = null, wasRevoked, count } = revoked
      return yield* writeJson({ crl, serial, subject, was_revoked: wasRevoked, count })
    }
    const name = revoked.subject === undefined ? "the certificate" : revoked.subject
    yield* writeLine(
      [
        `${revoked.wasRevoked ? "Already revoked: " : "Revoked "}${name}, serial number ${revoked.serial}`,
        `${revoked.crl} lists ${counted(revoked.count, "revoked certificate")}.`,
        "",
        "Copy that file to every node, and set there:",
        `  export FERAL_SYNC_TLS_CRL=${quoted(revoked.crl)}`,
        "  export FERAL_SYNC_REQUIRE_CLIENT_CERT=true",
        "",
        "A node that already has this variable reloads the list, and closes the connections of that device within seconds.",
        "The device keeps its data and knows the passphrase: if it was stolen, change the passphrase too."
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Revoke the certificate of a lost device. Every node needs the list that this writes."),
  Command.withShortDescription("Revoke the certificate of a lost device"),
  Command.withExamples([
    { command: "feral-sync tls revoke laptop/peer-cert.pem" },
    { command: "feral-sync tls revoke 5f3a90c1 --ca ca-cert.pem --ca-key ca-key.pem" }
  ])
)

const show = Command.make(
  "show",
  {
    files: Argument.String("file").pipe(
      Argument.withDescription("PEM files (default: those that this node is configured with)"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function* ({ files }) {
    const settings = yield* files.length > 0 ? Effect.succeed(undefined) : configured()
    const now = yield* Clock.currentTimeMillis
    const found = yield* Description.read(settings?.files ?? files.map((file) => resolve(file)), now)
    if (yield* Globals.Json) yield* writeJson(found)
    else {
      const none = `No certificates are configured. The node creates its own at its first start. To use a CA, see ${commandLine("tls init --help")}`
      yield* writeLine(found.length === 0 ? none : found.map((item) => described(item, now).join("\n")).join("\n\n"))
    }
    // The problems that the node would report at its start.
    if (settings !== undefined && Option.isSome(settings.tls)) yield* Material.load(settings)
  })
).pipe(
  Command.withDescription("Show details of certificates and keys, and which ones belong together."),
  Command.withExamples([
    { command: "feral-sync tls show" },
    { command: "feral-sync tls show peer-cert.pem peer-key.pem ca-cert.pem" }
  ])
)

/** The settings of the node, and its files. */
const configured = Effect.fnUntraced(function* () {
  const home = yield* Globals.Home
  const settings = yield* Config.load({ values: home === undefined ? {} : { FERAL_HOME: home } })
  const files = Option.match(settings.tls, {
    onSome: Renewal.filesOf,
    onNone: () => ["tls-cert.pem", "tls-key.pem"].map((file) => join(settings.home, file)).filter(existsSync)
  })
  return { ...settings, files }
})

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

const date = (time: number): string => new Date(time).toISOString().slice(0, 10)

const facts = ({ directory, ca, cert, key, names, expiresAt, caExpiresAt }: Issuer.Issued) => ({
  directory,
  ca,
  cert,
  key,
  names,
  expires_at: expiresAt / 1000,
  ca_expires_at: caExpiresAt / 1000
})

/** The exports of a shell, so that a node uses the files. */
const exports = (directory: string): ReadonlyArray<string> => {
  const path = (file: string) => (directory.startsWith("~") ? `${directory}/${file}` : quoted(join(directory, file)))
  return [
    `  export FERAL_SYNC_TLS_CERT=${path(fileNames.cert)}`,
    `  export FERAL_SYNC_TLS_KEY=${path(fileNames.key)}`,
    `  export FERAL_SYNC_TLS_CA=${path(fileNames.ca)}`,
    "  export FERAL_SYNC_REQUIRE_CLIENT_CERT=true"
  ]
}

const described = (item: Description.Facts, now: number): ReadonlyArray<string> => {
  const entry = (title: string, text: string) => `  ${title.padEnd(13)}${oneLine(text)}`
  if (item.type === "crl") {
    return [
      `${item.file}: a list of ${counted(item.revoked.length, "revoked certificate")}`,
      entry("Issuer", `${item.issuer} (${item.signed_by.join(", ") || "in none of these files"})`),
      entry("Valid", `${date(item.valid_from * 1000)} to ${date(item.valid_until * 1000)}`),
      ...item.revoked.map(({ serial, at }) => entry("Revoked", `${serial}, on ${date(at * 1000)}`))
    ]
  }
  if (item.type === "key") {
    const owner = item.certificate_files.length === 0 ? "none of these certificates" : item.certificate_files.join(", ")
    return [
      `${item.file}: a private key`,
      entry("Key", item.key),
      entry("Belongs to", owner),
      entry("Mode", item.exposed === null ? item.mode : `${item.mode}: other users can read it; ${item.exposed}`)
    ]
  }
  const until = item.valid_until * 1000
  const left = counted(Math.max(0, Math.floor((until - now) / 86_400_000)), "day")
  const isOwnIssuer = item.subject === item.issuer
  return [
    `${item.file}: the certificate of a ${item.role === "ca" ? "CA: it signs the certificates of nodes" : "node"}`,
    entry("Subject", item.subject),
    entry(
      "Issuer",
      isOwnIssuer ? "itself" : `${item.issuer} (${item.signed_by.join(", ") || "in none of these files"})`
    ),
    ...(item.names.length === 0 ? [] : [entry("Names", item.names.join(", "))]),
    entry("Valid", `${date(item.valid_from * 1000)} to ${date(until)}: ${item.status}, ${left} left`),
    entry("Key", `${item.key} (${item.key_files.join(", ") || "in none of these files"})`),
    entry("Fingerprint", item.fingerprint)
  ]
}

export const command = Command.make("tls").pipe(
  Command.withDescription("Certificates of a private CA. Nodes that have them accept only each other."),
  Command.withShortDescription("Create, revoke and show certificates of a private CA"),
  Command.withSubcommands([init, issue, revoke, show])
)
