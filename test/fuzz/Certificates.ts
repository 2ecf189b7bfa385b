/**
 * Files with keys and certificates, as a user may configure or damage them. The first byte of an input chooses which of the
 * files it replaces.
 *
 * What must hold: the material can be used for TLS, or the error names a file and what is wrong with it.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Cause, Effect, Exit, Layer, Option } from "effect"
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Config } from "../../src/services/node/Config.ts"
import { TlsMaterialInvalid } from "../../src/services/node/NodeFailure.ts"
import { Tls } from "../../src/services/transport/tls/Tls.ts"
import * as Certificate from "../../src/services/transport/tls/Certificate.ts"
import { directory } from "../support/Directory.ts"
import { settings } from "../support/Settings.ts"
import { Broken, type Fed, type Target } from "./Fuzz.ts"
import { afterFirstByte, ofBytes, ofLines, type Mutation } from "./Mutation.ts"

const day = 24 * 60 * 60 * 1000

/** What is sent to a CA to be signed. */
const request = async (name: string) => {
  await import("reflect-metadata")
  const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509")
  const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"])
  return (await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm }, webcrypto)).toString("pem")
}

/** A CA, a certificate of it and their keys: small ones, and one of every form of a key. */
const real = await Effect.runPromise(
  Effect.gen(function* () {
    const [from, until] = [new Date(Date.now() - day), new Date(Date.now() + 365 * day)]
    const ca = yield* Certificate.authority({ name: "CA", from, until })
    const signer = { certificate: new X509Certificate(ca.cert), key: createPrivateKey(ca.key) }
    const { cert, key } = yield* Certificate.issued(signer, { names: ["peer"], from, until })
    const ofPeer = createPrivateKey(key)
    const csr = yield* Effect.promise(() => request("CN=peer"))
    return {
      ca: ca.cert,
      "ca-key": ca.key,
      cert,
      key,
      sec1: ofPeer.export({ type: "sec1", format: "pem" }),
      encrypted: ofPeer.export({ type: "sec1", format: "pem", cipher: "aes-128-cbc", passphrase: "x" }),
      der: new X509Certificate(cert).raw,
      csr
    }
  })
)

const roles = ["cert", "key", "ca"] as const
const file = (name: keyof typeof real): Buffer => Buffer.from(real[name])
const inputOf = (role: number, ...parts: ReadonlyArray<keyof typeof real>): Uint8Array =>
  Buffer.concat([Buffer.from([role]), ...parts.map(file)])

const corpus: ReadonlyArray<Uint8Array> = [
  ...(["cert", "ca", "der", "csr", "key"] as const).map((name) => inputOf(0, name)),
  inputOf(0, "cert", "ca"),
  ...(["key", "sec1", "encrypted", "ca-key", "cert"] as const).map((name) => inputOf(1, name)),
  ...(["ca", "cert", "der", "ca-key"] as const).map((name) => inputOf(2, name)),
  inputOf(2, "ca", "cert", "ca")
]

const content = afterFirstByte(roles.length)

/** Changes the bytes that a PEM block stands for. */
const ofBlock: Mutation = (input, other, source) => {
  const text = Buffer.from(input).toString("latin1")
  const changed = text.replace(/(?<=-----\n)[^-]+(?=\n-----END)/g, (block) =>
    (
      Buffer.from(ofBytes(Buffer.from(block, "base64"), other, source))
        .toString("base64")
        .match(/.{1,64}/g) ?? []
    ).join("\n")
  )
  return Buffer.from(changed, "latin1")
}

const open = Effect.gen(function* () {
  const home = yield* directory
  const paths = { cert: join(home, "cert"), key: join(home, "key"), ca: join(home, "ca") }
  const config = Layer.succeed(Config, Config.of(settings(home, { tls: Option.some(paths) })))
  for (const role of roles) writeFileSync(paths[role], file(role))

  const feed = Effect.fnUntraced(function* (input: Uint8Array) {
    const role = roles[(input[0] ?? 0) % roles.length] ?? "cert"
    writeFileSync(paths[role], input.subarray(1))
    const exit = yield* Layer.build(Layer.fresh(Tls.layer)).pipe(
      Effect.provide(Layer.merge(config, NodeFileSystem.layer)),
      Effect.scoped,
      Effect.exit
    )
    writeFileSync(paths[role], file(role))
    if (Exit.isSuccess(exit)) return `${role}: taken`
    const error = Cause.squash(exit.cause)
    if (!(error instanceof TlsMaterialInvalid)) return yield* Effect.failCause(Cause.die(error))
    if (!error.file.startsWith(home) || error.problem === "") {
      return yield* new Broken({ what: `this does not help: ${error.message}` })
    }
    return `${role}: ${error.problem
      .replaceAll(home, "")
      .replace(/\d+|\(.*\)/gs, "…")
      .slice(0, 90)}`
  })
  return { feed, check: Effect.void } satisfies Fed
})

export const certificates: Target = {
  name: "certificates",
  corpus,
  mutations: [content(ofBytes), content(ofBlock), content(ofBlock), content(ofLines("\n"))],
  open
}
