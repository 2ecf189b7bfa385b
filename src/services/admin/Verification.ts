/**
 * Whether everything is there: looks through the file, adds up all rows anew, and compares them with those of the
 * peers.
 */
import { Effect, Schema } from "effect"
import * as Digest from "../../core/replica/Digest.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import { type AuditedRows, Compared } from "../node/Status.ts"
import type { Store } from "../store/Store.ts"

export interface Verification {
  /** What is wrong with the file; nothing when the list is empty. */
  readonly damage: Effect.Effect<ReadonlyArray<string>, StoreUnavailable>
  /** The sums over all rows, computed again. Wrong stored values are corrected. */
  readonly audit: Effect.Effect<AuditedRows, StoreUnavailable>
  /** How the rows of each connected peer compare with ours. What differs is repaired. */
  readonly compare: Effect.Effect<ReadonlyArray<Compared>, StoreUnavailable>
}

/** Of a store, and of the peers of its node, if it runs. */
export const make = (store: Store["Service"], compare: Verification["compare"] = Effect.succeed([])): Verification => ({
  damage: store.damage,
  audit: Effect.map(store.audit, ({ rows, digest, corrected }) => ({ rows, digest: Digest.toText(digest), corrected })),
  compare
})

/** All of it. A damaged database is not read any further: then there are neither rows nor a digest, and no peers. */
export const Verified = Schema.Struct({
  ok: Schema.Boolean,
  database: Schema.Array(Schema.String),
  rows: Schema.NullOr(Schema.Natural),
  digest: Schema.NullOr(Schema.String),
  corrected: Schema.Array(Schema.String),
  peers: Schema.Array(Compared)
})
export interface Verified extends Schema.Schema.Type<typeof Verified> {}

/** What is found in a damaged database. */
export const damaged = (database: ReadonlyArray<string>): Verified => ({
  ok: false,
  database,
  rows: null,
  digest: null,
  corrected: [],
  peers: []
})

/**
 * The peer that keeps all from being right: one whose rows are deferred, or differ, or do not come for a known reason.
 */
export const obstacle = (peers: ReadonlyArray<Compared>): Compared | undefined =>
  peers.find(({ result }) => result === "deferred") ??
  peers.find(({ result, reason }) => reason !== undefined && ["behind", "differs"].includes(result)) ??
  peers.find(({ result }) => result === "differs")

/** What the parts have found, together. */
export const verified = (audited: AuditedRows, peers: ReadonlyArray<Compared>): Verified => ({
  ok: obstacle(peers) === undefined,
  database: [],
  ...audited,
  peers
})

/** Does all of it. */
export const all = Effect.fn("Verification.all")(function* ({ damage, audit, compare }: Verification) {
  const database = yield* damage
  return database.length > 0 ? damaged(database) : verified(yield* audit, yield* compare)
})
