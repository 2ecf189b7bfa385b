/**
 * A transport that brings its own connections: pipes inside this process, between hosts with names. A real one, say over Bluetooth,
 * has the same members. `pipes.test.ts` runs the contract of transports over it, and
 * `replaced.test.ts` whole nodes.
 */
import { Cause, Context, Deferred, Effect, Exit, FiberSet, Layer, Queue, Redacted } from "effect"
import { Address, type Connection, type Incoming, PeerClosed, PeerUnreachable, Transport } from "feral-sync"
import { randomBytes } from "node:crypto"

/** The addresses that can be reached, each with what answers there. */
export class Hosts extends Context.Service<Hosts, Map<string, (end: Connection) => void>>()("examples/Hosts") {
  static readonly layer = Layer.sync(Hosts, () => new Map<string, (end: Connection) => void>())
}

/** Both ends of a new pipe. */
const pipe = Effect.fnUntraced(function* (from: Address.Address, to: Address.Address) {
  // A sender waits while 16 frames wait to be read.
  const forward = yield* Queue.bounded<Incoming, PeerClosed>(16)
  const back = yield* Queue.bounded<Incoming, PeerClosed>(16)
  // A real channel derives this, so that only its two ends know it: the proofs of the passphrase are bound to it.
  const binding = Redacted.make(new Uint8Array(randomBytes(32)))
  const nonces = { dialler: randomBytes(32).toString("base64url"), server: randomBytes(32).toString("base64url") }
  const over = yield* Deferred.make<never, PeerClosed>()

  /** Frames that were sent before are read before the end is seen. */
  const close = (code: number, reason: string) =>
    Effect.sync(() => {
      const closed = new PeerClosed({ code, reason })
      if (!Deferred.doneUnsafe(over, Effect.fail(closed))) return
      for (const queue of [forward, back]) Queue.failCauseUnsafe(queue, Cause.fail(closed))
    })

  const end = (
    remote: Address.Address,
    incoming: Queue.Queue<Incoming, PeerClosed>,
    outgoing: Queue.Queue<Incoming, PeerClosed>
  ): Connection => ({
    remote,
    form: 2,
    revision: 2,
    nonces,
    binding,
    tls: "auto",
    incoming: Queue.asDequeue(incoming),
    send: (text) =>
      Queue.offer(outgoing, { _tag: "Frame", text, bytes: new TextEncoder().encode(text).length }).pipe(
        Effect.flatMap((isTaken) => (isTaken ? Effect.void : Deferred.await(over))),
        Effect.raceFirst(Deferred.await(over))
      ),
    ping: Effect.suspend(() => {
      if (Deferred.isDoneUnsafe(over)) return Deferred.await(over)
      Queue.offerUnsafe(outgoing, { _tag: "Alive" })
      Queue.offerUnsafe(incoming, { _tag: "Alive", isAnswer: true })
      return Effect.void
    }),
    close
  })
  return { here: end(to, back, forward), there: end(from, forward, back) }
})

/** Closes a connection with its scope, and says whether it was over or was ended. */
const closing = (connection: Connection) =>
  Effect.addFinalizer((exit) =>
    Exit.isSuccess(exit) ? connection.close(1000, "") : connection.close(1001, "going away")
  )

/** The transport of the host with this name. */
export const layer = (host: string): Layer.Layer<Transport, never, Hosts> =>
  Layer.effect(
    Transport,
    Effect.gen(function* () {
      const hosts = yield* Hosts
      return Transport.of({
        tls: "auto",
        tlsExpiresAt: Effect.undefined,
        listen: Effect.fnUntraced(function* (handler) {
          let port = 1
          while (hosts.has(Address.formatAddress({ host, port }))) port++
          const at = Address.formatAddress({ host, port })
          const run = yield* FiberSet.makeRuntime()
          const serve = (end: Connection) =>
            Effect.scoped(Effect.andThen(closing(end), handler.serve(end, Effect.void)))
          yield* Effect.acquireRelease(
            Effect.sync(() => hosts.set(at, (end) => void run(serve(end)))),
            () => Effect.sync(() => hosts.delete(at))
          )
          return { port }
        }),
        dial: Effect.fnUntraced(function* (to) {
          const answer = hosts.get(Address.formatAddress(to))
          if (answer === undefined)
            return yield* new PeerUnreachable({ address: Address.formatAddress(to), detail: "connection refused" })
          const { here, there } = yield* pipe({ host, port: 0 }, to)
          yield* closing(here)
          answer(there)
          return here
        })
      })
    })
  )
