/**
 * Which origins a store knows, and which of those without rows it forgets.
 *
 * An origin is known from the first operation of it that is taken: coverage alone names none, for ids cost nothing. Of
 * origins whose rows have all lost to others the latest are remembered, and the others forgotten
 * (`core/sync/Coverage.ts` says why that is safe). Our own origin is never forgotten, nor the greatest timestamp of
 * all: no timestamp is issued below it.
 */
import { HashMap } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Batch } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { noNodes, type State } from "./StoreState.ts"

/** Origins without rows: once there are more than `most` of them, the latest are remembered. */
export const rowless = { most: 1_000, kept: 500 } as const

/** The coverage of a batch that counts: of this node itself, and of origins of which an operation was taken. */
export const evident = (
  { frontier }: Pick<State, "frontier">,
  { operations, coverage: through }: Pick<Batch, "operations" | "coverage">,
  self: NodeId
): VectorClock.VectorClock => {
  const fresh = HashMap.filter(through, (_, node) => node !== self && !HashMap.has(frontier, node))
  if (HashMap.isEmpty(fresh)) return through
  const named = new Set(operations.map(({ hlc }) => hlc.node))
  return HashMap.filter(through, (_, node) => !HashMap.has(fresh, node) || named.has(node))
}

/** Without some origins. */
export const forget = (state: State, origins: ReadonlySet<NodeId>): State =>
  origins.size === 0
    ? state
    : {
        ...state,
        vectorClock: HashMap.removeMany(state.vectorClock, origins),
        frontier: HashMap.removeMany(state.frontier, origins)
      }

/** Whether an origin has to be remembered: it has rows, or had some that were removed by hand. */
export const isNeeded = ({ holdings, purges }: State, node: NodeId): boolean =>
  HashMap.has(holdings, node) || HashMap.has(purges, node)

/** The origins without rows that can be forgotten, the one with the greatest timestamp first, without our own. */
export const rowlessOf = (state: State, self: NodeId): ReadonlyArray<NodeId> =>
  [...HashMap.entries(VectorClock.merge(state.vectorClock, state.frontier))]
    .filter(([node]) => node !== self && !isNeeded(state, node))
    .sort(([, a], [, b]) => Hlc.TimestampOrder(b, a))
    .map(([node]) => node)

/** The origins without rows that are too many. */
export const excess = (state: State, self: NodeId): ReadonlySet<NodeId> => {
  const { frontier, holdings, purges } = state
  return HashMap.size(frontier) - HashMap.size(holdings) - HashMap.size(purges) <= rowless.most
    ? noNodes
    : new Set(rowlessOf(state, self).slice(rowless.kept))
}

/**
 * What a file may say of origins and no state should: it was written while coverage alone named an origin, and may hold
 * thousands that never were.
 */
export const unfounded = (state: State, self: NodeId): ReadonlySet<NodeId> =>
  new Set(rowlessOf(state, self).filter((node, index) => !HashMap.has(state.frontier, node) || index >= rowless.most))
