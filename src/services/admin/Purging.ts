/**
 * Removes rows from this node by hand: those of a kind that it does not know, or those of an origin. See
 * `core/replica/Purge.ts`.
 */
import { Effect, Schema } from "effect"
import * as Kinds from "../../core/replica/Kind.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { Kind } from "../../core/replica/Operation.ts"
import { PurgeRefused, type StoreUnavailable } from "../node/NodeFailure.ts"
import type { Store } from "../store/Store.ts"

/** What to remove: one of the two. `is_dry_run` only counts it. */
export const Request = Schema.Struct({
  kind: Schema.optionalKey(Schema.String),
  origin: Schema.optionalKey(Schema.String),
  is_dry_run: Schema.optionalKey(Schema.Boolean)
})
export interface Request extends Schema.Schema.Type<typeof Request> {}

/** The rows that were removed, or would be, in total and of each origin. */
export const Purged = Schema.Struct({
  rows: Schema.Natural,
  bytes: Schema.Natural,
  origins: Schema.Array(Schema.Struct({ origin: Schema.String, rows: Schema.Natural, bytes: Schema.Natural }))
})
export interface Purged extends Schema.Schema.Type<typeof Purged> {}

export interface Purging {
  purge(request: Request): Effect.Effect<Purged, StoreUnavailable | PurgeRefused>
}

const isKind = Schema.is(Kind)
const isNodeId = Schema.is(NodeId)

/** Of a store. */
export const make = (store: Store["Service"]): Purging => ({
  purge: Effect.fn("Purging.purge")(function* ({ kind, origin, is_dry_run: isDry = false }: Request) {
    const scope = yield* scopeOf(store, kind, origin)
    const origins = yield* store.purge(scope, { isDry })
    return {
      rows: origins.reduce((sum, { rows }) => sum + rows, 0),
      bytes: origins.reduce((sum, { bytes }) => sum + bytes, 0),
      origins: origins.toSorted((a, b) => b.bytes - a.bytes)
    } satisfies Purged
  })
})

const scopeOf = Effect.fnUntraced(function* (
  store: Store["Service"],
  kind: string | undefined,
  origin: string | undefined
) {
  if ((kind === undefined) === (origin === undefined)) return yield* new PurgeRefused({ reason: "scope", name: "" })
  if (kind !== undefined) {
    if (!isKind(kind)) return yield* new PurgeRefused({ reason: "invalid", name: kind })
    if (Kinds.find(kind) !== undefined) return yield* new PurgeRefused({ reason: "known kind", name: kind })
    return { kind }
  }
  if (!isNodeId(origin)) return yield* new PurgeRefused({ reason: "invalid", name: origin ?? "" })
  if (origin === store.nodeId) return yield* new PurgeRefused({ reason: "own rows", name: origin })
  return { origin }
})
