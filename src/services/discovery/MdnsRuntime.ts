/**
 * Carries packets between sockets and the state machine of `core/discovery/DnsSd.ts`, and holds its timer.
 *
 * Links may come and go: at a steady pace the sockets are brought in line with them, and broken ones are made anew.
 * Discovery is `Available` from the first packet that left, and `Unavailable` when no socket is left. The end of the
 * scope withdraws our records and closes the sockets.
 */
import { Counters } from "../node/Counters.ts"
import { type Cause, Clock, Duration, Effect, Option, PubSub, Queue, Random, Result, type Scope, Stream } from "effect"
import { monotonic } from "../node/HlcClock.ts"
import * as DnsSd from "../../core/discovery/DnsSd.ts"
import { type Link, linkFrom } from "../../core/discovery/Link.ts"
import type { Packet } from "../../core/discovery/DnsRecord.ts"
import type { Send } from "../../core/discovery/Responder.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Announcement, Sighting } from "./Discovery.ts"
import { MdnsUnavailable } from "../node/NodeFailure.ts"

/** A socket on one link. */
export interface Socket {
  /** Sends a packet, and calls back when it has left, or cannot leave. */
  send(send: Send, done: (error: Error | undefined) => void): void
  readonly close: Effect.Effect<void>
}

/** The events of a socket. */
export interface Handlers {
  packet(packet: Packet, from: { readonly address: string; readonly port: number }): void
  failed(error: Error): void
}

/** The network, as far as it is needed. */
export interface Network {
  /** The port of multicast DNS: a query from another port wants an answer to that port. */
  readonly port: number
  /** The links that there are now; fails when there is none. */
  readonly links: Effect.Effect<ReadonlyArray<Link>, MdnsUnavailable>
  open(link: Link, handlers: Handlers): Effect.Effect<Socket, MdnsUnavailable>
}

/** Packets that wait to be looked at, and sightings that wait to be taken. */
const queuedPackets = 512
const queuedSightings = 4096

/** Packets that are looked at together: many at once cost less, and must not take long. */
const packetsAtOnce = 16

/** While packets come faster than this, they are gathered for as long (ms), so that a flood is read in few steps. */
const gathering = 50

/**
 * How far the time of day may run ahead of the time that we count before we take it that the machine was asleep (ms).
 */
const sleepOf = 5_000

/** Copies of the goodbye, and how long they may take to leave. */
const goodbyes = 2
const goodbyeWithin = "300 millis"

interface Open {
  link: Link
  readonly socket: Socket
  /** A packet has left through it. */
  proven: boolean
}

/** An event of the loop, without its time. */
type Input =
  { readonly _tag: "Packet"; readonly arrival: DnsSd.Arrival } | { readonly _tag: "Doubted"; readonly nodeId: NodeId }

/**
 * Announces a node and looks for others, until the scope closes. `doubts` are the nodes that did not answer at their
 * announced addresses.
 */
