/** Transports to test with, and the ways to bring two of them together. */
import { Context, Effect, Layer, Queue } from "effect"
import { Config, type Settings } from "../../src/services/node/Config.ts"
import type { Address } from "../../src/core/peers/Address.ts"
import type { TlsHandshakeFailed } from "../../src/services/node/NodeFailure.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import type { Options as TlsOptions } from "../../src/services/transport/tls/Tls.ts"
import type { WebSocketOptions } from "../../src/services/transport/Transport.ts"
import { type Connection, type ConnectionHandler, Transport } from "../../src/services/transport/Transport.ts"
import { directory } from "./Certificates.ts"
import { settings } from "./Settings.ts"
import * as MemoryTransport from "../../src/services/transport/MemoryTransport.ts"
import * as WebSocketTransport from "../../src/services/transport/WebSocketTransport.ts"

export type Node = Transport["Service"]

/** A node on real sockets. */
export const webSocket = Effect.fnUntraced(function* (
  changes: Partial<Settings> = {},
  options: WebSocketOptions & TlsOptions = {}
) {
  const home = yield* directory
  const layer = WebSocketTransport.layerWith(options).pipe(
    Layer.provide(Layer.succeed(Config, Config.of(settings(home, changes))))
  )
  return Context.get(yield* Layer.build(layer), Transport)
})

/** Two nodes that can reach each other, and an address where nobody listens. */
export interface World {
  readonly one: Node
  readonly other: Node
  readonly host: string
  readonly nobody: Address
}

export const webSocketWorld = Effect.gen(function* () {
  const [one, other] = [yield* webSocket(), yield* webSocket()]
  // A port that was free a moment ago.
  const { port } = yield* Effect.scoped(one.listen({ serve: () => Effect.void, refused: () => Effect.void }))
  return { one, other, host: "127.0.0.1", nobody: { host: "127.0.0.1", port } } satisfies World
})

export const memoryWorld = Effect.gen(function* () {
  const network = yield* MemoryNetwork
  const host = (name: string) =>
    Effect.map(
      Layer.build(MemoryTransport.layer({ host: name }).pipe(Layer.provide(Layer.succeed(MemoryNetwork, network)))),
      (services) => Context.get(services, Transport)
    )
  const nobody = { host: "one", port: 1 }
  return { one: yield* host("one"), other: yield* host("other"), host: "one", nobody } satisfies World
})

/** A listener that hands over every connection and keeps it open, and tells who was refused. */
export const reception = Effect.fnUntraced(function* (node: Node) {
  const arrivals = yield* Queue.bounded<Connection>(64)
  const refusals = yield* Queue.bounded<TlsHandshakeFailed>(64)
  const host: ConnectionHandler = {
    serve: (connection, proved) =>
      proved.pipe(Effect.andThen(Queue.offer(arrivals, connection)), Effect.andThen(Effect.never)),
    refused: (_remote, error) =>
      error._tag === "LegacyRefused" ? Effect.void : Effect.asVoid(Queue.offer(refusals, error))
  }
  const { port } = yield* node.listen(host)
  return { port, arrivals, refusals, at: { host: "127.0.0.1", port } }
})

/** Both ends of one connection. */
export const meet = Effect.fnUntraced(function* ({ one, other, host }: World) {
  const { port, arrivals } = yield* reception(one)
  const dialler = yield* other.dial({ host, port })
  return { dialler, server: yield* Queue.take(arrivals) }
})

/** The text of the next frame. */
export const nextText = ({ incoming }: Connection) =>
  Queue.take(incoming).pipe(
    Effect.repeat({ until: (item) => item._tag === "Frame" }),
    Effect.map((item) => (item._tag === "Frame" ? item.text : ""))
  )

/** How a connection ends, and the frames before it. */
export const drain = Effect.fnUntraced(function* (connection: Connection) {
  const frames: Array<string> = []
  const over = yield* nextText(connection).pipe(
    Effect.tap((text) => Effect.sync(() => frames.push(text))),
    Effect.forever,
    Effect.flip
  )
  return { frames, over }
})
