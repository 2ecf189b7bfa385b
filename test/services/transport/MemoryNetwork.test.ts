/** The ways in which the network inside a process fails, and that it does so in the same way each time. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Random, Redacted } from "effect"
import { type Connection, Transport } from "../../../src/services/transport/Transport.ts"
import type { Options } from "../../../src/services/transport/MemoryTransport.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import { drain, nextText, reception } from "../../support/Transports.ts"
import * as MemoryTransport from "../../../src/services/transport/MemoryTransport.ts"

const host = Effect.fnUntraced(function* (options: Options) {
  const network = yield* MemoryNetwork
  const layer = MemoryTransport.layer(options).pipe(Layer.provide(Layer.succeed(MemoryNetwork, network)))
  return Context.get(yield* Layer.build(layer), Transport)
})

const fixed = Effect.fnUntraced(function* (options: { readonly a?: Partial<Options>; readonly b?: Partial<Options> }) {
  const { port, arrivals } = yield* reception(yield* host({ host: "a", port: 9090, ...options.a }))
  const b = yield* host({ host: "b", ...options.b })
  const dial = b.dial({ host: "a", port })
  const connect = Effect.map(Effect.all([dial, Queue.take(arrivals)]), ([dialler, server]) => ({ dialler, server }))
  return { dial, connect }
})

const codes = (...connections: ReadonlyArray<Connection>) =>
  Effect.forEach(connections, (connection) => Effect.map(drain(connection), ({ over }) => over.code))

describe("MemoryNetwork", () => {
  it.effect("a cut loses every connection between two hosts, and no other; they can dial again", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork
      const { connect } = yield* fixed({})
      const [one, two] = [yield* connect, yield* connect]
      const stalled = yield* Effect.forkChild(Effect.flip(Effect.forever(one.dialler.send("x"))))
      yield* network.cut("b", "c")
      yield* two.dialler.send("still there")
      assert.strictEqual(yield* nextText(two.server), "still there")
      yield* network.cut("b", "a")
      assert.deepStrictEqual(yield* codes(two.dialler, two.server, one.server), [1006, 1006, 1006])
      assert.strictEqual((yield* Fiber.join(stalled)).code, 1006)
      yield* connect
    }).pipe(Effect.scoped, Effect.provide(MemoryNetwork.layer))
  )

  it.effect("parted hosts do not reach each other until they are healed", () =>
    Effect.gen(function* () {
      const network = yield* MemoryNetwork
      const { dial, connect } = yield* fixed({})
      const { dialler, server } = yield* connect
      yield* network.part("a", "b")
      assert.deepStrictEqual(yield* codes(dialler, server), [1006, 1006])
      assert.strictEqual((yield* Effect.flip(dial))._tag, "PeerUnreachable")
      yield* network.heal("b", "a")
      yield* connect
    }).pipe(Effect.scoped, Effect.provide(MemoryNetwork.layer))
  )

  it.effect("a host of the older form makes the connection one of form 1", () =>
    Effect.gen(function* () {
      for (const options of [{ a: { form: 1 } }, { b: { form: 1 } }] as const) {
        const { dialler, server } = yield* Effect.scoped(Effect.flatMap(fixed(options), ({ connect }) => connect))
        for (const { form, nonces } of [dialler, server]) {
          assert.strictEqual(form, 1)
          assert.deepStrictEqual(nonces, { dialler: "", server: "" })
        }
      }
    }).pipe(Effect.provide(MemoryNetwork.layer))
  )

  it.effect("a frame over the limit of the receiver ends the connection with 1009", () =>
    Effect.gen(function* () {
      const { connect } = yield* fixed({ a: { maxRecvBytes: 10 } })
      const { dialler, server } = yield* connect
      yield* server.send("longer than ten bytes")
      yield* dialler.send("ß".repeat(5))
      assert.strictEqual((yield* Effect.flip(dialler.send("ß".repeat(6)))).code, 1009)
      assert.deepStrictEqual(yield* codes(dialler, server), [1009, 1009])
    }).pipe(Effect.scoped, Effect.provide(MemoryNetwork.layer))
  )

  it.effect("a port that is taken cannot be opened; it is free when its listener ends", () =>
    Effect.gen(function* () {
      const open = Effect.flatMap(host({ host: "a", port: 9090 }), reception)
      yield* Effect.scoped(Effect.andThen(open, Effect.flip(open)))
      yield* open
    }).pipe(Effect.scoped, Effect.provide(MemoryNetwork.layer))
  )

  it.effect("the same seed gives the same nonces and bindings", () =>
    Effect.gen(function* () {
      const draw = Effect.scoped(Effect.flatMap(fixed({}), ({ connect }) => connect)).pipe(
        Effect.map(({ dialler }) => ({ nonces: dialler.nonces, binding: [...Redacted.value(dialler.binding)] })),
        Effect.provide(MemoryNetwork.layer)
      )
      const seeded = (seed: string) => Random.withSeed(draw, seed)
      assert.deepStrictEqual(yield* seeded("one"), yield* seeded("one"))
      assert.notDeepEqual(yield* seeded("one"), yield* seeded("two"))
    })
  )
})
