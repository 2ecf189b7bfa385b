/** The port as strangers meet it, older nodes, limits, and the ends that a connection can come to. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Queue, type Scope } from "effect"
import type { Socket } from "node:net"
import { createServer } from "node:https"
import { type RawData, WebSocket, WebSocketServer } from "ws"
import type { Connection } from "../../../src/services/transport/Transport.ts"
import * as Certificates from "../../support/Certificates.ts"
import { directory } from "../../support/Directory.ts"
import { plainClient, plainServer, tlsClient, tlsServer } from "../../support/RawPeers.ts"
import { connect, drain, nextText, reception, webSocket, webSocketWorld } from "../../support/Transports.ts"

const live = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test).pipe(Effect.timeout("15 seconds"), Effect.asVoid))

const trusting = { rejectUnauthorized: false }

const files = Effect.gen(function* () {
  return yield* Certificates.contents(yield* Certificates.issue(yield* directory, "x"))
})

const request = (head: string, ...fields: ReadonlyArray<string>) =>
  [`${head} HTTP/1.1`, "Host: node", ...fields, "", ""].join("\r\n")

const upgradeFields = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
]

/** A client that is no node of ours; it ends with the scope. */
const stranger = Effect.fnUntraced(function* (port: number, headers: Record<string, string>, options = {}) {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => new WebSocket(`wss://127.0.0.1:${port}/sync`, { ...trusting, headers, ...options })),
    (socket) => Effect.sync(() => socket.terminate())
  )
  const texts = yield* Queue.bounded<string>(16)
  const closed = yield* Queue.bounded<number>(1)
  socket.on("error", () => {})
  socket.on("message", (data) => Queue.offerUnsafe(texts, textOf(data)))
  socket.on("close", (code) => Queue.offerUnsafe(closed, code))
  const open = yield* Deferred.make<void>()
  socket.on("open", () => Deferred.doneUnsafe(open, Effect.void))
  return { socket, texts, closed, ready: Deferred.await(open) }
})

const textOf = (data: RawData) => (Buffer.isBuffer(data) ? data.toString("utf8") : "")

/** The raw socket under a connection that a stranger made. */
const opened = ({ socket }: { readonly socket: WebSocket }) =>
  Effect.callback<Socket>((resume) => {
    socket.on("upgrade", (response) => resume(Effect.succeed(response.socket)))
  })

const code = (connection: Connection) => Effect.map(drain(connection), ({ over }) => over.code)

