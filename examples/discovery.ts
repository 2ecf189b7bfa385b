/** Discovery from a service registry, in place of mDNS: nodes register themselves, and follow who else is registered. */
import { Context, Effect, Layer, Stream, SubscriptionRef } from "effect"
import { type Address, Discovery, type NodeId, type Sighting } from "feral-sync"

/** What stands for Consul, etcd or the like: names with addresses, and every change of them. */
export class Registry extends Context.Service<
  Registry,
  SubscriptionRef.SubscriptionRef<ReadonlyMap<NodeId.NodeId, Address.Address>>
>()("examples/Registry") {
  static readonly layer = Layer.effect(
    Registry,
    SubscriptionRef.make<ReadonlyMap<NodeId.NodeId, Address.Address>>(new Map())
  )
}

/** The sightings that lead from what a node knew of the registry to what is in it now. */
const sightings = (
  self: NodeId.NodeId,
  before: ReadonlyMap<NodeId.NodeId, Address.Address>,
  now: ReadonlyMap<NodeId.NodeId, Address.Address>
): ReadonlyArray<Sighting> => [
  ...[...now]
    .filter(([node, address]) => node !== self && before.get(node) !== address)
    .map(([nodeId, address]): Sighting => ({ _tag: "Appeared", nodeId, addresses: [address], protocol: 2 })),
  ...[...before.keys()]
    .filter((node) => !now.has(node))
    .map((nodeId): Sighting => ({ _tag: "Vanished", nodeId, isGoodbye: true }))
]

/** The discovery of a node on this host. */
export const layer = (host: string): Layer.Layer<Discovery, never, Registry> =>
  Layer.effect(
    Discovery,
    Effect.gen(function* () {
      const registry = yield* Registry
      return Discovery.of({
        mdns: false,
        // The registry says by itself who is there.
        reconfirm: () => Effect.void,
        sightings: Effect.fnUntraced(function* ({ nodeId, port }) {
          yield* Effect.acquireRelease(
            SubscriptionRef.update(registry, (all) => new Map(all).set(nodeId, { host, port })),
            () => SubscriptionRef.update(registry, (all) => new Map([...all].filter(([node]) => node !== nodeId)))
          )
          return SubscriptionRef.changes(registry).pipe(
            Stream.mapAccum(
              (): ReadonlyMap<NodeId.NodeId, Address.Address> => new Map(),
              (before, now) => [now, sightings(nodeId, before, now)] as const
            )
          )
        })
      })
    })
  )
