/**
 * Keys and certificates: read and checked, or made.
 *
 * Material that is returned can be used: every file was read, every PEM block was parsed, no other user can read the
 * key, it fits its certificate, and that leads to the CA by certificates that are valid now. Everything else is a
 * `TlsMaterialInvalid` that names the file and the next step.
 */
import { Clock, Effect, FileSystem, Option, Redacted } from "effect"
import { X509Certificate } from "node:crypto"
import { join } from "node:path"
import type { Settings, TlsFiles } from "../../node/Config.ts"
import type { Advised } from "../../../core/text/Explained.ts"
import { type StoreUnavailable, TlsMaterialInvalid } from "../../node/NodeFailure.ts"
import * as Home from "../../node/Home.ts"
import * as Certificate from "./Certificate.ts"
import * as Endpoint from "./Endpoint.ts"
import type { Lifetime } from "./Expiry.ts"
import * as Pem from "./Pem.ts"
import * as Revocation from "./Revocation.ts"
import * as Verdict from "./Verdict.ts"
import { commandLine } from "../../node/Invocation.ts"

export { describe, oneLine } from "./Verdict.ts"
const { describe, oneLine } = Verdict

/**
 * The certificate that a node presents and those that it trusts. In mode `auto` there is no CA: peers are proved by the
 * passphrase.
 */
export interface Material extends Endpoint.Credentials {
  /** Subject and issuer of our certificate, and the subjects of the authorities, for messages. */
  readonly own: string
  readonly authorities: string
  /** Of each certificate from ours to the CA; none in mode `auto`, where dates are not checked. */
  readonly lifetimes: ReadonlyArray<Lifetime>
  /** What says which certificates are revoked. */
  readonly revocations: ReadonlyArray<Revocation.Revocations>
  /** What should be mended, and does not keep the material from being used. */
  readonly warnings: ReadonlyArray<Pem.Exposure>
}

/** The material that the settings ask for. */
export const load = Effect.fn("Material.load")(function* (settings: Pick<Settings, "home" | "tls">) {
  return yield* Option.match(settings.tls, { onSome: fromFiles, onNone: () => ownOf(settings.home) })
})

const fromFiles = Effect.fnUntraced(function* (files: TlsFiles) {
  const now = yield* Clock.currentTimeMillis
  const [cert, key, ca] = yield* Effect.all([Pem.read(files.cert), Pem.read(files.key), Pem.read(files.ca)])
  const chain = yield* Pem.certificates(files.cert, cert)
  const authorities = yield* Pem.certificates(files.ca, ca)
  const names = authorities.map(({ subject }) => oneLine(subject)).join("; ")

  const privateKey = yield* Pem.privateKey(files.key, key)
  // Wherever it stands in the file.
  const leaf = chain.find((certificate) => certificate.checkPrivateKey(privateKey))
  if (leaf === undefined) {
    return yield* Pem.invalid(
      files.key,
      `the key does not belong to the certificate in ${files.cert}`,
      "use the key of that certificate"
    )
  }
  const path = pathOf(
    { file: files.cert, certificate: leaf },
    [
      ...authorities.map((certificate) => ({ file: files.ca, certificate })),
      ...chain.map((certificate) => ({ file: files.cert, certificate }))
    ],
    now
  )
  const last = path.at(-1)?.certificate ?? leaf
  if (!authorities.some(({ fingerprint256 }) => fingerprint256 === last.fingerprint256)) {
    return yield* Pem.invalid(
      files.cert,
      `the certificate (${describe(leaf)}) was not signed by the CA in ${files.ca} (${names})`,
      "sign it with that CA, or give the CA that signed it"
    )
  }
  if (!Pem.isSignedBy(last, last)) {
    return yield* Pem.invalid(
      files.ca,
      `this CA (${describe(last)}) was signed by another CA`,
      "add that CA to the file"
    )
  }
  for (const { file, certificate } of path) {
    const fault = timing(certificate, now) ?? weakness(certificate)
    if (fault !== undefined) return yield* Pem.invalid(file, fault.problem, fault.nextStep)
  }
  const revocations = files.crl === undefined ? [] : yield* Revocation.read(files.crl, authorities)
  for (const { file, certificate } of path) {
    if (Revocation.find(revocations, certificate) === undefined) continue
    return yield* Pem.invalid(
      file,
      `${Revocation.problemOf(certificate)}, by ${files.crl}`,
      `sign a new one (${commandLine("tls issue")})`
    )
  }
  // Exactly what leads to the CA, in its order: a peer sees the same whatever else is in the files.
  const shown = path.filter(({ certificate }, index) => index === 0 || certificate !== last)
  const credentials: Endpoint.Credentials = {
    mode: "ca",
    cert: shown.map(({ certificate }) => certificate.toString()).join(""),
    key: Redacted.make(Pem.text(privateKey)),
    ca: Option.some(authorities.map((certificate) => certificate.toString()).join(""))
  }
  yield* Endpoint.rehearse(credentials).pipe(
    Effect.catch((refusal) =>
      Effect.flatMap(Verdict.explain(path, refusal), ({ file, problem, nextStep }) =>
        Effect.fail(new TlsMaterialInvalid({ file, problem, nextStep, cause: refusal.cause }))
      )
    )
  )
  return {
    ...credentials,
    own: describe(leaf),
    authorities: names,
    lifetimes: path.map(({ file, certificate }) => ({
      file,
      certificate: describe(certificate),
      until: Date.parse(certificate.validTo)
    })),
    revocations,
    warnings: [...(yield* Pem.mustBePrivate(files.key)), ...(yield* Revocation.warnings(revocations))]
  } satisfies Material
})

