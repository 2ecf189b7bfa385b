/** The peers of this node: how each of them is, and what can be asked of all. */
import { Context, type Effect } from "effect"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Compared, NodeStatus, PeerStatus } from "../node/Status.ts"

export class Peers extends Context.Service<
  Peers,
  {
    /** The port that this node listens on. */
    readonly port: number
    /** How each peer is. */
    readonly status: Effect.Effect<ReadonlyArray<PeerStatus>>
    /** Compares the rows of this node with those of every connected peer; what differs is repaired. */
    readonly compare: Effect.Effect<ReadonlyArray<Compared>>
    /** How peers are looked for. */
    readonly discovery: Effect.Effect<NodeStatus["discovery"]>
    /** The nodes that were removed. */
    readonly removed?: Effect.Effect<ReadonlySet<NodeId>>
    /** Whether peers may come with the passphrase before the present one. */
    readonly acceptsPrevious?: boolean
  }
>()("feral-sync/services/peers/Peers") {}
