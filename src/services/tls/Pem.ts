/**
 * PEM files that others made: read within limits, and parsed. Whatever is wrong is a `TlsMaterialInvalid` that names the
 * file and the next step.
 */
import { Effect, FileSystem, Option, type PlatformError } from "effect"
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { TlsMaterialInvalid } from "../Failure.ts"

/** A file of certificates is a few kilobytes; a bundle of all public authorities is a quarter of this. */
const maxBytes = 1024 * 1024

/** The text of a file. */
export const read = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const { type, size } = yield* fs.stat(file).pipe(Effect.mapError(unusable(file)))
  if (type === "Directory") return yield* invalid(file, "this is a directory: give the path of a PEM file in it")
  if (type !== "File") return yield* invalid(file, "this is no regular file: give the path of a PEM file")
  if (size > maxBytes) return yield* invalid(file, "this is too large for a PEM file: check the path")
  return yield* fs.readFileString(file).pipe(Effect.mapError(unusable(file)))
})

/**
 * Refuses a key that this user owns and others can read, as sshd does with its own: whoever could read it has it, and
 * `chmod` is all it takes. A file of another owner (a mounted secret) has the mode that its owner wants.
 */
export const mustBePrivate = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const { mode, uid } = yield* fs.stat(file).pipe(Effect.mapError(unusable(file)))
  if ((mode & 0o077) === 0) return
  const shown = `others can read the private key (mode 0${(mode & 0o777).toString(8)})`
  if (Option.getOrUndefined(uid) === process.getuid?.()) return yield* invalid(file, `${shown}: chmod 600 ${file}`)
  yield* Effect.logWarning(`${shown}: take the right to read it from them`).pipe(Effect.annotateLogs({ file }))
})

const certificateBlock =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g
const keyBlock = /-----BEGIN (\w+ )?PRIVATE KEY-----/

/** Whether there is a private key in the text. */
export const hasKey = (text: string): boolean => keyBlock.test(text)

/** Whether there is a certificate in the text. */
export const hasCertificate = (text: string): boolean => text.match(certificateBlock) !== null

/** Whether the other certificate is the issuer, by name and by signature. */
export const isSignedBy = (certificate: X509Certificate, by: X509Certificate): boolean =>
  certificate.checkIssued(by) && certificate.verify(by.publicKey)

/** Every certificate of a file, in its order. */
export const certificates = Effect.fnUntraced(function* (file: string, text: string) {
  const [first, ...more] = text.match(certificateBlock) ?? []
  if (first === undefined) {
    return yield* invalid(
      file,
      hasKey(text)
        ? "this is a private key, and a certificate is wanted: the paths of the two are swapped, most likely"
        : "no PEM certificate in this file: give one that has a BEGIN CERTIFICATE line"
    )
  }
  const parse = (block: string) =>
    Effect.try({
      try: () => new X509Certificate(block),
      catch: (cause) =>
        new TlsMaterialInvalid({
          file,
          problem: "a certificate in this file cannot be read: copy it again, or sign a new one",
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
    return yield* invalid(
      file,
      hasCertificate(text)
        ? "this is a certificate, and a private key is wanted: the paths of the two are swapped, most likely"
        : "no PEM private key in this file: give one that has a BEGIN PRIVATE KEY line"
    )
  }
  if (/BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text)) {
    return yield* invalid(
      file,
      `the key is encrypted: store it without a passphrase (openssl pkey -in ${file} -out NEW)`
    )
  }
  return yield* Effect.try({
    try: () => createPrivateKey(text),
    catch: (cause) =>
      new TlsMaterialInvalid({
        file,
        problem: "the private key in this file cannot be read: copy it again, or make a new one with its certificate",
        cause
      })
  })
})

export const invalid = (file: string, problem: string) => Effect.fail(new TlsMaterialInvalid({ file, problem }))

/** What a failure of the file system means for a file. */
export const unusable = (file: string) => (cause: PlatformError.PlatformError) =>
  new TlsMaterialInvalid({
    file,
    problem:
      cause.reason._tag === "NotFound"
        ? "there is no such file: check the path"
        : cause.reason._tag === "PermissionDenied"
          ? "this user may not read or write it: give it to the user that runs feral-sync (chown)"
          : `it cannot be used (${cause.reason.message}): check the path`,
    cause
  })
