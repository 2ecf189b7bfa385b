/**
 * What a user has to see first, from what the store and the peers know.
 */
import {
  ClockAhead,
  ClockFast,
  nextSteps,
  OriginsFull,
  OwnOperationsForeign,
  OwnOperationsReturned,
  TimestampReused
} from "../../../core/sync/SyncFailure.ts"
import { limits } from "../../../core/sync/Wire.ts"
import type { Oddities } from "../../../core/sync/Oddities.ts"
import { type Alarm, type PeerStatus, report } from "../../node/Status.ts"
import { type Explained, some } from "../../../core/text/Explained.ts"

export interface Seen {
  readonly peers: ReadonlyArray<PeerStatus>
  readonly oddities: Oddities
  /** The origins of which there are rows. */
  readonly origins: number
  /** The last timestamp of this node, and the time of this machine (ms). */
  readonly lastWall: number
  readonly now: number
  readonly maxDriftMs: number
}

/** The alarms, the most urgent first. */
export const of = ({ peers, oddities, origins, lastWall, now, maxDriftMs }: Seen): ReadonlyArray<Alarm> => {
  const { cameBack, foreign, twice } = oddities
  return [
    ...ofClock(peers, lastWall - now, maxDriftMs),
    ...errorsWith(peers, "DuplicateNodeId"),
    ...(foreign.count > 0 ? [alarm(new OwnOperationsForeign(foreign))] : []),
    ...(twice.count > 0 ? [alarm(new TimestampReused({ count: twice.count, node: twice.first }))] : []),
    ...(origins >= limits.origins - 1 ? [alarm(new OriginsFull({ count: origins }))] : []),
    ...errorsWith(peers, "OriginsLeftOut"),
    ...(cameBack.count > 0 ? [{ ...alarm(new OwnOperationsReturned(cameBack)), level: "notice" as const }] : [])
  ]
}

const alarm = (failure: { readonly _tag: string } & Explained): Alarm => ({ ...report(failure), level: "alarm" })

/** What peers do not take because it lies in the future comes first: nothing else of this node arrives there. */
const ofClock = (peers: ReadonlyArray<PeerStatus>, ahead: number, maxDriftMs: number): ReadonlyArray<Alarm> => {
  const deferring = peers.filter(({ last_error: error }) => error?._tag === "DeferredByPeer")
  const nodes = deferring.map(({ node_id, address }) => node_id ?? address)
  const [first] = deferring
  if (first?.last_error != null) {
    const { _tag, message, problem = message, next_step: nextStep } = first.last_error
    return [{ ...report({ _tag, problem, nextStep }, some(nodes)), level: "alarm" }]
  }
  if (ahead > maxDriftMs) return [alarm(new ClockAhead({ ahead }))]
  const offsets = peers.flatMap(({ clock_offset_ms: offset, state }) =>
    offset !== null && (state === "live" || state === "syncing") ? [offset] : []
  )
  const behind = offsets.filter((offset) => -offset > maxDriftMs)
  if (behind.length === 0 || 2 * behind.length <= offsets.length) return []
  return [alarm(new ClockFast({ ahead: -Math.max(...behind), peers: behind.length, of: offsets.length }))]
}

/** The errors of peers with a tag, each message once. */
const errorsWith = (peers: ReadonlyArray<PeerStatus>, tag: keyof typeof nextSteps): ReadonlyArray<Alarm> => {
  const errors = peers.flatMap(({ last_error: error }) =>
    error?._tag === tag ? [[error.message, error] as const] : []
  )
  return [...new Map(errors).values()].map((error) => ({ ...error, level: "alarm" }))
}
