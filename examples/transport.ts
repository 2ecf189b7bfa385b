/**
 * A transport of your own: any other one, with a count of the bytes that each peer costs. One that brings its own connections has the
 * same few members. `transport.test.ts` runs the contract of transports over it.
 */
import { Context, Effect, Layer, MutableHashMap, Option } from "effect"
import { type Connection, type ConnectionHandler, Transport } from "feral-sync"

/** Bytes that were sent, by the host that they went to. */
export class Costs extends Context.Service<Costs, MutableHashMap.MutableHashMap<string, number>>()("examples/Costs") {
  static readonly layer = Layer.sync(Costs, () => MutableHashMap.empty<string, number>())
}

/** The transport of `inner`, metered. */
export const layer = <E, R>(inner: Layer.Layer<Transport, E, R>): Layer.Layer<Transport, E, R | Costs> =>
  Layer.effect(
    Transport,
    Effect.gen(function* () {
      const transport = yield* Transport
      const costs = yield* Costs
      const metered = (connection: Connection): Connection => ({
        ...connection,
        send: (text) =>
          Effect.suspend(() => {
            const { host } = connection.remote
            const before = Option.getOrElse(MutableHashMap.get(costs, host), () => 0)
            MutableHashMap.set(costs, host, before + new TextEncoder().encode(text).length)
            return connection.send(text)
          })
      })
      return Transport.of({
        ...transport,
        dial: (address, ticket) => Effect.map(transport.dial(address, ticket), metered),
        listen: (handler) => {
          const serve: ConnectionHandler["serve"] = (connection, proved) => handler.serve(metered(connection), proved)
          return transport.listen({ ...handler, serve })
        }
      })
    })
  ).pipe(Layer.provide(inner))
