/**
 * Whether the rows of a store turned out to be damaged. Every use of a backend is watched here, so that no caller has
 * to.
 *
 * Guarantee: the first failure that shows damage is kept. The store writes nothing from then on, and the node says so
 * and ends syncing (`Peers.ts`): it would pass on what is left, and take in what it cannot keep.
 */
import { Deferred, Effect, Option } from "effect"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import type { Backend } from "./Backend.ts"

export interface Damage {
  /** What showed it, as soon as something does. */
  readonly awaited: Effect.Effect<StoreUnavailable>
  /** What showed it, if anything has. */
  readonly found: Effect.Effect<Option.Option<StoreUnavailable>>
  /** Notes a failure that shows damage. */
  readonly watch: <A, E, R>(
    effect: Effect.Effect<A, E | StoreUnavailable, R>
  ) => Effect.Effect<A, E | StoreUnavailable, R>
  /** Notes how a commit ended. */
  readonly noteEnd: <A, E, R>(commit: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Why the last commit failed, where it did. */
  readonly lastCommitFailure: Effect.Effect<Option.Option<StoreUnavailable>>
  /** Fails where damage was found. */
  readonly refused: Effect.Effect<void, StoreUnavailable>
}

export const make = Effect.gen(function* () {
  const first = yield* Deferred.make<StoreUnavailable>()
  let known: StoreUnavailable | undefined
  let last: StoreUnavailable | undefined
  const note = Effect.fnUntraced(function* (failure: StoreUnavailable) {
    if (known !== undefined) return
    known = failure
    yield* Deferred.succeed(first, failure)
  })
  return {
    awaited: Deferred.await(first),
    found: Effect.sync(() => Option.fromUndefinedOr(known)),
    watch: (effect) =>
      Effect.tapError(effect, (error) =>
        error instanceof StoreUnavailable && error.reason === "corrupt" ? note(error) : Effect.void
      ),
    noteEnd: (commit) =>
      commit.pipe(
        Effect.tap(() => Effect.sync(() => (last = undefined))),
        Effect.tapError((error) =>
          Effect.sync(() => {
            if (error instanceof StoreUnavailable) last = error
          })
        )
      ),
    lastCommitFailure: Effect.sync(() => Option.fromUndefinedOr(last)),
    refused: Effect.suspend(() => (known === undefined ? Effect.void : Effect.fail(known)))
  } satisfies Damage
})

/** The backend, with all that can show damage watched. A backup is not: what it fails of may be its destination. */
export const watched = (backend: Backend, { watch, noteEnd }: Damage): Backend => ({
  ...backend,
  current: (operations) => watch(backend.current(operations)),
  commit: (commit, synced) => watch(noteEnd(backend.commit(commit, synced))),
  beyond: (origin, timestamp, room) => watch(backend.beyond(origin, timestamp, room)),
  versions: (kind, rowId) => watch(backend.versions(kind, rowId)),
  versionsInConflict: (before, limit) => watch(backend.versionsInConflict(before, limit)),
  deleted: (request) => watch(backend.deleted(request)),
  eraseVersions: (scope) => watch(backend.eraseVersions(scope)),
  committedAfter: (number, room, kinds) => watch(backend.committedAfter(number, room, kinds)),
  lastNumberOf: (operations) => watch(backend.lastNumberOf(operations)),
  range: (request) => watch(backend.range(request)),
  get: (kind, rowId) => watch(backend.get(kind, rowId)),
  list: (kind, options) => watch(backend.list(kind, options)),
  select: (request) => watch(backend.select(request)),
  search: (request) => watch(backend.search(request)),
  index: watch(backend.index),
  waiting: watch(backend.waiting),
  quarantine: watch(backend.quarantine),
  acknowledge: (news) => watch(backend.acknowledge(news)),
  tombstones: (covered) => watch(backend.tombstones(covered)),
  countBeyond: (from, most) => watch(backend.countBeyond(from, most)),
  lastTombstones: (covered) => watch(backend.lastTombstones(covered)),
  someTombstones: (covered, most) => watch(backend.someTombstones(covered, most)),
  damage: watch(
    Effect.tap(backend.damage, (problems) =>
      problems.length === 0
        ? Effect.void
        : Effect.ignore(watch(Effect.fail(new StoreUnavailable({ reason: "corrupt", detail: problems.join("; ") }))))
    )
  ),
  upkeep: watch(backend.upkeep)
})
