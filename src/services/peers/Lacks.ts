/**
 * What each peer lacks of this node, what this node lacks of each peer, and which nodes are absent. It is computed from
 * acknowledged clocks and the rows of this node.
 *
 * Guarantee: a connected peer that has acknowledged everything lacks nothing. Of one that is not connected, its last
 * word counts.
 */
import { Effect, HashMap } from "effect"
import type { Acknowledgement } from "../../core/replica/Acknowledgement.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Snapshot } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import type { View } from "../../core/sync/SessionEvents.ts"
import type { Absent, ItLacks, PeerStatus, WeLack } from "../node/Status.ts"
import type { Store } from "../store/Store.ts"
import type { PeerTable } from "./PeerTable.ts"
import type { Running } from "./RunningSession.ts"

/**
 * Operations that are counted for all nodes together, at most: this keeps `status` fast, however far the others are
 * behind.
 */
const counted = 200_000

/** Nodes that are not there are named for this long after they were seen last (ms), and at most this many. */
const absentNodes = { shownFor: 30 * 86_400_000, kept: 256 } as const

interface Table extends Pick<PeerTable, "lost"> {
  readonly entries: ReadonlyMap<number, { readonly running: Pick<Running<unknown>, "view"> }>
}

type Reader = Pick<Store["Service"], "nodeId" | "snapshot" | "acknowledgements" | "countBeyond">

/** The peers, with what each side lacks. */
export const withLacks = Effect.fnUntraced(function* (store: Reader, table: Table, peers: ReadonlyArray<PeerStatus>) {
  const snapshot = yield* store.snapshot
  const byNode = new Map<string, Acknowledgement>((yield* store.acknowledgements).map((one) => [one.node, one]))
  const most = Math.max(1_000, Math.floor(counted / Math.max(1, peers.length)))
  return yield* Effect.forEach(
    peers,
    Effect.fnUntraced(function* (peer) {
      // What an existing FERAL node lacks shows only in an exchange.
      if (peer.node_id === null || peer.protocol === 1) return peer
      const known = byNode.get(peer.node_id)
      const view = viewOf(table, peer.node_id)
      // A session counts for itself, also before anything that the peer acknowledged is stored.
      const it_lacks =
        view?.lag === undefined
          ? known && (yield* count(store, known.clock, most))
          : ({ operations: view.lag } satisfies ItLacks)
      const we_lack = known && weLack(snapshot, known, view, table.lost.get(known.node)?.isComplete ?? true)
      return { ...peer, ...(it_lacks && { it_lacks }), ...(we_lack && { we_lack }) }
    })
  )
})

/** The nodes that were met before and are not among the peers: those that were seen last come first. */
export const absent = Effect.fnUntraced(function* (
  store: Reader,
  {
    peers,
    removed,
    now
  }: {
    readonly peers: ReadonlyArray<Pick<PeerStatus, "node_id">>
    readonly removed: Pick<ReadonlySet<NodeId>, "has">
    readonly now: number
  }
) {
  const there = new Set(peers.map(({ node_id: id }) => id))
  const nodes = (yield* store.acknowledgements)
    .filter(({ node, clock, seenAt }) => {
      // An existing FERAL node takes a new id when it restarts, and acknowledges nothing.
      const isKnown = !HashMap.isEmpty(clock) && node !== store.nodeId && !removed.has(node)
      return isKnown && !there.has(node) && now - seenAt <= absentNodes.shownFor
    })
    .sort((a, b) => b.seenAt - a.seenAt)
    .slice(0, absentNodes.kept)
  const most = Math.max(1_000, Math.floor(counted / Math.max(1, nodes.length)))
  return yield* Effect.forEach(nodes, ({ node, clock, seenAt }) =>
    Effect.map(count(store, clock, most), (it_lacks): Absent => ({
      node_id: node,
      last_seen_at: seenAt / 1000,
      it_lacks: it_lacks ?? { operations: 0, at_least: true }
    }))
  )
})

/** None where the rows cannot be read: the status shows why. */
const count = ({ countBeyond }: Reader, clock: VectorClock.VectorClock, most: number) =>
  countBeyond(clock, most).pipe(
    Effect.map((operations): ItLacks => ({ operations, ...(operations >= most && { at_least: true }) })),
    Effect.orElseSucceed((): ItLacks | undefined => undefined)
  )

const viewOf = ({ entries }: Table, node: string): View | undefined => {
  for (const { running } of entries.values()) {
    const view = running.view()
    if (view.peer === node) return view
  }
  return undefined
}

/**
 * What a peer is known to have for us: what it claims beyond our clock until it has sent all, and what one side keeps
 * out.
 */
const weLack = (
  { vectorClock }: Pick<Snapshot, "vectorClock">,
  { clock }: Acknowledgement,
  view: View | undefined,
  wasComplete: boolean
): WeLack | undefined => {
  const tooLarge = view?.tooLarge?.where === "here" ? view.tooLarge.count : 0
  const isComplete = view === undefined ? wasComplete : view.isComplete === true
  const keptOut = view !== undefined && !HashMap.isEmpty(view.deferred) ? HashMap.size(view.deferred) : 0
  const origins = isComplete ? keptOut : HashMap.size(VectorClock.difference(clock, vectorClock))
  if (tooLarge > 0) return { origins: Math.max(1, origins), ...(origins === 0 && { operations: tooLarge }) }
  return origins === 0 ? undefined : { origins }
}
