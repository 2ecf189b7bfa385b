/**
 * The supervisor: keeps one fiber for each peer that should be connected, and knows how each of them is.
 *
 * It carries sightings, connections and their ends to the roster (`core/peers/Roster.ts`), and carries out what that
 * asks for. A dial is one fiber with one scope, from the first packet to the last. Whatever happens in it ends there,
 * and is recorded. The roster then decides on the next attempt. A peer can never fail the supervisor.
 */
import { Cause, Duration, Effect, FiberMap, Layer, Option, Queue, Ref, Stream } from "effect"
import type { Address } from "../../core/peers/Address.ts"
import { pausedReason } from "../../core/sync/Barred.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as Roster from "../../core/peers/Roster.ts"
import { closeCodes } from "../../core/sync/Wire.ts"
import { HlcClock, monotonic } from "../node/HlcClock.ts"
import { Config } from "../node/Config.ts"
import { Discovery, type Sighting } from "../discovery/Discovery.ts"
import { type ListenFailed, PeersNotDiscovered } from "../node/NodeFailure.ts"
import type { Passphrase } from "../node/Passphrase.ts"
import * as Collector from "./Collector.ts"
import * as Conversation from "./Conversation.ts"
import { dial } from "./Dial.ts"
import * as Endings from "./Endings.ts"
import * as Namesake from "./Namesake.ts"
import * as Paused from "./Paused.ts"
import * as Removed from "./Removed.ts"
import { Peers } from "./Peers.ts"
import * as Connections from "./Connections.ts"
import * as PeerTable from "./PeerTable.ts"
import * as PeerRequests from "./PeerRequests.ts"
import * as Rotation from "./Rotation.ts"
import * as SessionRunner from "./SessionRunner.ts"
import { Store } from "../store/Store.ts"
import { Transport } from "../transport/Transport.ts"

/** An event of the supervisor, without its time. */
type Input = Roster.Event extends infer E ? (E extends unknown ? Omit<E, "now"> : never) : never

export const layer: Layer.Layer<Peers, ListenFailed, Config | HlcClock | Store | Transport | Discovery | Passphrase> =
  Layer.effect(
    Peers,
    Effect.suspend(() => make())
  )