describe("the port", () => {
  live(
    "answers strangers shortly and closes",
    Effect.gen(function* () {
      const { at, arrivals, refusals } = yield* reception(yield* webSocket())
      const nonce = `Feral-Sync-Nonce: ${"a".repeat(43)}`
      const cases: ReadonlyArray<readonly [string, RegExp]> = [
        [request("GET /"), /^HTTP\/1\.1 404 /],
        [request("GET /sync"), /^HTTP\/1\.1 426 /],
        [request("POST /sync", "Content-Length: 5"), /^HTTP\/1\.1 426 /],
        [request("GET /other", ...upgradeFields), /^HTTP\/1\.1 404 /],
        [request("GET /sync/", ...upgradeFields, "Feral-Sync: 2", nonce), /^HTTP\/1\.1 404 /],
        [request("GET /sync", "Connection: Upgrade", "Upgrade: h2c"), /^HTTP\/1\.1 426 /],
        [request("GET /sync", ...upgradeFields.slice(0, 2)), /^HTTP\/1\.1 400 /],
        [request("POST /sync", ...upgradeFields), /^HTTP\/1\.1 405 /],
        [request("GET /sync", `X: ${"x".repeat(20_000)}`), /^HTTP\/1\.1 4\d\d /],
        ["garbage\r\n\r\n", /^HTTP\/1\.1 400 /]
      ]
      for (const [text, answer] of cases) {
        const { code, received } = yield* tlsClient(at, trusting, text)
        assert.match(received, answer, text.slice(0, 60))
        assert.strictEqual(code, "")
      }
      assert.strictEqual(Queue.sizeUnsafe(arrivals), 0)
      assert.strictEqual(Queue.sizeUnsafe(refusals), 0)
    })
  )

  live(
    "rejects clients without TLS, and says why",
    Effect.gen(function* () {
      const { at, arrivals, refusals } = yield* reception(yield* webSocket())
      for (const text of [request("GET /sync", ...upgradeFields), request("GET /")]) {
        const { received } = yield* plainClient(at, text)
        assert.match(received, /^HTTP\/1\.1 426 /)
        assert.include(received, "passphrase would be sent in cleartext")
      }
      assert.strictEqual(Queue.sizeUnsafe(arrivals), 0)
      assert.strictEqual(Queue.sizeUnsafe(refusals), 0)
    })
  )

  live(
    "is not disturbed by port scans, and does not report them",
    Effect.gen(function* () {
      const node = yield* webSocket()
      const { at, arrivals, refusals } = yield* reception(node)
      for (const bytes of [
        "\x16\x03\x01garbage",
        "\x16",
        "\x16\x03\x01\x00\x05hello".repeat(5),
        "\x00\xff",
        "SSH-2.0\r\n"
      ]) {
        yield* Effect.timeoutOption(plainClient(at, bytes), "100 millis")
      }
      yield* node.dial(at)
      yield* Queue.take(arrivals)
      assert.strictEqual(Queue.sizeUnsafe(refusals), 0)
    })
  )

  live(
    "drops who is slow, at every step",
    Effect.gen(function* () {
      const { at } = yield* reception(yield* webSocket({}, { handshakeWithin: "200 millis" }))
      yield* plainClient(at, "")
      yield* plainClient(at, "\x16\x03\x01")
      yield* plainClient(at, "GET /sync HTTP/1.1\r\n")
      yield* tlsClient(at, trusting, "")
      yield* tlsClient(at, trusting, "GET /sync HTTP/1.1\r\nHost: ")
    })
  )

  live(
    "that is taken is an error that says so",
    Effect.gen(function* () {
      const { at } = yield* reception(yield* webSocket())
      const error = yield* Effect.flip(reception(yield* webSocket({ port: at.port })))
      assert.strictEqual(error._tag, "ListenFailed")
      assert.include(error.message, `127.0.0.1:${at.port} (another program uses the port)`)
    })
  )

  live(
    "can be reached by name and by IPv6 address",
    Effect.gen(function* () {
      const node = yield* webSocket({ host: undefined })
      const { port, arrivals } = yield* reception(node)
      for (const [host, remote] of [
        ["localhost", /^(127\.0\.0\.1|::1)$/],
        ["::1", /^::1$/],
        ["127.0.0.1", /^127\.0\.0\.1$/]
      ] as const) {
        yield* node.dial({ host, port })
        assert.match((yield* Queue.take(arrivals)).remote.host, remote)
      }
    })
  )
})

