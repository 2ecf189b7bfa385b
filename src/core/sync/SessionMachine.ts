/**
 * A protocol as a state machine: what form 2 (`Session.ts`) and the wire of existing FERAL nodes (in `v1`) are to their
 * runner.
 */
import type { Snapshot } from "../replica/Replica.ts"
import type { Action, Event, PeerRecord, View } from "./SessionEvents.ts"

/** `R` is what it wants to know of a peer by its id. */
export interface Machine<S, R = PeerRecord> {
  /** The first step. */
  begin(local: Snapshot, now: number): readonly [S, ReadonlyArray<Action>]
  step(state: S, event: Event<R>): readonly [S, ReadonlyArray<Action>]
  /** When it wants a `Tick` at the latest (ms). */
  deadline(state: S): number
  view(state: S): View
}
