import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, MutableHashMap } from "effect"
import { MemoryNetwork, Transport } from "feral-sync"
import { transportContract } from "feral-sync/testing"
import { Costs, layer } from "./transport.ts"

const host = (name: string, costs: Costs["Service"]) =>
  Effect.map(
    Layer.build(layer(Transport.layerMemory({ host: name })).pipe(Layer.provide(Layer.succeed(Costs, costs)))),
    (services) => Context.get(services, Transport)
  )

const world = (costs: Costs["Service"]) =>
  Effect.gen(function* () {
    const [one, other] = [yield* host("one", costs), yield* host("other", costs)]
    return { one, other, host: "one", refusing: { host: "one", port: 1 } }
  })

transportContract(
  "a metered transport",
  Effect.provide(
    Effect.suspend(() => world(MutableHashMap.empty())),
    MemoryNetwork.layer
  )
)

it.effect("a metered transport counts what is sent to each host", () =>
  Effect.gen(function* () {
    const costs = MutableHashMap.empty<string, number>()
    const { one, other } = yield* world(costs)
    const { port } = yield* one.listen({ serve: () => Effect.never, refused: () => Effect.void })
    const connection = yield* other.dial({ host: "one", port })
    yield* connection.send("tea")
    yield* connection.send("\u00e9")
    assert.deepStrictEqual([...costs], [["one", 5]])
  }).pipe(Effect.provide(MemoryNetwork.layer))
)