describe("nodes of the older form", () => {
  live(
    "are met as form 1, and so is a client with an incomplete pair of headers",
    Effect.gen(function* () {
      const { port, arrivals } = yield* reception(yield* webSocket())
      const nonce = "a".repeat(43)
      for (const headers of [
        {},
        { "Feral-Sync": "2" },
        { "Feral-Sync-Nonce": nonce },
        { "Feral-Sync": "3", "Feral-Sync-Nonce": nonce },
        { "Feral-Sync": "2", "Feral-Sync-Nonce": nonce.slice(1) },
        { "Feral-Sync": "2", "Feral-Sync-Nonce": `${nonce.slice(1)}=` }
      ]) {
        const client = yield* stranger(port, headers)
        const response = yield* Effect.callback<Record<string, unknown>>((resume) => {
          client.socket.on("upgrade", (message) => resume(Effect.succeed(message.headers)))
        })
        assert.isFalse("feral-sync" in response || "feral-sync-nonce" in response)
        const connection = yield* Queue.take(arrivals)
        assert.strictEqual(connection.form, 1)
        assert.deepStrictEqual(connection.nonces, { dialler: "", server: "" })
        yield* client.ready
        client.socket.send("hello")
        assert.strictEqual(yield* nextText(connection), "hello")
        yield* connection.send("hi")
        assert.strictEqual(yield* Queue.take(client.texts), "hi")
      }
    })
  )

  live(
    "may offer compression and subprotocols; neither is taken up",
    Effect.gen(function* () {
      const { port, arrivals } = yield* reception(yield* webSocket())
      const client = yield* stranger(port, { "Sec-WebSocket-Protocol": "chat" }, { perMessageDeflate: true })
      const response = yield* Effect.callback<Record<string, unknown>>((resume) => {
        client.socket.on("upgrade", (message) => resume(Effect.succeed(message.headers)))
      })
      yield* Queue.take(arrivals)
      assert.isFalse("sec-websocket-extensions" in response || "sec-websocket-protocol" in response)
    })
  )

  live(
    "are dialled as form 1",
    Effect.gen(function* () {
      const server = createServer(yield* files)
      const upgrades = new WebSocketServer({ server, path: "/sync" })
      upgrades.on("connection", (socket) => socket.on("message", (data) => socket.send(`echo ${textOf(data)}`)))
      const port = yield* Effect.acquireRelease(
        Effect.callback<number>((resume) => {
          server.listen(0, "127.0.0.1", () => {
            const bound = server.address()
            resume(Effect.succeed(bound !== null && typeof bound === "object" ? bound.port : 0))
          })
        }),
        () => Effect.sync(() => (server.close(), server.closeAllConnections()))
      )
      const connection = yield* (yield* webSocket()).dial({ host: "127.0.0.1", port })
      assert.strictEqual(connection.form, 1)
      assert.deepStrictEqual(connection.nonces, { dialler: "", server: "" })
      yield* connection.send("ä")
      assert.strictEqual(yield* nextText(connection), "echo ä")
      // They end without a close frame.
      for (const client of upgrades.clients) client.terminate()
      assert.strictEqual(yield* code(connection), 1006)
    })
  )
})

