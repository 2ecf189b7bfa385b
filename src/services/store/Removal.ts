/** Rows that leave a store without a winner: tombstones that are dropped, and what an operator removes. */
import * as Digest from "../../core/replica/Digest.ts"
import * as Feed from "../../core/replica/Feed.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Purge from "../../core/replica/Purge.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { sizeOf } from "./Sizes.ts"
import { type Commit, type State, withoutRows } from "./StoreState.ts"
import * as Totals from "./Totals.ts"

/** What dropping tombstones does to a store. `greatest` is the greatest of their numbers in the feed. */
export const collect = (before: State, removed: ReadonlyArray<Operation>, greatest: number): Commit => {
  const commit = remove(before, removed)
  const cut = { ...before.cut, count: before.cut.count + removed.length }
  const feed = removed.length === 0 ? before.feed : Feed.withRemoval(before.feed, greatest)
  return { ...commit, state: { ...commit.state, cut, feed } }
}

/** What it does to a store that rows leave it without a winner. */
const remove = (before: State, removed: ReadonlyArray<Operation>): Commit => ({
  state: { ...before, ...Totals.after(before, [], removed) },
  ...withoutRows,
  replaced: removed,
  moved: new Set(removed.map(({ hlc: { node } }) => node))
})

/** What removing rows by hand does to a store in the state `before`, as one more part of the purge `run`. */
export const purge = (before: State, run: number, scope: Purge.Scope, removed: ReadonlyArray<Operation>): Commit => {
  const kind = "kind" in scope ? scope.kind : undefined
  let { purges } = before
  if ("origin" in scope) {
    // Also what arrives beyond the clock, or is still on its way.
    const part = Purge.partOf(purges, run, kind, scope.origin)
    const through = Hlc.latest(
      VectorClock.get(before.vectorClock, scope.origin),
      VectorClock.get(before.frontier, scope.origin)
    )
    purges = Purge.withPurge(purges, { ...part, through: Hlc.latest(part.through, through) })
  }
  for (const operation of removed) {
    const { node, wall, counter } = operation.hlc
    const part = Purge.partOf(purges, run, kind, node)
    purges = Purge.withPurge(purges, {
      ...part,
      through: Hlc.latest(part.through, { wall, counter }),
      rows: part.rows + 1,
      bytes: part.bytes + sizeOf(operation),
      digest: Digest.add(part.digest, Digest.ofOperation(operation))
    })
  }
  const commit = remove(before, removed)
  const feed = removed.length === 0 ? before.feed : Feed.withPurge(before.feed)
  return { ...commit, state: { ...commit.state, purges, feed } }
}
