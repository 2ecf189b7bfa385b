/**
 * Makes keys on P-256 and certificates: a node's own, those of a CA, and those that a CA signs.
 *
 * By way of @peculiar/x509, which is loaded when a certificate is made: for most nodes that is once in their life. It
 * wants the metadata polyfill to be there before it.
 */
import type { Extension, X509CertificateCreateParamsName } from "@peculiar/x509"
import { Effect } from "effect"
import { type KeyObject, webcrypto, type X509Certificate } from "node:crypto"
import { isIP } from "node:net"

/** A certificate and its private key, as PEM. */
export interface Made {
  readonly cert: string
  readonly key: string
}

/** Whose certificate it is, and when it is valid. */
interface Subject {
  readonly name: string
  readonly from: Date
  readonly until: Date
}

/** Names are no longer than this in a subject. */
const longestName = 64

const onP256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }

const loaded = Effect.promise(async () => {
  await import("reflect-metadata")
  return import("@peculiar/x509")
})
type Library = Effect.Success<typeof loaded>

const named = (name: string): X509CertificateCreateParamsName => [{ CN: [name.slice(0, longestName)] }]

const newKeys = Effect.promise(() => webcrypto.subtle.generateKey(onP256, true, ["sign", "verify"]))

/** A self-signed certificate. */
const signedByItself = Effect.fnUntraced(function* (
  { name, from, until }: Subject,
  extensions: (x509: Library, keys: webcrypto.CryptoKeyPair) => Promise<Array<Extension>>
) {
  const x509 = yield* loaded
  const keys = yield* newKeys
  return yield* Effect.promise(async () => {
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        name: named(name),
        keys,
        notBefore: from,
        notAfter: until,
        signingAlgorithm: onP256,
        extensions: await extensions(x509, keys)
      },
      webcrypto
    )
    return await pem(x509, certificate, keys)
  })
})

