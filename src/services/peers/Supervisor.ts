/**
 * The supervisor: keeps one fiber for each peer that should be connected, and knows how each of them is.
 *
 * It carries sightings, connections and their ends to the roster (`core/peers/Roster.ts`), and carries out what that asks for. A
 * dial is one fiber with one scope, from the first packet to the last; whatever happens in it ends there, is noted, and
 * leads to the next try that the roster decides on. A peer can never fail the supervisor.
 */
import {
  Cause,
  Duration,
  Effect,
  Exit,
  FiberMap,
  Layer,
  Option,
  Queue,
  Random,
  Ref,
  Result,
  Schema,
  Stream
} from "effect"
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import { DuplicateNodeId, PeerClosed, type SessionFailure } from "../../core/sync/SyncFailure.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import * as Roster from "../../core/peers/Roster.ts"
import { mdnsKey } from "../../core/peers/Candidate.ts"
import { closeCodes } from "../../core/sync/Wire.ts"
import { HlcClock, monotonic } from "../node/HlcClock.ts"
import { Config } from "../node/Config.ts"
import { Discovery, type Sighting } from "../discovery/Discovery.ts"
import {
  type ListenFailed,
  PeerNotFound,
  PeersNotDiscovered,
  type PeerUnreachable,
  type StoreUnavailable,
  type TlsHandshakeFailed
} from "../node/NodeFailure.ts"
import * as PeerName from "../node/PeerName.ts"
import type { Passphrase } from "../node/Passphrase.ts"
import * as Collector from "./Collector.ts"
import * as Comparison from "./Comparison.ts"
import * as Conversation from "./Conversation.ts"
import { dial } from "./Dial.ts"
import * as Paused from "./Paused.ts"
import * as Removed from "./Removed.ts"
import { Peers } from "./Peers.ts"
import * as Lacks from "./Lacks.ts"
import * as Connections from "./Connections.ts"
import * as PeerTable from "./PeerTable.ts"
import * as PeerView from "./PeerView.ts"
import * as SessionRunner from "./SessionRunner.ts"
import { Store } from "../store/Store.ts"
import * as Status from "../node/Status.ts"
import type { PeerStatus, Synced } from "../node/Status.ts"
import { Transport } from "../transport/Transport.ts"
import * as Throttle from "../transport/Throttle.ts"

/** How often it is logged that the same two nodes use one id (ms). */
const duplicatesEvery = 3_600_000

