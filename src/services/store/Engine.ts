/**
 * A store over a backend: everything about a store that does not depend on where its rows are. How it commits is in
 * `Committing.ts`.
 *
 * Guarantee: writes and paged reads are serial. A read sees the rows and the state of one moment.
 */
import { Effect, HashMap, PubSub, Semaphore, Stream } from "effect"
import type * as Acknowledgement from "../../core/replica/Acknowledgement.ts"
import * as Cut from "../../core/replica/Cut.ts"
import type * as History from "../../core/replica/History.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Kind, Operation } from "../../core/replica/Operation.ts"
import type { RangeRequest } from "../../core/replica/Ranges.ts"
import * as Replica from "../../core/replica/Replica.ts"
import type * as Selection from "../../core/replica/Selection.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Oddities from "../../core/sync/Oddities.ts"
import * as Wire from "../../core/sync/Wire.ts"
import { Counters, observe } from "../node/Counters.ts"
import { HlcClock, leap } from "../node/HlcClock.ts"
import { KindUnknown, StoreUnavailable } from "../node/NodeFailure.ts"
import * as Acknowledged from "./Acknowledged.ts"
import * as Auditing from "./Auditing.ts"
import type { Backend, Rejoining } from "./Backend.ts"
import * as Collecting from "./Collecting.ts"
import * as Committing from "./Committing.ts"
import * as Damage from "./Damage.ts"
import * as Declaring from "./Declaring.ts"
import * as DeltaReader from "./DeltaReader.ts"
import * as Erasing from "./Erasing.ts"
import * as FeedReader from "./FeedReader.ts"
import * as KnownOrigins from "./KnownOrigins.ts"
import * as OwnCounts from "./OwnCounts.ts"
import * as Opaque from "./Opaque.ts"
import * as Relays from "./Relays.ts"
import * as Searching from "./Searching.ts"
import { readAtOnce } from "./Sizes.ts"
import type { Applied, Batch, Draft, Snapshot, Store } from "./Store.ts"
import * as StoreState from "./StoreState.ts"
import * as RowlessOrigins from "./RowlessOrigins.ts"

/** How far clocks may be ahead where nothing is configured (ms). */
const usualDriftMs = 300_000

export interface Options {
  /** Whether a local write may be of this kind; by default, whether this version has a rule for it. */
  readonly isKnown?: ((kind: Kind) => boolean) | undefined
  /** How far ahead of the wall clock a timestamp may be issued (ms); by default any time. */
  readonly maxAheadMs?: number | undefined
  /** Commits of which a session that did not look meanwhile can still be told what they wrote; 1,024 by default. */
  readonly rememberedCommits?: number | undefined
  /** What rows of kinds that this node has no use for may take; any size by default. */
  readonly quota?: Opaque.Quota | undefined
  /** How much of the local history is kept; without it, none is. */
  readonly history?: History.Limits | undefined
}

const hasRule = (kind: Kind): boolean => Merge.ruleOf(kind) !== "opaque"