const make = Effect.fnUntraced(function* () {
  const settings = yield* Config
  const clock = yield* HlcClock
  const store = yield* Store
  const transport = yield* Transport
  const discovery = yield* Discovery

  const table = PeerTable.make()
  const connections = Connections.make()
  let links = 0
  /** Whether the database is damaged: then no peer is dialled or accepted. */
  let isOver = false

  // Sightings are limited by discovery, connections by the transport; when it is full, they wait.
  const inputs = yield* Queue.bounded<Input>(256)
  const dials = yield* FiberMap.make<string>()

  /** Closes the connections to some nodes. */
  const hangUp = Effect.fnUntraced(function* (nodes: ReadonlySet<NodeId>, code: number, reason: string) {
    for (const [link, { running }] of table.entries) {
      const { peer } = running.view()
      if (peer === undefined || !nodes.has(peer)) continue
      connections.closing.set(link, reason)
      yield* Effect.logInfo(`peer ${reason}: closing its connection`).pipe(Effect.annotateLogs({ peer }))
      yield* running.stop(code, reason)
    }
  })
  const removing = yield* Removed.keep((nodes) => hangUp(nodes, closeCodes.removed, "removed"))
  const pausing = yield* Paused.keep((nodes) =>
    Effect.andThen(Queue.offer(inputs, { _tag: "Paused", nodes }), hangUp(nodes, closeCodes.going_away, pausedReason))
  )
  const [removed, paused] = [removing.current, pausing.current]
  const on = (list: Ref.Ref<ReadonlySet<NodeId>>) => (node: string) => {
    const ids: ReadonlySet<string> = Ref.getUnsafe(list)
    return ids.has(node)
  }
  const [isPaused, isRemoved] = [on(paused), on(removed)]

  const { call, answer, drop, recognise, ticketFor, isMetAt, hasPrevious } = yield* Conversation.make(
    table,
    (link, node, key, host, form) =>
      Effect.flatMap(clock.now, (at) => {
        Connections.began(connections, link, { peer: node, host, isDialled: key !== undefined, at })
        return Queue.offer(inputs, { _tag: "Established", link, node, key, host, form })
      }),
    transport.secret,
    (node) => (isRemoved(node) ? "removed" : isPaused(node) ? "paused" : undefined)
  )

  const { ended, report } = yield* Endings.make({
    table,
    connections,
    roster: () => roster,
    notify: (ended) => Queue.offer(inputs, ended)
  })

  const rotation = Rotation.make({
    hasPrevious,
    isKnown: (key, address) => isMetAt(address) || Roster.candidateOf(roster, key)?.source === "static"
  })

  /** One attempt: from the first packet to the end of the connection. */
  const attempt = Effect.fnUntraced(function* (key_: string, address: Address, expected: NodeId | undefined) {
    const link = ++links
    const isPrevious = rotation.isDue(address)
    const exit = yield* dial(transport, settings, address, ticketFor(expected, address), discovery.resolve).pipe(
      Effect.flatMap((connection) => call(link, connection, key_, expected, isPrevious)),
      Effect.scoped,
      Effect.exit
    )
    yield* ended(link, key_, address, exit, !isPrevious && rotation.isNext(key_, address, exit))
  })

  const { port } = yield* transport.listen({
    serve: (connection, proved) =>
      Effect.gen(function* () {
        if (isOver) return yield* connection.close(closeCodes.internal_error, SessionRunner.damaged)
        const link = ++links
        const exit = yield* Effect.exit(answer(link, connection, proved))
        yield* ended(link, undefined, connection.remote, exit)
      }),
    recognise,
    refused: (remote, failure) => {
      PeerTable.noteRefusal(table, failure._tag)
      return report(PeerTable.incomingKey(remote.host), remote, failure)
    }
  })

  const [first, firstActions] = Roster.initial(
    {
      self: store.nodeId,
      mdns: discovery.mdns,
      mdnsTimeout: Duration.toMillis(settings.mdnsTimeout),
      interval: Duration.toMillis(settings.interval),
      peers: settings.peers,
      paused: yield* Ref.get(paused)
    },
    yield* elapsed
  )
  let roster = first

  const carry = Effect.fnUntraced(function* ([next, actions]: Roster.Step) {
    if (next.static === "active" && roster.static !== "active") {
      if (next.mdns === "on") yield* Effect.logWarning(new PeersNotDiscovered().message)
      yield* Effect.logInfo("using the static peers")
    }
    roster = next
    for (const action of actions) {
      if (action._tag === "Dial") {
        if (isOver) continue
        const expected = Roster.candidateOf(roster, action.key)?.node
        yield* FiberMap.run(dials, action.key, attempt(action.key, action.address, expected))
      } else if (action._tag === "Reconfirm") {
        yield* discovery.reconfirm(action.node)
      } else {
        const entry = table.entries.get(action.link)
        if (entry !== undefined) yield* drop(action.link, entry.running)
      }
    }
  })

  const supervise = Effect.fnUntraced(function* () {
    yield* carry([first, firstActions])
    for (;;) {
      const wait = Math.min(Math.max(0, Roster.deadline(roster) - (yield* elapsed)), 3_600_000)
      const input = yield* Queue.take(inputs).pipe(Effect.timeoutOption(wait))
      const now = yield* elapsed
      yield* carry(Roster.step(roster, Option.isSome(input) ? { ...input.value, now } : { _tag: "Tick", now }))
    }
  })

  const namesake = Namesake.make({
    self: store.nodeId,
    port,
    table,
    report,
    dial: (key, address) => FiberMap.run(dials, key, attempt(key, address, undefined), { onlyIfMissing: true })
  })
  const sightings = yield* discovery.sightings({ nodeId: store.nodeId, port })
  yield* sightings.pipe(
    Stream.runForEach((sighting) =>
      Effect.gen(function* () {
        if (sighting._tag === "Duplicated") return yield* namesake(sighting.address)
        if (sighting._tag === "Unavailable") yield* Effect.logWarning(sighting.error.message)
        if (sighting._tag === "Vanished") {
          const note = sighting.isGoodbye ? PeerTable.noteGoodbye : PeerTable.noteSilence
          note(table, sighting.nodeId, yield* clock.now)
        }
        yield* Queue.offer(inputs, inputOf(sighting))
      })
    ),
    guarded("discovery"),
    Effect.forkScoped
  )
  yield* supervise().pipe(guarded("supervisor"), Effect.forkScoped)
  yield* store.damageAwaited.pipe(
    Effect.tap(({ _tag, message }) =>
      Effect.logError(`sync stopped: ${message}`).pipe(Effect.annotateLogs({ error: _tag }))
    ),
    Effect.andThen(
      Effect.suspend(() => {
        isOver = true
        const stop = (entry: PeerTable.Entry) => entry.running.stop(closeCodes.internal_error, SessionRunner.damaged)
        return Effect.forEach(table.entries.values(), stop, { discard: true })
      })
    ),
    // A dial that is under way has no session yet.
    Effect.andThen(Effect.sleep("5 seconds")),
    Effect.andThen(FiberMap.clear(dials)),
    guarded("damage"),
    Effect.forkScoped
  )
  yield* Collector.run({
    keepMs: settings.tombstoneMs,
    removed: Ref.get(removed),
    connected: Effect.sync(
      () =>
        new Set(
          Array.from(table.entries.values(), ({ running }) => running.view().peer).filter((id) => id !== undefined)
        )
    )
  }).pipe(
    Effect.provideService(Store, store),
    Effect.provideService(HlcClock, clock),
    guarded("collector"),
    Effect.forkScoped
  )
  // Sessions of form 2 listen to the store themselves. For the others, many writes make one call.
  yield* store.changes.pipe(
    Stream.filter(({ operations }) => operations.some(({ hlc }) => hlc.node === store.nodeId)),
    Stream.debounce("200 millis"),
    Stream.runForEach(() => Queue.offer(inputs, { _tag: "Written" })),
    guarded("writes"),
    Effect.forkScoped
  )

  const requests = yield* PeerRequests.make({
    table,
    roster: () => roster,
    pausing,
    removing,
    isPaused,
    isRemoved,
    hurry: (key) => Queue.offer(inputs, { _tag: "Hurried", key })
  })

  return Peers.of({
    port,
    ...requests,
    paused: Ref.get(paused),
    counters: Effect.sync(() => ({
      traffic: PeerTable.traffic(table),
      sessions: [...table.ends.values()],
      handshakeFailures: table.refusals,
      connections: connections.byPeer
    })),
    discovery: Effect.sync(() => ({ mdns: roster.mdns, static: roster.static })),
    removed: Ref.get(removed),
    acceptsPrevious: hasPrevious
  })
})

/** The time that the roster knows, in whole ms: it passes whatever the clock is set to. */
const elapsed = Effect.map(monotonic, Math.floor)

/** A background loop does not end unnoticed: its defect is logged. */
const guarded =
  (loop: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.tapCause(effect, (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logError("a background task ended", cause).pipe(Effect.annotateLogs({ loop }))
    )

const inputOf = (sighting: Exclude<Sighting, { readonly _tag: "Duplicated" }>): Input => {
  switch (sighting._tag) {
    case "Appeared":
      return {
        _tag: "Appeared",
        node: sighting.nodeId,
        addresses: sighting.addresses,
        near: sighting.near ?? [],
        protocol: sighting.protocol
      }
    case "Vanished":
      return { _tag: "Vanished", node: sighting.nodeId }
    case "Listed":
      return sighting
    case "Available":
      return { _tag: "MdnsAvailable" }
    case "Unavailable":
      return { _tag: "MdnsUnavailable" }
  }
}
