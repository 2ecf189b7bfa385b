/**
 * What the last commits have written, kept in memory: a reader that has seen a version learns what came after it
 * without a look at the disk.
 *
 * Holds the last 1,024 commits, or as many as configured; older ones are gone.
 */
import { Option } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import type { Supersessions } from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import type { ChangedOrigins } from "../../core/replica/Replica.ts"

/** How many commits are remembered. */
export const remembered = 1_024

export interface RecentCommits {
  /** Remembers the next commit. Its version is one more than that of the one before. */
  push(writes: ReadonlyArray<Operation>, supersessions: Supersessions): void
  /** The writes after version `version`; none when they are unknown. */
  since(version: number): Option.Option<ChangedOrigins>
}

export const make = (kept: number = remembered): RecentCommits => {
  const commits: Array<ChangedOrigins> = []
  let newest = 0
  return {
    push: (writes, supersessions) => {
      newest++
      commits[newest % kept] = { ranges: rangesOf(writes), supersessions }
    },
    since: (version) => {
      if (version > newest || newest - version > kept) return Option.none()
      const touched: Array<ChangedOrigins> = []
      for (let next = version + 1; next <= newest; next++) {
        const commit = commits[next % kept]
        if (commit !== undefined) touched.push(commit)
      }
      return Option.some(join(touched))
    }
  }
}

type Ranges = ChangedOrigins["ranges"]

const rangesOf = (writes: ReadonlyArray<Operation>): Ranges => {
  const ranges = new Map<NodeId, { least: Hlc.Timestamp; greatest: Hlc.Timestamp }>()
  for (const { hlc } of writes) {
    const reading = { wall: hlc.wall, counter: hlc.counter }
    const range = ranges.get(hlc.node)
    if (range === undefined) ranges.set(hlc.node, { least: reading, greatest: reading })
    else if (Hlc.isAfter(reading, range.greatest)) range.greatest = reading
    else if (Hlc.isAfter(range.least, reading)) range.least = reading
  }
  return ranges
}

const join = (commits: ReadonlyArray<ChangedOrigins>): ChangedOrigins => {
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
