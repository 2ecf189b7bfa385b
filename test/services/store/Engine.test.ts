/**
 * The engine over a backend that is slow or fails, at the point that matters.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as ChangedOrigins from "../../../src/core/replica/ChangedOrigins.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import { StoreUnavailable } from "../../../src/services/node/NodeFailure.ts"
import type { Backend } from "../../../src/services/store/Backend.ts"
import * as Engine from "../../../src/services/store/Engine.ts"
import * as Opaque from "../../../src/services/store/Opaque.ts"
import * as StoreState from "../../../src/services/store/StoreState.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, clockOf, request } from "../../support/Stores.ts"

const a = node("a")
const full = new StoreUnavailable({ reason: "disk full", detail: "" })

/** A backend that remembers what it was given to commit. */
const recording = (commit: (count: number) => Effect.Effect<void, StoreUnavailable>) => {
  const commits: Array<{ readonly rows: ReadonlyArray<string>; readonly synced: boolean }> = []
  const backend: Backend = {
    nodeId: NodeId.make("here"),
    opened: StoreState.empty,
    feedId: "here",
    committedAfter: (number) => Effect.succeed({ operations: [], number }),
    lastNumberOf: () => Effect.succeed(0),
    versions: () => Effect.succeed([]),
    versionsInConflict: () => Effect.succeed([]),
    deleted: () => Effect.succeed([]),
    eraseVersions: () => Effect.void,
    current: () => Effect.succeed(new Map()),
    currentOfRow: () => Effect.succeed([]),
    rows: () => Effect.succeed([]),
    kinds: Effect.succeed([]),
    ownCounts: Effect.succeed(new Map()),
    usageOf: () => Effect.succeed(Opaque.nothing),
    commit: ({ writes }, synced) =>
      Effect.suspend(() => commit(commits.push({ rows: writes.map(({ row_id }) => row_id), synced }))),
    sync: Effect.void,
    beyond: () => Effect.succeed({ operations: [], bytes: 0, exhausted: true }),
    range: () => Effect.succeed({ operations: [], exhausted: true }),
    get: () => Effect.succeed(Option.none()),
    list: () => Effect.succeed([]),
    select: () => Effect.succeed({ operations: [], isMore: false }),
    search: () => Effect.succeed({ hits: [], isMore: false, waiting: 0 }),
    index: Effect.void,
    waiting: Effect.succeed(0),
    damage: Effect.succeed([]),
    acknowledged: [],
    acknowledge: () => Effect.void,
    countBeyond: () => Effect.succeed(0),
    tombstones: () => Effect.succeed(0),
    lastTombstones: () => Effect.succeed(clockOf({})),
    someTombstones: () => Effect.succeed([]),
    quarantine: Effect.succeed([]),
    backup: () => Effect.void,
    upkeep: Effect.void
  }
  return { backend, commits }
}

describe("Engine", () => {
  it.effect("syncs local writes, and not what came from peers", () =>
    Effect.gen(function* () {
      const { backend, commits } = recording(() => Effect.void)
      const store = yield* Engine.make(backend)
      yield* store.append([draft("r1"), draft("r2")])
      yield* store.apply(batch([write(a, at(1), "r3")]))
      assert.deepStrictEqual(commits, [
        { rows: ["r1", "r2"], synced: true },
        { rows: ["r3"], synced: false }
      ])
    }).pipe(Effect.provide(HlcClock.layer))
  )

  it.effect("two lives that begin from one backup, at a time still to come here, issue no timestamp twice", () =>
    Effect.gen(function* () {
      const high = at(1_000_000)
      const opened = { ...StoreState.empty, frontier: clockOf({ here: high }) }
      const live = Effect.gen(function* () {
        const { backend } = recording(() => Effect.void)
        const [operation] = yield* (yield* Engine.make({ ...backend, opened })).append([draft("r1")])
        return operation?.hlc
      }).pipe(Effect.scoped, Effect.provide(Layer.fresh(HlcClock.layer)))
      const [one, other] = [yield* live, yield* live]
      assert.isTrue(one !== undefined && Hlc.isAfter(one, high))
      assert.notDeepEqual(one, other)
    })
  )

  it.effect.each([
    ["claims it up to just below what it cannot send", [], Hlc.predecessor(at(1_000_000))],
    ["sends the part of it that it can", [write(node("here"), at(999_999), "r1")], at(999_999, 3)]
  ] as const)("goes on beyond what it wrote and lost, if a peer %s", ([, operations, known]) =>
    Effect.gen(function* () {
      const first = Hlc.plus(known, 1)
      const store = yield* Engine.make(recording(() => Effect.void).backend)
      yield* store.apply(batch(operations, { here: known }))
      const [operation] = yield* store.append([draft("r2")])
      assert.isTrue(operation !== undefined && Hlc.isAfter(operation.hlc, first))
      // What came before the last write has nothing more to tell.
      yield* store.apply(batch(operations, { here: known }))
      const [next] = yield* store.append([draft("r3")])
      assert.deepStrictEqual(next?.hlc, operation && { ...Hlc.plus(operation.hlc, 1), node: store.nodeId })
    }).pipe(Effect.provide(HlcClock.layer))
  )

  it.effect("a commit that has begun is accounted for, although its caller has gone", () =>
    Effect.gen(function* () {
      const { backend, commits } = recording(() => Effect.sleep("1 second"))
      const store = yield* Engine.make(backend)
      const writer = yield* Effect.forkChild(store.append([draft("r1")]), { startImmediately: true })
      const waiting = yield* Effect.forkChild(store.append([draft("r2")]), { startImmediately: true })
      assert.lengthOf(commits, 1)
      const published = yield* store.changes.pipe(
        Stream.take(1),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      yield* Fiber.interrupt(waiting)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(writer), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interrupting)
      assert.strictEqual((yield* store.snapshot).version, 1)
      assert.lengthOf(yield* Fiber.join(published), 1)
      assert.lengthOf(commits, 1)
    }).pipe(Effect.provide(HlcClock.layer))
  )

  it.effect("a commit that fails leaves no trace: no state, no version, nothing published", () =>
    Effect.gen(function* () {
      const { backend } = recording((count) => (count === 2 ? Effect.void : Effect.fail(full)))
      const store = yield* Engine.make(backend)
      const before = yield* store.snapshot
      const published = yield* store.changes.pipe(
        Stream.take(1),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      assert.strictEqual(yield* Effect.flip(store.append([draft("r1")])), full)
      assert.deepStrictEqual(yield* store.snapshot, before)
      const [operation] = yield* store.append([draft("r2")])
      // The timestamp that the failed write took is not issued again.
      assert.deepStrictEqual(operation?.hlc, { ...at(0, 2), node: store.nodeId })
      const operations = operation ? [operation] : []
      const changedOrigins = ChangedOrigins.of(operations, new Map())
      assert.deepStrictEqual(yield* Fiber.join(published), [{ version: 1, operations, changedOrigins }])
    }).pipe(Effect.provide(HlcClock.layer))
  )

  it.effect("a read waits for the write before it, unless it asks for no rows", () =>
    Effect.gen(function* () {
      const { backend } = recording(() => Effect.sleep("1 second"))
      const store = yield* Engine.make(backend)
      yield* Effect.forkChild(store.append([draft("r1")]), { startImmediately: true })
      assert.strictEqual((yield* store.delta(request({}))).snapshot.version, 0)
      const reading = yield* Effect.forkChild(store.delta(request({ here: at(0) })), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(reading)).snapshot.version, 1)
    }).pipe(Effect.provide(HlcClock.layer))
  )
})
