/** A connection with a node of ours (form 2): one session, from the first frame to the last. */
import { Context, Effect, Redacted } from "effect"
import { formatAddress } from "../../core/peers/Address.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as Agreement from "../../core/sync/Agreement.ts"
import { pausedReason } from "../../core/sync/Barred.ts"
import * as Handshake from "../../core/sync/Handshake.ts"
import * as Session from "../../core/sync/Session.ts"
import { credit } from "../../core/sync/SessionLimits.ts"
import { PeerClosed, PeerPaused, SelfConnection } from "../../core/sync/SyncFailure.ts"
import { closeCodes } from "../../core/sync/Wire.ts"
import { Config } from "../node/Config.ts"
import { HlcClock, monotonic } from "../node/HlcClock.ts"
import { Passphrase } from "../node/Passphrase.ts"
import { Store } from "../store/Store.ts"
import * as Copies from "./Copies.ts"
import * as FrameLimits from "./FrameLimits.ts"
import { type Meeting, type Meetings, optionsOf } from "./Meeting.ts"
import * as NewOrigins from "./NewOrigins.ts"
import * as PeerTable from "./PeerTable.ts"
import * as SessionRunner from "./SessionRunner.ts"
import * as Tickets from "./Tickets.ts"

/** Nodes that we remember to have met. One that is forgotten is asked once more for what we wrote. */
const metNodes = 10_000

/** How much of their credit sessions use. */
export const Credit = Context.Reference("feral-sync/services/peers/SessionMeeting/Credit", {
  defaultValue: () => credit
})

/** `secret` is what the tickets of this node are made from. */
export const make = Effect.fnUntraced(function* (
  { table, shares, barred, established, warned, quarantined }: Meetings,
  secret: Redacted.Redacted<Uint8Array> | undefined
) {
  const settings = yield* Config
  const used = yield* Credit
  const store = yield* Store
  const { relays } = store
  const clock = yield* HlcClock
  const passphrase = yield* Passphrase
  const key = yield* passphrase.key
  const previousKey = passphrase.previous && (yield* passphrase.previous.key)
  const tickets = yield* Tickets.make
  const copies = yield* Copies.make((failure) =>
    Effect.map(clock.now, (now) => PeerTable.noteCopied(table, failure, now))
  )
  const ticketKey =
    secret && Redacted.make(Handshake.ticketKey(Redacted.value(key), Redacted.value(secret)), { label: "ticket key" })
  const recognise = (shown: string, channel: Handshake.TicketChannel) =>
    ticketKey && Handshake.recogniseTicket(Redacted.value(ticketKey), shown, channel)
  const newOrigins = NewOrigins.make()
  const frameLimits = FrameLimits.make()
  /** Whom we have met since the store was opened. */
  const met = new Set<NodeId>()
  /**
   * The nonces of our own dials that are under way, and whether we met them as server: then we have dialled ourselves.
   */
  const dialled = new Map<string, boolean>()

  const serve = Effect.fnUntraced(function* (meeting: Meeting) {
    const { link, connection, key: key_, expected, guard, proved, isPrevious } = meeting
    const { remote } = connection
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
    const machine = Session.machine({
      ...optionsOf(meeting, settings, store.nodeId),
      instance: yield* copies.instance,
      key: (isPrevious ? previousKey : undefined) ?? key,
      previousKey,
      nonces: connection.nonces,
      binding: connection.binding,
      isExpectedMet: expected !== undefined && met.has(expected),
      ownTimestampAtOpen: store.ownTimestampAtOpen,
      revision: connection.revision,
      maxRecvBytes: settings.maxRecvBytes,
      credit: used
    })
    /** The state of the session, and the one whose report was taken last. */
    let latest: Session.Session | undefined
    let reported: Session.Session | undefined
    const noticed: typeof machine = {
      ...machine,
      step: (state, event) => {
        const step = machine.step(state, event)
        noticeLoop(step)
        latest = step[0]
        return step
      }
    }
    const running = yield* SessionRunner.start(
      connection,
      shares.guard(newOrigins.guard(guard(noticed), remote), remote),
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
          Oldest.drop(met, metNodes)
          return Effect.andThen(proved, established(meeting, peer, true)).pipe(Effect.andThen(relays.join(link, peer)))
        },
        relays: {
          changes: relays.changes,
          due: relays.due(link),
          receive: (questions, words) => relays.receive(link, questions, words)
        },
        ran: (peer, instance, age) =>
          copies.ran(
            link,
            peer,
            { instance, age },
            // The source port of a client means nothing.
            key_ === undefined ? remote.host : formatAddress(remote),
            Effect.map(monotonic, (passed) => PeerTable.alive(table, peer, passed))
          ),
        carried: () => {
          const report = latest && Agreement.news(reported, latest)
          reported = latest
          return report && store.acknowledge(report)
        },
        ticketed: (peer, ticket) => tickets.keep(peer, key_ === undefined ? undefined : remote, ticket),
        warned: (warning) => warned(connection, warning),
        quarantined: (operations) => quarantined(connection, operations)
      }
    )
    table.entries.set(link, { key: key_, connection, running })
    yield* running.done.pipe(
      Effect.catchTag("PeerClosed", (closed) => {
        const by = running.view().peer
        const isPause = closed.code === closeCodes.going_away && closed.reason === pausedReason && closed.byUs !== true
        const paused = isPause && by !== undefined ? new PeerPaused({ nodeId: store.nodeId, by }) : undefined
        // The words of a side that has not proved itself are not shown.
        const known =
          by !== undefined || closed.byUs === true ? closed : new PeerClosed({ code: closed.code, reason: "" })
        return Effect.fail(paused ?? frameLimits.onClosed(closed, running.state()) ?? known)
      }),
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

  return {
    serve,
    drop: copies.drop,
    recognise,
    ticketFor: tickets.of,
    isMetAt: tickets.isMetAt,
    hasPrevious: previousKey !== undefined
  }
})
