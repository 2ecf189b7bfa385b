/**
 * The supervisor: keeps one fiber for each peer that should be connected, and knows how each of them is.
 */
import { Context, type Effect } from "effect"
import type { NodeStatus, PeerStatus } from "./Status.ts"

export class Peers extends Context.Service<
  Peers,
  {
    /** The port that this node listens on. */
    readonly port: number
    /** How each peer is. */
    readonly status: Effect.Effect<ReadonlyArray<PeerStatus>>
    /** How peers are looked for. */
    readonly discovery: Effect.Effect<NodeStatus["discovery"]>
  }
>()("feral-sync/services/Peers") {}
