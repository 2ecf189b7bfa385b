/**
 * The state of a store, recomputed from its rows while the store keeps working. The rows are read in their order, and
 * later writes to rows that were already read are accounted for. No I/O.
 *
 * Guarantee: when all rows went by, the sums are those of the rows that the store holds at that moment.
 */
import { HashMap } from "effect"
import * as Digest from "../../core/replica/Digest.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Kind from "../../core/replica/Kind.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Replica from "../../core/replica/Replica.ts"
import * as Ranges from "../../core/replica/Ranges.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Opaque from "./Opaque.ts"
import * as StoreState from "./StoreState.ts"
import * as Totals from "./Totals.ts"

export interface Audit extends Totals.Totals {
  /** The last row that went by. */
  readonly at: Ranges.Position | undefined
  readonly rows: number
  /** The greatest timestamp of each origin among the rows. */
  readonly frontier: VectorClock.VectorClock
  readonly declared: Opaque.Declared
}

/** The audit of a store for which these kinds were declared. */
export const begin = (declared: Opaque.Declared): Audit => ({
  at: undefined,
  rows: 0,
  digest: Digest.empty,
  live: Digest.empty,
  counts: StoreState.empty.counts,
  frontier: VectorClock.empty,
  holdings: Replica.noHoldings,
  opaque: Opaque.nothing,
  declared,
  ofApplications: 0
})

/** After the next rows. */
export const add = (audit: Audit, operations: ReadonlyArray<Operation>): Audit => {
  const last = operations.at(-1)
  return last === undefined ? audit : { ...sum(audit, operations, []), at: Ranges.positionOf(last) }
}

/** After a commit: its changes to the rows that went by. */
export const amend = (audit: Audit, { writes, replaced }: Pick<StoreState.Commit, "writes" | "replaced">): Audit => {
  const { at } = audit
  if (at === undefined) return audit
  const isPast = (operation: Operation) => Ranges.PositionOrder(Ranges.positionOf(operation), at) <= 0
  return sum(audit, writes.filter(isPast), replaced.filter(isPast))
}

/** The state that agrees with the rows, where `kept` does not; and the problems of `kept`. */
export const correct = (
  audit: Audit,
  kept: StoreState.State,
  self: NodeId
): { readonly state: StoreState.State; readonly wrong: ReadonlyArray<string>; readonly moved: ReadonlySet<NodeId> } => {
  const wrong: Array<string> = []
  const counts = { ...audit.counts, quarantine: kept.counts.quarantine }
  if (!Digest.equals(audit.digest, kept.digest)) {
    wrong.push(
      `the stored digest was ${Digest.toText(kept.digest)}, the digest of the rows is ${Digest.toText(audit.digest)}`
    )
  }
  if (!Digest.equals(audit.live, kept.live)) wrong.push("the stored digest without tombstones did not match the rows")
  const isMiscounted = audit.ofApplications !== kept.ofApplications
  if (isMiscounted || Kind.countNames.some((name) => counts[name] !== kept.counts[name]))
    wrong.push("the stored counts did not match the rows")
  const higher = VectorClock.difference(audit.frontier, kept.frontier)
  const own = VectorClock.get(audit.frontier, self)
  const isOwnAhead = Hlc.isAfter(own, VectorClock.get(kept.vectorClock, self))
  const moved = new Set(Array.from(higher, ([node]) => node))
  if (moved.size > 0 || isOwnAhead) wrong.push("the vector clock was behind the rows")
  const misjudged = differing(audit.holdings, kept.holdings)
  if (misjudged.length > 0) wrong.push("the stored sums by origin did not match the rows")
  for (const node of misjudged) moved.add(node)
  const mismeasured = [
    ...new Set([...HashMap.keys(audit.opaque.origins), ...HashMap.keys(kept.opaque.origins)])
  ].filter((node) => Opaque.bytesOf(audit.opaque, node) !== Opaque.bytesOf(kept.opaque, node))
  if (mismeasured.length > 0) wrong.push("the stored size of the rows of unknown kinds did not match")
  for (const node of mismeasured) moved.add(node)
  if (isOwnAhead) moved.add(self)
  const clock = isOwnAhead ? VectorClock.advance(kept.vectorClock, self, own) : kept.vectorClock
  return {
    state: {
      vectorClock: clock,
      frontier: VectorClock.merge(kept.frontier, higher),
      digest: audit.digest,
      holdings: audit.holdings,
      counts,
      opaque: audit.opaque,
      declared: kept.declared,
      ofApplications: audit.ofApplications,
      purges: kept.purges,
      live: audit.live,
      cut: kept.cut,
      feed: kept.feed
    },
    wrong,
    moved
  }
}

/** The origins whose rows are not those that were kept of them. */
const differing = (a: Replica.Holdings, b: Replica.Holdings): ReadonlyArray<NodeId> =>
  [...new Set([...HashMap.keys(a), ...HashMap.keys(b)])].filter(
    (node) => !Replica.isSameHolding(Replica.holdingOf(a, node), Replica.holdingOf(b, node))
  )

const sum = (audit: Audit, writes: ReadonlyArray<Operation>, replaced: ReadonlyArray<Operation>): Audit => ({
  ...audit,
  ...Totals.after(audit, writes, replaced),
  rows: audit.rows + writes.length - replaced.length,
  frontier: writes.reduce(
    (frontier, { hlc: { node, wall, counter } }) => VectorClock.advance(frontier, node, { wall, counter }),
    audit.frontier
  )
})
