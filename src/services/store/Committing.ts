/**
 * How a store commits. The state in memory is what the backend committed last: it changes after the commit, at once,
 * and not at all when the commit fails. A write that has begun to commit is not interrupted. A commit is published
 * after it is made, in the order of versions, each version once.
 */
import { Effect, HashMap, PubSub } from "effect"
import * as History from "../../core/replica/History.ts"
import { HlcClock } from "../node/HlcClock.ts"
import type { Acknowledged } from "./Acknowledged.ts"
import type { Backend } from "./Backend.ts"
import type * as Opaque from "./Opaque.ts"
import * as RecentCommits from "./RecentCommits.ts"
import type { Batch, Change, Snapshot } from "./Store.ts"
import * as StoreState from "./StoreState.ts"
import * as Planning from "./Planning.ts"
import * as RowlessOrigins from "./RowlessOrigins.ts"

/** Commits that a subscriber may be behind. After that it loses the oldest, and sees a gap in the versions. */
const publishedCommits = 1_024

export interface Options {
  readonly backend: Backend
  /** What other nodes had seen when they wrote, for the local history. */
  readonly acknowledged: Pick<Acknowledged, "seenBefore">
  readonly rememberedCommits: number | undefined
  readonly history: History.Limits | undefined
}

export type Committing = Effect.Success<ReturnType<typeof make>>

export const make = Effect.fnUntraced(function* ({ backend, acknowledged, rememberedCommits, history }: Options) {
  const clock = yield* HlcClock
  const { nodeId } = backend
  /** A replica without rows holds nothing that is older than now. */
  const begun = (before: StoreState.State) =>
    HashMap.isEmpty(before.holdings) && HashMap.isEmpty(before.cut.confirmed)
      ? Effect.map(clock.now, (since): StoreState.State => ({ ...before, cut: { ...before.cut, since } }))
      : Effect.succeed(before)
  const recent = RecentCommits.make(rememberedCommits)
  const commits = yield* Effect.acquireRelease(PubSub.sliding<Change>(publishedCommits), PubSub.shutdown)
  /** For readers of the feed: one note that there is something new is enough. */
  const news = yield* Effect.acquireRelease(PubSub.sliding<void>(1), PubSub.shutdown)
  const watchers: Array<(commit: StoreState.Commit) => void> = []
  let version = 0
  let forgets = 0
  /** The version up to which every commit survives a loss of power. What an earlier process wrote may not be synced. */
  let settledTo = -1
  // What the file says of origins that never were leaves it with the first commit.
  let unfounded = RowlessOrigins.unfounded(backend.opened, nodeId)
  let state = yield* begun(RowlessOrigins.forget(StoreState.withoutOutdated(backend.opened), unfounded))

  /**
   * Whether the slots of the last batch were all free. Then those of the next are assumed to be, as during an initial
   * transfer, and only read when the backend finds that one is not.
   */
  let wereFree = false

  const write = Effect.fnUntraced(function* (batch: Batch, synced: boolean, quota: Opaque.Quota | undefined) {
    const keep = (planned: StoreState.Commit) => {
      if (!StoreState.isLasting(planned)) return Effect.succeed(planned)
      const commit = withUnfounded(planned)
      return Effect.as(backend.commit(commit, synced), commit)
    }
    const look = Effect.gen(function* () {
      const current = yield* backend.current(batch.operations)
      wereFree = current.size === 0
      const planned = yield* withHistory(Planning.plan(state, current, batch, nodeId, quota), current, batch)
      return yield* Effect.catchTag(keep(planned), "SlotTaken", Effect.die)
    })
    if (!wereFree) return yield* look
    const hoped = Planning.plan(state, StoreState.noneCurrent, batch, nodeId, quota)
    // The backend finds out about the slots that are written, and about no others.
    const isUnsure = hoped.ignored + (hoped.late ?? 0) > 0 || !HashMap.isEmpty(hoped.overQuota)
    return yield* isUnsure ? look : Effect.catchTag(keep(hoped), "SlotTaken", () => look)
  })

  /** With the versions that the local history is to keep. */
  const withHistory = Effect.fnUntraced(function* (
    commit: StoreState.Commit,
    current: StoreState.Current,
    { operations }: Batch
  ) {
    if (history === undefined) return commit
    const known = { self: nodeId, seenBefore: acknowledged.seenBefore }
    const versions = History.superseded(current, operations, commit.writes, known)
    return versions.length === 0 ? commit : { ...commit, superseded: { versions, at: yield* clock.now } }
  })

  const withUnfounded = (commit: StoreState.Commit): StoreState.Commit =>
    unfounded.size === 0
      ? commit
      : {
          ...commit,
          forgotten: new Set([...commit.forgotten, ...unfounded].filter((node) => !commit.moved.has(node)))
        }

  /** The state after a commit that was made, with what was forgotten. */
  const took = (commit: StoreState.Commit) => {
    state = commit.state
    version++
    PubSub.publishUnsafe(news, undefined)
    if (commit.forgotten.size > 0) forgets++
    if (StoreState.isLasting(commit)) unfounded = StoreState.noNodes
    for (const watch of watchers) watch(commit)
  }

  const commit = Effect.fnUntraced(function* (batch: Batch, synced: boolean, quota?: Opaque.Quota) {
    const commit = yield* write(batch, synced, quota)
    if (!StoreState.isLasting(commit) && commit.supersessions.size === 0) return commit
    took(commit)
    if (synced && StoreState.isLasting(commit)) settledTo = version
    const changedOrigins = recent.push(commit.writes, commit.supersessions)
    yield* PubSub.publish(commits, { version, operations: commit.writes, changedOrigins })
    return commit
  }, Effect.uninterruptible)

  /** Writes a state to which no rows came: of it, a new version is published alone. */
  const commitState = Effect.fnUntraced(function* (planned: StoreState.Commit, synced = true) {
    const commit = withUnfounded(planned)
    yield* save(commit, synced)
    yield* tookState(commit)
  }, Effect.uninterruptible)

  /** No row comes, so none comes to a slot that is taken. */
  const save = (commit: StoreState.Commit, synced: boolean) =>
    Effect.catchTag(backend.commit(commit, synced), "SlotTaken", Effect.die)

  const tookState = Effect.fnUntraced(function* (commit: StoreState.Commit) {
    took(commit)
    recent.push([], new Map())
    yield* PubSub.publish(commits, { version, operations: [] })
  })

  const settled = Effect.suspend(() => {
    if (settledTo === version) return Effect.void
    const reached = version
    return Effect.tap(backend.sync, () => Effect.sync(() => (settledTo = Math.max(settledTo, reached))))
  })

  return {
    get state() {
      return state
    },
    get version() {
      return version
    },
    /** The state as sessions see it, but for the tombstones that are to be dropped. */
    view: (): Omit<Snapshot, "isCollecting"> => ({
      version,
      vectorClock: state.vectorClock,
      frontier: state.frontier,
      digest: state.digest,
      holdings: state.holdings,
      purges: state.purges,
      forgets,
      live: state.live,
      ofApplications: state.ofApplications,
      cut: state.cut
    }),
    commit,
    commitState,
    save,
    tookState,
    withUnfounded,
    /** A state that is written with the next commit. */
    note: (next: StoreState.State): void => void (state = next),
    /** Calls `watch` after each commit, before it is published. */
    watch: (watch: (commit: StoreState.Commit) => void): void => void watchers.push(watch),
    since: recent.since,
    settled,
    commits,
    news
  }
})
