/**
 * Keys and certificates: read and checked, or made.
 *
 * Material that is returned can be used: every file was read, every PEM block was parsed, the key fits its certificate, and
 * the certificate is valid now. Everything else is a `TlsMaterialInvalid` that names the file.
 */
import { Clock, Effect, FileSystem, Option, type PlatformError, Redacted } from "effect"
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { join } from "node:path"
import type { Settings, TlsFiles } from "../Config.ts"
import { type StoreUnavailable, TlsMaterialInvalid } from "../Failure.ts"
import * as Home from "../Home.ts"
import * as Certificate from "./Certificate.ts"

/** What a node shows and what it trusts. */
export interface Material {
  readonly mode: "ca" | "auto"
  /** PEM: our certificate, followed by what leads to the CA, if anything does. */
  readonly cert: string
  readonly key: Redacted.Redacted<string>
  /** PEM of the only authorities that are trusted; none in mode `auto`, which proves peers by the passphrase. */
  readonly ca: Option.Option<string>
  /** Subject and issuer of our certificate, and the subjects of the authorities, for messages. */
  readonly own: string
  readonly authorities: string
}

/** The material that the settings ask for. */
export const load = Effect.fn("Material.load")(function* (settings: Pick<Settings, "home" | "tls">) {
  return yield* Option.match(settings.tls, { onSome: fromFiles, onNone: () => ownOf(settings.home) })
})

/** Subject and issuer of a certificate, in one line. */
export const describe = (certificate: X509Certificate): string =>
  `${oneLine(certificate.subject)}, issued by ${oneLine(certificate.issuer)}`

const oneLine = (name: string) => (name === "" ? "an empty name" : name.replaceAll("\n", ", "))

const fromFiles = Effect.fnUntraced(function* (files: TlsFiles) {
  const now = yield* Clock.currentTimeMillis
  const [cert, key, ca] = yield* Effect.all([read(files.cert), read(files.key), read(files.ca)])
  const chain = yield* certificates(files.cert, cert)
  const authorities = yield* certificates(files.ca, ca)
  const leaf = chain[0]

  const untimely = timing(leaf, now)
  if (untimely !== undefined) return yield* invalid(files.cert, untimely)
  const untimelyAuthorities = authorities.map((authority) => timing(authority, now))
  // One valid authority is enough: a bundle may hold the old one beside the new one.
  if (untimelyAuthorities.every((problem) => problem !== undefined)) {
    return yield* invalid(files.ca, untimelyAuthorities[0] ?? "no valid certificate")
  }

  const privateKey = yield* parseKey(files.key, key)
  if (!leaf.checkPrivateKey(privateKey)) {
    return yield* invalid(files.key, `the key does not belong to the certificate in ${files.cert}`)
  }
  // Peers with this CA would refuse us; but while a CA is being replaced that can be meant.
  const signed = chain.some((link) => authorities.some((ca) => link.checkIssued(ca) && link.verify(ca.publicKey)))
  if (!signed) {
    yield* Effect.logWarning(
      "our certificate was not signed by the configured CA: peers with that CA will refuse us"
    ).pipe(Effect.annotateLogs({ certificate: describe(leaf), ca: files.ca }))
  }
  return {
    mode: "ca",
    cert,
    key: Redacted.make(key),
    ca: Option.some(ca),
    own: describe(leaf),
    authorities: authorities.map(({ subject }) => oneLine(subject)).join("; ")
  } satisfies Material
})

/** The node's own key and self-signed certificate. They are made once and then kept. */
const ownOf = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const paths = { key: join(home, "tls-key.pem"), cert: join(home, "tls-cert.pem") }
  const exists = (path: string) => fs.exists(path).pipe(Effect.mapError(unusable(path)))
  const complete = (yield* exists(paths.key)) && (yield* exists(paths.cert))
  const pair = complete ? yield* readOwn(paths) : yield* makeOwn(home, paths)
  return {
    mode: "auto",
    cert: pair.cert,
    key: Redacted.make(pair.key),
    ca: Option.none(),
    own: describe(pair.certificate),
    authorities: "none"
  } satisfies Material
})

