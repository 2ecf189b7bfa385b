/** The port under a crowd: who has proved nothing gets little room, little time and few bytes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, type Scope } from "effect"
import { limits } from "../../../src/core/peers/Admission.ts"
import { closeCodes } from "../../../src/core/sync/Wire.ts"
import type { Connection } from "../../../src/services/transport/Transport.ts"
import { intruder } from "../../support/Attackers.ts"
import { plainClient, silentClients, trickle } from "../../support/RawPeers.ts"
import { drain, nextText, type Node, reception, webSocket } from "../../support/Transports.ts"

const live = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test).pipe(Effect.timeout("15 seconds"), Effect.asVoid))

/** A listener that lets everyone in and takes nobody's word: none of them has proved itself until `prove` is run. */
const doubting = Effect.fnUntraced(function* (
  node: Node,
  meanwhile: (connection: Connection) => Effect.Effect<void> = () => Effect.never
) {
  const arrivals = yield* Queue.bounded<{ readonly connection: Connection; readonly prove: Effect.Effect<void> }>(512)
  let present = 0
  const presence = Effect.acquireRelease(
    Effect.sync(() => present++),
    () => Effect.sync(() => present--)
  )
  const { port } = yield* node.listen({
    serve: (connection, prove) =>
      presence.pipe(
        Effect.andThen(Queue.offer(arrivals, { connection, prove })),
        Effect.andThen(meanwhile(connection)),
        Effect.scoped
      ),
    refused: () => Effect.void
  })
  return { arrivals, at: { host: "127.0.0.1", port }, present: () => present }
})

const local = (host: number) => `127.0.1.${host}`

/** Waits until so many of the sockets are open, and no more. */
const settled = (open: ReadonlySet<unknown>, wanted: number) =>
  until(
    () => open.size,
    (size) => size === wanted
  )

const until = (count: () => number, predicate: (count: number) => boolean) =>
  Effect.sync(count).pipe(Effect.delay("5 millis"), Effect.repeat({ until: predicate }), Effect.timeout("5 seconds"))

