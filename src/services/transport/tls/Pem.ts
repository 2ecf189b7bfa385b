/**
 * PEM files that others made: read within limits, and parsed. Whatever is wrong is a `TlsMaterialInvalid` that names
 * the file and the next step.
 */
import { Effect, FileSystem, Option, type PlatformError, Result } from "effect"
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { constants } from "node:fs"
import { access } from "node:fs/promises"
import type { Advised } from "../../../core/text/Explained.ts"
import * as PlainText from "../../../core/text/PlainText.ts"
import { TlsMaterialInvalid } from "../../node/NodeFailure.ts"
import * as FileError from "../../node/FileError.ts"
import { codeOf } from "./Diagnosis.ts"

/** A file of certificates is a few kilobytes; a bundle of all public authorities is a quarter of this. */
const maxBytes = 1024 * 1024

/** The text of a file. */
export const read = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const { type, size } = yield* fs.stat(file).pipe(Effect.mapError(unusable(file)))
  if (type === "Directory") return yield* invalid(file, "this is a directory", "give the path of a PEM file in it")
  if (type !== "File") return yield* invalid(file, "this is not a regular file", "give the path of a PEM file")
  if (size > maxBytes) return yield* invalid(file, "this is too large for a PEM file", "check the path")
  const bytes = yield* fs.readFile(file).pipe(Effect.mapError(unusable(file)))
  // PEM in another encoding than UTF-8 has no line that begins a block. Text of any encoding may stand around the
  // blocks.
  const decoded = PlainText.decode(bytes)
  if (Result.isSuccess(decoded)) return decoded.success
  if (Buffer.from(bytes).includes("-----BEGIN ")) return Buffer.from(bytes).toString("latin1")
  const { problem, nextStep } = binaryOf(Buffer.from(bytes), file) ?? decoded.failure
  return yield* invalid(file, problem, nextStep)
})

/** The first byte of everything in DER that a file holds here. */
const derSequence = 0x30

/** A PKCS#12 file begins with its version, which is always 3: in hexadecimal digits. */
const pkcs12 = /^30(?:[0-7].|80|81..|82.{4}|83.{6})020103/

/** What a file in a binary form is, and how to make PEM of it. Nothing where it is none that openssl converts. */
const binaryOf = (bytes: Buffer, file: string): Advised | undefined => {
  if (bytes[0] !== derSequence) return undefined
  const convert = (command: string) => `convert it to PEM: openssl ${command} -out ${file}.pem`
  if (pkcs12.test(bytes.toString("hex", 0, 16))) {
    return { problem: "this file is PKCS#12, not PEM", nextStep: convert(`pkcs12 -in ${file} -nodes`) }
  }
  const [kind, command] = isDerCertificate(bytes)
    ? ["certificate", "x509"]
    : isDerKey(bytes)
      ? ["private key", "pkey"]
      : []
  if (kind === undefined) return undefined
  return { problem: `this is a ${kind} in DER, not PEM`, nextStep: convert(`${command} -inform DER -in ${file}`) }
}

const isDerCertificate = (bytes: Buffer): boolean => {
  try {
    return new X509Certificate(bytes).raw.length > 0
  } catch {
    return false
  }
}

const isDerKey = (key: Buffer): boolean =>
  (["pkcs8", "pkcs1", "sec1"] as const).some((type) => {
    try {
      return createPrivateKey({ key, format: "der", type }).type === "private"
    } catch {
      return false
    }
  })

/** A secret that others can read. */
export interface Exposure {
  readonly file: string
  readonly problem: string
  readonly nextStep: string
  /** Whether this user can mend it. */
  readonly isOurs: boolean
}

/** Whether other users can read a private key, and which user can correct that. */
export const exposure = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const { mode, uid } = yield* fs.stat(file).pipe(Effect.mapError(unusable(file)))
  // Where users have no numbers, modes mean nothing.
  if ((mode & 0o077) === 0 || process.getuid === undefined) return Option.none<Exposure>()
  const problem = `other users can read the private key (mode 0${(mode & 0o777).toString(8)})`
  if (yield* isUnchangeable(file)) {
    const nextStep = "mount it with mode 0400 for the user of this node"
    return Option.some<Exposure>({ file, problem: `${problem} on a read-only file system`, nextStep, isOurs: false })
  }
  const isOurs = Option.getOrUndefined(uid) === process.getuid()
  const nextStep = isOurs ? `chmod 600 ${file}` : "ask its owner to run chmod go= on it"
  return Option.some<Exposure>({ file, problem, nextStep, isOurs })
})

