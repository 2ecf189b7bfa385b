/** Peers that do what no node does: they speak the protocol by hand, with the passphrase or without it. */
import { HashMap, Deferred, Effect, Option, Queue, Redacted } from "effect"
import { connect, type TLSSocket } from "node:tls"
import { WebSocket } from "ws"
import type { Address } from "../../src/core/peers/Address.ts"
import * as Handshake from "../../src/core/sync/Handshake.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import * as Wire from "../../src/core/sync/Wire.ts"
import type { Connection } from "../../src/services/transport/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import * as Certificates from "./Certificates.ts"
import { directory } from "./Directory.ts"
import { tlsServer } from "./RawPeers.ts"
import { nextText } from "./Transports.ts"

/** A connection in memory from a host that is no node, with a ticket or none. It lives in the scope. */
export const reach = Effect.fnUntraced(function* (host: string, to: Address, form: 1 | 2 = 2, ticket?: string) {
  const network = yield* MemoryNetwork
  const shown = ticket === undefined ? undefined : Redacted.make(ticket)
  return yield* network.dial({ host, form, revision: 1, maxRecvBytes: 64 * 1024 * 1024, ticket: shown }, to)
})

/** The greeting of a dialler on this connection, with a proof by `key`. */
export const greeting = (
  { nonces, binding }: Pick<Connection, "nonces" | "binding">,
  key: Uint8Array,
  id = "evil",
  clock = VectorClock.empty
): string =>
  Wire.encode({
    type: "sync_request",
    nodeId: NodeId.make(id),
    clock,
    proof: Handshake.prove(key, "dialler", { nonces, binding: Redacted.value(binding), dialler: id, server: "" }),
    digest: Option.none(),
    rows: Option.none(),
    uncovered: HashMap.empty(),
    features: [],
    time: 0
  })

/** Greets, and gives the first answer. */
export const greet = Effect.fnUntraced(function* (connection: Connection, key: Uint8Array, id?: string) {
  yield* connection.send(greeting(connection, key, id))
  return JSON.parse(yield* nextText(connection)) as {
    readonly type: string
    readonly reason?: string
    readonly retry_after?: number
  }
})

/** Reads and forgets what comes, until the connection is over; gives the code of its end. */
export const listen = ({ incoming }: Connection) =>
  Queue.take(incoming).pipe(
    Effect.forever,
    Effect.flip,
    Effect.map(({ code }) => code)
  )

/** A member that lies: it has the passphrase, and speaks by hand from then on. */
export const liar = Effect.fnUntraced(function* (host: string, to: Address, key: Uint8Array, id = host) {
  const connection = yield* reach(host, to)
  const { type } = yield* greet(connection, key, id)
  if (type !== "sync_response") return yield* Effect.die(new Error(`the liar is not let in: ${type}`))
  let seq = 0
  return {
    connection,
    /** Sends a frame of operations and claims; a `seq` of its own where none is given. */
    data: (frame: Partial<Pick<Wire.Data, "operations" | "through" | "seq">>) =>
      connection.send(
        Wire.encode({
          type: "sync_data",
          seq: seq++,
          more: false,
          fresh: false,
          through: VectorClock.empty,
          operations: [],
          malformed: [],
          ...frame
        })
      ),
    ack: (seq: number, clock = VectorClock.empty) =>
      connection.send(
        Wire.encode({
          type: "sync_ack",
          seq: Option.some(seq),
          clock,
          digest: Option.none(),
          rows: Option.none(),
          held: VectorClock.empty
        })
      )
  }
})

/**
 * A man in the middle: ends TLS towards both sides with a certificate of his own, and passes on all that he reads. He sees
 * every byte that the two say.
 */
export const middleman = Effect.fnUntraced(function* (to: Address) {
  const own = yield* Certificates.contents(yield* Certificates.issue(yield* directory, "middleman"))
  const seen: { fromDialler: string; fromServer: string } = { fromDialler: "", fromServer: "" }
  const { at } = yield* tlsServer(own, (dialler) => {
    const server = connect({ ...to, rejectUnauthorized: false })
    server.on("error", () => dialler.destroy())
    dialler.on("close", () => server.destroy())
    server.on("close", () => dialler.destroy())
    dialler.on("data", (chunk: Buffer) => {
      seen.fromDialler += chunk.toString("latin1")
      server.write(chunk)
    })
    server.on("data", (chunk: Buffer) => {
      seen.fromServer += chunk.toString("latin1")
      dialler.write(chunk)
    })
  })
  return { at, seen }
})

/** A dialler whose nonce is what it wants it to be, on a socket of this machine. */
export const intruder = Effect.fnUntraced(function* (to: Address, nonce: string) {
  const channel = yield* Effect.acquireRelease(
    Effect.callback<TLSSocket>((resume) => {
      const socket = connect({ ...to, rejectUnauthorized: false }, () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const upgraded = yield* Deferred.make<string>()
  const texts = yield* Queue.bounded<string>(64)
  const closed = yield* Deferred.make<number>()
  const socket = new WebSocket(`ws://${to.host}:${to.port}/sync`, {
    createConnection: () => channel,
    headers: { "Feral-Sync": "2", "Feral-Sync-Nonce": nonce }
  })
  let server = ""
  socket.on("upgrade", ({ headers }) => (server = String(headers["feral-sync-nonce"])))
  socket.on("open", () => Deferred.doneUnsafe(upgraded, Effect.succeed(server)))
  socket.on("message", (data) => Queue.offerUnsafe(texts, Buffer.isBuffer(data) ? data.toString("utf8") : ""))
  socket.on("close", (code) => Deferred.doneUnsafe(closed, Effect.succeed(code)))
  const binding = channel.exportKeyingMaterial(Handshake.exporter.length, Handshake.exporter.label, Buffer.alloc(0))
  return {
    nonces: { dialler: nonce, server: yield* Deferred.await(upgraded) },
    binding: Redacted.make(new Uint8Array(binding)),
    texts,
    closed: Deferred.await(closed),
    send: (text: string) => Effect.sync(() => socket.send(text))
  }
})
