/** Transport over a network inside this process: one host of it. */
import { Effect, Layer, Redacted } from "effect"
import type { Address } from "../../core/peers/Address.ts"
import { type ConnectionHandler, Transport } from "./Transport.ts"
import * as MemoryNetwork from "./MemoryNetwork.ts"

export interface Options {
  /** The name of this host in the network. */
  readonly host: string
  /** The port to listen on; 0, the default, is any free port. */
  readonly port?: number
  /** The wire form that this host speaks; 2 by default. */
  readonly form?: 1 | 2
  /** The way of beginning form 2 that it knows; 2 by default. */
  readonly revision?: 1 | 2
  /** Bytes of the largest frame that this host takes; 8 MiB by default. */
  readonly maxRecvBytes?: number
}

/**
 * A host of a network inside this process: of the `MemoryNetwork` that is provided, or else of one that all such hosts
 * share. Nothing is opened, and nothing encrypted.
 */
export const layer = (options: Options): Layer.Layer<Transport> =>
  Layer.effect(
    Transport,
    Effect.suspend(() => make(options))
  )

const make = Effect.fnUntraced(function* ({
  host,
  port = 0,
  form = 2,
  revision = 2,
  maxRecvBytes = 8 * 1024 * 1024
}: Options) {
  const network = yield* MemoryNetwork.ofProcess
  const terms = { host, form, revision, maxRecvBytes }

  const listen = Effect.fn("Transport.listen")(function* (handler: ConnectionHandler) {
    const serve: MemoryNetwork.Serve = (connection) => handler.serve(connection, Effect.void)
    return { port: yield* network.listen({ ...terms, recognise: handler.recognise }, port, serve) }
  })
  const dial = Effect.fn("Transport.dial")((address: Address, ticket?: Redacted.Redacted<string>) =>
    network.dial({ ...terms, ticket }, address)
  )
  // Only this program is in this process: the name of the host is secret enough, and the same at each run.
  const secret: Redacted.Redacted<Uint8Array> = Redacted.make(new TextEncoder().encode(host))

  return { tls: "auto" as const, tlsExpiresAt: Effect.succeed(undefined), secret, listen, dial }
})