const pem = async (x509: Library, certificate: { toString(format: "pem"): string }, keys: webcrypto.CryptoKeyPair) => {
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey))
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n`
  } satisfies Made
}

/** A self-signed certificate. */
export const selfSigned = (subject: Subject) =>
  signedByItself(subject, async (x509) => [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true)
  ])

/** A CA that signs the certificates of nodes, and no other CAs. */
export const authority = (subject: Subject) =>
  signedByItself(subject, async (x509, keys) => [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto)
  ])

/** A CA that can sign. */
export interface Authority {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

/** Why a CA cannot sign: its key is of a kind that we have no use for. */
export interface Unsupported {
  readonly _tag: "Unsupported"
  readonly kind: string
}

/** A certificate for both ends of a connection, with names and addresses, signed by a CA. */
export const issued = Effect.fnUntraced(function* (
  ca: Authority,
  { names, from, until }: Omit<Subject, "name"> & { readonly names: readonly [string, ...Array<string>] }
): Effect.fn.Return<Made, Unsupported> {
  const { signingAlgorithm, signingKey } = yield* signer(ca.key)
  const x509 = yield* loaded
  const keys = yield* newKeys
  return yield* Effect.promise(async () => {
    const by = new x509.X509Certificate(ca.certificate.raw)
    // The recipe's CA names its key in this extension; a CA without one is named by the hash of its key.
    const identifier = by.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId
    const certificate = await x509.X509CertificateGenerator.create(
      {
        subject: named(names[0]),
        // As it stands in the certificate of the CA, to the byte.
        issuer: by.subjectName,
        publicKey: keys.publicKey,
        signingKey,
        signingAlgorithm,
        notBefore: from,
        notAfter: until,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          new x509.SubjectAlternativeNameExtension(
            names.map((name) => ({ type: isIP(name) === 0 ? "dns" : "ip", value: name }))
          ),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
          identifier === undefined
            ? await x509.AuthorityKeyIdentifierExtension.create(by.publicKey, false, webcrypto)
            : new x509.AuthorityKeyIdentifierExtension(identifier)
        ]
      },
      webcrypto
    )
    return await pem(x509, certificate, keys)
  })
})

/** How a CA signs with its key. */
const signer = Effect.fnUntraced(function* (key: KeyObject) {
  const signingAlgorithm = algorithmOf(key)
  if (signingAlgorithm === undefined) {
    const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails: details } = key
    const kind = details?.namedCurve === undefined ? type : `${type} ${details.namedCurve}`
    return yield* Effect.fail<Unsupported>({ _tag: "Unsupported", kind })
  }
  const der = key.export({ type: "pkcs8", format: "der" })
  const signingKey = yield* Effect.promise(() =>
    webcrypto.subtle.importKey("pkcs8", der, signingAlgorithm, false, ["sign"])
  )
  return { signingAlgorithm, signingKey }
})

const curves: Record<string, string> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" }

/** How a key signs. */
const algorithmOf = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) => {
  if (asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
  if (asymmetricKeyType === "ed25519") return { name: "Ed25519" }
  const namedCurve = curves[asymmetricKeyDetails?.namedCurve ?? ""]
  return asymmetricKeyType === "ec" && namedCurve !== undefined ? { ...onP256, namedCurve } : undefined
}

/** A list of revoked certificates. */
export interface RevocationList {
  /** Serial numbers in one form (`serial`), and when each was revoked. */
  readonly revoked: ReadonlyMap<string, Date>
  readonly from: Date
  /** When the next one is due. RFC 5280 demands it, and a list without it is not read right. */
  readonly until: Date
}

/** A serial number in one form: hexadecimal digits, in lower case, without zeros before it. */
export const serial = (text: string): string => text.toLowerCase().replace(/^0+(?=.)/, "")

/** A list that a CA signs, as PEM. */
export const signedList = Effect.fnUntraced(function* (ca: Authority, { revoked, from, until }: RevocationList) {
  const { signingAlgorithm, signingKey } = yield* signer(ca.key)
  const x509 = yield* loaded
  return yield* Effect.promise(async () => {
    const by = new x509.X509Certificate(ca.certificate.raw)
    const list = await x509.X509CrlGenerator.create(
      {
        issuer: by.subjectName,
        thisUpdate: from,
        nextUpdate: until,
        entries: [...revoked].map(([serial, revocationDate]) => ({
          serialNumber: serial.padStart(serial.length + (serial.length % 2), "0"),
          revocationDate
        })),
        signingAlgorithm,
        signingKey
      },
      webcrypto
    )
    return `${x509.PemConverter.encode(list.rawData, "X509 CRL")}\n`
  })
})

/**
 * Reads a list, as PEM. Fails with anything that is none, and without the date of the next one: its entries would be
 * missed.
 */
export const readList = Effect.fnUntraced(function* (pem: string) {
  const x509 = yield* loaded
  return yield* Effect.try(() => {
    const list = new x509.X509Crl(pem)
    const isSignedBy = ({ raw }: X509Certificate) =>
      Effect.tryPromise(() => list.verify({ publicKey: new x509.X509Certificate(raw) }, webcrypto)).pipe(
        // A signature of a kind that is unknown here is none.
        Effect.orElseSucceed(() => false)
      )
    const until = list.nextUpdate
    if (until === undefined) throw new Error("no next update")
    const revoked = new Map(list.entries.map((entry) => [serial(entry.serialNumber), entry.revocationDate]))
    return { revoked, from: list.thisUpdate, until, issuer: list.issuer, isSignedBy }
  })
})

/** What a certificate says of itself that Node does not tell. */
export interface Details {
  /** Whether it has no extensions at all, as one of version 1. */
  readonly isBare: boolean
  readonly isCa: boolean
  /** How many CAs may come between it and the certificate of a node. */
  readonly pathLength: number | undefined
  readonly keyUsages: ReadonlyArray<string> | undefined
  readonly hasNameConstraints: boolean
  /** Critical extensions that OpenSSL does not know. */
  readonly unknownCritical: ReadonlyArray<string>
}

export const noDetails: Details = {
  isBare: false,
  isCa: true,
  pathLength: undefined,
  keyUsages: undefined,
  hasNameConstraints: false,
  unknownCritical: []
}

/** Those that OpenSSL handles when they are critical: X509_supported_extension. */
const handled = new Set(
  ["15", "16", "17", "18", "19", "30", "32", "33", "35", "36", "37", "54"]
    .map((last) => `2.5.29.${last}`)
    .concat("2.16.840.1.113730.1.1", "1.3.6.1.5.5.7.1.7", "1.3.6.1.5.5.7.1.8", "1.3.6.1.5.5.7.1.14")
)

const usageNames = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign"
]

/** Reads the extensions of a certificate. One that cannot be read has none of interest. */
export const details = Effect.fnUntraced(function* (certificate: X509Certificate) {
  const x509 = yield* loaded
  return yield* Effect.try(() => {
    const { extensions } = new x509.X509Certificate(certificate.raw)
    const constraints = extensions.find((extension) => extension instanceof x509.BasicConstraintsExtension)
    const usages = extensions.find((extension) => extension instanceof x509.KeyUsagesExtension)?.usages
    return {
      isBare: extensions.length === 0,
      isCa: constraints?.ca === true,
      pathLength: constraints?.pathLength,
      keyUsages: usages === undefined ? undefined : usageNames.filter((_, bit) => (usages & (1 << bit)) !== 0),
      hasNameConstraints: extensions.some(({ type }) => type === "2.5.29.30"),
      unknownCritical: extensions.filter(({ critical, type }) => critical && !handled.has(type)).map(({ type }) => type)
    } satisfies Details
  }).pipe(Effect.orElseSucceed(() => noDetails))
})
