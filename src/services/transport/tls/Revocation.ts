/**
 * Lists of revoked certificates (RFC 5280): they lock one device out without a change of the CA.
 *
 * A list counts for the certificates of the CA that signed it, and for no others. One that is past its time still
 * counts: what it names stays out, and the rest stays in. That it is past its time is a warning.
 */
import { Clock, Effect } from "effect"
import type { X509Certificate } from "node:crypto"
import * as Certificate from "./Certificate.ts"
import * as Pem from "./Pem.ts"
import { describe, oneLine } from "./Verdict.ts"

/** A list that was read, and the CA that signed it. */
export interface Revocations extends Certificate.RevocationList {
  readonly file: string
  readonly issuer: X509Certificate
}

/** Every list of a file. Each has to be signed by one of the authorities. */
export const read = Effect.fn("Revocation.read")(function* (file: string, authorities: ReadonlyArray<X509Certificate>) {
  const lists = yield* readUnsigned(file, yield* Pem.read(file))
  if (lists.length === 0) {
    return yield* Pem.invalid(
      file,
      "no list of revoked certificates in this file",
      "give a PEM file that has a BEGIN X509 CRL line"
    )
  }
  return yield* Effect.forEach(lists, ({ issuer: name, isSignedBy, ...list }) =>
    Effect.filter(authorities, isSignedBy).pipe(
      Effect.flatMap(([issuer]) =>
        issuer === undefined
          ? Pem.invalid(
              file,
              `this list of revoked certificates was not signed by our CA (its issuer is ${oneLine(name)})`,
              "give the list of our CA"
            )
          : Effect.succeed<Revocations>({ ...list, file, issuer })
      )
    )
  )
})

/** Every list in the text of a file, with any signer. */
export const readUnsigned = (file: string, text: string) =>
  Effect.forEach(Pem.revocationLists(text), (block) =>
    Certificate.readList(block).pipe(
      Effect.catch(() =>
        Pem.invalid(
          file,
          "a list of revoked certificates in this file cannot be read",
          "copy it again, or create one with a next update"
        )
      )
    )
  )

/** The certificate that a list names: this one, or one that it rests on. */
export const find = (
  lists: ReadonlyArray<Revocations>,
  certificate: X509Certificate | undefined
): X509Certificate | undefined => {
  for (let link = certificate; link !== undefined; link = above(link)) {
    const { serialNumber } = link
    const signed: X509Certificate = link
    const names = ({ revoked, issuer }: Revocations) =>
      revoked.has(Certificate.serial(serialNumber)) && Pem.isSignedBy(signed, issuer)
    if (lists.some(names)) return link
  }
  return undefined
}

const above = ({ issuerCertificate, fingerprint256 }: X509Certificate): X509Certificate | undefined =>
  issuerCertificate?.fingerprint256 === fingerprint256 ? undefined : issuerCertificate

/** Lists that are past their time. */
export const warnings = Effect.fnUntraced(function* (lists: ReadonlyArray<Revocations>) {
  const now = yield* Clock.currentTimeMillis
  return lists.flatMap(({ file, issuer, until }): ReadonlyArray<Pem.Exposure> => {
    if (until.getTime() > now) return []
    const problem = `the list of revoked certificates of ${oneLine(issuer.subject)} ended on ${until.toISOString()}; it still counts`
    return [{ file, problem, nextStep: "get the next list from the owner of the CA", isOurs: false }]
  })
})

/** The problem of a revoked certificate. */
export const problemOf = (certificate: X509Certificate): string =>
  `the certificate was revoked: ${describe(certificate)}, serial number ${Certificate.serial(certificate.serialNumber)}`
