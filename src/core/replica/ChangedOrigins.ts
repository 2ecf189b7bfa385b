/**
 * What commits have written, seen from the origins: the timestamps of each of them, and whose operations won over
 * whose.
 */
import * as Hlc from "./Hlc.ts"
import type { Supersessions } from "./Merge.ts"
import type { NodeId } from "./NodeId.ts"
import type { Operation } from "./Operation.ts"

export interface ChangedOrigins {
  readonly ranges: ReadonlyMap<NodeId, { readonly least: Hlc.Timestamp; readonly greatest: Hlc.Timestamp }>
  readonly supersessions: Supersessions
}

/** Of one commit. */
export const of = (writes: ReadonlyArray<Operation>, supersessions: Supersessions): ChangedOrigins => {
  const ranges = new Map<NodeId, { least: Hlc.Timestamp; greatest: Hlc.Timestamp }>()
  for (const { hlc } of writes) {
    const timestamp = { wall: hlc.wall, counter: hlc.counter }
    const range = ranges.get(hlc.node)
    if (range === undefined) ranges.set(hlc.node, { least: timestamp, greatest: timestamp })
    else if (Hlc.isAfter(timestamp, range.greatest)) range.greatest = timestamp
    else if (Hlc.isAfter(range.least, timestamp)) range.least = timestamp
  }
  return { ranges, supersessions }
}

/** Of several commits. */
export const join = (commits: ReadonlyArray<ChangedOrigins>): ChangedOrigins => {
  const [only] = commits
  if (only !== undefined && commits.length === 1) return only
  const ranges = new Map<NodeId, { readonly least: Hlc.Timestamp; readonly greatest: Hlc.Timestamp }>()
  const supersessions = new Map<NodeId, Set<NodeId>>()
  for (const commit of commits) {
    for (const [node, { least, greatest }] of commit.ranges) {
      const range = ranges.get(node) ?? { least, greatest }
      ranges.set(node, {
        least: Hlc.isAfter(range.least, least) ? least : range.least,
        greatest: Hlc.latest(range.greatest, greatest)
      })
    }
    for (const [winner, losers] of commit.supersessions) {
      const known = supersessions.get(winner)
      if (known === undefined) supersessions.set(winner, new Set(losers))
      else for (const loser of losers) known.add(loser)
    }
  }
  return { ranges, supersessions }
}
