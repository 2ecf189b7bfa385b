/**
 * Discovery by multicast DNS: carries packets to the state machine of `core/DnsSd.ts` and back, over one socket for each
 * interface.
 *
 * Interfaces may come and go: every ten seconds the sockets are brought in line with them. While there is no socket,
 * discovery is `Unavailable`; it goes on trying. Closing the scope withdraws our records and releases the sockets.
 */
import type { Answer, Packet, Question, RecordType } from "dns-packet"
import { Clock, Effect, Option, Queue, Random, type Scope, Stream } from "effect"
import multicastDns from "multicast-dns"
import { BlockList } from "node:net"
import { networkInterfaces } from "node:os"
import * as DnsSd from "../../core/DnsSd.ts"
import type { Announcement, Discovery, Sighting } from "../Discovery.ts"
import { MdnsUnavailable } from "../Failure.ts"
import * as Packets from "./Packets.ts"

export interface Options {
  /** Addresses of the interfaces to use; empty for all that are up and not internal. */
  readonly interfaces: ReadonlyArray<string>
}

/** How often the sockets are brought in line with the interfaces (ms). */
const reconcileEvery = 10_000

/** How long leaving may take, when the network does not take our goodbye. */
const leaveWithin = "500 millis"

interface Interface {
  readonly address: string
  readonly netmask: string
}

type Outgoing =
  | { readonly _tag: "Query"; readonly questions: Array<Question>; readonly answers: Array<Answer> }
  | { readonly _tag: "Response"; readonly answers: Array<Answer> }

interface Socket {
  readonly interface: Interface
  /** Sends a packet. Whether it arrives is not known to anyone. */
  readonly send: (packet: Outgoing) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

/** A packet that came in, and when the machine has to look at it. */
type Input = Extract<DnsSd.Event, { _tag: "Query" | "Response" }>
type Untimed =
  Omit<Extract<Input, { _tag: "Query" }>, "now" | "random"> | Omit<Extract<Input, { _tag: "Response" }>, "now">

/** The discovery over these interfaces. */
export const make = ({ interfaces }: Options): Discovery["Service"] => ({
  mdns: true,
  sightings: Effect.fn("Discovery.sightings")((announcement: Announcement) => run(interfaces, announcement))
})

const run = Effect.fnUntraced(function* (
  wanted: ReadonlyArray<string>,
  { nodeId, port }: Announcement
): Effect.fn.Return<Stream.Stream<Sighting>, never, Scope.Scope> {
  // Packets that come faster than they are looked at are dropped: whatever matters is repeated.
  const packets = yield* Queue.dropping<Untimed>(1_024)
  // Sightings that nobody takes make room for newer ones.
  const sightings = yield* Queue.sliding<Sighting>(DnsSd.maxInstances)
  const sockets = new Map<string, Socket>()
  let state = DnsSd.initial({ self: nodeId, port }, yield* Clock.currentTimeMillis, yield* Random.next)
  let isAvailable: boolean | undefined

  const show = Effect.fnUntraced(function* (error: MdnsUnavailable | undefined) {
    if (isAvailable === (error === undefined)) return
    isAvailable = error === undefined
    yield* Queue.offer(sightings, error === undefined ? { _tag: "Available" } : { _tag: "Unavailable", error })
  })

  /** Opens and closes sockets so that there is one for each interface. */
  const reconcile = Effect.fnUntraced(function* () {
    const usable = usableInterfaces(wanted)
    const known = new Set(usable.map(({ address }) => address))
    for (const [address, socket] of sockets) {
      if (known.has(address)) continue
      sockets.delete(address)
      yield* socket.close
    }
    let failure: MdnsUnavailable | undefined = new MdnsUnavailable({ detail: "no interface with multicast is up" })
    for (const found of usable) {
      if (sockets.has(found.address)) continue
      const opened = yield* Effect.result(open(found, packets, () => sockets.delete(found.address)))
      if (opened._tag === "Failure") failure = opened.failure
      else {
        sockets.set(found.address, opened.success)
        // On a network that we join, we announce ourselves and ask anew.
        const now = yield* Clock.currentTimeMillis
        state = { ...state, announceAt: [now, now + 1_000], queryAt: now + 20, queryEvery: 1_000 }
      }
    }
    yield* show(sockets.size > 0 ? undefined : failure)
  })

  const carry = Effect.fnUntraced(function* (actions: ReadonlyArray<DnsSd.Action>) {
    for (const action of actions) {
      switch (action._tag) {
        case "Ask":
          yield* sendAll(sockets, () => query(action))
          break
        case "Tell":
          yield* sendAll(sockets, ({ interface: { address } }) => response(action, address))
          break
        case "Appeared":
          yield* Queue.offer(sightings, {
            _tag: "Appeared",
            nodeId: action.peer.node,
            addresses: action.peer.addresses,
            protocol: action.peer.protocol
          })
          break
        case "Vanished":
          yield* Queue.offer(sightings, { _tag: "Vanished", nodeId: action.node })
          break
      }
    }
  })

  const loop = Effect.fnUntraced(function* () {
    let reconcileAt = -Infinity
    for (;;) {
      if ((yield* Clock.currentTimeMillis) >= reconcileAt) {
        yield* reconcile()
        reconcileAt = (yield* Clock.currentTimeMillis) + reconcileEvery
      }
      const wait = Math.min(DnsSd.deadline(state), reconcileAt) - (yield* Clock.currentTimeMillis)
      const packet = yield* Queue.take(packets).pipe(Effect.timeoutOption(Math.max(0, wait)))
      const now = yield* Clock.currentTimeMillis
      const random = yield* Random.next
      const timed = { now, random }
      const [next, actions] = DnsSd.step(
        state,
        Option.isSome(packet) ? { ...packet.value, ...timed } : { _tag: "Tick", ...timed }
      )
      state = next
      yield* carry(actions)
    }
  })

  yield* Effect.addFinalizer(() =>
    carry([DnsSd.goodbye(state)]).pipe(
      Effect.timeoutOption(leaveWithin),
      Effect.andThen(Effect.forEach(sockets.values(), (socket) => socket.close, { discard: true }))
    )
  )
  yield* loop().pipe(Effect.forkScoped)
  return Stream.fromQueue(sightings)
})

const sendAll = (sockets: ReadonlyMap<string, Socket>, packetFor: (socket: Socket) => Outgoing) =>
  Effect.forEach(sockets.values(), (socket) => socket.send(packetFor(socket)), { discard: true, concurrency: 8 })

const query = ({ questions, known }: Extract<DnsSd.Action, { _tag: "Ask" }>): Outgoing => ({
  _tag: "Query",
  questions: questions.map(({ name, type }) => ({ name, type: type as RecordType })),
  answers: Packets.answersOf(known)
})

const response = ({ records, host }: Extract<DnsSd.Action, { _tag: "Tell" }>, address: string): Outgoing => ({
  _tag: "Response",
  answers: Packets.answersOf([
    ...records,
    // A goodbye withdraws the service. The host may have others.
    ...(records.some(({ ttl }) => ttl === 0) ? [] : [{ name: host, type: "A" as const, ttl: DnsSd.ttl.host, address }])
  ])
})

/** The IPv4 interfaces to use. Internal ones only when they are asked for. */
const usableInterfaces = (wanted: ReadonlyArray<string>): ReadonlyArray<Interface> =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, address, internal }) =>
      wanted.length > 0 ? wanted.includes(address) : family === "IPv4" && !internal
    )
    .map(({ address, netmask }) => ({ address, netmask }))

