/**
 * Answers that stay up to date: what a read gives now, and again when it gives something else.
 *
 * Guarantees: the feed is subscribed before the first read, so no change between the two is missed. The last answer is
 * that of the last commit. A slow reader holds one answer in memory: it is spared the states in between.
 */
import { Stream } from "effect"
import type { Effect } from "effect"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import type { FeedEvent, FeedOptions } from "../store/Store.ts"

/** What can be followed. */
export interface Followed {
  feed(options?: FeedOptions): Stream.Stream<FeedEvent, StoreUnavailable>
}

/** The answers of a read of some kinds, or of all. */
export const make = <A, E, R>(
  followed: Followed,
  kinds: ReadonlyArray<string> | undefined,
  read: Effect.Effect<A, E, R>
): Stream.Stream<A, E | StoreUnavailable, R> =>
  // The first event of a feed comes at once.
  followed.feed({ kinds }).pipe(
    Stream.mapEffect(() => read),
    Stream.changes
  )
