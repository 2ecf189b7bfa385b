import { Context, Effect, Layer } from "effect"
import { Transport } from "feral-sync"
import { transportContract } from "feral-sync/testing"
import { Hosts, layer } from "./pipes.ts"

const host = (name: string) => Effect.map(Layer.build(layer(name)), (services) => Context.get(services, Transport))

transportContract(
  "pipes inside a process",
  Effect.gen(function* () {
    return { one: yield* host("one"), other: yield* host("other"), host: "one", refusing: { host: "nowhere", port: 1 } }
  }).pipe(Effect.provide(Hosts.layer))
)
