/**
 * What `status` shows of tombstones: how many there are, how many of them every node that counts has, whom the rest
 * waits for, and how many were collected.
 */
import { Effect } from "effect"
import * as Cut from "../../../core/replica/Cut.ts"
import type { NodeId } from "../../../core/replica/NodeId.ts"
import * as Stability from "../../../core/replica/Stability.ts"
import * as VectorClock from "../../../core/replica/VectorClock.ts"
import type { Tombstones } from "../../node/Status.ts"
import type { Store } from "../../store/Store.ts"

/** Nodes that are named at most. */
const named = 1_000

const day = 86_400_000

/** Where it is read: who was removed, whom this node is connected to now, and how long tombstones are kept (ms). */
export interface Place {
  readonly removed: ReadonlySet<NodeId>
  readonly connected: ReadonlySet<string>
  readonly now: number
  readonly keepMs: number | undefined
}

/**
 * Nothing where there are no tombstones, and never were any that were collected. Who is connected is seen at this
 * moment.
 */
export const read = Effect.fnUntraced(function* (store: Store["Service"], { removed, connected, now, keepMs }: Place) {
  const { vectorClock: clock, frontier, cut = Cut.none } = yield* store.snapshot
  const { tombstones: held } = yield* store.counts
  if (held === 0 && cut.count === 0) return {}
  const acknowledgements = yield* store.acknowledgements
  const known = { self: store.nodeId, clock, frontier, acknowledgements, removed }
  const { clock: covered, waiting } = Stability.of(known)
  const seconds = (at: number | undefined) => (at === undefined ? null : at / 1000)
  const without =
    keepMs === undefined ? removed : Cut.notCounted({ ...known, cut, connected, now, keepMs, mayLeaveOut: true })
  const unconfirmed = Cut.unconfirmed({ ...known, cut }, without)
  const isOn = keepMs !== undefined || cut.count > 0
  const tombstones: Tombstones = {
    held,
    stable: yield* store.tombstones(covered),
    ...(isOn && {
      collected: cut.count,
      keep_days: keepMs === undefined ? null : keepMs / day,
      ...(unconfirmed.length > 0 &&
        !VectorClock.includes(cut.collected, cut.confirmed) && { not_confirmed_by: unconfirmed.slice(0, named) })
    }),
    waiting: waiting.length,
    waiting_for: waiting.slice(0, named).map(({ node, agreedAt, seenAt }) => ({
      node_id: node,
      agreed_at: seconds(agreedAt),
      last_seen_at: seconds(connected.has(node) ? now : seenAt)
    }))
  }
  return { tombstones }
})
