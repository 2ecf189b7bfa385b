/**
 * What goes on over one connection, from the first frame to the last: a session with a node of ours, or an exchange with an
 * existing FERAL node. Keeps the table of connected peers up to date.
 */
import { Context, Effect, HashMap, Option, Redacted, Stream } from "effect"
import { formatAddress } from "../../core/peers/Address.ts"
import type { BarredBy } from "../../core/sync/Barred.ts"
import { nextSteps, PeerClosed, SelfConnection } from "../../core/sync/SyncFailure.ts"
import * as Handshake from "../../core/sync/Handshake.ts"
import * as V1Exchange from "../../core/sync/v1/V1Exchange.ts"
import * as V1Policy from "../../core/sync/v1/V1Policy.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as Session from "../../core/sync/Session.ts"
import * as Agreement from "../../core/sync/Agreement.ts"
import { credit } from "../../core/sync/SessionLimits.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { closeCodes } from "../../core/sync/Wire.ts"
import { HlcClock, monotonic } from "../node/HlcClock.ts"
import { Config } from "../node/Config.ts"
import { Passphrase } from "../node/Passphrase.ts"
import { Store } from "../store/Store.ts"
import type { Connection } from "../transport/Transport.ts"
import * as Attempts from "./Attempts.ts"
import * as Copies from "./Copies.ts"
import * as FrameLimits from "./FrameLimits.ts"
import * as NewOrigins from "./NewOrigins.ts"
import * as PeerTable from "./PeerTable.ts"
import * as PeerWarnings from "./PeerWarnings.ts"
import * as V1Peers from "./V1Peers.ts"
import * as SessionRunner from "./SessionRunner.ts"
import { isOpaque } from "../store/Opaque.ts"
import * as Shares from "./Shares.ts"
import * as Tickets from "./Tickets.ts"

/** Tells that a handshake is done. `key` is the candidate that was dialled; none for a connection that came in. */
export type OnEstablished = (
  link: number,
  node: NodeId,
  key: string | undefined,
  host: string,
  form: 1 | 2
) => Effect.Effect<unknown>

type Guard = <S, R>(machine: SessionRunner.Machine<S, R>) => SessionRunner.Machine<S, R>

/** One connection, and the facts about it before the first frame. */
interface Meeting {
  readonly link: number
  readonly connection: Connection
  /** The candidate that was dialled; none for a connection that came in. */
  readonly key: string | undefined
  readonly expected: NodeId | undefined
  readonly guard: Guard
  /** Told when the other side has proved itself. */
  readonly proved: Effect.Effect<void>
  /** Whether the passphrase before is proved. */
  readonly isPrevious: boolean
}

/** Nodes that we remember to have met. One that is forgotten is asked once more for what we wrote. */
const metNodes = 10_000

/** How much of their credit sessions use. */
export const Credit = Context.Reference("feral-sync/services/peers/Conversation/Credit", { defaultValue: () => credit })