/** Whether not even the owner of a file could change its mode. */
const isUnchangeable = (file: string) =>
  Effect.promise(() =>
    access(file, constants.W_OK).then(
      () => false,
      (error: unknown) => ["EROFS", "EPERM"].includes(codeOf(error))
    )
  )

/**
 * Refuses a key that others can read when this user can mend that, as sshd does with its own. What this user cannot
 * change (a secret that another user or a read-only file system provides) is a warning.
 */
export const mustBePrivate = Effect.fnUntraced(function* (file: string) {
  const found = yield* exposure(file)
  if (Option.isNone(found)) return []
  const { problem, nextStep, isOurs } = found.value
  return isOurs ? yield* invalid(file, problem, nextStep) : [found.value]
})

const certificateBlock =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g
const keyBlock = /-----BEGIN (\w+ )?PRIVATE KEY-----[^]*?(?:-----END \1PRIVATE KEY-----|$)/

/** Whether there is a private key in the text. */
export const hasKey = (text: string): boolean => keyBlock.test(text)

/** Whether there is a certificate in the text. */
export const hasCertificate = (text: string): boolean => text.match(certificateBlock) !== null

const listBlock = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g

/** Every list of revoked certificates in the text. */
export const revocationLists = (text: string): ReadonlyArray<string> => text.match(listBlock) ?? []

/** Whether the other certificate signed it, by name and by signature. Whether it may is for OpenSSL to say. */
export const isSignedBy = (certificate: X509Certificate, by: X509Certificate): boolean =>
  certificate.issuer === by.subject && certificate.verify(by.publicKey)

const areSwapped = "the two paths are probably swapped"

/** Every certificate of a file, in its order. */
export const certificates = Effect.fnUntraced(function* (file: string, text: string) {
  const [first, ...more] = text.match(certificateBlock) ?? []
  if (first === undefined) {
    return yield* hasKey(text)
      ? invalid(file, "this is a private key, not a certificate", areSwapped)
      : invalid(file, "no PEM certificate in this file", "give one that has a BEGIN CERTIFICATE line")
  }
  const parse = (block: string) =>
    Effect.try({
      try: () => new X509Certificate(block),
      catch: (cause) =>
        new TlsMaterialInvalid({
          file,
          problem: "a certificate in this file cannot be read",
          nextStep: "copy it again, or sign a new one",
          cause
        })
    })
  const parsed: [X509Certificate, ...Array<X509Certificate>] = [yield* parse(first)]
  for (const block of more) parsed.push(yield* parse(block))
  return parsed
})

/** The private key of a file. */
export const privateKey = Effect.fnUntraced(function* (
  file: string,
  text: string
): Effect.fn.Return<KeyObject, TlsMaterialInvalid> {
  if (!hasKey(text)) {
    return yield* hasCertificate(text)
      ? invalid(file, "this is a certificate, not a private key", areSwapped)
      : invalid(file, "no PEM private key in this file", "give one that has a BEGIN PRIVATE KEY line")
  }
  const block = keyBlock.exec(text)?.[0] ?? text
  if (/BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(block)) {
    return yield* invalid(
      file,
      "the key is encrypted",
      `store it without a passphrase (openssl pkey -in ${file} -out NEW)`
    )
  }
  return yield* Effect.try({
    try: () => createPrivateKey(block),
    catch: (cause) =>
      new TlsMaterialInvalid({
        file,
        problem: "the private key in this file cannot be read",
        nextStep: "copy it again, or create a new key and certificate",
        cause
      })
  })
})

/** The one form in which a key is handed on, whatever the form of its file. */
export const text = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString()

/** Fails: what is wrong with a file, and what to do about it. */
export const invalid = (file: string, problem: string, nextStep: string) =>
  Effect.fail(new TlsMaterialInvalid({ file, problem, nextStep }))

const inWords = (cause: PlatformError.PlatformError, file: string): Advised => {
  if (cause.reason._tag === "NotFound") return { problem: "the file does not exist", nextStep: "check the path" }
  if (cause.reason._tag === "PermissionDenied") {
    return {
      problem: "this user may not read or write it",
      nextStep: "give it to the user that runs feral-sync (chown)"
    }
  }
  return (
    FileError.explain(cause, file, FileError.elsewhere.file) ?? {
      problem: `it cannot be used (${FileError.codeOf(cause) ?? cause.reason._tag})`,
      nextStep: "check the path"
    }
  )
}

/** What a failure of the file system means for a file. */
export const unusable = (file: string) => (cause: PlatformError.PlatformError) => {
  const { problem, nextStep } = inWords(cause, file)
  return new TlsMaterialInvalid({ file, problem, nextStep, cause })
}
