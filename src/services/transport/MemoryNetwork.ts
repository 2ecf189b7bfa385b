/**
 * A network inside this process, for tests and simulations: hosts that listen, connections between them, and the ways
 * in which a network fails.
 *
 * Connections keep the contract of `Transport`: bounded both ways, in order, ended once, with every frame delivered
 * that was sent before a close. There is no time and no randomness here but Effect's own: a run can be repeated.
 */
import { Cause, Context, Deferred, Effect, Exit, FiberSet, Layer, Queue, Random, Redacted, Scope } from "effect"
import { PeerClosed } from "../../core/sync/SyncFailure.ts"
import { nonceLength, showTicket } from "../../core/sync/Handshake.ts"
import { ListenFailed, PeerUnreachable } from "../node/NodeFailure.ts"
import type { Connection, ConnectionHandler, Incoming } from "./Transport.ts"
import { type Address, formatAddress } from "../../core/peers/Address.ts"

/** Frames that wait to be taken. When there is no room, the sender waits. */
const queuedFrames = 16

/** The settings of one end: its features and limits. */
export interface Terms {
  readonly host: string
  /** The wire form that it speaks. */
  readonly form: 1 | 2
  /** The way of beginning form 2 that it knows; 2 by default. */
  readonly revision?: 1 | 2
  /** Bytes of the largest frame that it takes. */
  readonly maxRecvBytes: number
  /** How it recognises a ticket, when it is dialled, and the one that it shows, when it dials. */
  readonly recognise?: ConnectionHandler["recognise"] | undefined
  readonly ticket?: Redacted.Redacted<string> | undefined
}

/** The time that something takes from one host to another. */
export type Delay = (from: string, to: string, item: Incoming) => Effect.Effect<void>

/** Serves one connection; it is closed when this ends. */
export type Serve = (connection: Connection) => Effect.Effect<void, never, Scope.Scope>

/** A network inside this process: of hosts with names. */
export class MemoryNetwork extends Context.Service<
  MemoryNetwork,
  {
    /** Opens a port of a host until the scope closes; 0 is any free port. Returns the port. */
    listen(terms: Terms, port: number, serve: Serve): Effect.Effect<number, ListenFailed, Scope.Scope>
    /** Connects a host with an address. The connection lives in the scope. */
    dial(terms: Terms, to: Address): Effect.Effect<Connection, PeerUnreachable, Scope.Scope>
    /** Loses every connection between two hosts, as a pulled cable does: both ends see 1006. */
    cut(one: string, other: string): Effect.Effect<void>
    /** Cuts, and lets no connection between the two come up until they are healed. */
    part(one: string, other: string): Effect.Effect<void>
    heal(one: string, other: string): Effect.Effect<void>
  }
>()("feral-sync/services/transport/MemoryNetwork") {
  static readonly layer = Layer.suspend(() => MemoryNetwork.layerSlow())

  /** A network in which each frame takes the time that `delay` takes, in order; without it, none. */
  static readonly layerSlow = (delay?: Delay) => Layer.effect(MemoryNetwork, make(delay))
}

/** The network of this process, made when it is first asked for. It lives as long as the process. */
let shared: MemoryNetwork["Service"] | undefined

/** The network that is provided, or else the one that all hosts of this process share. */
export const ofProcess = Effect.gen(function* () {
  const provided = Context.getOrUndefined(yield* Effect.context<never>(), MemoryNetwork)
  if (provided !== undefined) return provided
  shared ??= yield* Effect.provideService(make(undefined), Scope.Scope, Scope.makeUnsafe())
  return shared
})

const make = Effect.fnUntraced(function* (delay: Delay | undefined) {
  const courier = yield* FiberSet.makeRuntime()
  const listeners = new Map<string, { readonly terms: Terms; readonly answer: (end: Connection) => void }>()
  const links = new Set<{ readonly pair: string; readonly lose: Effect.Effect<void> }>()
  const parted = new Set<string>()
  let nextPort = 40_000

  const listen = Effect.fn("MemoryNetwork.listen")(function* (terms: Terms, port: number, serve: Serve) {
    const taken = port === 0 ? nextPort++ : port
    const at = formatAddress({ host: terms.host, port: taken })
    if (listeners.has(at)) return yield* new ListenFailed({ address: at, detail: "another node uses the port" })
    const run = yield* FiberSet.makeRuntime()
    yield* Effect.acquireRelease(
      Effect.sync(() => listeners.set(at, { terms, answer: (end) => void run(Effect.scoped(served(end, serve))) })),
      () => Effect.sync(() => listeners.delete(at))
    )
    return taken
  })

  const dial = Effect.fn("MemoryNetwork.dial")(function* (terms: Terms, to: Address) {
    const pair = pairOf(terms.host, to.host)
    const listener = listeners.get(formatAddress(to))
    if (parted.has(pair)) return yield* unreachable(to, "no route to host")
    if (listener === undefined) return yield* unreachable(to, "connection refused")
    const from = { host: terms.host, port: nextPort++ }
    const { dialler, server, lose } = yield* connect(terms, from, listener.terms, to, (sender, receiver, incoming) =>
      delay === undefined
        ? Effect.succeed(incoming)
        : slowWay(incoming, (item) => delay(sender, receiver, item), courier)
    )
    const link = { pair, lose }
    links.add(link)
    yield* Effect.addFinalizer((exit) =>
      Effect.andThen(
        leave(dialler, exit),
        Effect.sync(() => links.delete(link))
      )
    )
    listener.answer(server)
    return dialler
  })

  const cut = Effect.fnUntraced(function* (one: string, other: string) {
    for (const link of links) if (link.pair === pairOf(one, other)) yield* link.lose
  })
  const part = (one: string, other: string) =>
    Effect.andThen(
      Effect.sync(() => parted.add(pairOf(one, other))),
      cut(one, other)
    )
  const heal = (one: string, other: string) => Effect.sync(() => void parted.delete(pairOf(one, other)))

  return MemoryNetwork.of({ listen, dial, cut, part, heal })
})

