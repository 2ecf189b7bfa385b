/** How existing FERAL nodes are reached and listened to: in clear where that is known, and with room for all that they have. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Result, type Scope } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { WebSocket, WebSocketServer } from "ws"
import { nextText, reception, webSocket } from "../../support/Transports.ts"

const live = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test).pipe(Effect.timeout("15 seconds"), Effect.asVoid))

/** A WebSocket server without TLS, which counts what it cannot read: a TLS handshake is that. */
const plainNode = Effect.acquireRelease(
  Effect.callback<{
    readonly port: number
    readonly unread: () => number
    readonly say: (text: string) => void
    readonly close: () => void
  }>((resume) => {
    let unread = 0
    let greeting: string | undefined
    const server = createServer()
    const sockets = new WebSocketServer({ server, path: "/sync" })
    sockets.on("connection", (socket) => {
      if (greeting !== undefined) socket.send(greeting)
    })
    server.on("clientError", (_error, socket) => {
      unread++
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")
    })
    server.listen(0, "127.0.0.1", () => {
      const close = () => {
        for (const socket of sockets.clients) socket.terminate()
        server.close()
      }
      resume(
        Effect.succeed({
          port: (server.address() as AddressInfo).port,
          unread: () => unread,
          say: (text) => void (greeting = text),
          close
        })
      )
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("an existing node without TLS", () => {
  live(
    "is dialled in clear where it is named as plain, and never tried with TLS",
    Effect.gen(function* () {
      const peer = yield* plainNode
      const address = { host: "127.0.0.1", port: peer.port, plain: true } as const
      const node = yield* webSocket({ legacy: "on" })
      for (let round = 0; round < 5; round++) {
        const { tls, form } = yield* Effect.scoped(node.dial(address))
        assert.deepStrictEqual([tls, form], ["none", 1])
      }
      assert.strictEqual(peer.unread(), 0)
      peer.close()
      const failure = yield* Effect.flip(Effect.scoped(node.dial(address)))
      assert.strictEqual(failure._tag, "PeerUnreachable")
    })
  )

  live(
    "is cut off with a first frame of more than 64 KiB, before all of it has come",
    Effect.gen(function* () {
      const peer = yield* plainNode
      const node = yield* webSocket({ legacy: "on" })
      for (const [bytes, isTaken] of [
        [60 * 1024, true],
        [8 * 1024 * 1024, false]
      ] as const) {
        peer.say("x".repeat(bytes))
        const connection = yield* node.dial({ host: "127.0.0.1", port: peer.port, plain: true })
        const first = yield* Effect.result(Queue.take(connection.incoming))
        assert.strictEqual(Result.isSuccess(first), isTaken)
        if (Result.isFailure(first)) {
          assert.deepInclude(first.failure, { code: 1009, reason: "the peer sent a hello over our limit", byUs: true })
        }
      }
    })
  )

  live(
    "is never dialled in clear where the policy forbids it",
    Effect.gen(function* () {
      const peer = yield* plainNode
      const node = yield* webSocket({ legacy: "tls" })
      for (let round = 0; round < 2; round++) {
        const failure = yield* Effect.flip(Effect.scoped(node.dial({ host: "127.0.0.1", port: peer.port })))
        assert.strictEqual(failure._tag, "TlsHandshakeFailed")
      }
    })
  )
})

describe("the one frame of an existing node", () => {
  live(
    "may be larger than a stranger's once its address has shown the passphrase, up to the limit of its own",
    Effect.gen(function* () {
      const node = yield* webSocket({ legacy: "on", legacyMaxRecvBytes: 18 * 1024 * 1024 })
      const { port, arrivals } = yield* reception(node)
      const talk = (bytes: number) =>
        Effect.gen(function* () {
          const socket = yield* Effect.acquireRelease(
            Effect.sync(() => new WebSocket(`ws://127.0.0.1:${port}/sync`)),
            (socket) => Effect.sync(() => socket.terminate())
          )
          socket.on("error", () => {})
          socket.on("open", () => {
            socket.send("hello")
            socket.send("x".repeat(bytes))
          })
          const connection = yield* Queue.take(arrivals)
          yield* nextText(connection)
          return yield* Effect.result(nextText(connection))
        }).pipe(Effect.scoped)
      const large = 17 * 1024 * 1024
      const first = yield* talk(large)
      assert.isTrue(first._tag === "Failure")
      const second = yield* talk(large)
      assert.strictEqual(second._tag === "Success" ? second.success.length : 0, large)
      const third = yield* talk(19 * 1024 * 1024)
      assert.match(
        third._tag === "Failure" ? third.failure.message : "",
        /^this node closed the connection .*; raise FERAL_SYNC_LEGACY_MAX_RECV_BYTES on this node$/
      )
    })
  )
})
