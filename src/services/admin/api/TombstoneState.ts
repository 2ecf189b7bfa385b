/**
 * What `status` shows of tombstones: how many there are, how many of them every node that counts has, and whom the rest waits for.
 */
import { Effect } from "effect"
import type { NodeId } from "../../../core/replica/NodeId.ts"
import * as Stability from "../../../core/replica/Stability.ts"
import type { Tombstones } from "../../node/Status.ts"
import type { Store } from "../../store/Store.ts"

/** Nodes that are named at most. */
const named = 1_000

/** Nothing where there are no tombstones. `connected` are the peers that this node is connected to now: they are seen at this moment. */
export const read = Effect.fnUntraced(function* (
  store: Store["Service"],
  removed: ReadonlySet<NodeId>,
  connected: ReadonlySet<string>,
  now: number
) {
  const { clock, tops } = yield* store.snapshot
  const { tombstones: held } = yield* store.counts
  if (held === 0) return {}
  const acknowledgements = yield* store.acknowledgements
  const { clock: covered, waiting } = Stability.of({ self: store.nodeId, clock, tops, acknowledgements, removed })
  const seconds = (at: number | undefined) => (at === undefined ? null : at / 1000)
  const tombstones: Tombstones = {
    held,
    stable: yield* store.tombstones(covered),
    waiting: waiting.length,
    waiting_for: waiting.slice(0, named).map(({ node, agreedAt, seenAt }) => ({
      node_id: node,
      agreed_at: seconds(agreedAt),
      last_seen_at: seconds(connected.has(node) ? now : seenAt)
    }))
  }
  return { tombstones }
})
