/**
 * What the last commits have written, kept in memory: a reader that has seen a version learns what came after it
 * without a look at the disk.
 *
 * Holds the last 1,024 commits, or as many as configured; older ones are gone.
 */
import { Option } from "effect"
import * as ChangedOrigins from "../../core/replica/ChangedOrigins.ts"
import type { Supersessions } from "../../core/replica/Merge.ts"
import type { Operation } from "../../core/replica/Operation.ts"

/** How many commits are remembered. */
export const remembered = 1_024

export interface RecentCommits {
  /**
   * Remembers the next commit, and gives it as seen from the origins. Its version is one more than that of the one
   * before.
   */
  push(writes: ReadonlyArray<Operation>, supersessions: Supersessions): ChangedOrigins.ChangedOrigins
  /** The writes after version `version`; none when they are unknown. */
  since(version: number): Option.Option<ChangedOrigins.ChangedOrigins>
}

export const make = (kept: number = remembered): RecentCommits => {
  const commits: Array<ChangedOrigins.ChangedOrigins> = []
  let newest = 0
  return {
    push: (writes, supersessions) => {
      newest++
      const changed = ChangedOrigins.of(writes, supersessions)
      commits[newest % kept] = changed
      return changed
    },
    since: (version) => {
      if (version > newest || newest - version > kept) return Option.none()
      const changedOrigins: Array<ChangedOrigins.ChangedOrigins> = []
      for (let next = version + 1; next <= newest; next++) {
        const commit = commits[next % kept]
        if (commit !== undefined) changedOrigins.push(commit)
      }
      return Option.some(ChangedOrigins.join(changedOrigins))
    }
  }
}
