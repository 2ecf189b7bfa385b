import { Context, Effect, Layer } from "effect"
import { Clock, NodeId, Store } from "feral-sync"
import { storeContract } from "feral-sync/testing"
import { layer, shelf } from "./store.ts"

storeContract(
  "a store over a list",
  Effect.sync(() => {
    const kept = shelf(NodeId.NodeId.make("list"))
    return {
      open: Effect.map(Layer.build(Layer.fresh(layer(kept).pipe(Layer.provide(Clock.layer)))), (services) =>
        Context.get(services, Store)
      )
    }
  })
)
