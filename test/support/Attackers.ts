/** Peers that do what no node does: they speak the protocol by hand, with the passphrase or without it. */
import { Effect, Option, Queue, Redacted } from "effect"
import type { Address } from "../../src/core/Address.ts"
import * as Handshake from "../../src/core/Handshake.ts"
import { NodeId } from "../../src/core/NodeId.ts"
import * as VectorClock from "../../src/core/VectorClock.ts"
import * as Wire from "../../src/core/Wire.ts"
import type { Connection } from "../../src/services/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { nextText } from "./Transports.ts"

/** A connection in memory from a host that is no node. It lives in the scope. */
export const reach = Effect.fnUntraced(function* (host: string, to: Address, form: 1 | 2 = 2) {
  const network = yield* MemoryNetwork
  return yield* network.dial({ host, form, maxRecvBytes: 64 * 1024 * 1024 }, to)
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
          held: VectorClock.empty
        })
      )
  }
})
