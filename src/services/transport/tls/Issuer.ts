/**
 * A private CA as files: made together with the certificate of the first node, and used to sign further ones.
 *
 * The files have the names of the openssl recipe, and a CA that the recipe made signs as well. Everything is written
 * for this user's eyes alone, and nothing that is there is written over unless that was asked for.
 */
import { Clock, Effect, FileSystem, Result } from "effect"
import type { X509Certificate } from "node:crypto"
import { isIP } from "node:net"
import { hostname, networkInterfaces } from "node:os"
import { basename, dirname, join } from "node:path"
import type { Advised } from "../../../core/text/Explained.ts"
import { type StoreUnavailable, TlsMaterialInvalid } from "../../node/NodeFailure.ts"
import * as DiskRoom from "../../node/DiskRoom.ts"
import * as Home from "../../node/Home.ts"
import * as Certificate from "./Certificate.ts"
import { describe, oneLine } from "./Material.ts"
import * as Pem from "./Pem.ts"
import * as Revocation from "./Revocation.ts"
import { commandLine } from "../../node/Invocation.ts"
import * as FileError from "../../node/FileError.ts"

export const fileNames = {
  ca: "ca-cert.pem",
  caKey: "ca-key.pem",
  cert: "peer-cert.pem",
  key: "peer-key.pem",
  crl: "ca-crl.pem"
} as const

/** At least one. */
export type Names = readonly [string, ...Array<string>]

/** The files of a node, and until when they are good (ms). */
export interface Issued {
  readonly directory: string
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly names: Names
  readonly expiresAt: number
  readonly caExpiresAt: number
}

interface Request {
  /** Where to put the files; made if it is missing. */
  readonly directory: string
  readonly names: Names
  /** How long the certificate is good for; never longer than its CA. */
  readonly days: number
}

const day = 24 * 60 * 60 * 1000
const caDays = 3650

/** A host name or an address, as a certificate can hold it. */
export const parseName = (text: string): Result.Result<string, string> =>
  (isIP(text) !== 0 && !text.includes("%")) || (text.length <= 253 && hostName.test(text))
    ? Result.succeed(text)
    : Result.fail("a host name or an IP address")

const hostName = /^\w([\w-]{0,61}\w)?(\.\w([\w-]{0,61}\w)?)*$/

/** What this machine is called: its name first, then its addresses that others can use, then those of the loopback. */
export const ownNames = Effect.sync((): Names => {
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address)
  const host = [hostname()].filter((name) => Result.isSuccess(parseName(name)))
  const [first = "localhost", ...more] = new Set([...host, ...addresses, "localhost", "127.0.0.1", "::1"])
  return [first, ...more]
})

/** Makes a CA, and the certificate of one node. */
export const init = Effect.fn("Issuer.init")(function* ({ directory, names, days }: Request) {
  const paths = pathsIn(directory)
  yield* mustBeFree(Object.values(paths))
  const now = yield* Clock.currentTimeMillis
  const until = now + Math.max(days, caDays) * day
  yield* roomFor(directory)
  const made = yield* Certificate.authority({ name: "FERAL Sync CA", from: yesterday(now), until: new Date(until) })
  yield* makeDirectory(directory)
  yield* write(paths.caKey, made.key)
  yield* write(paths.ca, made.cert)
  return yield* issue({ ca: paths.ca, caKey: paths.caKey, directory, names, days, replace: false })
})

/** Signs the certificate of a node. */
export const issue = Effect.fn("Issuer.issue")(function* ({
  ca,
  caKey,
  directory,
  names,
  days,
  replace
}: Request & { readonly ca: string; readonly caKey: string; readonly replace: boolean }) {
  const authority = yield* readAuthority(ca, caKey)
  const paths = pathsIn(directory)
  const isBesideCa = paths.ca === ca
  if (!replace)
    yield* mustBeFree([paths.cert, paths.key, ...(isBesideCa ? [] : [paths.ca])], ", or replace them with --force")

  const now = yield* Clock.currentTimeMillis
  const caExpiresAt = Date.parse(authority.certificate.validTo)
  // Certificates know no fractions of a second.
  const expiresAt = Math.min(Math.floor(now / 1000) * 1000 + days * day, caExpiresAt)
  const { cert, key } = yield* Certificate.issued(authority, {
    names,
    from: yesterday(now),
    until: new Date(expiresAt)
  }).pipe(Effect.catch(({ kind }) => unsuited(caKey, kind)))
  yield* roomFor(directory)
  yield* makeDirectory(directory)
  if (!isBesideCa) yield* write(paths.ca, authority.text)
  yield* write(paths.key, key)
  yield* write(paths.cert, cert)
  return {
    directory,
    ca: paths.ca,
    cert: paths.cert,
    key: paths.key,
    names,
    expiresAt,
    caExpiresAt
  } satisfies Issued
})

/** A list that names one certificate more than before. */
export interface Revoked {
  readonly crl: string
  /** Serial number, in hexadecimal digits, and the subject where the certificate is at hand. */
  readonly serial: string
  readonly subject: string | undefined
  /** Whether the list named it already. */
  readonly wasRevoked: boolean
  /** How many certificates the list names. */
  readonly count: number
}

