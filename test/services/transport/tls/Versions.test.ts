/** Peers that speak TLS 1.2 at most, and authorities that nobody configured: the same verdicts, at both ends. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { spawn } from "node:child_process"
import { connect, getCACertificates, setDefaultCACertificates, type TlsOptions } from "node:tls"
import * as Certificates from "../../../support/Certificates.ts"
import { needs } from "../../../support/Needs.ts"
import { tlsClient, tlsServer } from "../../../support/RawPeers.ts"
import { alsoTrusting, ca, live, quick, Shelf } from "../../../support/TlsNodes.ts"
import { reception, webSocket } from "../../../support/Transports.ts"

/** A server of the openssl command, on a port of its choice. */
const opensslServer = Effect.fnUntraced(function* (options: string) {
  const server = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("openssl", ["s_server", "-accept", "127.0.0.1:0", ...options.split(" ")])),
    (child) => Effect.sync(() => child.kill())
  )
  return yield* Effect.callback<{ host: string; port: number }>((resume) => {
    let said = ""
    server.stdout.on("data", (chunk) => {
      said += String(chunk)
      const port = /ACCEPT .*:(\d+)/.exec(said)?.[1]
      if (port !== undefined) resume(Effect.succeed({ host: "127.0.0.1", port: Number(port) }))
    })
  })
})

const old = { maxVersion: "TLSv1.2" } as const
const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

layer(Shelf.layer, { excludeTestServices: true, timeout: "60 seconds" })("TLS", (it) => {
  describe("1.2 at most: a client", () => {
    for (const [whose, reason] of [
      ["none", "client certificate required"],
      ["b", "untrusted"],
      ["past", "expired"],
      ["future", "not yet valid"]
    ] as const) {
      it.effect(
        ...live(`that is refused (${reason})`, (shelf) =>
          Effect.gen(function* () {
            const files = whose === "past" || whose === "future" ? yield* alsoTrusting(shelf.a, shelf[whose]) : shelf.a
            const { at, refusals } = yield* reception(yield* webSocket(ca(files, true), quick))
            const shown = whose === "none" ? {} : yield* Certificates.contents(shelf[whose])
            const { received } = yield* tlsClient(at, { ...shown, ...old, rejectUnauthorized: false }, request)
            assert.strictEqual(received, "")
            const refusal = yield* Queue.take(refusals)
            assert.strictEqual(refusal.reason, reason)
          })
        )
      )
    }

    it.effect.skipIf(needs("openssl"))(
      ...live("that does not know our CA", (shelf) =>
        Effect.gen(function* () {
          const { at, refusals } = yield* reception(yield* webSocket(ca(shelf.a), quick))
          const line = `s_client -tls1_2 -connect 127.0.0.1:${at.port} -CAfile ${shelf.b.ca} -verify_return_error`
          yield* Effect.exit(Certificates.run(shelf.directory, "openssl", ...line.split(" ")))
          const refusal = yield* Queue.take(refusals)
          assert.strictEqual(refusal.reason, "untrusted")
          assert.include(refusal.detail, "CN=peer-a, issued by CN=CA-a")
        })
      )
    )
  })

  describe("1.2 at most: a server", () => {
    const dialled = Effect.fnUntraced(function* (shelf: Shelf["Service"], options: TlsOptions, dialler = shelf.a) {
      const server = yield* tlsServer({ ...options, ...old }, () => {})
      return yield* Effect.flip((yield* webSocket(ca(dialler), quick)).dial(server.at))
    })

    for (const [whose, reason] of [
      ["b", "untrusted"],
      ["past", "expired"],
      ["future", "not yet valid"]
    ] as const) {
      it.effect(
        ...live(`that is refused (${reason})`, (shelf) =>
          Effect.gen(function* () {
            const files = whose === "b" ? shelf.a : yield* alsoTrusting(shelf.a, shelf[whose])
            const error = yield* dialled(shelf, yield* Certificates.contents(shelf[whose]), files)
            assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason })
            assert.include(error.message, `CN=peer-${whose}, issued by CN=CA-${whose}`)
          })
        )
      )
    }

    it.effect.skipIf(needs("openssl"))(
      ...live("that does not know our CA", (shelf) =>
        Effect.gen(function* () {
          // OpenSSL's own server says why, in an alert; Node's hangs up.
          const files = `-cert ${shelf.a.cert} -key ${shelf.a.key} -CAfile ${shelf.b.ca}`
          const at = yield* opensslServer(`-tls1_2 -Verify 1 -verify_return_error ${files}`)
          const error = yield* Effect.flip((yield* webSocket(ca(shelf.a), quick)).dial(at))
          assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "untrusted" })
          assert.include(error.message, "CN=peer-a, issued by CN=CA-a")
        })
      )
    )
  })

  describe("authorities of the system", () => {
    /** All that the process trusts by default, and the CA `b`, for as long as the scope is open. */
    const trustedByDefault = Effect.fnUntraced(function* (shelf: Shelf["Service"]) {
      const { ca: authority } = yield* Certificates.contents(shelf.b)
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const before = getCACertificates("default")
          setDefaultCACertificates([...before, authority])
          return before
        }),
        (before) => Effect.sync(() => setDefaultCACertificates(before))
      )
    })

    it.effect(
      ...live("vouch for no server", (shelf) =>
        Effect.gen(function* () {
          yield* trustedByDefault(shelf)
          const server = yield* tlsServer(yield* Certificates.contents(shelf.b), () => {})
          // Who asks the system is satisfied.
          const isTrusted = yield* Effect.callback<boolean>((resume) => {
            const socket = connect({ ...server.at, checkServerIdentity: () => undefined }, () => {
              resume(Effect.succeed(socket.authorized))
              socket.destroy()
            })
            socket.on("error", () => resume(Effect.succeed(false)))
          })
          assert.isTrue(isTrusted)
          const error = yield* Effect.flip((yield* webSocket(ca(shelf.a), quick)).dial(server.at))
          assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "untrusted" })
        })
      )
    )

    it.effect(
      ...live("vouch for no client", (shelf) =>
        Effect.gen(function* () {
          yield* trustedByDefault(shelf)
          const { at, refusals } = yield* reception(yield* webSocket(ca(shelf.a, true), quick))
          const { cert, key } = yield* Certificates.contents(shelf.b)
          yield* tlsClient(at, { cert, key, rejectUnauthorized: false }, request)
          assert.strictEqual((yield* Queue.take(refusals)).reason, "untrusted")
        })
      )
    )
  })
})
