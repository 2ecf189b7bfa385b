/**
 * How connections and dials end: what the table of peers, the log and the roster are told. A peer can never fail the
 * supervisor.
 */
import { Cause, Effect, Exit, Option, Random, Result } from "effect"
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import { mdnsKey } from "../../core/peers/Candidate.ts"
import * as Roster from "../../core/peers/Roster.ts"
import { PeerClosed, type SessionFailure } from "../../core/sync/SyncFailure.ts"
import { HlcClock } from "../node/HlcClock.ts"
import type { PeerUnreachable, StoreUnavailable, TlsHandshakeFailed } from "../node/NodeFailure.ts"
import * as Status from "../node/Status.ts"
import * as Throttle from "../transport/Throttle.ts"
import * as Connections from "./Connections.ts"
import * as PeerTable from "./PeerTable.ts"
import * as UnprovedLog from "./UnprovedLog.ts"

/** How often it is logged that the same two nodes use one id (ms). */
const duplicatesEvery = 3_600_000

export type Failure = SessionFailure | PeerUnreachable | TlsHandshakeFailed | StoreUnavailable

type Ended = Omit<Extract<Roster.Event, { readonly _tag: "Ended" }>, "now">

/** What endings are noted in. */
export interface Over {
  readonly table: PeerTable.PeerTable
  readonly connections: Connections.Connections
  readonly roster: () => Roster.Roster
  /** Tells the roster. */
  notify(ended: Ended): Effect.Effect<unknown>
}

export const make = Effect.fnUntraced(function* ({ table, connections, roster, notify }: Over) {
  const clock = yield* HlcClock
  const duplicates = Throttle.make(duplicatesEvery)
  const unproved = yield* UnprovedLog.make

  /**
   * Notes how a connection or a dial ended, and tells the roster. `isRetried`: the other passphrase is shown there
   * next.
   */
  const ended = Effect.fnUntraced(function* (
    link: number,
    key: string | undefined,
    address: Address,
    exit: Exit.Exit<Roster.Ending, Failure>,
    isRetried = false
  ) {
    const result = yield* resultOf(exit)
    const random = yield* Random.next
    const end = Result.match(result, { onSuccess: (ending) => ending, onFailure: ({ _tag }) => _tag })
    const problem = Result.isFailure(result) ? result.failure.problem : undefined
    Connections.ended(connections, link, yield* clock.now, end, problem)
    PeerTable.noteEnd(table, key === undefined ? "server" : "dialler", end)
    if (Result.isFailure(result) && Roster.nodeOf(roster(), link) === undefined) PeerTable.noteRefusal(table, end)
    if (Result.isFailure(result) && !isRetried) {
      const isProved = Roster.nodeOf(roster(), link) !== undefined
      yield* report(key ?? nameOf(link, address), address, result.failure, isProved)
    }
    const ending = Result.match(result, { onSuccess: (ending) => ending, onFailure: endingOf })
    const redialled = isRetried ? "lost" : ending
    const retryAfter =
      Result.isFailure(result) && result.failure._tag === "RateLimited" ? result.failure.retryAfterSeconds * 1000 : 0
    yield* notify({ _tag: "Ended", link, key, address, ending: redialled, random, retryAfter })
  })

  /** Under which name the failures of a client are kept: that of the node where it is known, else that of its host. */
  const nameOf = (link: number, address: Address) => {
    const node = Roster.nodeOf(roster(), link)
    const key = node === undefined ? undefined : mdnsKey(node)
    if (key !== undefined && Roster.candidateOf(roster(), key) !== undefined) return key
    return node !== undefined && table.lost.has(node) ? PeerTable.peerKey(node) : PeerTable.incomingKey(address.host)
  }

  /** Notes a failure, and logs it where it is news. */
  const report = Effect.fnUntraced(function* (name: string, address: Address, failure: Failure, isProved = false) {
    const { _tag, message } = failure
    // What was removed or paused here is no news.
    if ((failure._tag === "PeerPaused" || failure._tag === "PeerRemoved") && failure.by === undefined)
      return yield* Effect.logDebug(message)
    const isRefusal = endingOf(failure) === "refused"
    const isNews = PeerTable.noteFailure(table, name, address, {
      error: Status.report(failure),
      at: yield* clock.now,
      isRefusal
    })
    const log = !isNews || _tag === "SelfConnection" ? Effect.logDebug : isRefusal ? Effect.logWarning : Effect.logInfo
    const line = log(message).pipe(Effect.annotateLogs({ address: formatAddress(address), error: _tag }))
    // Two nodes with one id take turns, and each time they are connected first.
    if (_tag === "DuplicateNodeId" && failure.at !== undefined) return yield* duplicates.pass(message, line)
    yield* isProved || isKnown(name) || !isNews ? line : unproved.report(address.host, line)
  })

  /** Whether a name stands for an entry of the static list, or for a node that has proved itself before. */
  const isKnown = (name: string) => {
    const { source, node } = Roster.candidateOf(roster(), name) ?? { source: undefined, node: undefined }
    return source === "static" || (node !== undefined && roster().proven.has(node))
  }

  return { ended, report }
})

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
    // It may be resumed at any time.
    case "PeerPaused":
      return failure.by === undefined ? "refused" : "lost"
    case "UnprovedRefusal":
      return failure.reason === "going_away" || failure.reason === "paused" ? "lost" : "refused"
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
