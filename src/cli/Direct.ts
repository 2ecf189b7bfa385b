/**
 * The way of a command to the memory of a node that does not run: through its database.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Clock, Context, Effect, Layer, Option } from "effect"
import * as History from "../core/replica/History.ts"
import * as Archive from "../services/admin/Archive.ts"
import * as Origins from "../services/admin/Origins.ts"
import * as Purging from "../services/admin/Purging.ts"
import * as Verification from "../services/admin/Verification.ts"
import * as ReplicaState from "../services/admin/api/ReplicaState.ts"
import { Memory } from "../services/memory/Memory.ts"
import * as MemoryLive from "../services/memory/MemoryLive.ts"
import * as Config from "../services/node/Config.ts"
import { HlcClock } from "../services/node/HlcClock.ts"
import * as Home from "../services/node/Home.ts"
import * as Summary from "../services/node/Summary.ts"
import * as Removed from "../services/peers/Removed.ts"
import * as LockHolder from "../services/store/LockHolder.ts"
import * as SqliteStore from "../services/store/SqliteStore.ts"
import { Store } from "../services/store/Store.ts"
import { NodeNotRunning } from "./Failure.ts"

/** Opens the database; it is closed with the scope. */
export const open = Effect.fnUntraced(function* (home: string, readOnly: boolean) {
  if (!readOnly) yield* Effect.provide(Home.prepare(home), NodeFileSystem.layer)
  // A list that cannot be read must not stop a command: without it, more nodes count.
  const removedIn = (home: string) => Effect.orElseSucceed(Removed.read(home), () => new Set<never>())
  // A wrong variable must not stop a write.
  const limits = yield* Config.load().pipe(
    Effect.map((settings) => ({
      maxAheadMs: settings.maxClockDriftMs,
      quota: Config.quotaOf(settings),
      history: settings.history ? History.limits : ("off" as const)
    })),
    Effect.orElseSucceed(() => ({}))
  )
  const context = yield* Layer.build(
    MemoryLive.layer.pipe(
      Layer.provideMerge(SqliteStore.layer({ home, readOnly, lockWait: 0, ...limits })),
      Layer.provide([HlcClock.layer, NodeFileSystem.layer])
    )
  )
  return {
    home,
    isRunning: false,
    memory: Context.get(context, Memory),
    archive: Effect.flatMap(Config.load(), Archive.make).pipe(
      Effect.provideService(Store, Context.get(context, Store))
    ),
    verification: Verification.make(Context.get(context, Store)),
    purging: Purging.make(Context.get(context, Store)),
    origins: Origins.make(Context.get(context, Store)),
    status: Effect.gen(function* () {
      const status = yield* ReplicaState.stopped(yield* Config.load(), yield* removedIn(home))
      // A database that is open for writing here is locked by this process.
      const holder = readOnly ? Option.getOrUndefined(yield* LockHolder.find(home)) : undefined
      if (holder === undefined) return status
      const held = { ...status, held_by: holder }
      return { ...held, ...Summary.told(held, yield* Clock.currentTimeMillis) }
    }).pipe(Effect.provideService(Store, Context.get(context, Store)), Effect.provide(NodeFileSystem.layer)),
    peers: Effect.fail(new NodeNotRunning({ home }))
  }
})
