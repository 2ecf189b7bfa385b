/** Devices that are locked out: at load, at both ends of a handshake, while connected, and what is told of it. */
import { assert, describe, layer, it as vitest } from "@effect/vitest"
import { Effect, Layer, Option, Queue, Result, type Scope } from "effect"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto"
import { copyFile, readFile, rename, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { TlsFiles } from "../../../../src/services/node/Config.ts"
import * as Variables from "../../../../src/services/node/Variables.ts"
import * as Description from "../../../../src/services/transport/tls/Description.ts"
import * as Issuer from "../../../../src/services/transport/tls/Issuer.ts"
import * as Revocation from "../../../../src/services/transport/tls/Revocation.ts"
import * as Pem from "../../../../src/services/transport/tls/Pem.ts"
import * as Certificates from "../../../support/Certificates.ts"
import * as Directory from "../../../support/Directory.ts"
import { needs } from "../../../support/Needs.ts"
import { ca, joined, load, quick, refusedBy } from "../../../support/TlsNodes.ts"
import { nextText, reception, webSocket } from "../../../support/Transports.ts"

/** A CA of ours with the certificates of two nodes. */
const house = Effect.gen(function* () {
  const directory = yield* Directory.directory
  const names = ["one"] as const
  const one = yield* Issuer.init({ directory, names, days: 30 })
  const caKey = join(directory, Issuer.fileNames.caKey)
  const issue = (name: string) =>
    Issuer.issue({ ca: one.ca, caKey, directory: join(directory, name), names: [name], days: 30, replace: false })
  const crl = join(directory, Issuer.fileNames.crl)
  const revoke = (which: string) => Issuer.revoke({ ca: one.ca, caKey, crl, which })
  return { directory, one: filesOf(one), two: filesOf(yield* issue("two")), issue, crl, revoke }
})

const filesOf = ({ cert, key, ca }: TlsFiles): TlsFiles => ({ cert, key, ca })

/** A list that revokes something, and does not say until when it stands. */
const withoutEnd = async (ca: string, file: string) => {
  await import("reflect-metadata")
  const x509 = await import("@peculiar/x509")
  const onP256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
  const der = createPrivateKey(await readFile(join(dirname(ca), Issuer.fileNames.caKey))).export({
    type: "pkcs8",
    format: "der"
  })
  const list = await x509.X509CrlGenerator.create(
    {
      issuer: new x509.X509Certificate(await readFile(ca, "utf8")).subjectName,
      thisUpdate: new Date(),
      entries: [{ serialNumber: "01", revocationDate: new Date() }],
      signingAlgorithm: onP256,
      signingKey: await webcrypto.subtle.importKey("pkcs8", der, onP256, false, ["sign"])
    },
    webcrypto
  )
  await writeFile(file, x509.PemConverter.encode(list.rawData, "X509 CRL"))
}

const serialOf = async (file: string) =>
  new X509Certificate(await readFile(file)).serialNumber.toLowerCase().replace(/^0+/, "")

type Test = Effect.Effect<unknown, unknown, Scope.Scope | Layer.Success<typeof NodeFileSystem.layer>>

layer(NodeFileSystem.layer, { excludeTestServices: true })("a revoked certificate", (it) => {
  const live = (name: string, test: Test) => it.effect(name, () => Effect.scoped(test).pipe(Effect.asVoid), 40_000)

  live(
    "is named by the list, by file and by serial number; the list keeps what it had",
    Effect.gen(function* () {
      const { one, two, issue, crl, revoke } = yield* house
      const three = yield* issue("three")
      const serials = yield* Effect.promise(() => Promise.all([serialOf(two.cert), serialOf(three.cert)]))
      const first = yield* revoke(two.cert)
      assert.deepInclude(first, { serial: serials[0], subject: "CN=two", wasRevoked: false, count: 1 })
      const colons = serials[1]
        .toUpperCase()
        .padStart(32, "0")
        .replaceAll(/(..)(?=.)/g, "$1:")
      assert.deepInclude(yield* revoke(colons), { serial: serials[1], subject: undefined, wasRevoked: false, count: 2 })
      assert.deepInclude(yield* revoke(three.cert), { wasRevoked: true, count: 2 })

      const authorities = yield* Pem.certificates(one.ca, yield* Pem.read(one.ca))
      const lists = yield* Revocation.read(crl, authorities)
      const named = yield* Effect.forEach([one, two, three], ({ cert }) =>
        Effect.map(
          Effect.promise(() => readFile(cert)),
          (bytes) => {
            return Revocation.find(lists, new X509Certificate(bytes)) !== undefined
          }
        )
      )
      assert.deepStrictEqual(named, [false, true, true])
      const facts = yield* Description.read([one.ca, crl], Date.now())
      assert.deepInclude(facts.at(-1), { type: "crl", issuer: "CN=FERAL Sync CA", signed_by: [one.ca] })
    })
  )

  live(
    "keeps its own node from starting, with the next step",
    Effect.gen(function* () {
      const { directory, two, crl, revoke } = yield* house
      yield* revoke(two.cert)
      const error = yield* Effect.flip(load(directory, ca({ ...two, crl }, true)))
      assert.match(error.message, /two\/peer-cert\.pem: the certificate was revoked: CN=two, .*: sign a new one/)
    })
  )

  live(
    "is refused at either end of a handshake, and others are let in",
    Effect.gen(function* () {
      const { one, two, issue, crl, revoke } = yield* house
      const three = filesOf(yield* issue("three"))
      yield* revoke(two.cert)
      const knowing = ca({ ...one, crl }, true)
      yield* joined(knowing, ca(three, true))

      const asServer = yield* refusedBy(knowing, ca(two, true))
      const refusal = yield* Queue.take(asServer.refusals)
      assert.strictEqual(refusal.reason, "revoked")
      assert.match(refusal.message, /the certificate was revoked: CN=two, .*serial number [\da-f]+/)
      assert.match(asServer.error.message, /or has revoked it/)

      const asDialler = yield* refusedBy(ca(two, true), knowing)
      assert.deepInclude(asDialler.error, { _tag: "TlsHandshakeFailed", reason: "revoked" })
      assert.match(asDialler.error.message, /sign a new certificate for it with the same CA/)
      assert.strictEqual((yield* Queue.take(asDialler.refusals)).reason, "revoked")
    })
  )

  live(
    "ends what is open in both directions when the list changes, and nothing else",
    Effect.gen(function* () {
      const { directory, one, two, issue, crl, revoke } = yield* house
      const [three, four] = [filesOf(yield* issue("three")), filesOf(yield* issue("four"))]
      yield* revoke(three.cert)
      const options = { ...quick, lookEvery: "20 millis" } as const
      const knowing = yield* webSocket(ca({ ...one, crl }, true), options)
      const lost = yield* webSocket(ca(two, true), quick)
      const kept = yield* webSocket(ca(four, true), quick)
      const [at, atLost, atKept] = [yield* reception(knowing), yield* reception(lost), yield* reception(kept)]
      const came = yield* lost.dial(at.at)
      yield* Queue.take(at.arrivals)
      const went = yield* knowing.dial(atLost.at)
      const stays = yield* knowing.dial(atKept.at)
      const far = yield* Queue.take(atKept.arrivals)
      yield* Effect.promise(() => copyFile(crl, join(directory, "old.pem")))

      yield* revoke(two.cert)
      for (const connection of [came, went]) {
        const over = yield* Effect.flip(Effect.forever(Queue.take(connection.incoming))).pipe(
          Effect.timeout("10 seconds")
        )
        assert.strictEqual(over._tag, "PeerClosed")
      }
      yield* stays.send("still there")
      assert.strictEqual(yield* nextText(far), "still there")

      // The list of before lets it in again.
      yield* Effect.promise(() => rename(join(directory, "old.pem"), crl))
      yield* lost.dial(at.at).pipe(Effect.retry({ times: 100 }), Effect.timeout("10 seconds"))
    })
  )

  live(
    "stays revoked when the list is past its time, which is a warning; lists of other CAs and texts that are none are refused",
    Effect.gen(function* () {
      const { directory, one, two, crl } = yield* house
      const other = yield* house
      yield* other.revoke(other.two.cert)
      const said = Effect.fnUntraced(function* (file: string) {
        return (yield* Effect.flip(load(directory, ca({ ...one, crl: file }, true)))).message
      })
      assert.match(yield* said(other.crl), /not signed by our CA \(its issuer is CN=FERAL Sync CA\)/)
      assert.match(yield* said(one.cert), /no list of revoked certificates in this file/)
      assert.match(yield* said(join(directory, "none.pem")), /the file does not exist/)
      const broken = "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n"
      yield* Effect.promise(() => writeFile(crl, broken))
      assert.match(yield* said(crl), /cannot be read: copy it again/)
      // Its entries would be missed, and everyone let in.
      yield* Effect.promise(() => withoutEnd(one.ca, crl))
      assert.match(yield* said(crl), /cannot be read: .*create one with a next update/)
      assert.match(
        (yield* Effect.flip(other.revoke(two.cert))).message,
        /was not signed by the CA in .*: only its own CA can revoke it/
      )
      assert.match((yield* Effect.flip(other.revoke(other.one.ca))).message, /this is the CA itself/)
    })
  )
})

describe("FERAL_SYNC_TLS_CRL", () => {
  const parse = (values: Record<string, string>) =>
    Variables.parse(Object.fromEntries(Object.entries(values).map(([name, text]) => [name, { name, text }])))
  const files = { FERAL_SYNC_TLS_CERT: "c", FERAL_SYNC_TLS_KEY: "k", FERAL_SYNC_TLS_CA: "a" }
  const demand = { FERAL_SYNC_REQUIRE_CLIENT_CERT: "true" }

  vitest("goes with required client certificates, or it would have no effect", () => {
    const whole = Result.getOrThrow(parse({ ...files, ...demand, FERAL_SYNC_TLS_CRL: "/l.pem" }))
    assert.strictEqual(Option.getOrThrow(whole.tls).crl, "/l.pem")
    for (const [values, problem] of [
      [{ ...files, FERAL_SYNC_TLS_CRL: "l" }, /set FERAL_SYNC_REQUIRE_CLIENT_CERT=true as well/],
      [{ FERAL_SYNC_TLS_CRL: "l" }, /only with a CA: set FERAL_SYNC_TLS_CERT, _KEY and _CA/]
    ] as const) {
      const problems = Result.getOrThrow(Result.flip(parse(values)))
      assert.strictEqual(problems[0]?.variable, "FERAL_SYNC_TLS_CRL")
      assert.match(problems[0]?.problem ?? "", problem)
    }
  })
})

layer(NodeFileSystem.layer, { excludeTestServices: true })("lists that openssl made", (it) => {
  it.effect.skipIf(needs("openssl"))(
    "count, also past their time, and openssl reads ours",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const directory = yield* Directory.directory
          const files = yield* Certificates.recipe(directory)
          const config = "[ca]\ndefault_ca=x\n[x]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n"
          yield* Effect.promise(() => writeFile(join(directory, "ca.cnf"), config))
          yield* Effect.promise(() => writeFile(join(directory, "index"), ""))
          yield* Effect.promise(() => writeFile(join(directory, "number"), "01\n"))
          const by = ["-config", "ca.cnf", "-cert", "ca-cert.pem", "-keyfile", "ca-key.pem"]
          yield* Certificates.run(directory, "openssl", "ca", ...by, "-revoke", "peer-cert.pem")
          const ends = ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"]
          yield* Certificates.run(directory, "openssl", "ca", ...by, "-gencrl", ...ends, "-out", "crl.pem")
          const crl = join(directory, "crl.pem")
          const authorities = yield* Pem.certificates(files.ca, yield* Pem.read(files.ca))
          const lists = yield* Revocation.read(crl, authorities)
          const [certificate] = yield* Pem.certificates(files.cert, yield* Pem.read(files.cert))
          assert.isDefined(Revocation.find(lists, certificate))
          const [warning] = yield* Revocation.warnings(lists)
          assert.match(warning?.problem ?? "", /CN=FERAL Sync CA ended on 2020-02-01T00:00:00\.000Z; it still counts/)

          const caKey = join(directory, "ca-key.pem")
          yield* Issuer.revoke({ ca: files.ca, caKey, crl, which: files.cert })
          const verify = ["crl", "-in", "crl.pem", "-CAfile", "ca-cert.pem", "-noout", "-text"]
          const { stdout, stderr } = yield* Certificates.run(directory, "openssl", ...verify)
          assert.match(`${stdout}${stderr}`, /verify OK/)
          assert.match(`${stdout}`.replaceAll(/\s/g, ""), new RegExp(certificate.serialNumber, "i"))
        })
      ),
    40_000
  )
})
