/** A connection with an existing FERAL node (form 1): one exchange, where the policy allows it. */
import { Effect, HashMap, Option, Stream } from "effect"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { nextSteps, PeerClosed } from "../../core/sync/SyncFailure.ts"
import * as V1Exchange from "../../core/sync/v1/V1Exchange.ts"
import { refusalAfterCollection } from "../../core/sync/v1/V1Policy.ts"
import { closeCodes } from "../../core/sync/Wire.ts"
import { Config } from "../node/Config.ts"
import { HlcClock } from "../node/HlcClock.ts"
import { Passphrase } from "../node/Passphrase.ts"
import * as V1Settings from "../node/V1Settings.ts"
import { Store } from "../store/Store.ts"
import { type Meeting, type Meetings, optionsOf } from "./Meeting.ts"
import * as PeerTable from "./PeerTable.ts"
import * as SessionRunner from "./SessionRunner.ts"
import * as V1Peers from "./V1Peers.ts"

export { machine, noRecord } from "../../core/sync/v1/V1Exchange.ts"

export const make = Effect.fnUntraced(function* ({
  table,
  shares,
  barred,
  established,
  warned,
  quarantined
}: Meetings) {
  const settings = yield* Config
  const store = yield* Store
  const clock = yield* HlcClock
  const { passphrase, previous } = yield* Passphrase
  const policy = V1Settings.policyOf(settings)
  const scope = Option.getOrUndefined(settings.legacyScope)
  const peers = table.v1

  yield* store.changes.pipe(
    Stream.runForEach(({ operations }) => Effect.sync(() => V1Peers.noteChange(peers, operations))),
    Effect.forkScoped({ startImmediately: true })
  )

  return Effect.fnUntraced(function* (meeting: Meeting) {
    const { link, connection, key, expected, guard, proved, isPrevious } = meeting
    const common = optionsOf(meeting, settings, store.nodeId)
    const { role, remote } = common
    const refusal = policy.refusal(role, connection.tls, connection.remote)
    if (refusal !== undefined) return yield* refusal
    // It never reports what it holds: it could bring back deleted rows.
    const { cut } = yield* store.snapshot
    if (cut !== undefined && !HashMap.isEmpty(cut.collected)) return yield* refusalAfterCollection(remote)
    // An exchange has no way to wait: the next one is put off.
    if (shares.waitOf(connection.remote, yield* clock.now) > 0) {
      return yield* new PeerClosed({
        code: closeCodes.rate_limited,
        reason: "its address exceeds the rate limit",
        byUs: true,
        advice: nextSteps.PeerSlowed
      })
    }
    const options = {
      ...common,
      passphrase: (isPrevious ? previous?.passphrase : undefined) ?? passphrase,
      previous: previous?.passphrase,
      expectedMemory: expected && peers.memories.get(expected),
      scope
    }
    const running = yield* SessionRunner.start(
      connection,
      shares.guard(guard(V1Exchange.machine(options)), connection.remote),
      {
        identify: (peer) => ({ barred: barred(peer), ...V1Peers.recordOf(peers, peer) }),
        established: (peer) =>
          Effect.andThen(
            proved,
            // It reports the operations it has seen, which is not what it holds.
            Effect.andThen(
              store.acknowledge({ node: peer, clock: VectorClock.empty, agreed: undefined }),
              // An exchange comes and goes: only the first one is news.
              Effect.suspend(() => established(meeting, peer, !peers.memories.has(peer)))
            )
          ),
        warned: (warning) => warned(connection, warning),
        quarantined: (operations) => quarantined(connection, operations)
      }
    )
    table.entries.set(link, { key, connection, running })
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
      const news = V1Peers.noteExchange(peers, met, { connection, isDialled: role === "dialler", at: now }, scope)
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
})
