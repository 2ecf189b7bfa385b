/**
 * Collects tombstones from time to time, where that is configured (`core/replica/Cut.ts`).
 *
 * A node that was not seen for too long does not count. So that no node is taken for such a one because this node
 * itself was off, or because its clock was set, all others get a while to be seen first.
 */
import { Effect } from "effect"
import type { NodeId } from "../../core/replica/NodeId.ts"
import { HlcClock, monotonic } from "../node/HlcClock.ts"
import { Store } from "../store/Store.ts"

/** The time between two looks, at most and at least, and as a part of the time that tombstones are kept (ms). */
const every = { most: 15_000, least: 1_000, part: 48 } as const

/** How long others get to be seen, and how far the clock may be set without that (ms). */
const grace = { ms: 60_000, set: 30_000 } as const

export interface Options {
  /** How long tombstones are kept (ms); without it they are kept for ever. */
  readonly keepMs: number | undefined
  readonly removed: Effect.Effect<ReadonlySet<NodeId>>
  readonly connected: Effect.Effect<ReadonlySet<string>>
}

/** Never ends. */
export const run = Effect.fnUntraced(function* ({ keepMs, removed, connected }: Options) {
  const store = yield* Store
  const clock = yield* HlcClock
  const wait = keepMs === undefined ? every.most : Math.max(every.least, Math.min(every.most, keepMs / every.part))
  /** Since when the clock was not set, in the time that passes; and how far it was ahead of that time. */
  let since = yield* monotonic
  let ahead = (yield* clock.now) - since
  for (;;) {
    const passed = yield* monotonic
    const now = yield* clock.now
    if (Math.abs(now - passed - ahead) > grace.set) since = passed
    ahead = now - passed
    const policy =
      keepMs === undefined
        ? undefined
        : {
            keepMs,
            removed: yield* removed,
            connected: yield* connected,
            mayLeaveOut: passed - since >= Math.min(grace.ms, keepMs)
          }
    const dropped = yield* Effect.catch(store.collect(policy), (error) =>
      Effect.as(Effect.logDebug("deletions could not be collected: trying again", error), 0)
    )
    if (dropped > 0) yield* Effect.logInfo("deletions collected").pipe(Effect.annotateLogs({ count: dropped }))
    yield* Effect.sleep(wait)
  }
})