type Failure = SessionFailure | PeerUnreachable | TlsHandshakeFailed | StoreUnavailable

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
  const duplicates = Throttle.make(duplicatesEvery)
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
  const { current: removed } = yield* Removed.keep((nodes) => hangUp(nodes, closeCodes.removed, "removed"))
  const { current: paused, set: setPaused } = yield* Paused.keep((nodes) =>
    Effect.andThen(Queue.offer(inputs, { _tag: "Paused", nodes }), hangUp(nodes, closeCodes.going_away, "paused"))
  )
  const isPaused = (node: string) => {
    const ids: ReadonlySet<string> = Ref.getUnsafe(paused)
    return ids.has(node)
  }
  const isRemoved = (node: string) => {
    const ids: ReadonlySet<string> = Ref.getUnsafe(removed)
    return ids.has(node)
  }

  const { call, answer, drop, recognise, ticketFor, hasPrevious } = yield* Conversation.make(
    table,
    (link, node, key, host, form) =>
      Effect.flatMap(clock.now, (at) => {
        Connections.began(connections, link, { peer: node, host, isDialled: key !== undefined, at })
        return Queue.offer(inputs, { _tag: "Established", link, node, key, host, form })
      }),
    transport.secret,
    (node) => (isRemoved(node) ? "removed" : isPaused(node) ? "paused" : undefined)
  )

  /** Notes how a connection or a dial ended, and tells the roster. */
  const ended = Effect.fnUntraced(function* (
    link: number,
    key_: string | undefined,
    address: Address,
    result: Result.Result<Roster.Ending, Failure>
  ) {
    const random = yield* Random.next
    const end = Result.match(result, { onSuccess: (ending) => ending, onFailure: ({ _tag }) => _tag })
    const problem = Result.isFailure(result) ? result.failure.problem : undefined
    Connections.ended(connections, link, yield* clock.now, end, problem)
    PeerTable.noteEnd(table, key_ === undefined ? "server" : "dialler", end)
    if (Result.isFailure(result) && Roster.nodeOf(roster, link) === undefined) PeerTable.noteRefusal(table, end)
    if (Result.isFailure(result)) yield* report(key_ ?? nameOf(link, address), address, result.failure)
    const ending = Result.match(result, { onSuccess: (ending) => ending, onFailure: endingOf })
    const retryAfter =
      Result.isFailure(result) && result.failure._tag === "RateLimited" ? result.failure.retryAfterSeconds * 1000 : 0
    yield* Queue.offer(inputs, { _tag: "Ended", link, key: key_, address, ending, random, retryAfter })
  })

  /** Under which name the failures of a client are kept: that of the node where it is known, else that of its host. */
  const nameOf = (link: number, address: Address) => {
    const node = Roster.nodeOf(roster, link)
    const key = node === undefined ? undefined : mdnsKey(node)
    if (key !== undefined && Roster.candidateOf(roster, key) !== undefined) return key
    return node !== undefined && table.lost.has(node) ? PeerTable.peerKey(node) : PeerTable.incomingKey(address.host)
  }

  const report = Effect.fnUntraced(function* (name: string, address: Address, failure: Failure) {
    const { _tag, message } = failure
    // A node that was removed is not shown either.
    if (failure._tag === "PeerPaused" || (failure._tag === "PeerRemoved" && failure.by === undefined))
      return yield* Effect.logDebug(message)
    const isRefusal = endingOf(failure) === "refused"
    const isNews = PeerTable.noteFailure(table, name, address, {
      error: Status.report(failure),
      at: yield* clock.now,
      isRefusal
    })
    const log = !isNews || _tag === "SelfConnection" ? Effect.logDebug : isRefusal ? Effect.logWarning : Effect.logInfo
    const tell = log(message).pipe(Effect.annotateLogs({ address: formatAddress(address), error: _tag }))
    // Two nodes with one id take turns, and each time they are connected first.
    yield* _tag === "DuplicateNodeId" && failure.at !== undefined ? duplicates.pass(message, tell) : tell
  })

  /** One attempt: from the first packet to the end of the connection. */
  const attempt = Effect.fnUntraced(function* (key_: string, address: Address, expected: NodeId | undefined) {
    const link = ++links
    const once = (isPrevious: boolean) =>
      dial(transport, settings, address, ticketFor(expected, address), discovery.resolve).pipe(
        Effect.flatMap((connection) => call(link, connection, key_, expected, isPrevious)),
        Effect.scoped
      )
    // While the passphrase is being changed, a node that does not have the new one yet takes the one before.
    const exit = yield* once(false).pipe(
      Effect.catchTag("PassphraseMismatch", (refused) =>
        hasPrevious
          ? Effect.catchTag(once(true), "PassphraseMismatch", () => Effect.fail(refused))
          : Effect.fail(refused)
      ),
      Effect.exit
    )
    yield* ended(link, key_, address, yield* resultOf(exit))
  })

  const { port } = yield* transport.listen({
    serve: (connection, proved) =>
      Effect.gen(function* () {
        if (isOver) return yield* connection.close(closeCodes.internal_error, SessionRunner.damaged)
        const link = ++links
        const exit = yield* Effect.exit(answer(link, connection, proved))
        yield* ended(link, undefined, connection.remote, yield* resultOf(exit))
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

  const sightings = yield* discovery.sightings({ nodeId: store.nodeId, port })
  yield* sightings.pipe(
    Stream.runForEach((sighting) =>
      Effect.gen(function* () {
        if (sighting._tag === "Duplicated") {
          const { address } = sighting
          return yield* report(
            PeerTable.incomingKey(address.host),
            address,
            new DuplicateNodeId({ nodeId: store.nodeId })
          )
        }
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

  /** How every peer is. A paused one stays listed, also when nothing is heard of it. */
  const listed = Effect.map(clock.now, (now): ReadonlyArray<PeerStatus> => {
    const rows = PeerView.statuses(table, roster, now, settings.maxClockDriftMs)
    const shown = new Set(rows.map(({ node_id }) => node_id))
    const silent = [...Ref.getUnsafe(paused)].filter((node) => !shown.has(node)).map(PeerView.pausedRow)
    return [...rows, ...silent].flatMap((row): ReadonlyArray<PeerStatus> => {
      if (row.node_id === null) return [row]
      if (isRemoved(row.node_id)) return []
      return [isPaused(row.node_id) ? { ...row, state: "paused", last_error: null } : row]
    })
  })
  const status = Effect.flatMap(listed, (rows) => Lacks.withLacks(store, table, rows))

  const pause = Effect.fnUntraced(function* (node: string, isNow: boolean) {
    const before = yield* Ref.get(paused)
    const known = (yield* listed).some(({ node_id: id }) => id === node) || isPaused(node)
    if (!known || !Schema.is(NodeId)(node)) return yield* new PeerNotFound({ peer: node })
    const nodes = new Set(before)
    if (isNow) nodes.add(node)
    else nodes.delete(node)
    yield* setPaused(nodes)
  })

  const compareWith = (entries: ReadonlyArray<PeerTable.Entry>) =>
    Comparison.all(entries).pipe(Effect.provideService(HlcClock, clock), Effect.provideService(Store, store))

  const sync = Effect.fnUntraced(function* (peer: string): Effect.fn.Return<Synced, PeerNotFound> {
    const row = PeerName.find(yield* listed, peer)
    if (row === undefined) return yield* new PeerNotFound({ peer })
    const { node_id } = row
    if (row.state === "paused") return { node_id, result: "paused" }
    const entries = [...table.entries.values()].filter(({ running }) => running.view().peer === node_id)
    const [compared] = node_id === null ? [] : yield* compareWith(entries)
    if (compared !== undefined) return { node_id, result: compared.result }
    const candidates = [...Roster.candidatesOf(roster)].filter(
      ({ node, addresses }) =>
        (node !== undefined && node === node_id) || addresses.some((address) => formatAddress(address) === peer)
    )
    for (const { key } of candidates) yield* Queue.offer(inputs, { _tag: "Hurried", key })
    return { node_id, result: candidates.some(({ dialling }) => dialling) ? "connecting" : "dialling" }
  })

  return Peers.of({
    port,
    status,
    paused: Ref.get(paused),
    pause,
    sync,
    counters: Effect.sync(() => ({
      traffic: PeerTable.traffic(table),
      sessions: [...table.ends.values()],
      handshakeFailures: table.refusals,
      connections: connections.byPeer
    })),
    compare: Effect.suspend(() => compareWith([...table.entries.values()])),
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

/** How a failure looks to the roster. */
const endingOf = (failure: Failure): Roster.Ending => {
  switch (failure._tag) {
    case "SelfConnection":
      return "self"
    case "PeerUnreachable":
    case "PeerTimeout":
    case "StoreUnavailable":
    case "ClockDrift":
      return "lost"
    case "PeerClosed":
      return failure.byUs === true ? "refused" : "lost"
    default:
      return "refused"
  }
}

/** A defect of one connection is logged, and costs that connection only. Interruption goes on. */
const resultOf = (exit: Exit.Exit<Roster.Ending, Failure>): Effect.Effect<Result.Result<Roster.Ending, Failure>> =>
  Exit.match(exit, {
    onSuccess: (ending) => Effect.succeed(Result.succeed(ending)),
    onFailure: (cause) => {
      const failure = Cause.findErrorOption(cause)
      if (Option.isSome(failure)) return Effect.succeed(Result.fail(failure.value))
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      return Effect.as(
        Effect.logError("a session failed unexpectedly", cause),
        Result.fail(new PeerClosed({ code: 1011, reason: "unexpected failure" }))
      )
    }
  })
