/**
 * One connection, from the first frame to the last: which version of the protocol handles it, how many wrong proofs are
 * accepted, and what is sent once the other side has proved itself.
 */
import { Context, Effect, type Redacted } from "effect"
import { formatAddress } from "../../core/peers/Address.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { BarredBy } from "../../core/sync/Barred.ts"
import { Config } from "../node/Config.ts"
import { HlcClock } from "../node/HlcClock.ts"
import { isOpaque } from "../store/Opaque.ts"
import { Store } from "../store/Store.ts"
import type { Connection } from "../transport/Transport.ts"
import * as Attempts from "./Attempts.ts"
import type { Meeting, Meetings } from "./Meeting.ts"
import * as PeerTable from "./PeerTable.ts"
import * as PeerWarnings from "./PeerWarnings.ts"
import * as SessionMeeting from "./SessionMeeting.ts"
import * as Shares from "./Shares.ts"
import * as V1Meeting from "./V1Meeting.ts"

/** Tells that a handshake is done. `key` is the candidate that was dialled; none for a connection that came in. */
export type OnEstablished = (
  link: number,
  node: NodeId,
  key: string | undefined,
  host: string,
  form: 1 | 2
) => Effect.Effect<unknown>

/** Serves connections for the node of this context. `secret` is what its tickets are made from. */
export const make = Effect.fnUntraced(function* (
  table: PeerTable.PeerTable,
  onEstablished: OnEstablished,
  secret?: Redacted.Redacted<Uint8Array>,
  barred: BarredBy = () => undefined
) {
  const settings = yield* Config
  const store = yield* Store
  const attempts = yield* Attempts.make
  const declared = yield* store.declared
  const meetings: Meetings = {
    table,
    shares: Shares.make(
      { rate: settings.maxPeerRateBytes, burst: settings.maxPeerBurstBytes },
      (table) => !isOpaque({ table }, declared)
    ),
    barred,
    established: Effect.fnUntraced(function* ({ link, connection, key }: Meeting, peer, isNews) {
      const { remote, form } = connection
      table.failures.delete(key ?? PeerTable.incomingKey(remote.host))
      const log = isNews ? Effect.logInfo : Effect.logDebug
      yield* log("peer connected").pipe(Effect.annotateLogs({ peer, address: formatAddress(remote), protocol: form }))
      yield* onEstablished(link, peer, key, remote.host, form)
    }),
    ...PeerWarnings.make()
  }
  const { serve: serveSession, ...sessions } = yield* SessionMeeting.make(meetings, secret)
  const forms = { 1: yield* V1Meeting.make(meetings), 2: serveSession } as const
  const context = Context.make(Store, store).pipe(Context.add(HlcClock, yield* HlcClock))

  const serve = (meeting: Meeting) => forms[meeting.connection.form](meeting).pipe(Effect.provide(context))

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

  return { call, answer, ...sessions }
})
