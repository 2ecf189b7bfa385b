/**
 * Places to keep a store, for tests that are to hold wherever it is kept.
 */
import { afterAll, assert, beforeAll } from "@effect/vitest"
import { Context, Effect, HashMap, Layer, type Scope } from "effect"
import { cp, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Limits } from "../../src/core/replica/History.ts"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import * as Merge from "../../src/core/replica/Merge.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import type { Operation } from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import type { StoreUnavailable } from "../../src/services/node/NodeFailure.ts"
import { type Batch, type DeltaRequest, Store } from "../../src/services/store/Store.ts"
import * as MemoryDisk from "../../src/services/store/MemoryDisk.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"
import * as SqliteStore from "../../src/services/store/SqliteStore.ts"

export type StoreService = Store["Service"]

/** Where a store is kept: it can be opened again and again. */
export interface Place {
  /** Opens the store, with a clock of its own, until the scope closes. */
  readonly open: Effect.Effect<StoreService, StoreUnavailable, Scope.Scope>
  /** A name for a backup, and the store that is in it. */
  readonly backup: { readonly file: string; readonly open: Place["open"] }
}

/** Opens a layer as a new process would: nothing is shared with an earlier opening. */
export const opened = (layer: Layer.Layer<Store, StoreUnavailable, HlcClock>): Place["open"] =>
  Effect.map(Layer.build(Layer.fresh(Layer.provide(layer, HlcClock.layer))), (context) => Context.get(context, Store))

/** A directory that is removed when the scope closes. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "store-"))),
  (directory) => Effect.promise(() => rm(directory, { recursive: true, force: true }))
)

/** In memory, on a disk of its own. */
export const inMemory = Effect.sync((): Place => {
  const disk = MemoryDisk.make()
  const copy = Effect.suspend(() => opened(MemoryStore.layer({ disk: disk.backups.get("copy") })))
  return { open: opened(MemoryStore.layer({ disk })), backup: { file: "copy", open: copy } }
})

/** In a SQLite file. */
export const onDisk = Effect.map(temporaryDirectory, (directory): Place & { readonly home: string } => {
  const home = join(directory, "home")
  const copy = join(directory, "copy")
  return {
    home,
    open: opened(SqliteStore.layer({ home })),
    backup: { file: join(copy, "sync.db"), open: opened(SqliteStore.layer({ home: copy })) }
  }
})

/** A data directory that is made once for a file of tests, of which each test gets a copy. */
export const madeOnce = <A>(make: (home: string) => Effect.Effect<A, unknown>) => {
  let original: string
  let made: A
  beforeAll(async () => {
    original = await mkdtemp(join(tmpdir(), "store-"))
    made = await Effect.runPromise(make(original))
  })
  afterAll(() => rm(original, { recursive: true, force: true }))
  return Effect.tap(
    Effect.map(onDisk, ({ home }) => ({ home, made })),
    ({ home }) => Effect.promise(() => cp(original, home, { recursive: true }))
  )
}

/** Every place. */
export const places = [
  { name: "in memory", make: inMemory },
  { name: "SQLite", make: onDisk }
]

/** Every place, with a local history. */
export const placesWithHistory = (history: Limits) => [
  {
    name: "in memory",
    open: Effect.map(
      Effect.sync(() => MemoryDisk.make()),
      (disk) => opened(MemoryStore.layer({ disk, history }))
    )
  },
  {
    name: "SQLite",
    open: Effect.map(temporaryDirectory, (directory) =>
      opened(SqliteStore.layer({ home: join(directory, "home"), history }))
    )
  }
]

/** Timestamps, clocks, batches and requests in short. */
export const at = (wall: number, counter = 0): Hlc.Timestamp => ({ wall, counter })
export const clockOf = (entries: Record<string, Hlc.Timestamp>) =>
  VectorClock.fromEntries(Object.entries(entries).map(([origin, timestamp]) => [NodeId.make(origin), timestamp]))
export const batch = (operations: ReadonlyArray<Operation>, through: Record<string, Hlc.Timestamp> = {}): Batch => ({
  operations,
  coverage: clockOf(through),
  quarantined: []
})
export const request = (from: Record<string, Hlc.Timestamp>, limits: Partial<DeltaRequest> = {}): DeltaRequest => ({
  from: Object.entries(from).map(([origin, timestamp]) => [NodeId.make(origin), timestamp]),
  since: 0,
  maxBytes: 1e9,
  maxOperations: 1e6,
  ...limits
})

/** Everything that a store holds of some origins. */
export const everything = Effect.fnUntraced(function* (store: StoreService) {
  const { frontier } = yield* store.snapshot
  const from = Array.from(HashMap.keys(frontier), (origin) => [origin, Hlc.zero] as const)
  return (yield* store.delta({ ...request({}), from })).operations
})

/** All of a store that is to survive. */
export const described = Effect.fnUntraced(function* (store: StoreService) {
  const { vectorClock: clock, frontier, digest } = yield* store.snapshot
  const operations = yield* everything(store)
  const state = Merge.merge(new Map(), operations)
  assert.strictEqual(state.size, operations.length)
  return {
    nodeId: store.nodeId,
    clock: VectorClock.toRecord(clock),
    frontier: VectorClock.toRecord(frontier),
    digest,
    state,
    counts: yield* store.counts,
    quarantine: yield* store.quarantine
  }
})
