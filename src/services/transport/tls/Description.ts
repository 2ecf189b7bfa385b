/**
 * The contents of a PEM file: its certificates, its key, its lists of revoked certificates. Nothing secret is among
 * them.
 */
import { Effect, FileSystem, Option } from "effect"
import type { KeyObject, X509Certificate } from "node:crypto"
import { notice } from "./Expiry.ts"
import { oneLine } from "./Material.ts"
import * as Pem from "./Pem.ts"
import * as Revocation from "./Revocation.ts"

/** A certificate. Times are Unix seconds. */
export interface CertificateFacts {
  readonly file: string
  readonly type: "certificate"
  readonly role: "ca" | "peer"
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  readonly names: ReadonlyArray<string>
  readonly key: string
  readonly fingerprint: string
  readonly valid_from: number
  readonly valid_until: number
  readonly status: "valid" | "expires soon" | "expired" | "not yet valid"
  /** The files, of those that were asked about, that hold its CA, and its key. */
  readonly signed_by: ReadonlyArray<string>
  readonly key_files: ReadonlyArray<string>
}

/** A private key. */
export interface KeyFacts {
  readonly file: string
  readonly type: "key"
  readonly key: string
  readonly mode: string
  /** What to do when others can read it. */
  readonly exposed: string | null
  readonly certificate_files: ReadonlyArray<string>
}

/** A list of revoked certificates. Times are Unix seconds. */
export interface ListFacts {
  readonly file: string
  readonly type: "crl"
  readonly issuer: string
  readonly valid_from: number
  readonly valid_until: number
  readonly signed_by: ReadonlyArray<string>
  readonly revoked: ReadonlyArray<{ readonly serial: string; readonly at: number }>
}

export type Facts = CertificateFacts | KeyFacts | ListFacts

interface Content {
  readonly file: string
  readonly certificates: ReadonlyArray<X509Certificate>
  readonly key: KeyObject | undefined
  readonly lists: Effect.Success<ReturnType<typeof Revocation.readUnsigned>>
  readonly mode: number
  readonly exposed: string | null
}

/** The contents of the files, and which belong together. */
export const read = Effect.fn("Description.read")(function* (files: ReadonlyArray<string>, now: number) {
  const contents = yield* Effect.forEach(files, content)
  const facts = contents.flatMap(({ file, certificates, key, mode, exposed }): ReadonlyArray<Facts> => [
    ...certificates.map((certificate) => certificateFacts(file, certificate, contents, now)),
    ...(key === undefined ? [] : [keyFacts(file, key, { mode, exposed }, contents)])
  ])
  const lists = yield* Effect.forEach(contents, ({ file, lists }) =>
    Effect.forEach(lists, (list) => listFacts(file, list, contents))
  )
  return [...facts, ...lists.flat()]
})

const content = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* Pem.read(file)
  const { mode } = yield* fs.stat(file).pipe(Effect.mapError(Pem.unusable(file)))
  const key = Pem.hasKey(text) ? yield* Pem.privateKey(file, text) : undefined
  const lists = yield* Revocation.readUnsigned(file, text)
  // A file without a key and without a list has to have a certificate.
  const certificates =
    (key === undefined && lists.length === 0) || Pem.hasCertificate(text)
      ? yield* Pem.certificates(file, text)
      : ([] as const)
  const exposed = Option.match(yield* Pem.exposure(file), { onNone: () => null, onSome: ({ nextStep }) => nextStep })
  return { file, certificates, key, lists, mode, exposed } satisfies Content
})

const certificateFacts = (
  file: string,
  certificate: X509Certificate,
  contents: ReadonlyArray<Content>,
  now: number
): CertificateFacts => {
  const [from, until] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
  const filesWhere = (belongs: (content: Content) => boolean) => contents.filter(belongs).map((found) => found.file)
  return {
    file,
    type: "certificate",
    role: certificate.ca ? "ca" : "peer",
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber,
    names: namesOf(certificate.subjectAltName),
    key: kindOf(certificate.publicKey),
    fingerprint: certificate.fingerprint256,
    valid_from: from / 1000,
    valid_until: until / 1000,
    status: now > until ? "expired" : now < from ? "not yet valid" : until - now > notice ? "valid" : "expires soon",
    signed_by: filesWhere(({ certificates }) => certificates.some((by) => Pem.isSignedBy(certificate, by))),
    key_files: filesWhere(({ key }) => key !== undefined && certificate.checkPrivateKey(key))
  }
}

const keyFacts = (
  file: string,
  key: KeyObject,
  { mode, exposed }: Pick<Content, "mode" | "exposed">,
  contents: ReadonlyArray<Content>
): KeyFacts => ({
  file,
  type: "key",
  key: kindOf(key),
  mode: `0${(mode & 0o777).toString(8).padStart(3, "0")}`,
  exposed,
  certificate_files: contents
    .filter(({ certificates }) => certificates.some((certificate) => certificate.checkPrivateKey(key)))
    .map((found) => found.file)
})

const listFacts = Effect.fnUntraced(function* (
  file: string,
  { issuer, from, until, revoked, isSignedBy }: Content["lists"][number],
  contents: ReadonlyArray<Content>
) {
  const signers = yield* Effect.filter(contents, ({ certificates }) =>
    Effect.map(Effect.filter(certificates, isSignedBy), (found) => found.length > 0)
  )
  return {
    file,
    type: "crl",
    issuer: oneLine(issuer),
    valid_from: from.getTime() / 1000,
    valid_until: until.getTime() / 1000,
    signed_by: signers.map((found) => found.file),
    revoked: [...revoked].map(([serial, at]) => ({ serial, at: at.getTime() / 1000 }))
  } satisfies ListFacts
})

const namesOf = (alternatives: string | undefined): ReadonlyArray<string> =>
  alternatives === undefined ? [] : alternatives.split(", ").map((name) => name.replace(/^(DNS|IP Address):/, ""))

const kindOf = ({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string => {
  const more = details?.namedCurve ?? details?.modulusLength
  return [type, more].filter((word) => word !== undefined).join(" ")
}
