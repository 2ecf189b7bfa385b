import { Context, Effect, Layer } from "effect"
import { discoveryContract } from "feral-sync/testing"
import { layer, Registry } from "./discovery.ts"

discoveryContract(
  "discovery from a registry",
  Effect.gen(function* () {
    const registry = Layer.succeed(Registry, Context.get(yield* Layer.build(Registry.layer), Registry))
    return { one: Layer.provide(layer("10.0.0.1"), registry), other: Layer.provide(layer("10.0.0.2"), registry) }
  })
)
