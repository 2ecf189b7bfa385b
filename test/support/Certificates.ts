/** Certificates made with openssl, as users make them, and quick ones, also with dates that no user would choose. */
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { KeyObject, webcrypto } from "node:crypto"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import type { TlsFiles } from "../../src/services/node/Config.ts"

const execute = promisify(execFile)

export const run = (cwd: string, command: string, ...more: ReadonlyArray<string>) =>
  Effect.promise(() => execute(command, [...more], { cwd }))

/** The three commands of the documentation, to the letter, in a directory. */
export const recipe = Effect.fnUntraced(function* (cwd: string) {
  const commands = [
    `openssl req -x509 -newkey rsa:4096 -days 3650 -nodes -keyout ca-key.pem -out ca-cert.pem -subj "/CN=FERAL Sync CA"`,
    `openssl req -newkey rsa:2048 -nodes -keyout peer-key.pem -out peer.csr -subj "/CN=feral-peer"`,
    "openssl x509 -req -in peer.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -out peer-cert.pem -days 365"
  ]
  for (const command of commands) yield* run(cwd, "sh", "-c", command)
  return {
    ca: join(cwd, "ca-cert.pem"),
    cert: join(cwd, "peer-cert.pem"),
    key: join(cwd, "peer-key.pem")
  } satisfies TlsFiles
})

/** When a certificate is valid. */
export type Validity = "now" | "past" | "future"

/** A CA and one certificate of it, with small keys: quick to make, and without openssl. */
export const issue = (cwd: string, name: string, validity: Validity = "now") =>
  Effect.promise(async () => {
    await import("reflect-metadata")
    const x509 = await import("@peculiar/x509")
    const [ofCa, ofPeer] = await Promise.all([newKeys(), newKeys()])
    const subject = `CN=CA-${name}`
    const signed = { signingKey: ofCa.privateKey, signingAlgorithm: rsa }
    const authority = await x509.X509CertificateGenerator.create(
      {
        ...signed,
        subject,
        issuer: subject,
        publicKey: ofCa.publicKey,
        notBefore: inDays(-1),
        notAfter: inDays(3650),
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          await x509.SubjectKeyIdentifierExtension.create(ofCa.publicKey, false, webcrypto)
        ]
      },
      webcrypto
    )
    const [notBefore, notAfter] = dates[validity]()
    const peer = await x509.X509CertificateGenerator.create(
      { ...signed, subject: `CN=peer-${name}`, issuer: subject, publicKey: ofPeer.publicKey, notBefore, notAfter },
      webcrypto
    )
    const files = { ca: `${name}-ca.pem`, cert: `${name}.pem`, key: `${name}-key.pem`, caKey: `${name}-ca-key.pem` }
    const write = (file: string, content: string) => writeFile(join(cwd, file), `${content}\n`, { mode: 0o600 })
    await write(files.ca, authority.toString("pem"))
    await write(files.caKey, await privateKey(ofCa))
    await write(files.cert, peer.toString("pem"))
    await write(files.key, await privateKey(ofPeer))
    return {
      ca: join(cwd, files.ca),
      cert: join(cwd, files.cert),
      key: join(cwd, files.key)
    } satisfies TlsFiles
  })

const rsa = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1])
}
const newKeys = () => webcrypto.subtle.generateKey(rsa, true, ["sign", "verify"])
const privateKey = async ({ privateKey: key }: webcrypto.CryptoKeyPair) =>
  KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString().trimEnd()

const inDays = (days: number) => new Date(Date.now() + days * 24 * 60 * 60 * 1000)
const dates: Record<Validity, () => readonly [Date, Date]> = {
  now: () => [inDays(-1), inDays(365)],
  past: () => [inDays(-2), inDays(-1)],
  future: () => [new Date(Date.UTC(2070, 0)), new Date(Date.UTC(2080, 0))]
}

/** The content of such files. */
export const contents = (files: TlsFiles) =>
  Effect.promise(async () => ({
    ca: await readFile(files.ca, "utf8"),
    cert: await readFile(files.cert, "utf8"),
    key: await readFile(files.key, "utf8")
  }))
