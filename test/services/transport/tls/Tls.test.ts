/** Who is let in, who is not, and which reason each end sees. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Queue, Redacted, References } from "effect"
import { readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Certificates from "../../../support/Certificates.ts"
import * as Directory from "../../../support/Directory.ts"
import { needs } from "../../../support/Needs.ts"
import { plainServer, tlsClient, tlsServer } from "../../../support/RawPeers.ts"
import { alsoTrusting, ca, joined, live, load, quick, refusedBy, Shelf } from "../../../support/TlsNodes.ts"
import { reception, webSocket } from "../../../support/Transports.ts"

layer(Shelf.layer, { excludeTestServices: true, timeout: "60 seconds" })("Tls", (it) => {
  describe("mode ca", () => {
    it.effect.skipIf(needs("openssl"))(
      "the certificates of the documented recipe work both ways, and with required client certificates",
      () =>
        Effect.gen(function* () {
          const recipe = yield* Certificates.recipe(yield* Directory.directory)
          const node = ca(recipe, true)
          const { outgoing, incoming } = yield* joined(node, node)
          assert.strictEqual(outgoing.tls, "ca")
          assert.strictEqual(incoming.tls, "ca")
          yield* joined(ca(recipe), node)
          yield* joined(node, ca(recipe))
        }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")),
      60_000
    )

    for (const required of [false, true]) {
      it.effect(
        ...live(`another CA is untrusted at both ends (client certificates required: ${required})`, (shelf) =>
          Effect.gen(function* () {
            const { error, refusals } = yield* refusedBy(ca(shelf.a, required), ca(shelf.b))
            assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "untrusted" })
            assert.include(error.message, "CN=CA-b")
            assert.include(error.message, "CN=peer-a, issued by CN=CA-a")
            const refusal = yield* Queue.take(refusals)
            assert.strictEqual(refusal.reason, "untrusted")
            assert.match(refusal.address, /^127\.0\.0\.1:\d+$/)
          })
        )
      )
    }

    it.effect(
      ...live(
        "a dialler whose certificate is of another CA is untrusted at both ends, though it trusts the server",
        (shelf) =>
          Effect.gen(function* () {
            const mixed = yield* alsoTrusting(shelf.b, shelf.a)
            const { error, refusals } = yield* refusedBy(ca(shelf.a, true), ca(mixed))
            assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "untrusted" })
            assert.include(error.message, "CN=peer-b, issued by CN=CA-b")
            assert.strictEqual((yield* Queue.take(refusals)).reason, "untrusted")
          })
      )
    )

    it.effect(
      ...live("a dialler without a certificate is told that it needs one", (shelf) =>
        Effect.gen(function* () {
          const { error, refusals } = yield* refusedBy(ca(shelf.a, true), {})
          assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "client certificate required" })
          assert.strictEqual((yield* Queue.take(refusals)).reason, "client certificate required")
        })
      )
    )

    it.effect(
      ...live("a raw TLS client without a certificate gets the standard alert", (shelf) =>
        Effect.gen(function* () {
          const { at, refusals } = yield* reception(yield* webSocket(ca(shelf.a, true), quick))
          const { ca: authority } = yield* Certificates.contents(shelf.a)
          const { code, received } = yield* tlsClient(at, { ca: authority }, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          assert.strictEqual(code, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED")
          assert.strictEqual(received, "")
          assert.strictEqual((yield* Queue.take(refusals)).reason, "client certificate required")
        })
      )
    )

    it.effect(
      ...live("a client that comes again and again is reported once", (shelf) =>
        Effect.gen(function* () {
          const { at, refusals } = yield* reception(yield* webSocket(ca(shelf.a, true), quick))
          const dialler = yield* webSocket({}, quick)
          for (let round = 0; round < 3; round++) yield* Effect.flip(dialler.dial(at))
          yield* Effect.flip((yield* webSocket(ca(yield* alsoTrusting(shelf.b, shelf.a)), quick)).dial(at))
          const reasons = [yield* Queue.take(refusals), yield* Queue.take(refusals)].map(({ reason }) => reason)
          assert.deepStrictEqual(reasons, ["client certificate required", "untrusted"])
        })
      )
    )

    it.effect.skipIf(needs("openssl"))(
      ...live("the alert of a client that knows no such CA is reported as untrusted", (shelf) =>
        Effect.gen(function* () {
          const { at, refusals } = yield* reception(yield* webSocket(ca(shelf.a), quick))
          const line = `s_client -connect 127.0.0.1:${at.port} -CAfile ${shelf.b.ca} -verify_return_error`
          yield* Effect.exit(Certificates.run(shelf.directory, "openssl", ...line.split(" ")))
          const refusal = yield* Queue.take(refusals)
          assert.strictEqual(refusal.reason, "untrusted")
          assert.include(refusal.detail, "CN=peer-a, issued by CN=CA-a")
        })
      )
    )

    it.effect(
      ...live("a node without TLS variables is untrusted", (shelf) =>
        Effect.gen(function* () {
          const { error, refusals } = yield* refusedBy({}, ca(shelf.a))
          assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "untrusted" })
          assert.include(error.message, "CN=feral-sync, issued by CN=feral-sync")
          assert.strictEqual((yield* Queue.take(refusals)).reason, "untrusted")
        })
      )
    )

    for (const [validity, reason] of [
      ["past", "expired"],
      ["future", "not yet valid"]
    ] as const) {
      it.effect(
        ...live(`a server certificate that is ${reason} is named so, with its dates`, (shelf) =>
          Effect.gen(function* () {
            const server = yield* tlsServer(yield* Certificates.contents(shelf[validity]), () => {})
            const dialler = yield* webSocket(ca(yield* alsoTrusting(shelf.a, shelf[validity])), quick)
            const error = yield* Effect.flip(dialler.dial(server.at))
            assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason })
            assert.include(error.message, `CN=peer-${validity}, issued by CN=CA-${validity}`)
            assert.match(error.message, /valid from .* to .*/)
          })
        )
      )

      it.effect(
        ...live(`a client certificate that is ${reason} is refused as such`, (shelf) =>
          Effect.gen(function* () {
            const node = yield* webSocket(ca(yield* alsoTrusting(shelf.a, shelf[validity]), true), quick)
            const { at, refusals } = yield* reception(node)
            const { cert, key } = yield* Certificates.contents(shelf[validity])
            const { received } = yield* tlsClient(
              at,
              { cert, key, rejectUnauthorized: false },
              "GET / HTTP/1.1\r\n\r\n"
            )
            assert.strictEqual(received, "")
            assert.strictEqual((yield* Queue.take(refusals)).reason, reason)
          })
        )
      )

      it.effect(
        ...live(`our own certificate that is ${reason} stops the start`, (shelf) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(load(shelf.directory, ca(shelf[validity])))
            assert.strictEqual(error.file, shelf[validity].cert)
            assert.match(error.problem, validity === "past" ? /expired on .*GMT/ : /valid only from .*2070 GMT/)
          })
        )
      )
    }

    it.effect(
      ...live("TLS 1.2 works, with the same binding at both ends; older versions do not", (shelf) =>
        Effect.gen(function* () {
          const files = yield* Certificates.contents(shelf.a)
          const bindings = yield* Queue.bounded<Buffer>(1)
          const server = yield* tlsServer({ ...files, maxVersion: "TLSv1.2" }, (socket) => {
            Queue.offerUnsafe(bindings, socket.exportKeyingMaterial(32, "EXPORTER-feral-sync", Buffer.alloc(0)))
          })
          const tls = yield* load(shelf.directory, ca(shelf.a))
          const channel = yield* tls.dial(server.at, () => "")
          assert.deepStrictEqual(Buffer.from(Redacted.value(channel.binding)), yield* Queue.take(bindings))

          const old = yield* tlsServer(
            { ...files, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
            () => {}
          )
          const error = yield* Effect.flip(tls.dial(old.at, () => ""))
          assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "protocol" })
        })
      )
    )
  })

  describe("mode auto", () => {
    it.effect(
      ...live("two nodes with nothing configured have a channel with a common binding", () =>
        Effect.gen(function* () {
          const { outgoing, incoming } = yield* joined({}, {})
          assert.strictEqual(outgoing.tls, "auto")
          assert.strictEqual(incoming.tls, "auto")
        })
      )
    )

    it.effect(...live("a node without TLS variables can dial one with them", (shelf) => joined(ca(shelf.a), {})))

    it.effect(
      ...live("key and certificate are made once, for this user alone", () =>
        Effect.gen(function* () {
          const directory = yield* Directory.directory
          const home = join(directory, "new", "home")
          const paths = [join(home, "tls-key.pem"), join(home, "tls-cert.pem")]
          const contents = Effect.promise(() => Promise.all(paths.map((path) => readFile(path, "utf8"))))
          const first = yield* (yield* load(home)).own
          const made = yield* contents
          for (const path of paths) {
            assert.strictEqual((yield* Effect.promise(() => stat(path))).mode & 0o777, 0o600)
          }
          assert.strictEqual(yield* (yield* load(home)).own, first)
          assert.deepStrictEqual(yield* contents, made)
        })
      )
    )

    it.effect.skipIf(needs("openssl"))(
      ...live("OpenSSL accepts the certificate that was made", () =>
        Effect.gen(function* () {
          const home = yield* Directory.directory
          yield* load(home)
          const inspect = (line: string) =>
            Effect.map(Certificates.run(home, "openssl", ...line.split(" ")), ({ stdout }) => stdout)
          assert.include(yield* inspect("verify -x509_strict -CAfile tls-cert.pem tls-cert.pem"), "OK")
          const shown = yield* inspect("x509 -in tls-cert.pem -noout -text -checkend 315360000")
          for (const part of ["CN = feral-sync", "prime256v1", "ecdsa-with-SHA256", "Certificate will not expire"]) {
            assert.include(shown, part)
          }
        })
      )
    )

    it.effect(
      ...live("what a crash left half made is made again; what was damaged is left alone and named", () =>
        Effect.gen(function* () {
          const home = yield* Directory.directory
          const key = join(home, "tls-key.pem")
          yield* Effect.promise(() => writeFile(`${key}.new`, "half a key"))
          yield* load(home)
          yield* Certificates.run(home, "rm", "tls-cert.pem")
          yield* load(home)
          yield* Effect.promise(() => writeFile(key, "damaged"))
          const error = yield* Effect.flip(load(home))
          assert.strictEqual(error.file, key)
          assert.strictEqual(yield* Effect.promise(() => readFile(key, "utf8")), "damaged")
        })
      )
    )

    it.effect(
      ...live("TLS 1.2 is not enough: nothing else vouches for the channel", (shelf) =>
        Effect.gen(function* () {
          const files = yield* Certificates.contents(shelf.a)
          const server = yield* tlsServer({ ...files, maxVersion: "TLSv1.2" }, () => {})
          const error = yield* Effect.flip((yield* webSocket({}, quick)).dial(server.at))
          assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "protocol" })
        })
      )
    )
  })

  describe("servers that are no TLS servers", () => {
    for (const [name, answer, reasons] of [
      ["HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", ["plain peer"]],
      ["an SSH", "SSH-2.0-OpenSSH_9.2\r\n", ["plain peer", "protocol"]],
      ["a babbling", "\u0016\u0003\u0001\u0000\u0005hello".repeat(20), ["plain peer", "protocol"]]
    ] as const) {
      it.effect(
        ...live(`${name} server`, () =>
          Effect.gen(function* () {
            const server = yield* plainServer((socket) => socket.once("data", () => socket.end(answer, "latin1")))
            const error = yield* Effect.flip((yield* webSocket({}, quick)).dial(server.at))
            assert.strictEqual(error._tag, "TlsHandshakeFailed")
            if (error._tag === "TlsHandshakeFailed") assert.include(reasons, error.reason)
            assert.notMatch(error.message, /\.c:\d+|\n|routines/)
          })
        )
      )
    }
  })
})