/** Revokes a certificate: a file, or its serial number. The list is made where there is none. */
export const revoke = Effect.fn("Issuer.revoke")(function* ({
  ca,
  caKey,
  crl,
  which
}: {
  readonly ca: string
  readonly caKey: string
  readonly crl: string
  readonly which: string
}) {
  const fs = yield* FileSystem.FileSystem
  const authority = yield* readAuthority(ca, caKey)
  const { serial, subject } = yield* named(which, ca, authority.certificate)
  const isThere = yield* fs.exists(crl).pipe(Effect.mapError(Pem.unusable(crl)))
  const lists = isThere ? yield* Revocation.read(crl, [authority.certificate]) : []
  const revoked = new Map(lists.flatMap((list) => [...list.revoked]))
  const now = new Date(yield* Clock.currentTimeMillis)
  const wasRevoked = revoked.has(serial)
  if (!wasRevoked) revoked.set(serial, now)
  const text = yield* Certificate.signedList(authority, {
    revoked,
    from: now,
    // It stays valid until the next revocation: no home user makes a new list every week.
    until: new Date(Date.parse(authority.certificate.validTo))
  }).pipe(Effect.catch(({ kind }) => unsuited(caKey, kind)))
  yield* write(crl, text)
  return { crl, serial, subject, wasRevoked, count: revoked.size } satisfies Revoked
})

/** The certificate that is meant by a file or by a serial number. */
const named = Effect.fnUntraced(function* (which: string, ca: string, authority: X509Certificate) {
  const fs = yield* FileSystem.FileSystem
  const isThere = yield* fs.exists(which).pipe(Effect.mapError(Pem.unusable(which)))
  const digits = which.replaceAll(":", "")
  if (!isThere && /^[\da-f]{2,40}$/i.test(digits)) return { serial: Certificate.serial(digits), subject: undefined }
  const [certificate] = yield* Pem.certificates(which, yield* Pem.read(which))
  if (!Pem.isSignedBy(certificate, authority)) {
    return yield* Pem.invalid(
      which,
      `the certificate (${describe(certificate)}) was not signed by the CA in ${ca}`,
      "only its own CA can revoke it"
    )
  }
  if (certificate.fingerprint256 === authority.fingerprint256) {
    return yield* Pem.invalid(which, "this is the CA itself", "give the certificate of a node")
  }
  return { serial: Certificate.serial(certificate.serialNumber), subject: oneLine(certificate.subject) }
})

const unsuited = (caKey: string, kind: string) =>
  Pem.invalid(caKey, `a key of type ${kind} cannot sign certificates`, "use a CA with an RSA, EC or Ed25519 key")

/** The CA, if it can sign. */
const readAuthority = Effect.fnUntraced(function* (ca: string, caKey: string) {
  const text = yield* Pem.read(ca)
  const [certificate] = yield* Pem.certificates(ca, text)
  const key = yield* Pem.privateKey(caKey, yield* Pem.read(caKey))
  yield* Pem.mustBePrivate(caKey)
  if (!certificate.checkPrivateKey(key)) {
    return yield* Pem.invalid(caKey, `the key does not belong to ${ca}`, "use the key of that CA")
  }
  const fault = unfit(certificate, yield* Clock.currentTimeMillis)
  if (fault !== undefined) return yield* Pem.invalid(ca, fault.problem, fault.nextStep)
  return { certificate, key, text }
})

const unfit = (certificate: X509Certificate, now: number): Advised | undefined => {
  if (!certificate.ca) {
    return {
      problem: `this certificate (${describe(certificate)}) is not a CA certificate`,
      nextStep: "give the certificate of the CA"
    }
  }
  if (Date.parse(certificate.validTo) > now) return undefined
  return {
    problem: `the CA expired on ${certificate.validTo}`,
    nextStep: `create a new one (${commandLine("tls init")})`
  }
}

/** Clocks differ a little: a new certificate is valid on all of them. */
const yesterday = (now: number) => new Date(now - day)

const pathsIn = (directory: string) => ({
  ca: join(directory, fileNames.ca),
  caKey: join(directory, fileNames.caKey),
  cert: join(directory, fileNames.cert),
  key: join(directory, fileNames.key)
})

const mustBeFree = Effect.fnUntraced(function* (files: ReadonlyArray<string>, advice = "") {
  const fs = yield* FileSystem.FileSystem
  const taken = yield* Effect.filter(files, (file) => fs.exists(file).pipe(Effect.mapError(Pem.unusable(file))))
  const [first] = taken
  if (first === undefined) return
  const names = taken.map((file) => basename(file)).join(", ")
  return yield* Pem.invalid(
    dirname(first),
    `${names} already ${taken.length === 1 ? "exists" : "exist"}`,
    `move them away, or choose another directory (--out)${advice}`
  )
})

const makeDirectory = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const wrong = Effect.mapError(Pem.unusable(directory))
  if (yield* fs.exists(directory).pipe(wrong)) return
  yield* FileError.makeDirectories(directory).pipe(wrong)
})

const write = (file: string, content: string) => Home.writeSecret(file, content).pipe(Effect.mapError(unwritable(file)))

/** Fails before anything is made where there is no room for it. */
const roomFor = (directory: string) => DiskRoom.roomFor(directory).pipe(Effect.mapError(unwritable(directory)))

const unwritable = (file: string) => (cause: StoreUnavailable) =>
  new TlsMaterialInvalid({
    file,
    problem: `it cannot be written (${cause.detail})`,
    nextStep: cause.reason === "disk full" ? "free some space" : (cause.advice ?? "check the directory"),
    cause
  })