interface OwnPaths {
  readonly key: string
  readonly cert: string
}

const readOwn = Effect.fnUntraced(function* (paths: OwnPaths) {
  const [key, cert] = yield* Effect.all([read(paths.key), read(paths.cert)])
  const [certificate] = yield* certificates(paths.cert, cert)
  if (!certificate.checkPrivateKey(yield* parseKey(paths.key, key))) {
    return yield* invalid(paths.key, `the key does not belong to ${paths.cert}; remove both, and new ones are made`)
  }
  return { key, cert, certificate }
})

const makeOwn = Effect.fnUntraced(function* (home: string, paths: OwnPaths) {
  const fs = yield* FileSystem.FileSystem
  const now = yield* Clock.currentTimeMillis
  const { cert, key } = yield* Certificate.selfSigned({
    name: "feral-sync",
    from: new Date(now - day),
    until: new Date(now + 20 * 365 * day)
  })
  const homeless = Effect.mapError((cause: StoreUnavailable) => {
    return new TlsMaterialInvalid({
      file: home,
      problem: `our own certificate cannot be kept: ${cause.message}`,
      cause
    })
  })
  yield* Home.prepare(home).pipe(homeless)
  // A certificate without its key is of no use; gone first, it can never stand beside another key.
  yield* fs.remove(paths.cert, { force: true }).pipe(Effect.mapError(unusable(paths.cert)))
  yield* Home.writeSecret(paths.key, key).pipe(homeless)
  yield* Home.writeSecret(paths.cert, cert).pipe(homeless)
  return { key, cert, certificate: new X509Certificate(cert) }
})

const day = 24 * 60 * 60 * 1000

const read = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.readFileString(path).pipe(Effect.mapError(unusable(path)))
})

const pem = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/** Every certificate of a PEM file, in its order. */
const certificates = Effect.fnUntraced(function* (file: string, text: string) {
  const [first, ...more] = text.match(pem) ?? []
  if (first === undefined) return yield* invalid(file, "no PEM certificate in this file")
  const parse = (block: string) =>
    Effect.try({
      try: () => new X509Certificate(block),
      catch: (cause) => new TlsMaterialInvalid({ file, problem: "a certificate in this file cannot be read", cause })
    })
  const parsed: [X509Certificate, ...Array<X509Certificate>] = [yield* parse(first)]
  for (const block of more) parsed.push(yield* parse(block))
  return parsed
})

const parseKey = Effect.fnUntraced(function* (
  file: string,
  text: string
): Effect.fn.Return<KeyObject, TlsMaterialInvalid> {
  if (!/-----BEGIN (\w+ )?PRIVATE KEY-----/.test(text)) return yield* invalid(file, "no PEM private key in this file")
  if (/ENCRYPTED/.test(text)) return yield* invalid(file, "the key is encrypted: store it without a passphrase")
  return yield* Effect.try({
    try: () => createPrivateKey(text),
    catch: (cause) => new TlsMaterialInvalid({ file, problem: "the private key in this file cannot be read", cause })
  })
})

/** What is wrong with the dates of a certificate, if anything is. */
const timing = (certificate: X509Certificate, now: number): string | undefined => {
  const { validFrom, validTo } = certificate
  if (now > Date.parse(validTo)) return `the certificate (${describe(certificate)}) expired on ${validTo}`
  if (now < Date.parse(validFrom)) return `the certificate (${describe(certificate)}) is valid only from ${validFrom}`
  return undefined
}

const invalid = (file: string, problem: string) => Effect.fail(new TlsMaterialInvalid({ file, problem }))

const unusable = (file: string) => (cause: PlatformError.PlatformError) =>
  new TlsMaterialInvalid({
    file,
    problem:
      cause.reason._tag === "NotFound"
        ? "there is no such file"
        : cause.reason._tag === "PermissionDenied"
          ? "this user may not read or write it"
          : `it cannot be used (${cause.reason.message})`,
    cause
  })
