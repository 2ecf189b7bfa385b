/**
 * How a command gets at the memory of a node: through the node when it runs, else on its database directly. Commands are
 * written once, against `Memory`.
 *
 * Two writers are never possible: the database is locked by whoever writes to it. While somebody else holds the lock and no
 * node answers (one is starting or stopping, or another command is at work), both ways are tried again for a while.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, Layer, Option, Schedule } from "effect"
import { existsSync } from "node:fs"
import type { Archive } from "../services/Archive.ts"
import * as Config from "../services/Config.ts"
import type { ConfigInvalid, StoreUnavailable } from "../services/Failure.ts"
import * as Home from "../services/Home.ts"
import type { Memory } from "../services/Memory.ts"
import type { NodeStatus, PeerStatus } from "../services/Status.ts"
import type { Verification } from "../services/Verification.ts"
import { NodeNotRunning } from "./Failure.ts"
import * as Globals from "./Globals.ts"

export interface Access {
  readonly home: string
  readonly isRunning: boolean
  readonly memory: Memory["Service"]
  readonly archive: Effect.Effect<Archive, ConfigInvalid>
  readonly verification: Verification
  readonly status: Effect.Effect<NodeStatus, StoreUnavailable | ConfigInvalid>
  readonly peers: Effect.Effect<ReadonlyArray<PeerStatus>, StoreUnavailable | NodeNotRunning>
}

/** To read, or to write: what is only read is not locked. */
export type Purpose = "read" | "write"

/** Opens the way to the memory; it is closed with the scope. */
export const open = Effect.fn("Access.open")(function* (purpose: Purpose) {
  const home = yield* Config.loadHome(yield* Globals.Home)
  return yield* Effect.suspend(() => attempt(home, purpose)).pipe(
    Effect.retry({
      while: (error) => error._tag === "StoreUnavailable" && error.reason === "locked",
      schedule: Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "5 seconds" }))
    })
  )
})

const attempt = Effect.fnUntraced(function* (home: string, purpose: Purpose) {
  const node = yield* running(home)
  if (Option.isSome(node)) return node.value
  if (purpose === "write") return yield* direct(home, false)
  // A database that is not there yet, or is of an older version, is made or changed, also to read.
  return yield* Effect.catchTag(direct(home, true), "StoreUnavailable", () => direct(home, false))
})

/** The node that runs there. What is needed to talk to it is loaded only when there may be one. */
const running = Effect.fnUntraced(function* (home: string) {
  if (!existsSync(Home.paths(home).socket)) return Option.none<Access>()
  const Client = yield* Effect.promise(() => import("../services/api/Client.ts"))
  return Option.map(yield* Client.connect(home), ({ memory, archive, verification, status, peers }): Access => ({
    home,
    isRunning: true,
    memory,
    archive: Effect.succeed(archive),
    verification,
    status,
    peers
  }))
})

const direct = Effect.fnUntraced(function* (home: string, readOnly: boolean) {
  const [{ Store }, { Memory }, { Clock }, Archive, Verification, ReplicaState] = yield* Effect.promise(() =>
    Promise.all([
      import("../services/Store.ts"),
      import("../services/Memory.ts"),
      import("../services/Clock.ts"),
      import("../services/Archive.ts"),
      import("../services/Verification.ts"),
      import("../services/api/ReplicaState.ts")
    ])
  )
  if (!readOnly) yield* Effect.provide(Home.prepare(home), NodeFileSystem.layer)
  const context = yield* Layer.build(
    Memory.layer.pipe(
      Layer.provideMerge(Store.layerSqlite({ home, readOnly, lockWait: 0 })),
      Layer.provide([Clock.layer, NodeFileSystem.layer])
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
    status: Effect.flatMap(Config.load(), ReplicaState.stopped).pipe(
      Effect.provideService(Store, Context.get(context, Store))
    ),
    peers: Effect.fail(new NodeNotRunning({ home }))
  } satisfies Access
})
