/**
 * The origins that a store knows, as `origins list` shows them, and which of them can be forgotten. No I/O.
 */
import { HashMap } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import { byCodePoint, type NodeId } from "../../core/replica/NodeId.ts"
import * as Replica from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import type { Kept, Origin } from "./Store.ts"
import * as StoreState from "./StoreState.ts"
import * as RowlessOrigins from "./RowlessOrigins.ts"

/** All of them: those with the most rows first. */
export const list = (
  { vectorClock: clock, frontier, holdings }: StoreState.State,
  self: NodeId
): ReadonlyArray<Origin> =>
  [...HashMap.keys(VectorClock.merge(clock, frontier))]
    .map((node) => ({
      node,
      isSelf: node === self,
      rows: Replica.holdingOf(holdings, node).rows,
      coveredTo: VectorClock.get(clock, node),
      latest: VectorClock.get(frontier, node)
    }))
    .sort((a, b) => b.rows - a.rows || byCodePoint(a.node, b.node))

/** Those of `origins` that stay. */
export const keptOf = (
  state: StoreState.State,
  self: NodeId,
  origins: ReadonlyArray<NodeId>
): ReadonlyMap<NodeId, Kept> => {
  const { vectorClock: clock, frontier, holdings, purges } = state
  const kept = new Map<NodeId, Kept>()
  for (const node of origins) {
    if (node === self) kept.set(node, "self")
    else if (HashMap.has(holdings, node)) kept.set(node, "rows")
    else if (HashMap.has(purges, node)) kept.set(node, "purged")
    else if (!HashMap.has(clock, node) && !HashMap.has(frontier, node)) kept.set(node, "unknown")
  }
  // No timestamp may be issued below one that was seen, also after a restart: one of the greatest ones stays.
  const gone = new Set(origins.filter((node) => !kept.has(node)))
  const high = StoreState.highWater(state)
  const greatest = origins.find((node) => {
    const { wall, counter } = Hlc.latest(VectorClock.get(clock, node), VectorClock.get(frontier, node))
    return gone.has(node) && wall === high.wall && counter === high.counter
  })
  if (greatest !== undefined && Hlc.isAfter(high, StoreState.highWater(RowlessOrigins.forget(state, gone)))) {
    kept.set(greatest, "latest")
  }
  return kept
}
