/**
 * What a `Discovery` in which nodes announce themselves has to do, as tests. A fixed list announces nothing: it is not
 * meant.
 */
import { Context, Effect, Exit, Layer, Queue, References, Scope, Stream } from "effect"
import assert from "node:assert/strict"
import { NodeId } from "../../core/replica/NodeId.ts"
import { Discovery, type Sighting } from "../../services/discovery/Discovery.ts"
import { type Case, type Runner, state, type Suite } from "../Suite.ts"

/** The discovery of two nodes on one network, and how long a sighting may take. */
export interface World {
  readonly one: Layer.Layer<Discovery, unknown>
  readonly other: Layer.Layer<Discovery, unknown>
}

/** How long a sighting may take. */
const patience = "10 seconds"

/** Announces a node until its scope closes, and collects what it sees. */
const announced = Effect.fnUntraced(function* (layer: Layer.Layer<Discovery, unknown>, id: NodeId, port: number) {
  const discovery = Context.get(yield* Layer.build(Layer.fresh(layer)), Discovery)
  const seen = yield* Queue.bounded<Sighting>(1_024)
  const sightings = yield* discovery.sightings({ nodeId: id, port })
  yield* sightings.pipe(
    Stream.runForEach((sighting) => Queue.offer(seen, sighting)),
    Effect.forkScoped
  )
  /** The next sighting of this kind about a node. Other nodes may be about. */
  const next = <Tag extends "Appeared" | "Vanished">(tag: Tag, node: NodeId) =>
    Queue.take(seen).pipe(
      Effect.repeat({
        until: (sighting): sighting is Extract<Sighting, { readonly _tag: Tag }> =>
          sighting._tag === tag && "nodeId" in sighting && sighting.nodeId === node
      }),
      Effect.timeout(patience)
    )
  return { discovery, next }
})

/** Ids that no other run uses at the same time. */
const idsOf = Effect.map(
  Effect.clockWith((clock) => clock.monotonicTimeNanos),
  (now) => [NodeId.make(`one-${now}`), NodeId.make(`other-${now}`)] as const
)

/** The contract, as tests of a discovery. */
export const suite = (name: string, world: Effect.Effect<World, unknown, Scope.Scope>): Suite => {
  const test = (name: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>): Case => ({
    name,
    run: Effect.scoped(Effect.flatMap(world, body)).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  })
  return {
    name,
    cases: [
      test(
        "two nodes find each other, with the port that each announces",
        Effect.fnUntraced(function* (world) {
          const [oneId, otherId] = yield* idsOf
          const one = yield* announced(world.one, oneId, 1_111)
          const other = yield* announced(world.other, otherId, 2_222)
          const [ofOther, ofOne] = [yield* one.next("Appeared", otherId), yield* other.next("Appeared", oneId)]
          assert.deepStrictEqual(
            ofOther.addresses.map(({ port }) => port),
            ofOther.addresses.map(() => 2_222)
          )
          assert.deepStrictEqual(
            ofOne.addresses.map(({ port }) => port),
            ofOne.addresses.map(() => 1_111)
          )
          assert.ok(ofOther.addresses.length > 0 && ofOne.addresses.length > 0)
        })
      ),
      test(
        "a node that ends is seen to vanish, and is found again when it comes back",
        Effect.fnUntraced(function* (world) {
          const [oneId, otherId] = yield* idsOf
          const one = yield* announced(world.one, oneId, 1_111)
          const scope = yield* Scope.make()
          yield* Scope.provide(announced(world.other, otherId, 2_222), scope)
          yield* one.next("Appeared", otherId)
          yield* Scope.close(scope, Exit.void)
          yield* one.next("Vanished", otherId)
          yield* announced(world.other, otherId, 3_333)
          const again = yield* one.next("Appeared", otherId)
          assert.strictEqual(again.addresses[0]?.port, 3_333)
        })
      ),
      test(
        "a node does not see itself, and can be asked again for",
        Effect.fnUntraced(function* (world) {
          const [oneId, otherId] = yield* idsOf
          const one = yield* announced(world.one, oneId, 1_111)
          yield* announced(world.other, otherId, 2_222)
          yield* one.next("Appeared", otherId)
          yield* one.discovery.reconfirm(otherId)
          const itself = yield* Effect.option(Effect.timeout(one.next("Appeared", oneId), "200 millis"))
          assert.strictEqual(itself._tag, "None")
        })
      )
    ]
  }
}

/** States the contract as tests of the runner that runs this file. */
export const discoveryContract = (
  name: string,
  world: Effect.Effect<World, unknown, Scope.Scope>,
  options: { readonly runner?: Runner | undefined } = {}
): void => state(suite(name, world), options.runner)