const upgrade = (path: string) =>
  [`GET ${path} HTTP/1.1`, "Host: x", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    .concat(
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Feral-Sync: 2",
      `Feral-Sync-Nonce: ${"n".repeat(43)}`,
      "",
      ""
    )
    .join("\r\n")

describe("a stranger", () => {
  live(
    "has the time of one handshake, at whatever step it trickles",
    Effect.gen(function* () {
      const { at, arrivals } = yield* doubting(yield* webSocket({}, { handshakeWithin: "400 millis" }))
      const cases: ReadonlyArray<readonly ["tcp" | "tls", string]> = [
        ["tcp", ""],
        // A TLS record that never ends, a head of HTTP, and a frame of 125 bytes after the upgrade.
        ["tcp", "\x16\x03\x01\x40\x00"],
        ["tls", ""],
        ["tls", "GET /sync HTTP/1.1\r\nX: "],
        ["tls", `${upgrade("/sync")}\x81\xfd\x00\x00\x00\x00`]
      ]
      yield* Effect.forEach(cases, ([over, head]) => trickle(at, over, head), { concurrency: "unbounded" })
      assert.strictEqual(Queue.sizeUnsafe(arrivals), 1)
    })
  )

  live(
    "that was upgraded and proves nothing is told that it was too slow; a client that has proved itself stays",
    Effect.gen(function* () {
      const node = yield* webSocket({}, { handshakeWithin: "400 millis" })
      const { at, arrivals } = yield* doubting(node)
      const member = yield* node.dial(at)
      const atServer = yield* Queue.take(arrivals)
      yield* atServer.prove
      const stranger = yield* node.dial(at)
      const { over } = yield* drain(stranger)
      assert.strictEqual(over.code, closeCodes.timeout)
      yield* member.send("still here")
      assert.strictEqual(yield* nextText(atServer.connection), "still here")
    })
  )

  live(
    "is cut off when it sends more than a greeting can have; a member may send as much in one frame",
    Effect.gen(function* () {
      const node = yield* webSocket()
      const { at, arrivals } = yield* doubting(node)
      const text = "x".repeat(3 * 1024 * 1024)
      const stranger = yield* intruder(at, "n".repeat(43))
      yield* stranger.send(text)
      const { connection } = yield* Queue.take(arrivals)
      const { frames, over } = yield* drain(connection)
      assert.deepStrictEqual([frames, over.code], [[], 1009])
      const member = yield* node.dial(at)
      const atServer = yield* Queue.take(arrivals)
      yield* member.send("a greeting")
      assert.strictEqual(yield* nextText(atServer.connection), "a greeting")
      yield* atServer.prove
      yield* member.send(text)
      assert.strictEqual((yield* nextText(atServer.connection)).length, text.length)
    })
  )
})

describe("a crowd", () => {
  live(
    "of one address gets the room of one, and keeps no other address out",
    Effect.gen(function* () {
      const node = yield* webSocket()
      const { at, arrivals } = yield* reception(node)
      const open = yield* silentClients(
        at.port,
        Array.from({ length: 2 * limits.arrivingPerNetwork }, () => local(1))
      )
      yield* settled(open, limits.arrivingPerNetwork)
      yield* node.dial(at)
      yield* Queue.take(arrivals)
    })
  )

  live(
    "of one address that says nothing gives way to a newcomer from there, at once",
    Effect.gen(function* () {
      const { at, arrivals } = yield* reception(yield* webSocket())
      const open = yield* silentClients(
        at.port,
        Array.from({ length: limits.arrivingPerNetwork }, () => "127.0.0.1")
      )
      yield* settled(open, limits.arrivingPerNetwork)
      const node = yield* webSocket()
      yield* node.dial(at)
      yield* Queue.take(arrivals)
      yield* settled(open, limits.arrivingPerNetwork - 1)
    })
  )

  live(
    "of many addresses gets the room of arrivals, gives way at once, and leaves the members alone",
    Effect.gen(function* () {
      const node = yield* webSocket()
      const { at, arrivals } = yield* reception(node)
      const member = yield* node.dial(at)
      const atServer = yield* Queue.take(arrivals)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hosts = Array.from({ length: 2 * limits.arriving }, (_, index) => local(1 + (index % 40)))
          const open = yield* silentClients(at.port, hosts)
          yield* settled(open, limits.arriving)
          yield* node.dial(at)
          yield* Queue.take(arrivals)
        })
      )
      yield* member.send("still here")
      assert.strictEqual(yield* nextText(atServer), "still here")
    })
  )

  live(
    "of strangers who got as far as the upgrade is a crowd of strangers all the same",
    Effect.gen(function* () {
      const untilItEnds = ({ incoming }: Connection) => Queue.take(incoming).pipe(Effect.forever, Effect.ignore)
      const { at, arrivals, present } = yield* doubting(yield* webSocket(), untilItEnds)
      const node = yield* webSocket()
      const dials = Array.from({ length: 3 * limits.pendingPerNetwork }, () => Effect.exit(node.dial(at)))
      yield* Effect.all(dials, { concurrency: "unbounded" })
      // Later ones may have taken the place of those who had been there for a second, and whose connections are being closed.
      yield* until(present, (count) => count <= limits.pendingPerNetwork)
      // Those who prove themselves make room for as many again.
      yield* Effect.forEach(yield* Queue.takeAll(arrivals), ({ prove }) => prove)
      yield* node.dial(at)
      yield* Queue.take(arrivals)
    })
  )

  live(
    "that asks for pages gets its answers, and is gone",
    Effect.gen(function* () {
      const node = yield* webSocket()
      const { at, arrivals } = yield* reception(node)
      const requests = Array.from(
        { length: 200 },
        (_, n) => `GET /${n % 2 === 0 ? "sync" : n} HTTP/1.1\r\nHost: x\r\n\r\n`
      )
      yield* Effect.forEach(requests, (text, n) => plainClient(at, text, local(1 + (n % 20))), { concurrency: 20 })
      yield* node.dial(at)
      yield* Queue.take(arrivals)
    })
  )
})
