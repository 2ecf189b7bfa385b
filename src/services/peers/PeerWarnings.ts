/**
 * The warnings of sessions in the log: a session that begins again finds out the same again, and it is logged once in a
 * while.
 */
import { Effect } from "effect"
import { formatAddress } from "../../core/peers/Address.ts"
import type { Quarantined } from "../../core/replica/Replica.ts"
import { nextSteps } from "../../core/sync/SyncFailure.ts"
import * as Throttle from "../transport/Throttle.ts"
import type { Connection } from "../transport/Transport.ts"
import { reportOf } from "./PeerView.ts"
import type { Warned } from "./RunningSession.ts"

/** How often the same warning about the same machine is logged (ms). */
const warnEvery = 3_600_000

export const make = () => {
  const warnings = Throttle.make(warnEvery)

  /** A session that begins again finds out the same again. */
  const warned = ({ remote }: Connection, warning: Warned) =>
    warnings.pass(
      // The database is the same for all of them.
      warning._tag === "StoreUnavailable"
        ? `${warning._tag} ${warning.reason}`
        : warning._tag === "RowsTooLarge" || warning._tag === "OverQuota"
          ? warning.message
          : `${warning._tag} ${remote.host}`,
      Effect.logWarning(reportOf(warning).message).pipe(
        Effect.annotateLogs({ address: formatAddress(remote), error: warning._tag })
      )
    )

  /** Once for each reason and machine: all of them are in the quarantine. */
  const quarantined = ({ remote }: Connection, operations: ReadonlyArray<Quarantined>) =>
    Effect.forEach(
      new Map(operations.map((operation) => [operation.reason, operation])).values(),
      ({ peer, reason }) =>
        warnings.pass(
          `quarantined ${remote.host} ${reason}`,
          Effect.logWarning(`an operation of a peer is not valid and was quarantined: ${nextSteps.Quarantined}`).pipe(
            Effect.annotateLogs({ peer, address: formatAddress(remote), reason: reason.slice(0, 200) })
          )
        ),
      { discard: true }
    )

  return { warned, quarantined }
}
