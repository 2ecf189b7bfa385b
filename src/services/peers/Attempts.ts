/**
 * Checks each incoming proof before a session reads it: counts the wrong ones of each network, and rejects further ones
 * while the network has to wait (`core/peers/RateLimit.ts`).
 *
 * A member that has shown its ticket is counted by its ticket, not by its network. It does not wait because of wrong
 * proofs of others, and its own proof does not clear them.
 *
 * The look and the count happen in one step, so of many connections at once not one proof more is looked at. A
 * connection that has proved itself is not touched again.
 */
import { Effect } from "effect"
import { networkOf } from "../../core/peers/Address.ts"
import type { SessionFailure } from "../../core/sync/SyncFailure.ts"
import * as RateLimit from "../../core/peers/RateLimit.ts"
import type { Machine } from "../../core/sync/SessionMachine.ts"
import { HlcClock } from "../node/HlcClock.ts"
import type { Connection } from "../transport/Transport.ts"
import * as Throttle from "../transport/Throttle.ts"

/** How often rejected attempts are logged, in ms. */
const reportEvery = 60_000

type From = Pick<Connection, "remote" | "ticketId">

/** The key under which wrong proofs of a connection are counted: no network has a space in its name. */
const countedAs = ({ remote, ticketId }: From): string =>
  ticketId === undefined ? networkOf(remote.host) : `ticket ${ticketId}`

export const make = Effect.gen(function* () {
  const clock = yield* HlcClock
  const reports = Throttle.make(reportEvery)
  let limit = RateLimit.empty
  let unread = 0

  /** The machine of a connection that came in, guarded. */
  const guard = <S, R>(machine: Machine<S, R>, connection: From): Machine<S, R> => {
    const counted = countedAs(connection)
    let isProven = false
    return {
      ...machine,
      step: (state, event) => {
        if (isProven) return machine.step(state, event)
        const wait = event._tag === "Received" ? RateLimit.waitOf(limit, counted, event.now) : 0
        const step = machine.step(state, wait > 0 ? { _tag: "Limited", now: event.now, wait } : event)
        for (const action of step[1]) {
          if (action._tag === "Established") {
            isProven = true
            limit = RateLimit.clear(limit, counted)
          } else if (action._tag === "Close" && isWrongProof(action.failure)) {
            limit = RateLimit.fail(limit, counted, event.now)
          }
        }
        return step
      }
    }
  }

  /** Tells of a connection that was turned away, now and then. */
  const report = Effect.fnUntraced(function* (connection: From) {
    const { host } = connection.remote
    unread++
    const seconds = Math.ceil(RateLimit.waitOf(limit, countedAs(connection), yield* clock.now) / 1000)
    const warn = Effect.suspend(() => {
      const facts = { address: host, seconds, unread }
      unread = 0
      return Effect.logWarning(
        "too many failed passphrase attempts from this address: rejecting further ones for now"
      ).pipe(Effect.annotateLogs(facts))
    })
    yield* reports.pass("limited", warn)
  })

  return { guard, report }
})

const isWrongProof = (failure: SessionFailure | undefined): boolean =>
  failure?._tag === "PassphraseMismatch" || failure?._tag === "PassphraseUnset"