/** Serves connections for the node of this context. `secret` is what its tickets are made from. */
export const make = Effect.fnUntraced(function* (
  table: PeerTable.PeerTable,
  onEstablished: OnEstablished,
  secret?: Redacted.Redacted<Uint8Array>,
  barred: BarredBy = () => undefined
) {
  const settings = yield* Config
  const used = yield* Credit
  const store = yield* Store
  const { relays } = store
  const clock = yield* HlcClock
  const passphrase = yield* Passphrase
  const key = yield* passphrase.key
  const previousKey = passphrase.previous && (yield* passphrase.previous.key)
  const previous = passphrase.previous?.passphrase
  const attempts = yield* Attempts.make
  const tickets = yield* Tickets.make
  const copies = yield* Copies.make((failure) =>
    Effect.map(clock.now, (now) => PeerTable.noteCopied(table, failure, now))
  )
  const ticketKey =
    secret && Redacted.make(Handshake.ticketKey(Redacted.value(key), Redacted.value(secret)), { label: "ticket key" })
  const recognise = (shown: string, channel: Handshake.TicketChannel) =>
    ticketKey && Handshake.recogniseTicket(Redacted.value(ticketKey), shown, channel)
  const newOrigins = NewOrigins.make()
  const declared = yield* store.declared
  const shares = Shares.make(
    { rate: settings.maxPeerRateBytes, burst: settings.maxPeerBurstBytes },
    (table) => !isOpaque({ table }, declared)
  )
  const context = Context.make(Store, store).pipe(Context.add(HlcClock, clock))
  const { warned, quarantined } = PeerWarnings.make()
  const frameLimits = FrameLimits.make()
  /** Whom we have met since the store was opened. */
  const met = new Set<NodeId>()
  /** The nonces of our own dials that are under way, and whether we met them as server: then we have dialled ourselves. */
  const dialled = new Map<string, boolean>()

  yield* store.changes.pipe(
    Stream.runForEach(({ operations }) => Effect.sync(() => V1Peers.noteChange(table, operations))),
    Effect.forkScoped({ startImmediately: true })
  )

  /**
   * Serves a connection that we dialled until it ends, in its scope. Returns how it ended, when that was in good order.
   * `isPrevious`: with the passphrase before.
   */
  const call = (link: number, connection: Connection, key: string, expected: NodeId | undefined, isPrevious = false) =>
    serve({ link, connection, key, expected, guard: (machine) => machine, proved: Effect.void, isPrevious })

  /** The same for one that came in. `proved` is told when the other side has proved itself. */
  const answer = (link: number, connection: Connection, proved: Effect.Effect<void>) =>
    serve({
      link,
      connection,
      key: undefined,
      expected: undefined,
      guard: (machine) => attempts.guard(machine, connection),
      proved,
      isPrevious: false
    }).pipe(Effect.catchTag("RateLimited", () => Effect.as(attempts.report(connection), "refused" as const)))

  const serve = (meeting: Meeting) =>
    (meeting.connection.form === 2 ? converse(meeting) : exchange(meeting)).pipe(Effect.provide(context))

  /** A session of form 2. */
  const converse = Effect.fnUntraced(function* ({
    link,
    connection,
    key: key_,
    expected,
    guard,
    proved,
    isPrevious
  }: Meeting) {
    const nonce = connection.nonces.dialler
    if (key_ !== undefined) dialled.set(nonce, false)
    const isLoop = () => dialled.get(nonce) === true
    // The proof of a dialler with our id and our nonce held: only this node can have made it. Known before the dialler
    // hears of it; any machine can pass on a nonce alone.
    const noticeLoop = ([, actions]: Session.Step) => {
      const isOurs = actions.some(
        (action) =>
          action._tag === "Close" && action.failure?._tag === "DuplicateNodeId" && action.failure.by === undefined
      )
      if (key_ === undefined && isOurs && dialled.has(nonce)) dialled.set(nonce, true)
    }
    const instance = yield* copies.instance
    const options: Session.Options = {
      instance,
      role: key_ === undefined ? "server" : "dialler",
      self: store.nodeId,
      key: (isPrevious ? previousKey : undefined) ?? key,
      previousKey,
      isPrevious,
      nonces: connection.nonces,
      binding: connection.binding,
      remote: formatAddress(connection.remote),
      expected,
      isExpectedMet: expected !== undefined && met.has(expected),
      ownTimestampAtOpen: store.ownTimestampAtOpen,
      maxFrameBytes: settings.maxFrameBytes,
      maxDriftMs: settings.maxClockDriftMs,
      revision: connection.revision,
      maxRecvBytes: settings.maxRecvBytes,
      credit: used
    }
    /** The state of the session, and the one whose report was taken last. */
    let latest: Session.Session | undefined
    let reported: Session.Session | undefined
    const guardNew: Guard = (machine) =>
      shares.guard(newOrigins.guard(guard(machine), connection.remote), connection.remote)
    const running = yield* SessionRunner.start(
      connection,
      guardNew<Session.Session, Session.PeerRecord>({
        ...Session,
        begin: (local, now) => Session.open(Session.initial(options, local, now)),
        step: (state, event) => {
          const step = Session.step(state, event)
          noticeLoop(step)
          latest = step[0]
          return step
        }
      }),
      {
        identify: (peer) => ({
          isMet: met.has(peer),
          barred: barred(peer),
          takes: frameLimits.of(peer),
          ticket:
            ticketKey !== undefined && connection.ticketId === undefined
              ? Redacted.make(Handshake.ticketOf(Redacted.value(ticketKey), peer), { label: "ticket" })
              : undefined
        }),
        established: (peer) => {
          met.add(peer)
          const [first] = met
          if (met.size > metNodes && first !== undefined) met.delete(first)
          return Effect.andThen(proved, established(link, connection, key_, peer)).pipe(
            Effect.andThen(relays.join(link, peer))
          )
        },
        relays: {
          changes: relays.changes,
          due: relays.due(link),
          hear: (questions, words) => relays.hear(link, questions, words)
        },
        ran: (peer, instance, age) =>
          copies.ran(
            link,
            peer,
            { instance, age },
            // The source port of a client means nothing.
            key_ === undefined ? connection.remote.host : formatAddress(connection.remote),
            Effect.map(monotonic, (passed) => PeerTable.alive(table, peer, passed))
          ),
        carried: () => {
          const report = latest && Agreement.news(reported, latest)
          reported = latest
          return report && store.acknowledge(report)
        },
        ticketed: (peer, ticket) => tickets.keep(peer, key_ === undefined ? undefined : connection.remote, ticket),
        warned: (warning) => warned(connection, warning),
        quarantined: (operations) => quarantined(connection, operations)
      }
    )
    table.entries.set(link, { key: key_, connection, running })
    yield* running.done.pipe(
      Effect.catchTag("PeerClosed", (closed) => Effect.fail(frameLimits.learn(closed, running.state()) ?? closed)),
      Effect.catchTag("DuplicateNodeId", (failure) => Effect.fail(isLoop() ? new SelfConnection() : failure)),
      Effect.ensuring(
        Effect.map(Effect.all([clock.now, monotonic, relays.leave(link)]), ([now, passed]) => {
          if (key_ !== undefined) dialled.delete(nonce)
          PeerTable.remove(table, link, now)
          return Math.max(0, running.timeAt(passed) - running.view().provedAt)
        }).pipe(Effect.flatMap((provedAgo) => copies.ended(link, provedAgo)))
      )
    )
    return "duplicate" as const
  })

  /** An exchange of form 1, where the policy allows it. */
  const exchange = Effect.fnUntraced(function* ({
    link,
    connection,
    key: key_,
    expected,
    guard,
    proved,
    isPrevious
  }: Meeting) {
    const remote = formatAddress(connection.remote)
    const rules = { ...settings, mode: Option.isSome(settings.tls) ? "ca" : "auto" } as const
    const refusal =
      key_ === undefined
        ? V1Policy.refusalOfComer(rules, connection.tls, remote)
        : V1Policy.refusalOfDialled(rules, connection.tls, connection.remote)
    if (refusal !== undefined) return yield* refusal
    // It never reports what it holds: it could bring back deleted rows.
    const { cut } = yield* store.snapshot
    if (cut !== undefined && !HashMap.isEmpty(cut.collected)) return yield* V1Policy.refusalAfterCollection(remote)
    // An exchange has no way to wait: the next one is put off.
    if (shares.waitOf(connection.remote, yield* clock.now) > 0) {
      return yield* new PeerClosed({ code: closeCodes.rate_limited, reason: nextSteps.PeerSlowed, byUs: true })
    }
    const scope = Option.getOrUndefined(settings.legacyScope)
    const options: V1Exchange.Options = {
      role: key_ === undefined ? "server" : "dialler",
      self: store.nodeId,
      passphrase: (isPrevious ? previous : undefined) ?? passphrase.passphrase,
      previous,
      isPrevious,
      remote,
      expected,
      expectedMemory: expected && table.memories.get(expected),
      scope,
      maxFrameBytes: settings.maxFrameBytes,
      maxDriftMs: settings.maxClockDriftMs
    }
    const running = yield* SessionRunner.start(
      connection,
      shares.guard(
        guard({ ...V1Exchange, begin: (local, now) => V1Exchange.open(V1Exchange.initial(options, local, now)) }),
        connection.remote
      ),
      {
        identify: (peer) => ({
          barred: barred(peer),
          memory: table.memories.get(peer),
          scopes: table.scopes,
          late: new Map(table.late.get(peer))
        }),
        established: (peer) =>
          Effect.andThen(
            proved,
            // It reports the operations it has seen, which is not what it holds.
            Effect.andThen(
              store.acknowledge({ node: peer, clock: VectorClock.empty, agreed: undefined }),
              established(link, connection, key_, peer)
            )
          ),
        warned: (warning) => warned(connection, warning),
        quarantined: (operations) => quarantined(connection, operations)
      }
    )
    table.entries.set(link, { key: key_, connection, running })
    yield* running.done.pipe(
      Effect.ensuring(
        Effect.sync(() => {
          PeerTable.retire(table, running)
          table.entries.delete(link)
        })
      )
    )
    const state = running.state()
    const now = yield* clock.now
    const met = Option.getOrUndefined(V1Exchange.remember(state, now))
    if (met !== undefined) {
      const news = V1Peers.noteExchange(table, met, { connection, isDialled: key_ !== undefined, at: now }, scope)
      for (const { table: kind, row_id, bytes, limit } of news) {
        yield* Effect.logWarning(`a row is too large for an existing FERAL node: ${nextSteps.RowsTooLarge}`).pipe(
          Effect.annotateLogs({ peer: met.peer, address: remote, row: `${kind} ${row_id}`, bytes, limit })
        )
      }
    }
    yield* Effect.logDebug("exchanged").pipe(
      Effect.annotateLogs({ address: remote, peer: state.peer, ...state.counts })
    )
    return V1Exchange.isUnfinished(state) ? ("unfinished" as const) : ("exchanged" as const)
  })

  const established = Effect.fnUntraced(function* (
    link: number,
    connection: Connection,
    key_: string | undefined,
    peer: NodeId
  ) {
    table.failures.delete(key_ ?? PeerTable.incomingKey(connection.remote.host))
    // An exchange comes and goes: only the first one is news.
    const log = connection.form === 2 || !table.memories.has(peer) ? Effect.logInfo : Effect.logDebug
    yield* log("peer connected").pipe(
      Effect.annotateLogs({ peer, address: formatAddress(connection.remote), form: connection.form })
    )
    yield* onEstablished(link, peer, key_, connection.remote.host, connection.form)
  })

  return {
    call,
    answer,
    drop: copies.drop,
    recognise,
    ticketFor: tickets.of,
    hasPrevious: previousKey !== undefined
  }
})