export const run = Effect.fnUntraced(function* (
  network: Network,
  reconcileEvery: Duration.Input,
  announcement: Announcement,
  doubts: PubSub.PubSub<NodeId>
): Effect.fn.Return<Stream.Stream<Sighting>, never, Scope.Scope> {
  const { mdns } = yield* Counters
  // A packet that does not fit is dropped, as the network drops them: whatever matters is said again. `undefined` is a
  // call to look at the sockets, which each turn of the loop does anyway.
  const inbox = yield* Queue.dropping<Input | undefined>(queuedPackets)
  // While the consumer does not take sightings, no more packets are read.
  const sightings = yield* Queue.bounded<Sighting, Cause.Done>(queuedSightings)
  const opened = new Map<string, Open>()
  /** What broke since the last look, and why. */
  const broken = new Map<string, MdnsUnavailable>()
  let state = DnsSd.initial(announcement.nodeId, announcement.port)
  let isAvailable: boolean | undefined

  const links = () => Array.from(opened.values(), ({ link }) => link)

  const breakOff = (key: string, error: Error) => {
    broken.set(key, new MdnsUnavailable({ detail: `${key}: ${error.message}`, cause: error }))
    Queue.offerUnsafe(inbox, undefined)
  }

  /** Carries out the actions of the machine. */
  const carry = Effect.fnUntraced(function* ([next, actions]: DnsSd.Step) {
    state = next
    for (const action of actions) {
      if (action._tag === "Send") send(action)
      else yield* Queue.offer(sightings, action)
    }
  })

  const send = (packet: Send) => {
    const open = opened.get(packet.link)
    if (open !== undefined) mdns.sent += 1
    open?.socket.send(packet, (error) => {
      // Who cannot be answered alone says nothing about the link.
      if (packet.to !== undefined) return
      if (error !== undefined) return breakOff(open.link.key, error)
      if (!open.proven) Queue.offerUnsafe(inbox, undefined)
      open.proven = true
    })
  }

  const useLinks = Effect.fnUntraced(function* () {
    yield* carry(
      DnsSd.step(state, { _tag: "Links", links: links(), now: yield* monotonic, random: yield* Random.next })
    )
  })

  const show = Effect.fnUntraced(function* (error: MdnsUnavailable | undefined) {
    if (isAvailable === (error === undefined)) return
    if (isAvailable === false) yield* Effect.logInfo("mDNS is available again")
    isAvailable = error === undefined
    yield* Queue.offer(sightings, error === undefined ? { _tag: "Available" } : { _tag: "Unavailable", error })
  })

  const open = (link: Link) =>
    Effect.uninterruptibleMask((restore) =>
      restore(
        network.open(link, {
          packet: (packet, from) => {
            // A socket may hear what arrives on another interface.
            if (linkFrom(links(), from.address)?.key !== link.key) return
            mdns.received += 1
            const isDirect = from.port !== network.port
            Queue.offerUnsafe(inbox, { _tag: "Packet", arrival: { link: link.key, packet, from, isDirect } })
          },
          failed: (error) => breakOff(link.key, error)
        })
      ).pipe(Effect.map((socket) => opened.set(link.key, { link, socket, proven: false })))
    )

  const close = (key: string) =>
    Effect.suspend(() => {
      const socket = opened.get(key)?.socket
      opened.delete(key)
      return socket === undefined ? Effect.void : socket.close
    })

  /** Takes out the sockets that broke, and says how we are. */
  const review = Effect.fnUntraced(function* () {
    const failures = [...broken].filter(([key]) => opened.has(key))
    broken.clear()
    for (const [key, { detail }] of failures) {
      yield* Effect.logDebug("mDNS socket failed").pipe(Effect.annotateLogs({ detail }))
      yield* close(key)
    }
    if (failures.length > 0) yield* useLinks()
    if (opened.values().some(({ proven }) => proven)) yield* show(undefined)
    else if (opened.size === 0 && failures[0] !== undefined) yield* show(failures[0][1])
  })

  /** One socket for each link there is. */
  const reconcile = Effect.fnUntraced(function* () {
    const found = yield* Effect.result(network.links)
    let failure = Result.isFailure(found) ? found.failure : undefined
    const wanted = new Map(Result.getOrElse(found, () => []).map((link) => [link.key, link]))
    for (const [key, open] of opened) {
      const link = wanted.get(key)
      if (link === undefined) yield* close(key)
      else open.link = link
    }
    for (const [key, link] of wanted) {
      if (opened.has(key)) continue
      const result = yield* Effect.result(open(link))
      if (Result.isFailure(result)) failure = result.failure
    }
    yield* useLinks()
    if (opened.size === 0 && failure !== undefined) yield* show(failure)
  })

  const loop = Effect.fnUntraced(function* () {
    let reconcileAt = -Infinity
    let heardAt = -Infinity
    let ahead = yield* lead
    for (;;) {
      // A machine that sleeps stops counting. Others may have forgotten us, and we know nothing of them.
      const before = ahead
      ahead = yield* lead
      if (ahead - before > sleepOf) {
        reconcileAt = -Infinity
        yield* carry(DnsSd.step(state, { _tag: "Resumed", now: yield* monotonic, random: yield* Random.next }))
      }
      if ((yield* monotonic) >= reconcileAt) {
        yield* reconcile()
        reconcileAt = (yield* monotonic) + Duration.toMillis(reconcileEvery)
      }
      yield* review()
      // Timers know whole milliseconds: one that ends early would end again and again.
      const wait = Math.ceil(Math.min(DnsSd.deadline(state), reconcileAt) - (yield* monotonic))
      const taken = yield* Queue.takeBetween(inbox, 1, packetsAtOnce).pipe(Effect.timeoutOption(Math.max(0, wait)))
      const inputs = Option.getOrElse(taken, () => [])
      const packets = inputs.flatMap((input) => (input?._tag === "Packet" ? [input.arrival] : []))
      const now = yield* monotonic
      // Without packets, it is the tick that is due.
      yield* carry(DnsSd.step(state, { _tag: "Packets", packets, now, random: yield* Random.next }))
      for (const input of inputs) {
        if (input?._tag !== "Doubted") continue
        yield* carry(DnsSd.step(state, { ...input, now: yield* monotonic, random: yield* Random.next }))
      }
      if (packets.length > 0) {
        if (now - heardAt < gathering) yield* Effect.sleep(gathering)
        heardAt = yield* monotonic
      }
    }
  })

  const leave = Effect.suspend(() =>
    Effect.forEach(
      DnsSd.goodbye(state),
      (packet) =>
        Effect.callback<void>((resume) => opened.get(packet.link)?.socket.send(packet, () => resume(Effect.void))),
      { discard: true, concurrency: "unbounded" }
    ).pipe(Effect.repeat({ times: goodbyes - 1 }), Effect.timeoutOption(goodbyeWithin))
  )

  yield* Effect.addFinalizer(() =>
    leave.pipe(
      Effect.andThen(Effect.suspend(() => Effect.forEach([...opened.keys()], close, { discard: true }))),
      Effect.andThen(Queue.end(sightings))
    )
  )
  const doubted = yield* PubSub.subscribe(doubts)
  yield* PubSub.take(doubted).pipe(
    Effect.map((nodeId) => Queue.offerUnsafe(inbox, { _tag: "Doubted", nodeId })),
    Effect.forever,
    Effect.forkScoped
  )
  yield* loop().pipe(
    Effect.tapDefect((defect) => Effect.logError("discovery ended unexpectedly", defect)),
    Effect.forkScoped
  )
  return Stream.fromQueue(sightings)
})

/** How far the time of day is ahead of the time that passes: a clock that is set does not make records young or old. */
const lead = Effect.zipWith(Clock.currentTimeMillis, monotonic, (day, counted) => day - counted)
