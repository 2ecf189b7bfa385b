/**
 * The nodes that have written something which is here, and how those of which nothing is left are forgotten.
 */
import { Effect, Schema } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { OriginsKept, type StoreUnavailable } from "../node/NodeFailure.ts"
import type { PeerStatus } from "../node/Status.ts"
import type { Store } from "../store/Store.ts"

/**
 * One origin. `covered_to` is how far everything that it wrote is here, or what took its place. Times are in Unix
 * seconds: `last_operation_at` is the time of its latest operation, `last_seen_at` when it was connected last. Without
 * a running node nothing is known of peers, and `is_peer` is null.
 */
export const OriginStatus = Schema.Struct({
  origin: Schema.String,
  rows: Schema.Natural,
  covered_to: Schema.NullOr(Schema.String),
  last_operation_at: Schema.NullOr(Schema.Finite),
  last_seen_at: Schema.NullOr(Schema.Finite),
  is_peer: Schema.NullOr(Schema.Boolean),
  is_self: Schema.Boolean
})
export interface OriginStatus extends Schema.Schema.Type<typeof OriginStatus> {}

/** Origins in one request to forget some, at most. */
export const maxOrigins = 20_000

export const Request = Schema.Struct({ origins: Schema.Array(Schema.String).check(Schema.isMaxLength(maxOrigins)) })
export interface Request extends Schema.Schema.Type<typeof Request> {}

export const Forgotten = Schema.Struct({ forgotten: Schema.Array(Schema.String) })
export interface Forgotten extends Schema.Schema.Type<typeof Forgotten> {}

export interface Origins {
  readonly list: Effect.Effect<ReadonlyArray<OriginStatus>, StoreUnavailable>
  /** Forgets all of them, or none when one has to stay. */
  forget(request: Request): Effect.Effect<Forgotten, StoreUnavailable | OriginsKept>
}

const isNodeId = Schema.is(NodeId)

/** Of a store, and of the peers of its node, if it runs. */
export const make = (store: Store["Service"], peers?: Effect.Effect<ReadonlyArray<PeerStatus>>): Origins => ({
  list: Effect.gen(function* () {
    const known = peers === undefined ? undefined : seenById(yield* peers)
    return (yield* store.origins).map(({ node, isSelf, rows, coveredTo, latest }): OriginStatus => ({
      origin: node,
      rows,
      covered_to: Hlc.isAfter(coveredTo, Hlc.zero) ? Hlc.format(coveredTo, node) : null,
      last_operation_at: Hlc.isAfter(latest, Hlc.zero) ? latest.wall / 1000 : null,
      last_seen_at: known?.get(node) ?? null,
      is_peer: known === undefined ? null : known.has(node),
      is_self: isSelf
    }))
  }),
  forget: Effect.fn("Origins.forget")(function* ({ origins }: Request) {
    const { forgotten, kept } = yield* store.forgetOrigins(origins.filter(isNodeId))
    const reasons = new Map<string, OriginsKept["kept"][number]["reason"]>(kept)
    for (const origin of origins) if (!isNodeId(origin)) reasons.set(origin, "unknown")
    if (reasons.size > 0) {
      return yield* new OriginsKept({ kept: Array.from(reasons, ([origin, reason]) => ({ origin, reason })) })
    }
    return { forgotten }
  })
})

/** When each peer was connected last, in Unix seconds. */
const seenById = (peers: ReadonlyArray<PeerStatus>): ReadonlyMap<string, number | null> => {
  const seen = new Map<string, number | null>()
  for (const { node_id: id, last_sync_at, last_seen_at } of peers) {
    if (id === null) continue
    const at = Math.max(last_sync_at ?? 0, last_seen_at ?? 0, seen.get(id) ?? 0)
    seen.set(id, at === 0 ? null : at)
  }
  return seen
}
