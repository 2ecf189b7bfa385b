/** What the local interface asks beside the memory: peers and a transport that say the same always. */
import { Effect, Layer, Redacted } from "effect"
import { PeerNotFound } from "../../src/services/node/NodeFailure.ts"
import { Peers } from "../../src/services/peers/Peers.ts"
import type { PeerStatus } from "../../src/services/node/Status.ts"
import { Transport } from "../../src/services/transport/Transport.ts"

export const peer: PeerStatus = {
  node_id: "other",
  address: "127.0.0.1",
  port: 1,
  source: "static",
  protocol: 2,
  state: "live",
  tls: "auto",
  lag_ops: 0,
  clock_offset_ms: -3,
  last_sync_at: 1.5,
  last_error: { _tag: "PeerUnreachable", message: "gone" }
}

export const surroundings = Layer.mergeAll(
  Layer.succeed(
    Peers,
    Peers.of({
      port: 4242,
      status: Effect.succeed([peer]),
      nodes: Effect.succeed({ peers: [peer], absent: [] }),
      compare: Effect.succeed([{ node_id: "n", result: "equal", rows_repaired: 0 }]),
      discovery: Effect.succeed({ mdns: "unavailable", static: "active" }),
      paused: Effect.succeed(new Set()),
      pause: (node) => Effect.fail(new PeerNotFound({ peer: node })),
      remove: (node) => Effect.fail(new PeerNotFound({ peer: node })),
      sync: (peer) => Effect.fail(new PeerNotFound({ peer })),
      counters: Effect.succeed({
        traffic: new Map(),
        sessions: [],
        handshakeFailures: new Map(),
        connections: new Map()
      })
    })
  ),
  Layer.succeed(
    Transport,
    Transport.of({
      tls: "auto",
      secret: Redacted.make(new Uint8Array(32)),
      tlsExpiresAt: Effect.succeed(Date.UTC(2030, 0, 1)),
      listen: () => Effect.never,
      dial: () => Effect.never
    })
  )
)
