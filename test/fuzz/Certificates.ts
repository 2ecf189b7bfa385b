/**
 * Files with keys and certificates, as a user may configure or damage them. The first byte of an input chooses which of the
 * files it replaces.
 *
 * What must hold: the material can be used for TLS, or the error names a file and what is wrong with it.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Cause, Effect, Exit, Layer, Option } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Config } from "../../src/services/Config.ts"
import { TlsMaterialInvalid } from "../../src/services/Failure.ts"
import { Tls } from "../../src/services/Tls.ts"
import { directory } from "../support/Certificates.ts"
import { settings } from "../support/Settings.ts"
import { Broken, type Fed, type Target } from "./Fuzz.ts"
import { afterFirstByte, ofBytes, ofLines, type Mutation } from "./Mutation.ts"

/** A CA, a certificate of it and their keys: small ones, and one of every form of a key. */
const real = (() => {
  const cwd = mkdtempSync(join(tmpdir(), "feral-sync-"))
  try {
    const openssl = (line: string) => execFileSync("openssl", line.split(" "), { cwd, stdio: "ignore" })
    const ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    openssl(`req -x509 ${ec} -days 3650 -keyout ca-key -out ca -subj /CN=CA`)
    openssl(`req ${ec} -keyout key -out csr -subj /CN=peer`)
    openssl("x509 -req -in csr -CA ca -CAkey ca-key -CAcreateserial -out cert -days 365")
    openssl("ec -in key -out sec1")
    openssl("ec -in key -aes128 -passout pass:x -out encrypted")
    openssl("x509 -in cert -outform DER -out der")
    return Object.fromEntries(
      ["ca", "ca-key", "cert", "key", "sec1", "encrypted", "der", "csr"].map((name) => [
        name,
        readFileSync(join(cwd, name))
      ])
    )
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
})()

const roles = ["cert", "key", "ca"] as const
const file = (name: string): Buffer => real[name] ?? Buffer.alloc(0)
const inputOf = (role: number, ...parts: ReadonlyArray<string>): Uint8Array =>
  Buffer.concat([Buffer.from([role]), ...parts.map(file)])

const corpus: ReadonlyArray<Uint8Array> = [
  ...["cert", "ca", "der", "csr", "key"].map((name) => inputOf(0, name)),
  inputOf(0, "cert", "ca"),
  ...["key", "sec1", "encrypted", "ca-key", "cert"].map((name) => inputOf(1, name)),
  ...["ca", "cert", "der", "ca-key"].map((name) => inputOf(2, name)),
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