type Link = Verdict.Link

/** From our certificate to a self-signed one, or as far as the chain goes: each is signed by the next. */
const pathOf = (leaf: Link, others: ReadonlyArray<Link>, now: number): readonly [Link, ...Array<Link>] => {
  const isOver = ({ certificate }: Link) => Number(timing(certificate, now) !== undefined)
  // Of several that signed it, one that is valid now and lasts longest.
  const byUse = others
    .toSorted((a, b) => Date.parse(b.certificate.validTo) - Date.parse(a.certificate.validTo))
    .toSorted((a, b) => isOver(a) - isOver(b))
  const path: [Link, ...Array<Link>] = [leaf]
  for (let link: Link | undefined = leaf; link !== undefined;) {
    const certificate: X509Certificate = link.certificate
    const isTop = Pem.isSignedBy(certificate, certificate)
    const left = byUse.filter((other) =>
      path.every((known) => known.certificate.fingerprint256 !== other.certificate.fingerprint256)
    )
    const signers: ReadonlyArray<Link> = left.filter((other) => Pem.isSignedBy(certificate, other.certificate))
    // Of several with one key, the one that the certificate names.
    link = isTop ? undefined : (signers.find((other) => certificate.checkIssued(other.certificate)) ?? signers[0])
    if (link !== undefined) path.push(link)
  }
  return path
}

/** Where the node's own key and certificate are. */
export const ownPaths = (home: string): OwnPaths => ({
  key: join(home, "tls-key.pem"),
  cert: join(home, "tls-cert.pem")
})

/** The node's own key and self-signed certificate. They are made once and then kept. */
const ownOf = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const paths = ownPaths(home)
  const exists = (path: string) => fs.exists(path).pipe(Effect.mapError(Pem.unusable(path)))
  const complete = (yield* exists(paths.key)) && (yield* exists(paths.cert))
  const pair = complete ? yield* readOwn(paths) : yield* makeOwn(home, paths)
  return {
    mode: "auto",
    cert: pair.cert,
    key: Redacted.make(pair.key),
    ca: Option.none(),
    own: describe(pair.certificate),
    authorities: "none",
    lifetimes: [],
    revocations: [],
    warnings: []
  } satisfies Material
})

interface OwnPaths {
  readonly key: string
  readonly cert: string
}

const readOwn = Effect.fnUntraced(function* (paths: OwnPaths) {
  const [key, cert] = yield* Effect.all([Pem.read(paths.key), Pem.read(paths.cert)])
  const [certificate] = yield* Pem.certificates(paths.cert, cert)
  if (!certificate.checkPrivateKey(yield* Pem.privateKey(paths.key, key))) {
    return yield* Pem.invalid(
      paths.key,
      `the key does not belong to ${paths.cert}`,
      "remove both files, and the node creates new ones"
    )
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
      problem: `the certificate of this node cannot be saved: ${cause.problem}`,
      nextStep: cause.nextStep,
      cause
    })
  })
  yield* Home.prepare(home).pipe(homeless)
  // A certificate without its key is of no use; gone first, it can never stand beside another key.
  yield* fs.remove(paths.cert, { force: true }).pipe(Effect.mapError(Pem.unusable(paths.cert)))
  yield* Home.writeSecret(paths.key, key).pipe(homeless)
  yield* Home.writeSecret(paths.cert, cert).pipe(homeless)
  return { key, cert, certificate: new X509Certificate(cert) }
})

const day = 24 * 60 * 60 * 1000

/** The problem with the dates of a certificate, if any. */
const timing = (certificate: X509Certificate, now: number): Advised | undefined => {
  const { validFrom, validTo } = certificate
  const name = `the certificate (${describe(certificate)})`
  if (now > Date.parse(validTo))
    return { problem: `${name} expired on ${validTo}`, nextStep: `sign a new one (${commandLine("tls issue")})` }
  if (now < Date.parse(validFrom))
    return { problem: `${name} is valid only from ${validFrom}`, nextStep: "check the clock of this machine" }
  return undefined
}

/** The problem with the key of a certificate, if any: OpenSSL at either end would refuse it. */
const weakness = ({ publicKey }: X509Certificate): Advised | undefined => {
  const bits = publicKey.asymmetricKeyDetails?.modulusLength
  if (bits === undefined || bits >= 2048) return undefined
  return {
    problem: `the key of the certificate is too weak (${bits} bits)`,
    nextStep: "create one of 2048 bits or more, or on P-256"
  }
}
