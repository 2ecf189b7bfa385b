/**
 * Readers of the change feed (`core/replica/Feed.ts`): a reader that catches up and one that follows read the same rows
 * in the same way.
 *
 * Guarantees:
 * - Events come in commit order, each row of a known kind with its last state, without a gap. A row that is written
 *   again while a reader is behind comes once.
 * - What a reader is shown is never lost, not even with the power: it is synced before.
 * - A reader holds one page in memory, however slow it is. It keeps nothing of the store from others.
 */
import { Effect, Option, PubSub, Stream } from "effect"
import * as Feed from "../../core/replica/Feed.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import type { Backend } from "./Backend.ts"
import type { FeedEvent, FeedOptions } from "./Store.ts"

/** What one event has at most. One operation is there however large it is. */
const room = { bytes: 1024 * 1024, operations: 1_000, atLeastOne: true } as const

/** Rows of other kinds after which a reader gets a new cursor all the same. */
const passed = 1_000

export interface Source {
  readonly backend: Pick<Backend, "feedId" | "committedAfter">
  /** Where the feed ends now. */
  readonly end: () => Feed.Feed
  /** Runs a read at a moment without writes. */
  readonly alone: <A, E>(read: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Makes every commit until now one that survives a loss of power. */
  readonly settled: Effect.Effect<void, StoreUnavailable>
  /** Something is published after each commit. */
  readonly commits: PubSub.PubSub<void>
}

export const make = ({ backend, end, alone, settled, commits }: Source) => {
  const cursorOf = (place: Feed.Place) => Feed.toText(backend.feedId, place)

  /** The next page for a reader; none where it has to begin again. */
  const read = (place: Feed.Place, kinds: ReadonlyArray<string> | undefined) =>
    alone(
      Effect.suspend(() =>
        Option.match(Feed.resume(end(), place), {
          onNone: () => Effect.succeedNone,
          onSome: (from) =>
            from.number === end().last
              ? Effect.succeedSome({ operations: [], place: from })
              : Effect.map(backend.committedAfter(from.number, room, kinds), ({ operations, number }) =>
                  // Rows that are written again leave their old numbers empty.
                  Option.some({ operations, place: { ...from, number: number === from.number ? end().last : number } })
                )
        })
      )
    )

  interface Reader {
    readonly place: Feed.Place
    /** The place that the reader of the events knows. */
    readonly told: Feed.Place | undefined
    /** Whether it has to be told first that it begins again. */
    readonly isLost: boolean
  }

  const next = Effect.fnUntraced(function* (
    reader: Reader,
    kinds: ReadonlyArray<string> | undefined,
    commit: Effect.Effect<unknown> | undefined
  ): Effect.fn.Return<readonly [FeedEvent, Reader] | undefined, StoreUnavailable> {
    if (reader.isLost) return reset()
    let { place } = reader
    const changed = (operations: FeedEvent & { readonly _tag: "Changed" }) =>
      [operations, { place, told: place, isLost: false }] as const
    if (reader.told === undefined) {
      yield* settled
      return changed({ _tag: "Changed", cursor: cursorOf(place), operations: [] })
    }
    for (;;) {
      const page = yield* read(place, kinds)
      if (Option.isNone(page)) return reset()
      const { operations } = page.value
      const isAtEnd = page.value.place.number === place.number
      place = page.value.place
      const isOver = isAtEnd && commit === undefined
      const least = isOver ? 1 : passed
      if (operations.length > 0 || place.number - reader.told.number >= least) {
        yield* settled
        return changed({ _tag: "Changed", cursor: cursorOf(place), operations })
      }
      if (!isAtEnd) continue
      if (commit === undefined) return undefined
      yield* commit
    }
  })

  const reset = (): readonly [FeedEvent, Reader] => {
    const place = Feed.beginning(end())
    return [
      { _tag: "Reset", cursor: cursorOf(place) },
      { place, told: place, isLost: false }
    ]
  }

  return ({ since, kinds, follow = true }: FeedOptions = {}): Stream.Stream<FeedEvent, StoreUnavailable> =>
    Stream.unwrap(
      Effect.gen(function* () {
        // First of all: what is committed from here on is not missed.
        const subscription = yield* PubSub.subscribe(commits)
        const place = since === undefined ? undefined : Feed.resumeText(backend.feedId, end(), since)
        const reader: Reader =
          place === undefined
            ? { place: Feed.end(end()), told: undefined, isLost: false }
            : Option.match(place, {
                onNone: () => ({ place: Feed.beginning(end()), told: undefined, isLost: true }),
                onSome: (place) => ({ place, told: place, isLost: false })
              })
        return Stream.unfold(reader, (reader) => next(reader, kinds, follow ? PubSub.take(subscription) : undefined))
      })
    )
}
