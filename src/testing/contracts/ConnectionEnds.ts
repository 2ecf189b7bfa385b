/** Both ends of a connection, for tests of transports: who listens, what comes, and how it ends. */
import { Effect, Queue } from "effect"
import type { Address } from "../../core/peers/Address.ts"
import type { TlsHandshakeFailed } from "../../services/node/NodeFailure.ts"
import type { Connection, ConnectionHandler, Transport } from "../../services/transport/Transport.ts"

/** Two nodes that can reach each other: `other` dials `host`, which is `one`. At `refusing`, no node listens. */
export interface World {
  readonly one: Transport["Service"]
  readonly other: Transport["Service"]
  readonly host: string
  readonly refusing: Address
}

/** A listener that hands over every connection and keeps it open, and tells who was refused. */
export const reception = Effect.fnUntraced(function* (node: Transport["Service"]) {
  const arrivals = yield* Queue.bounded<Connection>(64)
  const refusals = yield* Queue.bounded<TlsHandshakeFailed>(64)
  const handler: ConnectionHandler = {
    serve: (connection, proved) =>
      proved.pipe(Effect.andThen(Queue.offer(arrivals, connection)), Effect.andThen(Effect.never)),
    refused: (_remote, error) =>
      error._tag === "LegacyRefused" ? Effect.void : Effect.asVoid(Queue.offer(refusals, error))
  }
  const { port } = yield* node.listen(handler)
  return { port, arrivals, refusals, at: { host: "127.0.0.1", port } }
})

/** Both ends of one connection. */
export const connect = Effect.fnUntraced(function* ({ one, other, host }: World) {
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
