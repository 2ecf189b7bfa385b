/** Who is let in, who is not, and which reason each end sees. */
import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer, Option, Queue, Redacted, References, type Scope } from "effect"
import { readFile, stat, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { Config, type Settings, type TlsFiles } from "../../src/services/Config.ts"
import { Tls } from "../../src/services/Tls.ts"
import * as Certificates from "../support/Certificates.ts"
import { plainServer, tlsClient, tlsServer } from "../support/RawPeers.ts"
import { settings } from "../support/Settings.ts"
import { nextText, reception, webSocket } from "../support/Transports.ts"

/** Certificates of two CAs, made once. */
class Shelf extends Context.Service<
  Shelf,
  {
    readonly directory: string
    readonly recipe: TlsFiles
    readonly a: TlsFiles
    readonly b: TlsFiles
    readonly past: TlsFiles
    readonly future: TlsFiles
  }
>()("test/Shelf") {
  static readonly layer = Layer.effect(
    Shelf,
    Effect.gen(function* () {
      const directory = yield* Certificates.directory
      const issue = (name: string, validity?: Certificates.Validity) => Certificates.issue(directory, name, validity)
      const [recipe, a, b, past, future] = yield* Effect.all(
        [Certificates.recipe(directory), issue("a"), issue("b"), issue("past", "past"), issue("future", "future")],
        { concurrency: 2 }
      )
      return { directory, recipe, a, b, past, future }
    })
  )
}

const ca = (files: TlsFiles, requireClientCert = false): Partial<Settings> => ({
  tls: Option.some(files),
  requireClientCert
})

/** Files of one CA that trust another one as well, as while a CA is being replaced. */
const alsoTrusting = Effect.fnUntraced(function* (files: TlsFiles, other: TlsFiles) {
  const bundle = `${files.ca}+${basename(other.ca)}`
  const both = [(yield* Certificates.contents(files)).ca, (yield* Certificates.contents(other)).ca]
  yield* Effect.promise(() => writeFile(bundle, both.join("")))
  return { ...files, ca: bundle }
})

const quick = { handshakeWithin: "5 seconds" } as const

const load = (home: string, changes: Partial<Settings> = {}) =>
  Layer.build(Tls.layer.pipe(Layer.provide(Layer.succeed(Config, Config.of(settings(home, changes)))))).pipe(
    Effect.map((services) => Context.get(services, Tls))
  )

/** Dials a node that is set up one way from a node that is set up another way, and tells what both ends say. */
const refusedBy = Effect.fnUntraced(function* (server: Partial<Settings>, dialler: Partial<Settings>) {
  const { at, refusals } = yield* reception(yield* webSocket(server, quick))
  const error = yield* Effect.flip((yield* webSocket(dialler, quick)).dial(at))
  return { error, refusals }
})

const joined = Effect.fnUntraced(function* (server: Partial<Settings>, dialler: Partial<Settings>) {
  const { at, arrivals } = yield* reception(yield* webSocket(server, quick))
  const outgoing = yield* (yield* webSocket(dialler, quick)).dial(at)
  const incoming = yield* Queue.take(arrivals)
  yield* outgoing.send("hello")
  assert.strictEqual(yield* nextText(incoming), "hello")
  assert.deepStrictEqual(Redacted.value(outgoing.binding), Redacted.value(incoming.binding))
  return { outgoing, incoming }
})

const live = (
  name: string,
  test: (shelf: Shelf["Service"]) => Effect.Effect<unknown, unknown, Scope.Scope>
): readonly [string, () => Effect.Effect<void, unknown, Shelf>] => [
  name,
  () =>
    Shelf.use((shelf) => Effect.scoped(test(shelf))).pipe(
      Effect.timeout("15 seconds"),
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.asVoid
    )
]

layer(Shelf.layer, { excludeTestServices: true, timeout: "60 seconds" })("Tls", (it) => {
  describe("mode ca", () => {
    it.effect(
      ...live(
        "the certificates of the documented recipe work both ways, and with required client certificates",
        (shelf) =>
          Effect.gen(function* () {
            const node = ca(shelf.recipe, true)
            const { outgoing, incoming } = yield* joined(node, node)
            assert.strictEqual(outgoing.tls, "ca")
            assert.strictEqual(incoming.tls, "ca")
            yield* joined(ca(shelf.recipe), node)
            yield* joined(node, ca(shelf.recipe))
          })
      )
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
      ...live("who comes again and again is reported once", (shelf) =>
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

    it.effect(
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

    it.effect(
      ...live("files that cannot be used stop the start, each with its name", (shelf) =>
        Effect.gen(function* () {
          const text = join(shelf.directory, "text.pem")
          const broken = join(shelf.directory, "broken.pem")
          const locked = join(shelf.directory, "locked.pem")
          yield* Certificates.run(shelf.directory, "sh", "-c", `echo hello > ${text}`)
          const body = Buffer.from("this is no certificate").toString("base64")
          const block = (label: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
          yield* Effect.promise(() => writeFile(broken, block("CERTIFICATE") + block("PRIVATE KEY")))
          yield* Certificates.run(
            shelf.directory,
            "openssl",
            ...`pkcs8 -topk8 -in ${shelf.a.key} -passout pass:secret -out ${locked}`.split(" ")
          )
          const missing = join(shelf.directory, "missing.pem")
          const cases: ReadonlyArray<readonly [Partial<TlsFiles>, string, RegExp]> = [
            [{ cert: missing }, missing, /no such file/],
            [{ key: missing }, missing, /no such file/],
            [{ ca: missing }, missing, /no such file/],
            [{ cert: shelf.directory }, shelf.directory, /this is a directory/],
            [{ cert: text }, text, /no PEM certificate/],
            [{ ca: text }, text, /no PEM certificate/],
            [{ key: text }, text, /no PEM private key/],
            [{ key: shelf.a.cert }, shelf.a.cert, /this is a certificate/],
            [{ cert: broken }, broken, /cannot be read/],
            [{ ca: broken }, broken, /cannot be read/],
            [{ key: broken }, broken, /cannot be read/],
            [{ key: locked }, locked, /encrypted/],
            [{ key: shelf.b.key }, shelf.b.key, /does not belong to the certificate/]
          ]
          for (const [changes, file, problem] of cases) {
            const error = yield* Effect.flip(load(shelf.directory, ca({ ...shelf.a, ...changes })))
            assert.strictEqual(error._tag, "TlsMaterialInvalid")
            assert.strictEqual(error.file, file)
            assert.match(error.problem, problem)
          }
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
      ...live("key and certificate are made once, for this user alone, and OpenSSL accepts them", () =>
        Effect.gen(function* () {
          const directory = yield* Certificates.directory
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
          const home = yield* Certificates.directory
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
