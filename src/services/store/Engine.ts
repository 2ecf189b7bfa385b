/**
 * A store over a backend: everything about a store that does not depend on where its rows are.
 *
 * Guarantees:
 * - Writes and paged reads are serial. A read sees the rows and the state of one moment.
 * - The state in memory is what the backend committed last: it changes after the commit, at once, and not at all when the
 *   commit fails. A write that has begun to commit is not interrupted.
 * - A commit is published after it is made, in the order of versions, each version once.
 */
import { Effect, HashMap, PubSub, Random, Semaphore, Stream } from "effect"
import * as Cut from "../../core/replica/Cut.ts"
import * as History from "../../core/replica/History.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import type * as Acknowledgement from "../../core/replica/Acknowledgement.ts"
import * as Replica from "../../core/replica/Replica.ts"
import { parseName } from "../../core/replica/Kind.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as Oddities from "../../core/sync/Oddities.ts"
import type { Kind, Operation } from "../../core/replica/Operation.ts"
import * as Purge from "../../core/replica/Purge.ts"
import { type Position, positionOf, type RangeRequest } from "../../core/replica/Ranges.ts"
import type * as Selection from "../../core/replica/Selection.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Wire from "../../core/sync/Wire.ts"
import { Counters, observe } from "../node/Counters.ts"
import { HlcClock } from "../node/HlcClock.ts"
import { KindMismatch, KindUnknown, StoreUnavailable } from "../node/NodeFailure.ts"
import type { Applied, Audited, Batch, Change, Delta, DeltaRequest, Draft, Policy, Snapshot, Store } from "./Store.ts"
import * as Acknowledged from "./Acknowledged.ts"
import * as Audit from "./Audit.ts"
import type { Backend, Rejoining } from "./Backend.ts"
import { sizeOf } from "./Sizes.ts"
import * as Damage from "./Damage.ts"
import * as Opaque from "./Opaque.ts"
import * as FeedReader from "./FeedReader.ts"
import * as KnownOrigins from "./KnownOrigins.ts"
import * as RecentCommits from "./RecentCommits.ts"
import * as Relays from "./Relays.ts"
import * as Searching from "./Searching.ts"
import * as StoreState from "./StoreState.ts"

/** Commits that a subscriber may be behind. After that it loses the oldest, and sees a gap in the versions. */
const publishedCommits = 1_024

/** How far clocks may be ahead where nothing is configured (ms). */
const usualDriftMs = 300_000

/** Tombstones that one step drops. */
const dropped = 500

/** The rows that an audit reads at a time; others read and write in between. */
const audited = { maxBytes: 1024 * 1024, maxOperations: 500 } as const

/**
 * Where the clock goes on from `high`. After the restore of a backup, readings beyond it may have been issued already, at a wall
 * time that is still to come here: a leap by chance keeps us from issuing one of them again. Once the wall time is there, it
 * leaves no trace.
 */
const resumed = (high: Hlc.Timestamp) =>
  high.wall === 0
    ? Effect.succeed(high)
    : Effect.map(Random.nextIntBetween(0, 2 ** 24), (leap) => ({ wall: high.wall, counter: high.counter + leap }))

export interface Options {
  /** Whether a local write may be of this kind; by default, whether this version has a rule for it. */
  readonly isKnown?: ((kind: Kind) => boolean) | undefined
  /** How far ahead of the wall clock a reading may be issued (ms); by default any time. */
  readonly maxAheadMs?: number | undefined
  /** Commits of which a session that did not look meanwhile can still be told what they wrote; 1,024 by default. */
  readonly rememberedCommits?: number | undefined
  /** What rows of kinds that this node has no use for may take; any size by default. */
  readonly quota?: Opaque.Quota | undefined
  /** How much of the local history is kept; without it, none is. */
  readonly history?: History.Limits | undefined
}

const hasRule = (kind: Kind): boolean => Merge.ruleOf(kind) !== "opaque"

/** How far a purge has come: among the rows of a kind, or in the history of an origin. */
type Place = Position | Hlc.Hlc

/** Rows that one step of a purge found, and where to go on, if there are more. */
interface Step {
  readonly operations: ReadonlyArray<Operation>
  readonly next: Place | undefined
}

