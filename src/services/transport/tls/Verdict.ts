/**
 * What OpenSSL's verdict on a chain of certificates means: which certificate is at fault, why, and the command that
 * mends it.
 *
 * Only for chains that OpenSSL has refused: it names its reason by a code that often stands for several, so the
 * certificates are searched for it. The finding is only an explanation; whether a chain is good, OpenSSL alone decides.
 */
import { Effect } from "effect"
import type { X509Certificate } from "node:crypto"
import * as Certificate from "./Certificate.ts"
import { diagnose } from "./Diagnosis.ts"
import type { Refusal } from "./Endpoint.ts"

/** A certificate and the file that it came from. */
export interface Link {
  readonly file: string
  readonly certificate: X509Certificate
}

/** What is wrong, and the next step, with the file that it is about. */
export interface Problem {
  readonly file: string
  readonly problem: string
  readonly nextStep: string
  /** Nothing about these certificates explains it. */
  readonly isUnexplained?: boolean
}

const oids = { serverAuth: "1.3.6.1.5.5.7.3.1", clientAuth: "1.3.6.1.5.5.7.3.2" } as const
const purposes: Readonly<Record<string, string>> = {
  [oids.serverAuth]: "serverAuth",
  [oids.clientAuth]: "clientAuth",
  "1.3.6.1.5.5.7.3.3": "codeSigning",
  "1.3.6.1.5.5.7.3.4": "emailProtection",
  "1.3.6.1.5.5.7.3.8": "timeStamping",
  "1.3.6.1.5.5.7.3.9": "OCSPSigning",
  "2.5.29.37.0": "anyExtendedKeyUsage"
}

/** Explains why the chain, from our certificate to the CA, was refused. */
export const explain = Effect.fnUntraced(function* (path: readonly [Link, ...Array<Link>], refusal: Refusal) {
  const details = yield* Effect.forEach(path, ({ certificate }) => Certificate.details(certificate))
  const links = path.map((link, index) => ({ ...link, details: details[index] ?? Certificate.noDetails }))
  const [leaf] = path
  const top = links.at(-1)
  const ca = top?.file ?? leaf.file
  const issue = `feral-sync tls issue --ca ${ca} --name NAME`

  for (const [index, { file, certificate, details }] of links.entries()) {
    const name = `the certificate (${describe(certificate)})`
    const because = (problem: string, nextStep: string): Problem => ({ file, problem: `${name} ${problem}`, nextStep })
    const isLeaf = index === 0
    const isTop = index === links.length - 1
    const again = isLeaf ? `sign a new one, for example with ${issue}` : "sign this CA certificate again"

    const signature = /\b(MD5|SHA1|SHA-1)(?!\d)|(?<=With)(MD5|SHA1)/i.exec(certificate.signatureAlgorithm ?? "")?.[0]
    // The signature of a CA that is trusted for itself counts for nothing.
    if (signature !== undefined && !(isTop && links.length > 1)) {
      const hash = signature.toUpperCase().replace("SHA1", "SHA-1")
      return because(`is signed with ${hash}, which is no longer accepted`, `sign it again with SHA-256 (-sha256)`)
    }
    const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength
    if (bits !== undefined && bits < 2048) {
      return because(`has a key of ${bits} bits, which is too weak`, `create a key of 2048 bits or more, or on P-256`)
    }
    const unsupported = isLeaf ? unsupportedKey(certificate) : undefined
    if (unsupported !== undefined) {
      return because(
        `has ${unsupported}, which TLS does not support`,
        "create a key on prime256v1 (openssl ecparam -name prime256v1 -genkey) and sign its certificate"
      )
    }
    const isOfVersion1 = isTop && details.isBare
    if (!isLeaf && !details.isCa && !isOfVersion1) {
      return because("is not a CA certificate", "create the CA again with basicConstraints=critical,CA:TRUE")
    }
    if (!isLeaf && details.keyUsages !== undefined && !details.keyUsages.includes("keyCertSign")) {
      const listed = details.keyUsages.join(", ")
      return because(
        `may not sign others (keyUsage ${listed})`,
        "create the CA again with keyUsage=critical,keyCertSign,cRLSign"
      )
    }
    if (!isLeaf && details.pathLength !== undefined && details.pathLength < index - 1) {
      return because(
        `allows ${details.pathLength} CAs below it, and here there ${index === 2 ? "is" : "are"} ${index - 1}`,
        "sign with the CA itself, or create it again with a greater pathlen"
      )
    }
    const unknown = details.unknownCritical[0]
    if (unknown !== undefined) {
      return because(`has a critical extension that OpenSSL does not know (${unknown})`, again)
    }
    // Node says that it is always there, and it is not.
    const usages: ReadonlyArray<string> | undefined = certificate.keyUsage
    const wanted = [
      ...(refusal.as === "client" ? [] : (["serverAuth"] as const)),
      ...(refusal.as === "server" ? [] : (["clientAuth"] as const))
    ]
    if (usages !== undefined && wanted.some((purpose) => !usages.includes(oids[purpose]))) {
      const listed = usages.map((oid) => purposes[oid] ?? oid).join(", ")
      return because(
        `is for ${listed} only (extendedKeyUsage), and a node is both server and client`,
        isLeaf
          ? `sign one with extendedKeyUsage=serverAuth,clientAuth, for example ${issue} (mkcert needs -client)`
          : "create this CA again without extendedKeyUsage, or with serverAuth,clientAuth"
      )
    }
    const mayUse = ["digitalSignature", "keyAgreement"]
    if (isLeaf && details.keyUsages !== undefined && !details.keyUsages.some((usage) => mayUse.includes(usage))) {
      return because(
        `may not be used for TLS (keyUsage ${details.keyUsages.join(", ")})`,
        `sign one with keyUsage=digitalSignature, for example ${issue}`
      )
    }
  }
  const limiting = links.slice(1).find(({ details }) => details.hasNameConstraints)
  if (limiting !== undefined) {
    const { file, certificate } = limiting
    const problem = `the certificate (${describe(certificate)}) does not allow the names in ours (nameConstraints)`
    return { file, problem, nextStep: "sign a new one with names that the CA allows" }
  }
  const { detail } = diagnose(refusal.cause)
  const words = refusal.code === "" || refusal.code === "UNSPECIFIED" ? detail : refusal.code
  return {
    file: leaf.file,
    problem: `OpenSSL refuses the certificate (${describe(leaf.certificate)}): ${words}`,
    nextStep: `sign a new one, for example with ${issue}`,
    isUnexplained: true
  } satisfies Problem
})

/** The object identifier of prime fields: only a curve that is spelt out by its parameters has it. */
const primeField = Buffer.from("06072a8648ce3d0101", "hex")

const unsupportedKey = ({ publicKey, raw }: X509Certificate): string | undefined => {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey
  if (type === "dsa") return "a DSA key"
  if (type !== "ec") return undefined
  if (raw.includes(primeField)) return "a key with explicit parameters of its curve"
  const curve = details?.namedCurve ?? "unknown"
  return ["prime256v1", "secp384r1", "secp521r1"].includes(curve) ? undefined : `a key on the curve ${curve}`
}

/** Subject and issuer of a certificate, in one line. */
export const describe = ({ subject, issuer }: X509Certificate): string =>
  `${oneLine(subject)}, issued by ${oneLine(issuer)}`

/** A name of a certificate, in one line. */
export const oneLine = (name: string): string => (name === "" ? "an empty name" : name.replaceAll("\n", ", "))
