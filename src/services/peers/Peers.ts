/** The peers of this node: how each of them is, and what can be asked of all. */
import { Context, type Effect } from "effect"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { PeerNotFound, StoreUnavailable } from "../node/NodeFailure.ts"
import type { Absent, Compared, NodeStatus, PeerConnection, PeerStatus, Synced } from "../node/Status.ts"
import type { Traffic } from "./Traffic.ts"

/** Numbers that only grow, and what was there. */
export interface PeerCounters {
  readonly traffic: ReadonlyMap<string, Readonly<Traffic>>
  readonly sessions: ReadonlyArray<{
    readonly role: "dialler" | "server"
    readonly end: string
    readonly count: number
  }>
  readonly handshakeFailures: ReadonlyMap<string, number>
  /** The last connections with each peer, the newest first. */
  readonly connections: ReadonlyMap<string, ReadonlyArray<PeerConnection>>
}

/** The other nodes. */
export interface Nodes {
  readonly peers: ReadonlyArray<PeerStatus>
  readonly absent: ReadonlyArray<Absent>
}

export class Peers extends Context.Service<
  Peers,
  {
    /** The port that this node listens on. */
    readonly port: number
    /** How each peer is. */
    readonly status: Effect.Effect<ReadonlyArray<PeerStatus>>
    /**
     * The same, and the nodes that were met before and are not among them: all that there is to say of other nodes
     * comes from here.
     */
    readonly nodes: Effect.Effect<Nodes>
    /** Compares the rows of this node with those of every connected peer; what differs is repaired. */
    readonly compare: Effect.Effect<ReadonlyArray<Compared>>
    /** How peers are looked for. */
    readonly discovery: Effect.Effect<NodeStatus["discovery"]>
    /** The nodes that were removed. */
    readonly removed?: Effect.Effect<ReadonlySet<NodeId>>
    /** The nodes with which syncing is paused. */
    readonly paused: Effect.Effect<ReadonlySet<NodeId>>
    /** Pauses syncing with a node, or goes on with it: at once, and after a restart too. */
    pause(node: string, isPaused: boolean): Effect.Effect<void, PeerNotFound | StoreUnavailable>
    /** Removes a node, whose connections are closed, or readmits it: at once, and after a restart too. */
    remove(node: string, isRemoved: boolean): Effect.Effect<void, PeerNotFound | StoreUnavailable>
    /** Syncs with a peer now, by its id or its address: dials it, or compares the rows with it. */
    sync(peer: string): Effect.Effect<Synced, PeerNotFound>
    /** What went to and came from each peer since the start, by its id, and how sessions and handshakes ended. */
    readonly counters: Effect.Effect<PeerCounters>
    /** Whether peers may come with the passphrase before the present one. */
    readonly acceptsPrevious?: boolean
  }
>()("feral-sync/services/peers/Peers") {}
