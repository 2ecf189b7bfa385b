/**
 * Key material of every shape: what the start says of it, what `doctor` and `tls show` say, and what happens in a real
 * handshake with a peer of the same CA are the same.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer, Queue, References } from "effect"
import { writeFile } from "node:fs/promises"
import { basename } from "node:path"
import type { TlsFiles } from "../../../../src/services/node/Config.ts"
import type { TlsReason } from "../../../../src/services/node/NodeFailure.ts"
import * as DoctorCertificates from "../../../../src/services/admin/doctor/Certificates.ts"
import * as Description from "../../../../src/services/transport/tls/Description.ts"
import { directory } from "../../../support/Directory.ts"
import { needs } from "../../../support/Needs.ts"
import { run } from "../../../support/Nodes.ts"
import { tlsClient, tlsServer } from "../../../support/RawPeers.ts"
import { settings } from "../../../support/Settings.ts"
import * as Shapes from "../../../support/Shapes.ts"
import { ca, joined, load, quick } from "../../../support/TlsNodes.ts"
import { reception, webSocket } from "../../../support/Transports.ts"

class Material extends Context.Service<Material, Effect.Success<typeof Shapes.make>>()("test/Shapes") {
  static readonly layer = Layer.effect(Material, Shapes.make)
}

const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/** A peer that has a good certificate, and trusts the CA of the shape as well. */
const peerOf = Effect.fnUntraced(function* (good: TlsFiles, shape: Shapes.Shape) {
  const trusted = `${good.cert}+${basename(shape.files.ca)}`
  const both = [(yield* Shapes.contents(good)).ca, (yield* Shapes.contents(shape.files)).ca]
  yield* Effect.promise(() => writeFile(trusted, both.join("\n")))
  return yield* webSocket(ca({ ...good, ca: trusted }, true), quick)
})

