import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import multicastDns from "multicast-dns"
import { randomBytes } from "node:crypto"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { Discovery, type Sighting } from "../../../src/services/discovery/Discovery.ts"
import * as MdnsDiscovery from "../../../src/services/discovery/MdnsDiscovery.ts"
import { discoveryContract } from "../../../src/testing/contracts/DiscoveryContract.ts"
import * as StaticDiscovery from "../../../src/services/discovery/StaticDiscovery.ts"

const freshId = () => NodeId.make(randomBytes(8).toString("hex"))

/** A node that announces itself, and what it sees. */
const node = Effect.fnUntraced(function* (layer: Layer.Layer<Discovery>, port = 4_242) {
  const id = freshId()
  const discovery = Context.get(yield* Layer.build(layer), Discovery)
  const seen = yield* Queue.unbounded<Sighting>()
  const sightings = yield* discovery.sightings({ nodeId: id, port })
  yield* sightings.pipe(
    Stream.runForEach((sighting) => Queue.offer(seen, sighting)),
    Effect.forkScoped
  )
  /** The next sighting that is wanted. Others may be about on this machine. */
  const next = <A extends Sighting>(predicate: (sighting: Sighting) => sighting is A) =>
    Queue.take(seen).pipe(
      Effect.repeat({ until: predicate }),
      Effect.map((sighting) => sighting as A),
      Effect.timeout("10 seconds")
    )
  return { id, next }
})

const loopback = MdnsDiscovery.layer({ interfaces: ["127.0.0.1"] })
discoveryContract("MdnsDiscovery.layer", Effect.succeed({ one: loopback, other: loopback }))

describe("Discovery", () => {
  it.live("its records are what other implementations expect, and are withdrawn at the end", () =>
    Effect.gen(function* () {
      const said = yield* Deferred.make<ReadonlyArray<string>>()
      const withdrawn = yield* Deferred.make<void>()
      const id = { current: "" }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const sniffer = multicastDns({ interface: "127.0.0.1", bind: "0.0.0.0" })
          sniffer.on("response", ({ answers = [] }) => {
            const instance = `feral-${id.current}._feral._tcp.local`
            const ours = answers.filter(({ name }) => name === instance)
            const service = ours.find(({ type }) => type === "SRV")
            const texts = ours.find(({ type }) => type === "TXT")
            if (service?.type !== "SRV" || texts?.type !== "TXT") return
            if (service.ttl === 0) Deferred.doneUnsafe(withdrawn, Effect.void)
            const words = [texts.data].flat().map(String)
            Deferred.doneUnsafe(said, Effect.succeed([String(service.data.port), ...words]))
          })
          return sniffer
        }),
        (sniffer) => Effect.callback<void>((resume) => sniffer.destroy(() => resume(Effect.void)))
      )
      const scope = yield* Scope.make()
      const self = yield* node(loopback, 3_333).pipe(Scope.provide(scope))
      id.current = self.id
      const words = yield* Deferred.await(said).pipe(Effect.timeout("10 seconds"))
      assert.deepStrictEqual(words, ["3333", `node_id=${self.id}`, "version=1.0.0", "p=2"])
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.await(withdrawn).pipe(Effect.timeout("10 seconds"))
    })
  )

  it.live("without an interface it says so at once", () =>
    Effect.gen(function* () {
      const { next } = yield* node(MdnsDiscovery.layer({ interfaces: ["192.0.2.1"] }))
      const { error } = yield* next((sighting) => sighting._tag === "Unavailable")
      assert.match(error.message, /static peers now/)
    })
  )

  it.effect("a fixed list is shown, and nothing else", () =>
    Effect.gen(function* () {
      const addresses = [
        { host: "10.0.0.1", port: 1 },
        { host: "10.0.0.2", port: 2 }
      ]
      const discovery = Context.get(yield* Layer.build(StaticDiscovery.layer(addresses)), Discovery)
      const sightings = yield* discovery.sightings({ nodeId: freshId(), port: 1 })
      const seen = yield* sightings.pipe(Stream.take(2), Stream.runCollect)
      assert.deepStrictEqual(
        [...seen],
        addresses.map((address): Sighting => ({ _tag: "Listed", address }))
      )
      assert.isFalse(discovery.mdns)
    })
  )
})
