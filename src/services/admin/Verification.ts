/**
 * Whether everything is there: looks through the file, adds up all rows anew, and compares them with those of the peers.
 */
import { Effect } from "effect"
import * as Digest from "../../core/replica/Digest.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import type { AuditedRows, Compared } from "../node/Status.ts"
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