/** Whether bare TLS ends with this material, in one of the roles at least, are refused by a peer of the same CA. */
const isRefused = Effect.fnUntraced(function* (good: TlsFiles, shape: Shapes.Shape) {
  const shown = yield* Shapes.contents(shape.files)
  if (shape.isOfItsCaAlone === true) {
    const server = yield* tlsServer({ ...shown, requestCert: true }, (socket) => socket.end("let in"))
    const { code, received } = yield* tlsClient(server.at, shown)
    return code !== "" && received === ""
  }
  const peer = yield* peerOf(good, shape)
  const asServer = yield* tlsServer(shown, (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).pipe(
    Effect.flatMap(({ at }) => peer.dial(at)),
    Effect.match({ onSuccess: () => false, onFailure: (error) => error._tag === "TlsHandshakeFailed" }),
    // Node takes some of it for no server at all.
    Effect.catchDefect(() => Effect.succeed(true))
  )
  if (asServer) return true
  const { at } = yield* reception(peer)
  const { received } = yield* tlsClient(at, { ...shown, rejectUnauthorized: false }, request).pipe(
    Effect.catchDefect(() => Effect.succeed({ received: "" }))
  )
  return received === ""
})

describe.skipIf(needs("openssl"))("material", () => {
  layer(Material.layer, { excludeTestServices: true, timeout: "120 seconds" })("of every shape", (it) => {
    const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.provideService(Effect.scoped(effect), References.MinimumLogLevel, "None")

    it.effect(
      "start, doctor, and a real handshake agree",
      () =>
        Effect.gen(function* () {
          const { good, shapes } = yield* Material
          assert.isAtLeast(shapes.length, 40)
          const home = yield* directory
          const wrong: Array<string> = []
          const expect = (shape: Shapes.Shape, what: string, isRight: boolean, said: unknown) => {
            if (!isRight) wrong.push(`${shape.name}: ${what}: ${String(said)}`)
          }
          for (const shape of shapes) {
            const loaded = yield* Effect.result(quietly(load(home, ca(shape.files))))
            const [finding] = yield* DoctorCertificates.examine(settings(home, ca(shape.files))).pipe(
              Effect.provide(NodeFileSystem.layer)
            )
            const said = loaded._tag === "Failure" ? loaded.failure.message : "accepted"
            // `tls show` describes the files, and ends as the start does. What it cannot describe, the start refuses as well.
            const { cert, key, ca: authority } = shape.files
            const shown = yield* Effect.result(
              Description.read([cert, key, authority], Date.now()).pipe(Effect.provide(NodeFileSystem.layer))
            )
            const isSame = shown._tag === "Success" || shape.refused?.test(shown.failure.message) === true
            expect(shape, "tls show", isSame, shown._tag === "Failure" && shown.failure.message)
            if (shape.refused === undefined) {
              expect(shape, "start", loaded._tag === "Success", said)
              expect(shape, "doctor", finding?.status === "ok" || finding?.status === "warning", finding?.message)
              if (loaded._tag === "Failure") continue
              const isOfRoot = /(root|rootandmiddles|bundle|crlfca)\.pem$/.test(shape.files.ca)
              const peer = ca(isOfRoot ? good : shape.files, true)
              const own = ca(shape.files, true)
              const met = yield* Effect.result(
                quietly(Effect.andThen(joined(peer, own), joined(own, peer))).pipe(Effect.timeout("15 seconds"))
              )
              expect(shape, "handshake", met._tag === "Success", met._tag === "Failure" && met.failure)
            } else {
              expect(shape, "start", loaded._tag === "Failure" && shape.refused.test(said), said)
              expect(shape, "doctor", finding?.status === "failed" && finding.next_step !== null, finding?.message)
              expect(shape, "the same words", said === `${finding?.message}: ${finding?.next_step}`, finding?.message)
              if (shape.isOurRule === true) continue
              expect(shape, "handshake", yield* quietly(isRefused(good, shape)), "a bare end is taken")
            }
          }
          assert.deepStrictEqual(wrong, [])
        }),
      120_000
    )

    /**
     * The reason when a bare server shows it to a node, and when a bare client does; none where it may be shown. Node hides the
     * certificate of a client that it refuses, so there a CA that is none cannot be told from a wrong purpose.
     */
    const reasons: ReadonlyArray<readonly [string, TlsReason | undefined, TlsReason | undefined]> = [
      ["for servers only", undefined, "wrong purpose"],
      ["for clients only", "wrong purpose", undefined],
      ["for mail", "wrong purpose", "wrong purpose"],
      ["for any purpose", "wrong purpose", "wrong purpose"],
      ["an intermediate for servers only", undefined, "wrong purpose"],
      ["signed with SHA-1", "invalid certificate", "invalid certificate"],
      ["CA:FALSE", "invalid certificate", "wrong purpose"],
      ["an intermediate that is no CA", "invalid certificate", "wrong purpose"],
      ["too many intermediates", "invalid certificate", "invalid certificate"],
      ["names that the CA does not allow", "invalid certificate", "invalid certificate"],
      // No signature of such a key is one that is offered: a server ends the handshake, and a client shows no certificate.
      ["Brainpool 256", "protocol", "client certificate required"],
      ["Brainpool 384", "protocol", "client certificate required"]
    ]
    it.effect(
      "what is wrong with the material of a peer is told by its reason, whichever end shows it",
      () =>
        quietly(
          Effect.gen(function* () {
            const { good, shapes } = yield* Material
            const found: Array<readonly [string, TlsReason | undefined, TlsReason | undefined]> = []
            for (const [name] of reasons) {
              const shape = shapes.find((shape) => shape.name === name)
              if (shape === undefined) return assert.fail(`no shape ${name}`)
              const shown = yield* Shapes.contents(shape.files)
              const peer = yield* peerOf(good, shape)
              const server = yield* tlsServer(shown, (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))
              const error = yield* Effect.flip(peer.dial(server.at))
              const asServer = error._tag === "TlsHandshakeFailed" ? error.reason : undefined
              if (asServer === "protocol") assert.match(error.message, /key of its certificate is RSA, .* P-521$/)
              const { at, refusals } = yield* reception(peer)
              const { received } = yield* tlsClient(at, { ...shown, rejectUnauthorized: false }, request)
              const refusal = received === "" ? yield* Queue.take(refusals) : undefined
              if (asServer !== undefined && asServer !== "protocol")
                assert.match(error.message, /\(CN=\w+, issued by CN=\w+\).*; (sign|run) /)
              found.push([name, asServer, refusal?.reason])
            }
            assert.deepStrictEqual(found, reasons)
          })
        ),
      60_000
    )

    it.effect(
      "so does tls show",
      () =>
        Effect.gen(function* () {
          const { shapes } = yield* Material
          const shown = [
            "for server and client",
            "for servers only",
            "too many intermediates",
            "secp256k1",
            "Brainpool 256",
            "UTF-16",
            "DER",
            "PKCS#12"
          ]
          const home = yield* directory
          for (const name of shown) {
            const shape = shapes.find((shape) => shape.name === name)
            if (shape === undefined) return assert.fail(`no shape ${name}`)
            const { cert, key, ca } = shape.files
            const env = { FERAL_HOME: home, FERAL_SYNC_TLS_CERT: cert, FERAL_SYNC_TLS_KEY: key, FERAL_SYNC_TLS_CA: ca }
            const { code, stderr } = yield* Effect.promise(() => run(["tls", "show"], env))
            assert.strictEqual(code, shape.refused === undefined ? 0 : 2, stderr)
            assert.match(stderr, shape.refused ?? /^$/)
          }
        }),
      60_000
    )
  })
})