const unavailable = (address: string) => (cause: Error) =>
  new MdnsUnavailable({ detail: `${address}: ${cause.message}`, cause })

/** Opens the socket of one interface. */
const open = (
  found: Interface,
  packets: Queue.Queue<Untimed>,
  onBroken: () => void
): Effect.Effect<Socket, MdnsUnavailable> =>
  Effect.callback<Socket, MdnsUnavailable>((resume) => {
    const subnet = new BlockList()
    subnet.addSubnet(found.address, prefixOf(found.netmask))
    const mdns = multicastDns({ interface: found.address, bind: "0.0.0.0", ttl: 255, loopback: true })
    const socket: Socket = {
      interface: found,
      send: (packet) =>
        Effect.callback<void>((done) => {
          const sent = () => done(Effect.void)
          if (packet._tag === "Query") mdns.query({ questions: packet.questions, answers: packet.answers }, sent)
          else mdns.respond({ answers: packet.answers }, sent)
        }),
      close: Effect.callback<void>((done) => mdns.destroy(() => done(Effect.void))).pipe(
        Effect.timeoutOption(leaveWithin),
        Effect.asVoid
      )
    }
    mdns.once("ready", () => resume(Effect.succeed(socket)))
    mdns.on("error", (cause: Error) => {
      onBroken()
      mdns.destroy()
      resume(Effect.fail(unavailable(found.address)(cause)))
    })
    // A packet that cannot be read, or a network that is down: both pass.
    mdns.on("warning", () => undefined)
    mdns.on("packet", (packet: Packet, { address }: { readonly address: string }) => {
      // Sockets hear what comes in on every interface; and only neighbours count (RFC 6762 section 11).
      if (!subnet.check(address)) return
      const records = Packets.recordsOf(packet)
      Queue.offerUnsafe(
        packets,
        packet.type === "query"
          ? { _tag: "Query", questions: Packets.questionsOf(packet), known: records }
          : { _tag: "Response", records }
      )
    })
  })

const prefixOf = (netmask: string): number =>
  netmask.split(".").reduce((bits, part) => bits + Number(part).toString(2).replaceAll("0", "").length, 0)