/** The store over `backend`. */
export const make = Effect.fnUntraced(function* (
  given: Backend,
  { isKnown = hasRule, maxAheadMs = Infinity, rememberedCommits, quota = Opaque.unlimited, history }: Options = {}
) {
  const clock = yield* HlcClock
  const damage = yield* Damage.make
  const watched = Damage.watched(given, damage)
  const counters = yield* Counters
  const backend: Backend = {
    ...watched,
    commit: (commit, synced) =>
      Effect.suspend(() => {
        const began = performance.now()
        return Effect.ensuring(
          watched.commit(commit, synced),
          Effect.sync(() => observe(counters.commits, (performance.now() - began) / 1000))
        )
      })
  }
  yield* Effect.forkScoped(Effect.ignore(backend.upkeep))
  const acknowledged = yield* Acknowledged.make(backend)
  const lock = yield* Semaphore.make(1)
  /** For those who wait for acknowledgements: one note that there are new ones is enough. */
  const heard = yield* Effect.acquireRelease(PubSub.sliding<void>(1), PubSub.shutdown)
  const { nodeId } = backend
  const relaying = yield* Relays.make(
    nodeId,
    acknowledged.all,
    Effect.sync(() => void PubSub.publishUnsafe(heard, undefined))
  )
  const committing = yield* Committing.make({ backend, acknowledged, rememberedCommits, history })
  const collecting = yield* Collecting.make({ backend, committing, acknowledged, lock, damage })
  const snapshot = (): Snapshot => ({ ...committing.view(), isCollecting: collecting.isCollecting() })
  const declaring = Declaring.make(backend, committing)
  const { state: opened } = committing
  const ownTimestampAtOpen = opened.cut.isRejoined === true ? Hlc.zero : VectorClock.get(opened.vectorClock, nodeId)
  /**
   * The first operation of each origin that the quota keeps out, as far as it was seen since the start or the last
   * purge.
   */
  let overQuota = VectorClock.empty
  let oddities = Oddities.none
  const opening: Oddities.Opening = {
    self: nodeId,
    at: yield* clock.now,
    maxDriftMs: Number.isFinite(maxAheadMs) ? maxAheadMs : usualDriftMs
  }
  yield* clock.witness(yield* leap(StoreState.highWater(opened)))

  const append = Effect.fn("Store.append")(function* (drafts: ReadonlyArray<Draft>) {
    if (drafts.length === 0) return []
    yield* damage.refused
    // What no rule is known for could never be read again. From peers it is taken, and passed on.
    const unknown = drafts.find(({ table }) => !isKnown(table))
    if (unknown !== undefined) return yield* new KindUnknown({ kind: unknown.table })
    return yield* lock.withPermit(issue(drafts))
  })

  const issue = Effect.fnUntraced(function* (drafts: ReadonlyArray<Draft>) {
    // No other node would take such an operation before its time, nor later ones.
    const ahead = (yield* clock.timestamp).wall - (yield* clock.now)
    if (ahead > maxAheadMs) {
      const detail = `the last timestamp of this node is ${Math.round(ahead / 1000)} s ahead of the clock of this machine`
      return yield* new StoreUnavailable({ reason: "clock ahead", detail })
    }
    const operations: Array<Operation> = []
    let last = Hlc.zero
    for (const { op_id, table, op_type, row_id, data } of drafts) {
      last = yield* clock.issue
      const hlc = { ...last, node: nodeId }
      operations.push({ op_id, table, op_type, row_id, data, hlc, timestamp: last.wall / 1000 })
    }
    const through = VectorClock.advance(VectorClock.empty, nodeId, last)
    yield* committing.commit({ operations, coverage: through, quarantined: [] }, true)
    return operations
  })

  const apply = Effect.fn("Store.apply")((batch: Batch, by: "peer" | "owner" = "peer") =>
    Effect.andThen(damage.refused, lock.withPermit(take(batch, by === "peer" ? quota : undefined)))
  )

  const take = Effect.fnUntraced(function* (given: Batch, quota: Opaque.Quota | undefined) {
    const { from } = given
    // The cut may have moved since the session looked, which then ends.
    const isRefused = from !== undefined && Cut.verdict(committing.state.cut, from.told, from.node) !== "admitted"
    const batch: Batch = isRefused ? { operations: [], coverage: VectorClock.empty, quarantined: [] } : given
    let high = Hlc.zero
    let own = VectorClock.get(batch.coverage, nodeId)
    for (const { hlc } of batch.operations) {
      high = Hlc.latest(high, hlc)
      if (hlc.node === nodeId) own = Hlc.latest(own, hlc)
    }
    for (const timestamp of HashMap.values(RowlessOrigins.evident(committing.state, batch, nodeId)))
      high = Hlc.latest(high, timestamp)
    yield* clock.witness({ wall: high.wall, counter: high.counter })
    // What we wrote and lost: a peer that cannot send all of it claims it up to just below the rest.
    if (Hlc.isAfter(own, VectorClock.get(committing.state.vectorClock, nodeId))) yield* clock.witness(yield* leap(own))
    const before = committing.version
    const taken = yield* committing.commit(batch, false, quota)
    const { writes, conflicts } = taken
    for (const [node, timestamp] of HashMap.entries(taken.overQuota)) {
      if (HashMap.size(overQuota) < Wire.limits.origins)
        overQuota = VectorClock.withEarliest(overQuota, node, timestamp)
    }
    oddities = Oddities.add(oddities, opening, taken)
    return {
      snapshot: snapshot(),
      hasChanged: committing.version > before,
      applied: writes.length,
      conflicts,
      overQuota: taken.overQuota
    } satisfies Applied
  })

  const forget = Effect.fnUntraced(function* (origins: ReadonlyArray<NodeId>) {
    const kept = KnownOrigins.keptOf(committing.state, nodeId, origins)
    const forgotten = kept.size > 0 ? StoreState.noNodes : new Set(origins)
    if (forgotten.size > 0) {
      for (const origin of forgotten) yield* backend.eraseVersions({ origin })
      yield* committing.commitState({
        ...StoreState.withoutRows,
        state: RowlessOrigins.forget(committing.state, forgotten),
        forgotten
      })
    }
    return { forgotten: [...forgotten], kept }
  })

  let { rejoining } = backend
  /** Writes anew what was held before this node rejoined, and what those that it has met now have never seen. */
  const resume = Effect.fnUntraced(function* ({ read, clear }: Rejoining, seen: VectorClock.VectorClock) {
    let from = 0
    for (;;) {
      const page = yield* read(from, readAtOnce.maxOperations)
      const unseen = page.filter(({ hlc }) => !VectorClock.covers(seen, hlc))
      if (unseen.length > 0) yield* lock.withPermit(issue(unseen))
      if (page.length < readAtOnce.maxOperations) break
      from += page.length
    }
    yield* clear
  })

  const acknowledge = Effect.fnUntraced(function* (report: Acknowledgement.Report) {
    yield* acknowledged.note(report)
    PubSub.publishUnsafe(heard, undefined)
    yield* relaying.heard
    const waiting = rejoining
    if (waiting !== undefined && report.confirmed !== undefined && !HashMap.isEmpty(report.confirmed)) {
      rejoining = undefined
      yield* Effect.catch(resume(waiting, report.clock), (error) =>
        Effect.logWarning("rejoin: could not yet rewrite rows that other nodes have not seen", error).pipe(
          Effect.andThen(Effect.sync(() => (rejoining = waiting)))
        )
      )
    }
    if (report.agreed !== undefined) collecting.noteFilled()
  })

  const read = DeltaReader.make(backend, committing, snapshot, lock)
  const purge = yield* Erasing.make({
    backend,
    committing,
    lock,
    damage,
    withdraw: declaring.withdraw,
    // Rows that were kept out may be asked for again: there is room.
    cleared: () => (overQuota = VectorClock.empty)
  })
  const audit = yield* Auditing.make(backend, committing, lock)

  return {
    nodeId,
    ownTimestampAtOpen,
    append,
    apply,
    sync: lock.withPermit(backend.sync),
    delta: Effect.fn("Store.delta")(read),
    snapshot: Effect.sync(snapshot),
    vectorClock: Effect.sync(() => committing.state.vectorClock),
    digest: Effect.sync(() => committing.state.digest),
    changes: Stream.fromPubSub(committing.commits),
    feed: FeedReader.make({
      backend,
      end: () => committing.state.feed,
      alone: (read) => lock.withPermit(read),
      settled: committing.settled,
      commits: committing.news
    }),
    range: Effect.fn("Store.range")((request: RangeRequest) => backend.range(request)),
    get: Effect.fn("Store.get")((kind: Kind, rowId: string) => backend.get(kind, rowId)),
    currentOfRow: Effect.fn("Store.currentOfRow")((kind: Kind, rowId: string) => backend.currentOfRow(kind, rowId)),
    rows: Effect.fn("Store.rows")((kind: Kind, request: Searching.RowsRequest) => backend.rows(kind, request)),
    declared: Effect.sync(() => committing.state.declared),
    declare: Effect.fn("Store.declare")((kinds: Opaque.Declared) => lock.withPermit(declaring.declareMore(kinds))),
    kinds: backend.kinds,
    list: Effect.fn("Store.list")((kind: Kind, options: Parameters<Backend["list"]>[1]) => backend.list(kind, options)),
    select: Effect.fn("Store.select")((request: Selection.Request) => backend.select(request)),
    search: Effect.fn("Store.search")((request: Searching.Request) =>
      Effect.map(backend.search(request), (found) => Searching.hitsOf(found, committing.state.counts))
    ),
    index: backend.index,
    indexing: Effect.map(backend.waiting, (waiting) => Searching.indexingOf(waiting, committing.state.counts)),
    oddities: Effect.sync(() => oddities),
    opaque: Effect.sync(() => ({ usage: committing.state.opaque, quota, overQuota })),
    purge,
    counts: Effect.sync(() => committing.state.counts),
    ownCounts: OwnCounts.make(backend, committing),
    acknowledge,
    adopt: collecting.adopt,
    noteAway: collecting.noteAway,
    collect: collecting.collect,
    versions: backend.versions,
    conflicts: backend.versionsInConflict,
    deleted: backend.deleted,
    eraseVersions: (scope) => lock.withPermit(backend.eraseVersions(scope)),
    acknowledgements: acknowledged.all,
    relays: relaying.relays,
    listen: Effect.map(PubSub.subscribe(heard), PubSub.take),
    tombstones: Effect.fn("Store.tombstones")((covered: VectorClock.VectorClock) => backend.tombstones(covered)),
    countBeyond: Effect.fn("Store.countBeyond")((clock: VectorClock.VectorClock, most: number) => {
      const { whole, from } = Replica.beyond(committing.state, clock)
      return whole >= most || from.length === 0
        ? Effect.succeed(Math.min(whole, most))
        : Effect.map(backend.countBeyond(from, most - whole), (count) => whole + count)
    }),
    quarantine: backend.quarantine,
    origins: Effect.sync(() => KnownOrigins.list(committing.state, nodeId)),
    forgetOrigins: Effect.fn("Store.forgetOrigins")((origins: ReadonlyArray<NodeId>) =>
      Effect.andThen(damage.refused, lock.withPermit(forget(origins)))
    ),
    audit,
    damage: backend.damage,
    damageFound: damage.found,
    lastCommitFailure: damage.lastCommitFailure,
    damageAwaited: damage.awaited,
    backup: Effect.fn("Store.backup")((file: string) => backend.backup(file))
  } satisfies Store["Service"]
})
