/** Names that a certificate can hold, and CAs that can sign. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Issuer from "../../../../src/services/transport/tls/Issuer.ts"
import * as Certificates from "../../../support/Certificates.ts"
import * as Directory from "../../../support/Directory.ts"
import { anyText, runs } from "../../../support/Generators.ts"
import { needs } from "../../../support/Needs.ts"

describe("names", () => {
  it("are host names and addresses", () => {
    const longest = `${"x".repeat(63)}.${"y".repeat(63)}.${"z".repeat(63)}.${"w".repeat(61)}`
    for (const name of ["laptop", "my_laptop.local", "a-b.example.org", "1", "10.0.0.5", "fd00::7", "::1", longest]) {
      assert.deepStrictEqual(Issuer.parseName(name), Result.succeed(name))
    }
    for (const name of [
      "",
      "two words",
      "a/b",
      "..",
      "a..b",
      "-a",
      "a-",
      "a.",
      "*.org",
      "fe80::1%eth0",
      `${longest}w`
    ]) {
      assert.isTrue(Result.isFailure(Issuer.parseName(name)), name)
    }
  })

  it.prop(
    "are also safe as the name of a directory",
    [anyText],
    ([text]) => {
      const parsed = Issuer.parseName(text)
      if (Result.isSuccess(parsed)) assert.match(parsed.success, /^(?!\.\.?$)[\w.:-]+$/)
    },
    runs(5_000)
  )

  it.effect("of this machine are some that a certificate can hold", () =>
    Effect.gen(function* () {
      const names = yield* Issuer.ownNames
      for (const name of names) assert.isTrue(Result.isSuccess(Issuer.parseName(name)), name)
      assert.includeMembers([...names], ["localhost", "127.0.0.1", "::1"])
      assert.strictEqual(new Set(names).size, names.length)
    })
  )
})

describe.skipIf(needs("openssl"))("a CA of openssl signs, whatever its key", () => {
  const request = (key: string) =>
    `req -x509 ${key} -nodes -days 9 -keyout ca-key.pem -out ca-cert.pem -subj /O=Ünï/CN=x`
  for (const [kind, commands] of [
    ["RSA", [request("-newkey rsa:2048")]],
    ["RSA, in the old form", [request("-newkey rsa:2048"), "rsa -traditional -in ca-key.pem -out ca-key.pem"]],
    ["P-256", [request("-newkey ec -pkeyopt ec_paramgen_curve:prime256v1")]],
    ["P-384", [request("-newkey ec -pkeyopt ec_paramgen_curve:secp384r1")]],
    ["P-521", [request("-newkey ec -pkeyopt ec_paramgen_curve:secp521r1")]],
    ["Ed25519", [request("-newkey ed25519")]]
  ] as const) {
    it.live(kind, () =>
      Effect.gen(function* () {
        const directory = yield* Directory.directory
        const openssl = (line: string) => Certificates.run(directory, "openssl", ...line.split(" "))
        for (const command of commands) yield* openssl(command)
        const { cert, ca, expiresAt, caExpiresAt } = yield* Issuer.issue({
          ca: join(directory, "ca-cert.pem"),
          caKey: join(directory, "ca-key.pem"),
          directory: join(directory, "node"),
          names: ["node", "10.0.0.5"],
          days: 365,
          replace: false
        })
        assert.include((yield* openssl(`verify -CAfile ${ca} ${cert}`)).stdout, ": OK")
        assert.strictEqual(expiresAt, caExpiresAt)
        const { subject, subjectAltName } = new X509Certificate(yield* Effect.promise(() => readFile(cert)))
        assert.deepStrictEqual(
          { subject, subjectAltName },
          {
            subject: "CN=node",
            subjectAltName: "DNS:node, IP Address:10.0.0.5"
          }
        )
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
    )
  }

  it.live("but for key types that TLS does not verify: they are named", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      yield* Certificates.run(
        directory,
        "openssl",
        ...request("-newkey ec -pkeyopt ec_paramgen_curve:secp256k1").split(" ")
      )
      const error = yield* Effect.flip(
        Issuer.issue({
          ca: join(directory, "ca-cert.pem"),
          caKey: join(directory, "ca-key.pem"),
          directory: join(directory, "node"),
          names: ["node"],
          days: 365,
          replace: false
        })
      )
      assert.match(error.message, /ca-key\.pem: a key of type ec secp256k1 cannot sign certificates: use a CA with/)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