describe("a dial", () => {
  live(
    "to a server that says nothing ends within its limit, whatever step it stops at",
    Effect.gen(function* () {
      const node = yield* webSocket({}, { handshakeWithin: "200 millis" })
      const silent = yield* plainServer(() => {})
      const silentInside = yield* tlsServer(yield* files, () => {})
      for (const { at } of [silent, silentInside]) {
        const error = yield* Effect.flip(node.dial(at))
        assert.strictEqual(error._tag, "PeerUnreachable")
        assert.include(error.message, "no answer in time")
      }
    })
  )

  live(
    "that fails leaves no socket behind, though its scope lives on",
    Effect.gen(function* () {
      const node = yield* webSocket({}, { handshakeWithin: "200 millis" })
      const closed = yield* Queue.bounded<void>(1)
      const silent = yield* plainServer((socket) => {
        socket.resume()
        socket.on("close", () => Queue.offerUnsafe(closed, undefined))
      })
      yield* Effect.flip(node.dial(silent.at))
      yield* Queue.take(closed)
    })
  )

  live(
    "to another web server tells its status, and to anything else that it is no such server",
    Effect.gen(function* () {
      const node = yield* webSocket()
      const material = yield* files
      const detail = Effect.fnUntraced(function* (answer: string) {
        const server = yield* tlsServer(material, (socket) => socket.once("data", () => socket.end(answer)))
        const error = yield* Effect.flip(node.dial(server.at))
        assert.strictEqual(error._tag, "PeerUnreachable")
        return error.message
      })
      assert.include(yield* detail("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "HTTP status 404")
      assert.include(yield* detail("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\n\r\n"), "HTTP status 302")
      assert.include(yield* detail("220 mail ready\r\n"), "Expected HTTP")
      assert.include(yield* detail(""), "connection reset")
      const wrong = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: x", "", ""].join("\r\n")
      assert.include(yield* detail(`HTTP/1.1 101 Switching Protocols\r\n${wrong}`), "Sec-WebSocket-Accept")
    })
  )

  live(
    "to what is no address is refused without a try",
    Effect.gen(function* () {
      const node = yield* webSocket()
      for (const address of [
        { host: "two words", port: 1 },
        { host: "a/b", port: 1 },
        { host: "127.0.0.1", port: 70_000 }
      ]) {
        assert.strictEqual((yield* Effect.flip(node.dial(address)))._tag, "PeerUnreachable")
      }
    })
  )
})

describe("a connection", () => {
  live(
    "ends with 1009 when a frame is over the limit of the receiver",
    Effect.gen(function* () {
      const small = { maxRecvBytes: 10_000 }
      for (const [server, dialler] of [
        [small, {}],
        [{}, small]
      ] as const) {
        const { at, arrivals } = yield* reception(yield* webSocket(server))
        const outgoing = yield* (yield* webSocket(dialler)).dial(at)
        const incoming = yield* Queue.take(arrivals)
        const [receiver, sender] = server === small ? [incoming, outgoing] : [outgoing, incoming]
        yield* sender.send("x".repeat(10_000))
        assert.strictEqual((yield* nextText(receiver)).length, 10_000)
        yield* sender.send("x".repeat(10_001))
        assert.strictEqual(yield* code(receiver), 1009)
        assert.strictEqual(yield* code(sender), 1009)
      }
    })
  )

  live(
    "ends with 1003 at a binary frame, and with 1007 at text that is no UTF-8",
    Effect.gen(function* () {
      const { port, arrivals } = yield* reception(yield* webSocket())
      for (const [binary, expected] of [
        [true, 1003],
        [false, 1007]
      ] as const) {
        const client = yield* stranger(port, {})
        const connection = yield* Queue.take(arrivals)
        yield* client.ready
        client.socket.send(Buffer.from([0xff, 0xfe]), { binary })
        assert.strictEqual(yield* Queue.take(client.closed), expected)
        yield* drain(connection)
      }
    })
  )

  live(
    "shows a lost peer as 1006, and a broken frame is survived",
    Effect.gen(function* () {
      const { port, arrivals } = yield* reception(yield* webSocket())
      for (const end of [(raw: Socket) => raw.destroy(), (raw: Socket) => raw.end("\xff\xff\xff\xff", "latin1")]) {
        const client = yield* stranger(port, {})
        const raw = yield* opened(client)
        const connection = yield* Queue.take(arrivals)
        end(raw)
        const { over } = yield* drain(connection)
        assert.include([1002, 1006], over.code)
        assert.strictEqual((yield* Effect.flip(connection.send("late"))).code, over.code)
      }
    })
  )

  live(
    "is over about a second after its close, even when the peer does not answer",
    Effect.gen(function* () {
      const { port, arrivals } = yield* reception(yield* webSocket())
      const client = yield* stranger(port, {})
      const raw = yield* opened(client)
      const connection = yield* Queue.take(arrivals)
      raw.pause()
      yield* connection.close(4400, "enough")
      assert.strictEqual(yield* Effect.timeout(code(connection), "2 seconds"), 1006)
    })
  )

  live(
    "holds back thousands of small frames until they are read, and delivers them in order",
    Effect.gen(function* () {
      const { dialler, server } = yield* connect(yield* webSocketWorld)
      const texts = Array.from({ length: 20_000 }, (_, index) => `${index}`)
      yield* Effect.forEach(texts, (text) => dialler.send(text), { discard: true })
      yield* dialler.ping
      for (const text of texts) assert.strictEqual(yield* nextText(server), text)
      yield* dialler.close(1000, "")
      assert.deepStrictEqual((yield* drain(server)).frames, [])
    })
  )
})
