/** Transports to test with, and the ways to bring two of them together. */
import { Context, Effect, Layer } from "effect"
import { Config, type Settings } from "../../src/services/node/Config.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import type { Options as TlsOptions } from "../../src/services/transport/tls/Tls.ts"
import type { WebSocketOptions } from "../../src/services/transport/Transport.ts"
import { Transport } from "../../src/services/transport/Transport.ts"
import { directory } from "./Directory.ts"
import { settings } from "./Settings.ts"
import type { World } from "../../src/testing/contracts/TransportContract.ts"
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

export type { World } from "../../src/testing/contracts/TransportContract.ts"

export const webSocketWorld = Effect.gen(function* () {
  const [one, other] = [yield* webSocket(), yield* webSocket()]
  // A port that was free a moment ago.
  const { port } = yield* Effect.scoped(one.listen({ serve: () => Effect.void, refused: () => Effect.void }))
  return { one, other, host: "127.0.0.1", refusing: { host: "127.0.0.1", port } } satisfies World
})

export const memoryWorld = Effect.gen(function* () {
  const network = yield* MemoryNetwork
  const host = (name: string) =>
    Effect.map(
      Layer.build(MemoryTransport.layer({ host: name }).pipe(Layer.provide(Layer.succeed(MemoryNetwork, network)))),
      (services) => Context.get(services, Transport)
    )
  const refusing = { host: "one", port: 1 }
  return { one: yield* host("one"), other: yield* host("other"), host: "one", refusing } satisfies World
})

export { connect, drain, nextText, reception } from "../../src/testing/contracts/TransportContract.ts"
