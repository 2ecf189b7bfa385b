/**
 * What a `Transport` has to do, as tests: for the transports of this package and for one of your own.
 *
 * ```ts
 * import { Context, Effect, Layer } from "effect"
 * import { MemoryNetwork, Transport } from "feral-sync"
 * import { transportContract } from "feral-sync/testing"
 *
 * const host = (name: string) =>
 *   Effect.map(Layer.build(Transport.layerMemory({ host: name })), (services) => Context.get(services, Transport))
 *
 * transportContract(
 *   "my transport",
 *   Effect.gen(function* () {
 *     return { one: yield* host("one"), other: yield* host("other"), host: "one", refusing: { host: "one", port: 1 } }
 *   }).pipe(Effect.provide(MemoryNetwork.layer))
 * )
 * ```
 */
import { Deferred, Effect, Exit, Fiber, Option, Queue, Redacted, References, Scope } from "effect"
import assert from "node:assert/strict"
import { type Case, type Runner, state, type Suite } from "../Suite.ts"
import { connect, drain, nextText, reception, type World } from "./ConnectionEnds.ts"

export { connect, drain, nextText, reception, type World } from "./ConnectionEnds.ts"

/** The contract, as tests of a transport. */
export const suite = (name: string, world: Effect.Effect<World, unknown, Scope.Scope>): Suite => {
  const test = (name: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>): Case => ({
    name,
    run: Effect.scoped(Effect.flatMap(world, body)).pipe(
      Effect.timeout("15 seconds"),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  })
  return {
    name,
    cases: [
      test(
        "both ends share nonces and a binding, which differ from those of every other connection",
        Effect.fnUntraced(function* (world) {
          const { port, arrivals } = yield* reception(world.one)
          const seen = new Set<string>()
          for (let round = 0; round < 3; round++) {
            const dialler = yield* world.other.dial({ host: world.host, port })
            const server = yield* Queue.take(arrivals)
            assert.strictEqual(dialler.form, 2)
            assert.strictEqual(server.form, 2)
            assert.deepStrictEqual(dialler.nonces, server.nonces)
            assert.deepStrictEqual(Redacted.value(dialler.binding), Redacted.value(server.binding))
            assert.strictEqual(Redacted.value(dialler.binding).length, 32)
            assert.deepStrictEqual(dialler.remote, { host: world.host, port })
            const { nonces } = dialler
            for (const value of [nonces.dialler, nonces.server]) assert.match(value, /^[\w-]{43}$/)
            for (const value of [
              nonces.dialler,
              nonces.server,
              Buffer.from(Redacted.value(dialler.binding)).toString()
            ]) {
              seen.add(value)
            }
          }
          assert.strictEqual(seen.size, 9)
        })
      ),

      test(
        "frames arrive whole and in order, both ways, small and large",
        Effect.fnUntraced(function* (world) {
          const { dialler, server } = yield* connect(world)
          const texts = Array.from({ length: 2000 }, (_, index) =>
            index % 500 === 1 ? `${index} ${"ß".repeat(512 * 1024)}` : index % 7 === 0 ? "" : `${index} é`
          )
          const exchange = (from: typeof dialler, to: typeof dialler) =>
            Effect.gen(function* () {
              const sender = yield* Effect.forkChild(
                Effect.forEach(texts, (text) => from.send(text), { discard: true })
              )
              for (const text of texts) {
                const item = yield* Queue.take(to.incoming)
                assert.ok(item._tag === "Frame" && item.text === text && item.bytes === Buffer.byteLength(text))
              }
              yield* Fiber.join(sender)
            })
          yield* Effect.all([exchange(dialler, server), exchange(server, dialler)], { concurrency: 2 })
        })
      ),

      test(
        "a receiver that does not take holds up the sender, and nothing is lost when it takes again",
        Effect.fnUntraced(function* (world) {
          const { dialler, server } = yield* connect(world)
          for (const [from, to] of [
            [dialler, server],
            [server, dialler]
          ] as const) {
            // The first frame is a greeting, and small.
            yield* from.send("first")
            assert.strictEqual(yield* nextText(to), "first")
            const body = "x".repeat(256 * 1024)
            let sent = 0
            let stalled = Option.none<Fiber.Fiber<void, unknown>>()
            // 64 MiB is far more than the queue, the send buffer and the kernel hold.
            while (Option.isNone(stalled) && sent < 256) {
              const sending = yield* Effect.forkChild(from.send(`${sent++} ${body}`))
              const done = yield* Effect.timeoutOption(Fiber.await(sending), "500 millis")
              if (Option.isNone(done)) stalled = Option.some(sending)
            }
            assert.ok(Option.isSome(stalled), `${sent} frames were taken from the sender`)
            for (let index = 0; index < sent; index++) {
              assert.strictEqual((yield* nextText(to)).split(" ", 1)[0], String(index))
            }
            if (Option.isSome(stalled)) yield* Fiber.join(stalled.value)
            yield* from.send("after")
            assert.strictEqual(yield* nextText(to), "after")
          }
        })
      ),

      test(
        "a sender that waits is set free when the connection ends",
        Effect.fnUntraced(function* (world) {
          const { dialler, server } = yield* connect(world)
          yield* dialler.send("first")
          assert.strictEqual(yield* nextText(server), "first")
          const body = "x".repeat(1024 * 1024)
          const sender = yield* Effect.forkChild(Effect.flip(Effect.forever(dialler.send(body))))
          assert.ok(Option.isNone(yield* Effect.timeoutOption(Fiber.await(sender), "500 millis")))
          yield* server.close(4400, "enough")
          // Over a network, what is on its way can outlast the second that a close may take: then it ends without an
          // answer.
          const { code } = yield* Fiber.join(sender)
          assert.ok(code === 4400 || code === 1006, `it ends with ${code}`)
        })
      ),

      test(
        "a close shows its code and reason at the other end, after the frames before it",
        Effect.fnUntraced(function* (world) {
          for (const end of ["dialler", "server"] as const) {
            const ends = yield* connect(world)
            const [closing, other] = end === "dialler" ? [ends.dialler, ends.server] : [ends.server, ends.dialler]
            const texts = Array.from({ length: 40 }, (_, index) => `${index}`)
            const sender = yield* Effect.forkChild(
              Effect.forEach(texts, (text) => closing.send(text)).pipe(
                Effect.andThen(closing.close(4409, "duplicate node id: ä"))
              )
            )
            const { frames, over } = yield* drain(other)
            assert.deepStrictEqual(frames, texts)
            assert.deepStrictEqual([over._tag, over.code, over.reason], ["PeerClosed", 4409, "duplicate node id: ä"])
            yield* Fiber.join(sender)
            assert.strictEqual((yield* drain(closing)).over.code, 4409)
            for (const connection of [closing, other]) {
              assert.strictEqual((yield* Effect.flip(connection.send("late"))).code, 4409)
              assert.strictEqual((yield* Effect.flip(connection.ping)).code, 4409)
            }
          }
        })
      ),

      test(
        "a reason that is too long is cut, not refused",
        Effect.fnUntraced(function* (world) {
          const { dialler, server } = yield* connect(world)
          yield* dialler.close(4400, "€".repeat(1000))
          const { over } = yield* drain(server)
          assert.strictEqual(over.code, 4400)
          assert.match(over.reason, /^€+$/)
        })
      ),

      test(
        "a ping is a sign of life for both",
        Effect.fnUntraced(function* (world) {
          const { dialler, server } = yield* connect(world)
          yield* dialler.ping
          assert.strictEqual((yield* Queue.take(server.incoming))._tag, "Alive")
          assert.strictEqual((yield* Queue.take(dialler.incoming))._tag, "Alive")
        })
      ),

      test(
        "a connection ends with the scope of its dialler",
        Effect.fnUntraced(function* (world) {
          const { port, arrivals } = yield* reception(world.one)
          yield* Effect.scoped(world.other.dial({ host: world.host, port }))
          assert.strictEqual((yield* drain(yield* Queue.take(arrivals))).over.code, 1000)
          const dialled = yield* Deferred.make<void>()
          const fiber = yield* world.other
            .dial({ host: world.host, port })
            .pipe(
              Effect.andThen(Deferred.succeed(dialled, undefined)),
              Effect.andThen(Effect.never),
              Effect.scoped,
              Effect.forkChild
            )
          yield* Deferred.await(dialled)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual((yield* drain(yield* Queue.take(arrivals))).over.code, 1001)
        })
      ),

      test(
        "a connection is closed when its service ends",
        Effect.fnUntraced(function* ({ one, other, host }) {
          const { port } = yield* one.listen({
            serve: (connection) => Effect.ignore(connection.send("bye")),
            refused: () => Effect.void
          })
          const { frames, over } = yield* drain(yield* other.dial({ host, port }))
          assert.deepStrictEqual(frames, ["bye"])
          assert.strictEqual(over.code, 1000)
        })
      ),

      test(
        "a service that dies takes nothing else down",
        Effect.fnUntraced(function* ({ one, other, host }) {
          let served = 0
          const { port } = yield* one.listen({
            serve: (connection) => (served++ === 0 ? Effect.die("broken") : Effect.ignore(connection.send("well"))),
            refused: () => Effect.void
          })
          yield* drain(yield* other.dial({ host, port }))
          assert.deepStrictEqual((yield* drain(yield* other.dial({ host, port }))).frames, ["well"])
        })
      ),

      test(
        "the end of a listener closes its connections and its port",
        Effect.fnUntraced(function* (world) {
          const listening = yield* Scope.make()
          const { port, arrivals } = yield* Scope.provide(reception(world.one), listening)
          const dialler = yield* world.other.dial({ host: world.host, port })
          yield* Queue.take(arrivals)
          yield* Scope.close(listening, Exit.void)
          const { over } = yield* drain(dialler)
          assert.deepStrictEqual([over.code, over.reason], [1001, "going away"])
          const error = yield* Effect.flip(world.other.dial({ host: world.host, port }))
          assert.strictEqual(error._tag, "PeerUnreachable")
        })
      ),

      test(
        "to a port without a listener fails: connection refused",
        Effect.fnUntraced(function* (world) {
          const error = yield* Effect.flip(world.other.dial(world.refusing))
          assert.strictEqual(error._tag, "PeerUnreachable")
          assert.match(error.message, /connection refused/)
          assert.ok(error.message.includes(`${world.refusing.host}:${world.refusing.port}`), error.message)
        })
      )
    ]
  }
}

/** States the contract as tests of the runner that runs this file. */
export const transportContract = (
  name: string,
  world: Effect.Effect<World, unknown, Scope.Scope>,
  options: { readonly runner?: Runner | undefined } = {}
): void => state(suite(name, world), options.runner)
