/**
 * Operations that should not have come from other nodes: operations under the own id that this node never wrote, and
 * timestamps that stand for two contents. Counted while a store is open.
 *
 * **Own operations from elsewhere.** After the restore of a backup a node gets back from its peers what it wrote after
 * the backup. All of that was written before its store was opened. So an operation under the own id that is new here
 *
 * - *came back* when its time is not later than the opening, give or take the drift that clocks may have;
 * - is *foreign* when it is later: this node has been running since then, and did not write it. Another node did.
 *
 * A member that writes under the id of another with a time of the past looks like a restore. That is why both are
 * shown.
 */
import type { NodeId } from "../replica/NodeId.ts"
import type { Operation } from "../replica/Operation.ts"

/** Some operations: how many there are, and the first of them. */
export interface Some {
  readonly count: number
  readonly first: string
}

export interface Oddities {
  readonly cameBack: Some
  readonly foreign: Some
  /** Operations that claimed a timestamp which another content had; `first` is the origin. */
  readonly twice: Some
}

const nothing: Some = { count: 0, first: "" }
export const none: Oddities = { cameBack: nothing, foreign: nothing, twice: nothing }

/** When a store was opened (ms), and how far clocks may be ahead. */
export interface Opening {
  readonly self: NodeId
  readonly at: number
  readonly maxDriftMs: number
}

/** The changes of a batch from a peer. */
export interface Taken {
  readonly writes: ReadonlyArray<Operation>
  readonly replaced: ReadonlyArray<Operation>
  readonly conflicts: number
  readonly conflicting: ReadonlySet<NodeId>
}

/** The oddities after a batch from a peer was committed. */
export const add = (oddities: Oddities, { self, at, maxDriftMs }: Opening, taken: Taken): Oddities => {
  const own = taken.writes.filter(({ hlc }) => hlc.node === self)
  if (own.length === 0 && taken.conflicts === 0) return oddities
  // Another text of an operation that was here before is no other operation.
  const known = new Set(taken.replaced.map(timeOf))
  const unknown = own.filter((operation) => !known.has(timeOf(operation)))
  const isForeign = ({ hlc }: Operation) => hlc.wall > at + maxDriftMs
  return {
    cameBack: plus(oddities.cameBack, unknown.filter((operation) => !isForeign(operation)).map(nameOf)),
    foreign: plus(oddities.foreign, unknown.filter(isForeign).map(nameOf)),
    twice: plus(oddities.twice, [...taken.conflicting], taken.conflicts)
  }
}

const timeOf = ({ hlc }: Operation): string => `${hlc.wall}:${hlc.counter}:${hlc.node}`
const nameOf = ({ table, row_id }: Operation): string => `${table} ${row_id}`

const plus = ({ count, first }: Some, names: ReadonlyArray<string>, more = names.length): Some => ({
  count: count + more,
  first: count > 0 ? first : (names[0] ?? first)
})