const unreachable = (address: Address, detail: string) =>
  new PeerUnreachable({ address: formatAddress(address), detail })

const pairOf = (one: string, other: string) => (one < other ? `${one} ${other}` : `${other} ${one}`)

const served = Effect.fnUntraced(function* (connection: Connection, serve: Serve) {
  yield* Effect.addFinalizer((exit) => leave(connection, exit))
  yield* serve(connection)
})

/** The close at the end of a scope. */
const leave = (connection: Connection, exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit) ? connection.close(1000, "") : connection.close(1001, "going away")

const randomBytes = Effect.fnUntraced(function* (length: number) {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = yield* Random.nextIntBetween(0, 256, { halfOpen: true })
  return bytes
})

/** A queue whose items a courier carries to `incoming`, one after the other. */
const slowWay = Effect.fnUntraced(function* (
  incoming: Queue.Queue<Incoming, PeerClosed>,
  delay: (item: Incoming) => Effect.Effect<void>,
  run: (courier: Effect.Effect<void>) => void
) {
  const underway = yield* Queue.bounded<Incoming, PeerClosed>(queuedFrames)
  run(
    Queue.take(underway).pipe(
      Effect.tap(delay),
      Effect.flatMap((item) => Queue.offer(incoming, item)),
      Effect.forever,
      Effect.catch((over) => Effect.sync(() => void Queue.failCauseUnsafe(incoming, Cause.fail(over))))
    )
  )
  return underway
})

/** The queue that a sender fills and that ends up in the queue of the receiver. */
type Way = (
  sender: string,
  receiver: string,
  incoming: Queue.Queue<Incoming, PeerClosed>
) => Effect.Effect<Queue.Queue<Incoming, PeerClosed>>

/** Both ends of a new connection. */
const connect = Effect.fnUntraced(function* (dialling: Terms, from: Address, serving: Terms, to: Address, way: Way) {
  const toDialler = yield* Queue.bounded<Incoming, PeerClosed>(queuedFrames)
  const toServer = yield* Queue.bounded<Incoming, PeerClosed>(queuedFrames)
  const fromServer = yield* way(serving.host, dialling.host, toDialler)
  const fromDialler = yield* way(dialling.host, serving.host, toServer)
  const ended = yield* Deferred.make<never, PeerClosed>()
  const binding = Redacted.make(yield* randomBytes(32))
  const form = dialling.form === 2 && serving.form === 2 ? 2 : 1
  const nonce = Effect.map(randomBytes(nonceLength), (bytes) =>
    form === 1 ? "" : Buffer.from(bytes).toString("base64url")
  )
  const nonces = { dialler: yield* nonce, server: yield* nonce }
  const channel = { nonce: nonces.dialler, binding: Redacted.value(binding) }
  const shown = dialling.ticket === undefined ? undefined : showTicket(Redacted.value(dialling.ticket), channel)
  const ticketId = shown === undefined ? undefined : serving.recognise?.(shown, channel)

  const finish = (code: number, reason: string) =>
    Effect.sync(() => {
      const over = new PeerClosed({ code, reason })
      if (!Deferred.doneUnsafe(ended, Effect.fail(over))) return
      for (const queue of [fromDialler, fromServer]) Queue.failCauseUnsafe(queue, Cause.fail(over))
    })

  /** Frames in flight are lost as well. */
  const lose = Effect.andThen(
    finish(1006, ""),
    Effect.sync(() => {
      const over = new PeerClosed({ code: 1006, reason: "" })
      for (const queue of [toDialler, toServer]) Queue.failCauseUnsafe(queue, Cause.fail(over))
    })
  )

  const end = (
    remote: Address,
    incoming: Queue.Queue<Incoming, PeerClosed>,
    outgoing: Queue.Queue<Incoming, PeerClosed>,
    limit: number
  ): Connection => ({
    remote,
    form,
    revision: dialling.revision === 1 || serving.revision === 1 ? 1 : 2,
    nonces,
    binding,
    tls: "auto",
    incoming: Queue.asDequeue(incoming),
    send: (text) =>
      Effect.suspend(() => {
        const bytes = Buffer.byteLength(text)
        if (bytes > limit) return Effect.andThen(finish(1009, "a frame over the limit"), Deferred.await(ended))
        const frame: Incoming = { _tag: "Frame", text, bytes }
        if (Queue.offerUnsafe(outgoing, frame)) return Effect.void
        return Queue.offer(outgoing, frame).pipe(
          Effect.flatMap((taken) => (taken ? Effect.void : Deferred.await(ended))),
          Effect.raceFirst(Deferred.await(ended))
        )
      }),
    ping: Effect.suspend(() => {
      if (Deferred.isDoneUnsafe(ended)) return Deferred.await(ended)
      // A sign of life that does not fit is not missed: there are frames to show it.
      Queue.offerUnsafe(outgoing, { _tag: "Alive" })
      Queue.offerUnsafe(incoming, { _tag: "Alive", isAnswer: true })
      return Effect.void
    }),
    close: finish
  })

  return {
    dialler: end(to, toDialler, fromDialler, serving.maxRecvBytes),
    server: { ...end(from, toServer, fromServer, dialling.maxRecvBytes), ticketId },
    lose
  }
})