/** The store over `backend`. */
export const make = Effect.fnUntraced(function* (
  given: Backend,
  { isKnown = hasRule, maxAheadMs = Infinity, rememberedCommits, quota = Opaque.unlimited, history }: Options = {}
) {
  const clock = yield* HlcClock
  const damage = yield* Damage.make
  /** A replica without rows holds nothing that is older than now. */
  const begun = (before: StoreState.State) =>
    HashMap.isEmpty(before.holdings) && HashMap.isEmpty(before.cut.confirmed)
      ? Effect.map(clock.now, (since): StoreState.State => ({ ...before, cut: { ...before.cut, since } }))
      : Effect.succeed(before)
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
  const recent = RecentCommits.make(rememberedCommits)
  const commits = yield* Effect.acquireRelease(PubSub.sliding<Change>(publishedCommits), PubSub.shutdown)
  /** For readers of the feed: one note that there is something new is enough. */
  const news = yield* Effect.acquireRelease(PubSub.sliding<void>(1), PubSub.shutdown)
  /** For those who wait for acknowledgements, in the same way. */
  const heard = yield* Effect.acquireRelease(PubSub.sliding<void>(1), PubSub.shutdown)
  const { nodeId } = backend
  const relaying = yield* Relays.make(
    nodeId,
    acknowledged.all,
    Effect.sync(() => void PubSub.publishUnsafe(heard, undefined))
  )
  const auditing = yield* Semaphore.make(1)
  const purging = yield* Semaphore.make(1)
  const collecting = yield* Semaphore.make(1)
  let version = 0
  let forgets = 0
  /** The version up to which every commit survives a loss of power. What an earlier process wrote may not be synced. */
  let settledTo = -1
  // What the file says of origins that never were leaves it with the first commit.
  let unfounded = StoreState.unfounded(backend.opened, nodeId)
  let state = yield* begun(StoreState.forget(StoreState.withoutOutdated(backend.opened), unfounded))
  /** Whether tombstones may be here that the cut covers. */
  let isCollecting = !HashMap.isEmpty(state.cut.collected)
  const openedAt = state.cut.isRejoined === true ? Hlc.zero : VectorClock.get(state.vectorClock, nodeId)
  /** The first operation of each origin that the quota keeps out, as far as it was seen since the start or the last purge. */
  let overQuota = VectorClock.empty
  let audit: Audit.Audit | undefined
  let oddities = Oddities.none
  const opening: Oddities.Opening = {
    self: nodeId,
    at: yield* clock.now,
    maxDriftMs: Number.isFinite(maxAheadMs) ? maxAheadMs : usualDriftMs
  }
  yield* clock.witness(yield* resumed(StoreState.highWater(state)))

  const snapshot = (): Snapshot => ({
    version,
    vectorClock: state.vectorClock,
    frontier: state.frontier,
    digest: state.digest,
    holdings: state.holdings,
    purges: state.purges,
    forgets,
    live: state.live,
    ofApplications: state.ofApplications,
    cut: state.cut,
    isCollecting
  })

  /**
   * Whether the slots of the last batch were all free. Then those of the next are taken to be, as they are while a history comes in
   * for the first time, and only looked at when the backend finds that one is not.
   */
  let wereFree = false

  const write = Effect.fnUntraced(function* (batch: Batch, synced: boolean, quota: Opaque.Quota | undefined) {
    const save = (planned: StoreState.Commit) => {
      if (!StoreState.isLasting(planned)) return Effect.succeed(planned)
      const commit = withUnfounded(planned)
      return Effect.as(backend.commit(commit, synced), commit)
    }
    const look = Effect.gen(function* () {
      const held = yield* backend.current(batch.operations)
      wereFree = held.size === 0
      const planned = yield* withHistory(StoreState.plan(state, held, batch, nodeId, quota), held, batch)
      return yield* Effect.catchTag(save(planned), "SlotTaken", Effect.die)
    })
    if (!wereFree) return yield* look
    const hoped = StoreState.plan(state, StoreState.noneCurrent, batch, nodeId, quota)
    // The backend finds out about the slots that are written, and about no others.
    const isUnsure = hoped.ignored + (hoped.late ?? 0) > 0 || !HashMap.isEmpty(hoped.overQuota)
    return yield* isUnsure ? look : Effect.catchTag(save(hoped), "SlotTaken", () => look)
  })

  /** With the versions that the local history is to keep. */
  const withHistory = Effect.fnUntraced(function* (
    commit: StoreState.Commit,
    held: StoreState.Current,
    { operations }: Batch
  ) {
    if (history === undefined) return commit
    const known = { self: nodeId, clockOf: acknowledged.clockOf }
    const versions = History.superseded(held, operations, commit.writes, known)
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
    if (audit !== undefined) audit = Audit.amend(audit, commit)
    const { collected } = state.cut
    if (HashMap.isEmpty(collected)) return
    isCollecting ||= commit.writes.some((operation) => Cut.isCollected(collected, operation))
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
    yield* commit({ operations, coverage: through, quarantined: [] }, true)
    return operations
  })

  const apply = Effect.fn("Store.apply")((batch: Batch, by: "peer" | "owner" = "peer") =>
    Effect.andThen(damage.refused, lock.withPermit(take(batch, by === "peer" ? quota : undefined)))
  )

  const take = Effect.fnUntraced(function* (given: Batch, quota: Opaque.Quota | undefined) {
    const { from } = given
    // The cut may have moved since the session looked, which then ends.
    const isRefused = from !== undefined && Cut.verdict(state.cut, from.told, from.node) !== "admitted"
    const batch: Batch = isRefused ? { operations: [], coverage: VectorClock.empty, quarantined: [] } : given
    let high = Hlc.zero
    for (const { hlc } of batch.operations) high = Hlc.latest(high, hlc)
    for (const reading of HashMap.values(StoreState.evident(state, batch, nodeId))) high = Hlc.latest(high, reading)
    yield* clock.witness({ wall: high.wall, counter: high.counter })
    const before = version
    const taken = yield* commit(batch, false, quota)
    const { writes, conflicts } = taken
    for (const [node, reading] of HashMap.entries(taken.overQuota)) {
      if (HashMap.size(overQuota) < Wire.limits.origins) overQuota = VectorClock.withEarliest(overQuota, node, reading)
    }
    oddities = Oddities.add(oddities, opening, taken)
    return {
      snapshot: snapshot(),
      hasChanged: version > before,
      applied: writes.length,
      conflicts,
      overQuota: taken.overQuota
    } satisfies Applied
  })

  const delta = Effect.fn("Store.delta")((request: DeltaRequest) =>
    request.from.length === 0 ? Effect.sync(() => answer(request, [], 0)) : lock.withPermit(read(request))
  )

  const read = Effect.fnUntraced(function* (request: DeltaRequest) {
    const operations: Array<Operation> = []
    let bytes = 0
    let exhausted = 0
    for (const [node, reading] of request.from) {
      if (Hlc.isAfter(VectorClock.get(state.frontier, node), reading)) {
        const room = {
          bytes: request.maxBytes - bytes,
          operations: request.maxOperations - operations.length,
          atLeastOne: operations.length === 0
        }
        const page = yield* backend.beyond(node, reading, room)
        for (const operation of page.operations) operations.push(operation)
        bytes += page.bytes
        if (!page.exhausted) break
      }
      exhausted++
    }
    return answer(request, operations, exhausted)
  })

  /** Writes a state to which no rows came: of it, a new version is published alone. */
  const commitState = Effect.fnUntraced(function* (planned: StoreState.Commit, synced = true) {
    const commit = withUnfounded(planned)
    yield* saved(commit, synced)
    yield* tookState(commit)
  }, Effect.uninterruptible)

  /** No row comes, so none comes to a slot that is taken. */
  const saved = (commit: StoreState.Commit, synced: boolean) =>
    Effect.catchTag(backend.commit(commit, synced), "SlotTaken", Effect.die)

  const tookState = Effect.fnUntraced(function* (commit: StoreState.Commit) {
    took(commit)
    recent.push([], new Map())
    yield* PubSub.publish(commits, { version, operations: [] })
  })

  const forget = Effect.fnUntraced(function* (origins: ReadonlyArray<NodeId>) {
    const kept = KnownOrigins.keptOf(state, nodeId, origins)
    const forgotten = kept.size > 0 ? StoreState.noNodes : new Set(origins)
    if (forgotten.size > 0) {
      for (const origin of forgotten) yield* backend.eraseVersions({ origin })
      yield* commitState({ ...StoreState.withoutRows, state: StoreState.forget(state, forgotten), forgotten })
    }
    return { forgotten: [...forgotten], kept }
  })

  /** Reads the next rows of the audit; after the last ones, corrects the state. */
  const auditNext = Effect.fnUntraced(function* (before: Audit.Audit) {
    const page = yield* backend.range({ after: before.at, until: undefined, ...audited })
    audit = Audit.add(before, page.operations)
    if (!page.exhausted) return undefined
    const { rows } = audit
    const { state: correct, wrong, moved } = Audit.correct(audit, state, nodeId)
    if (wrong.length > 0) {
      yield* commitState({ ...StoreState.withoutRows, state: correct, moved })
    }
    return { rows, digest: state.digest, corrected: wrong } satisfies Audited
  })

  const withCut = (cut: Cut.Cut) => commitState({ ...StoreState.withoutRows, state: { ...state, cut } })

  const adopt = Effect.fnUntraced(function* (told: Cut.Told) {
    const cut = Cut.adopted(state.cut, told)
    if (cut === undefined) return
    isCollecting ||= !VectorClock.includes(state.cut.collected, cut.collected)
    yield* withCut(cut)
  })

  const move = Effect.fnUntraced(function* (policy: Policy) {
    const { vectorClock, frontier, cut, counts } = state
    if (counts.tombstones === 0) return
    const now = yield* clock.now
    const acknowledgements = yield* acknowledged.all
    const known: Cut.Known = { ...policy, self: nodeId, clock: vectorClock, frontier, acknowledgements, cut, now }
    const without = Cut.notCounted(known)
    const next = Cut.next(known, without, yield* backend.lastTombstones(Cut.candidates(known, without)))
    if (next === cut) return
    isCollecting ||= !VectorClock.includes(cut.collected, next.collected)
    yield* withCut(next)
  })

  /** Drops the next tombstones that the cut covers. How many. */
  const drop = Effect.fnUntraced(function* () {
    if (!isCollecting) return 0
    const operations = yield* backend.someTombstones(state.cut.collected, dropped)
    const isOver = operations.length === 0
    const greatest = yield* backend.lastNumberOf(operations)
    const planned = StoreState.collect(state, operations, greatest)
    const commit = isOver ? planned : withUnfounded(planned)
    if (!isOver) yield* saved(commit, false)
    isCollecting = operations.length === dropped
    // Sessions hear that it is done when there was nothing to drop, too.
    yield* tookState(commit)
    return operations.length
  }, Effect.uninterruptible)

  const collect = Effect.fn("Store.collect")(function* (policy: Policy | undefined) {
    yield* damage.refused
    if (policy !== undefined) yield* lock.withPermit(move(policy))
    let sum = 0
    while (isCollecting) {
      sum += yield* lock.withPermit(drop())
      yield* Effect.yieldNow
    }
    return sum
  })

  let { rejoining } = backend
  /** Writes anew what was held before this node rejoined, and what those that it has met now have never seen. */
  const resume = Effect.fnUntraced(function* ({ read, clear }: Rejoining, seen: VectorClock.VectorClock) {
    let from = 0
    for (;;) {
      const page = yield* read(from, audited.maxOperations)
      const unseen = page.filter(({ hlc }) => !VectorClock.covers(seen, hlc))
      if (unseen.length > 0) yield* lock.withPermit(issue(unseen))
      if (page.length < audited.maxOperations) break
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
        Effect.logWarning("what the others have never seen could not be written yet", error).pipe(
          Effect.andThen(Effect.sync(() => (rejoining = waiting)))
        )
      )
    }
    const cut = Cut.filled(state.cut)
    // It is written with the next commit.
    if (report.agreed !== undefined && cut !== state.cut) state = { ...state, cut }
  })

  const auditAll = Effect.fnUntraced(
    function* () {
      audit = Audit.begin(state.declared)
      for (;;) {
        const done = yield* lock.withPermit(Effect.suspend(() => auditNext(audit ?? Audit.begin(state.declared))))
        if (done !== undefined) return done
        yield* Effect.yieldNow
      }
    },
    Effect.ensuring(Effect.sync(() => (audit = undefined)))
  )

  /** Removes the next rows of a purge, those after `after`. */
  const purgeNext = Effect.fnUntraced(function* (
    run: number,
    scope: Purge.Scope,
    after: Place,
    isDry: boolean
  ): Effect.fn.Return<Step, StoreUnavailable> {
    const { operations, exhausted } =
      "table" in after
        ? // No kind holds a control character.
          yield* backend.range({ after, until: { table: `${after.table}\u0001`, row_id: "", twin: "" }, ...audited })
        : yield* backend.beyond(after.node, after, {
            bytes: audited.maxBytes,
            operations: audited.maxOperations,
            atLeastOne: true
          })
    if (!isDry && (operations.length > 0 || "origin" in scope)) {
      yield* commitState(StoreState.purge(state, run, scope, operations), false)
      // Rows that were kept out may be asked for again: there is room.
      overQuota = VectorClock.empty
    }
    const last = operations.at(-1)
    const next: Place | undefined =
      exhausted || last === undefined ? undefined : "table" in after ? positionOf(last) : last.hlc
    return { operations, next }
  }, Effect.uninterruptible)

  /** Declares kinds, of which some are new or have other columns. */
  const declare = Effect.fnUntraced(function* (all: Opaque.Declared) {
    const fresh = [...all.keys()].filter((kind) => !state.declared.has(kind))
    const gone = [...state.declared.keys()].filter((kind) => !all.has(kind))
    yield* commitState(StoreState.declare(state, all, yield* backend.usageOf(fresh), yield* backend.usageOf(gone)))
  })

  const isDeclared = ([kind, columns]: readonly [string, ReadonlyArray<string>]) =>
    state.declared.get(kind)?.join("\0") === columns.join("\0")

  /** Fails for a kind that is new here while there are rows of the same name with another rule. */
  const checkRules = Effect.fnUntraced(function* (kinds: Opaque.Declared) {
    const there = yield* backend.kinds
    for (const table of kinds.keys()) {
      const kind = parseName(table)
      if (kind === undefined || state.declared.has(table)) continue
      const { name, rule } = kind
      const others = there.flatMap((other) => {
        const one = parseName(other)
        return one?.name === name && one.rule !== rule ? [one.rule] : []
      })
      if (others.length > 0) return yield* new KindMismatch({ kind: name, declared: rule, held: others })
    }
  })

  const declareMore = Effect.fnUntraced(function* (kinds: Opaque.Declared) {
    if ([...kinds].every(isDeclared)) return
    yield* checkRules(kinds)
    yield* declare(new Map([...state.declared, ...kinds]))
  })

  const purge = Effect.fnUntraced(function* (scope: Purge.Scope, isDry: boolean) {
    yield* damage.refused
    // An application that was here has gone.
    if (!isDry && "kind" in scope && state.declared.has(scope.kind)) {
      yield* lock.withPermit(declare(new Map([...state.declared].filter(([kind]) => kind !== scope.kind))))
    }
    const run = Purge.nextRun(state.purges)
    const removed = new Map<NodeId, { rows: number; bytes: number }>()
    let place: Place | undefined =
      "kind" in scope ? { table: scope.kind, row_id: "", twin: "" } : { ...Hlc.zero, node: scope.origin }
    while (place !== undefined) {
      const { operations, next }: Step = yield* lock.withPermit(purgeNext(run, scope, place, isDry))
      for (const operation of operations) {
        const sum = removed.get(operation.hlc.node) ?? { rows: 0, bytes: 0 }
        removed.set(operation.hlc.node, { rows: sum.rows + 1, bytes: sum.bytes + sizeOf(operation) })
      }
      place = next
      yield* Effect.yieldNow
    }
    if (!isDry) yield* lock.withPermit(Effect.andThen(backend.eraseVersions(scope), backend.sync))
    return Array.from(removed, ([origin, sum]) => ({ origin, ...sum }))
  })

  const settled = Effect.suspend(() => {
    if (settledTo === version) return Effect.void
    const reached = version
    return Effect.tap(backend.sync, () => Effect.sync(() => (settledTo = Math.max(settledTo, reached))))
  })

  const answer = ({ since }: DeltaRequest, operations: ReadonlyArray<Operation>, exhausted: number): Delta => ({
    snapshot: snapshot(),
    operations,
    exhausted,
    changedOrigins: recent.since(since)
  })

  return {
    nodeId,
    ownTimestampAtOpen: openedAt,
    append,
    apply,
    sync: lock.withPermit(backend.sync),
    delta,
    snapshot: Effect.sync(snapshot),
    vectorClock: Effect.sync(() => state.vectorClock),
    digest: Effect.sync(() => state.digest),
    changes: Stream.fromPubSub(commits),
    feed: FeedReader.make({
      backend,
      end: () => state.feed,
      alone: (read) => lock.withPermit(read),
      settled,
      commits: news
    }),
    range: Effect.fn("Store.range")((request: RangeRequest) => backend.range(request)),
    get: Effect.fn("Store.get")((kind: Kind, rowId: string) => backend.get(kind, rowId)),
    held: Effect.fn("Store.held")((kind: Kind, rowId: string) => backend.held(kind, rowId)),
    rows: Effect.fn("Store.rows")((kind: Kind, request: Searching.RowsRequest) => backend.rows(kind, request)),
    declared: Effect.sync(() => state.declared),
    declare: Effect.fn("Store.declare")((kinds: Opaque.Declared) => lock.withPermit(declareMore(kinds))),
    kinds: backend.kinds,
    list: Effect.fn("Store.list")((kind: Kind, options: Parameters<Backend["list"]>[1]) => backend.list(kind, options)),
    select: Effect.fn("Store.select")((request: Selection.Request) => backend.select(request)),
    search: Effect.fn("Store.search")((request: Searching.Request) =>
      Effect.map(backend.search(request), (found) => Searching.hitsOf(found, state.counts))
    ),
    index: backend.index,
    indexing: Effect.map(backend.waiting, (waiting) => Searching.indexingOf(waiting, state.counts)),
    oddities: Effect.sync(() => oddities),
    opaque: Effect.sync(() => ({ usage: state.opaque, quota, overQuota })),
    purge: (scope, { isDry = false } = {}) => purging.withPermit(purge(scope, isDry)),
    counts: Effect.sync(() => state.counts),
    acknowledge,
    adopt: Effect.fn("Store.adopt")((told: Cut.Told) => lock.withPermit(adopt(told))),
    noteAway: lock.withPermit(
      Effect.suspend(() => (state.cut.isAway === true ? Effect.void : withCut({ ...state.cut, isAway: true })))
    ),
    collect: (policy) => collecting.withPermit(collect(policy)),
    versions: backend.versions,
    conflicts: backend.versionsInConflict,
    eraseVersions: (scope) => lock.withPermit(backend.eraseVersions(scope)),
    acknowledgements: acknowledged.all,
    relays: relaying.relays,
    listen: Effect.map(PubSub.subscribe(heard), PubSub.take),
    tombstones: Effect.fn("Store.tombstones")((covered: VectorClock.VectorClock) => backend.tombstones(covered)),
    countBeyond: Effect.fn("Store.countBeyond")((clock: VectorClock.VectorClock, most: number) => {
      const { whole, from } = Replica.beyond(state, clock)
      return whole >= most || from.length === 0
        ? Effect.succeed(Math.min(whole, most))
        : Effect.map(backend.countBeyond(from, most - whole), (count) => whole + count)
    }),
    quarantine: backend.quarantine,
    origins: Effect.sync(() => KnownOrigins.list(state, nodeId)),
    forgetOrigins: Effect.fn("Store.forgetOrigins")((origins: ReadonlyArray<NodeId>) =>
      Effect.andThen(damage.refused, lock.withPermit(forget(origins)))
    ),
    audit: auditing.withPermit(auditAll()),
    damage: backend.damage,
    damageFound: damage.found,
    lastCommitFailure: damage.lastCommitFailure,
    damageAwaited: damage.awaited,
    backup: Effect.fn("Store.backup")((file: string) => backend.backup(file))
  } satisfies Store["Service"]
})
