/**
 * Nodes that have proved themselves and are not let in all the same, because the people of this node said so.
 */
import type { NodeId } from "../replica/NodeId.ts"
import { PeerPaused, PeerRemoved } from "./SyncFailure.ts"

/** A node was removed, or syncing with it is paused. */
export type Barred = "removed" | "paused"

/** The reason of a close that ends a session for a pause. */
export const pausedReason = "paused"

/** Who is barred. */
export type BarredBy = (peer: NodeId) => Barred | undefined

/**
 * How a connection to a barred node ends: the reason that it is told, and the failure. A pause is told beside the
 * reason: an earlier version takes it for a node that is away for a while.
 */
export const ending = (barred: Barred, nodeId: NodeId) =>
  barred === "removed"
    ? ({ reason: "removed", failure: new PeerRemoved({ nodeId }) } as const)
    : ({ reason: "going_away", failure: new PeerPaused({ nodeId }) } as const)
