/**
 * How a command gets at the memory of a node: through the node when it runs, else on its database directly. Commands
 * are written once, against `Memory`.
 *
 * Two writers are never possible: a process that writes to the database locks it. While another process holds the lock
 * and no node answers (one is starting or stopping, or another command is at work), both ways are tried again for a
 * while.
 */
import { Context, type Duration, Effect, Option, Schedule } from "effect"
import { existsSync, statSync } from "node:fs"
import type { Client } from "../services/admin/api/Client.ts"
import type { Archive } from "../services/admin/Archive.ts"
import { canMakeFiles } from "../services/node/DiskRoom.ts"
import * as Config from "../services/node/Config.ts"
import { type ConfigInvalid, StoreUnavailable } from "../services/node/NodeFailure.ts"
import * as Home from "../services/node/Home.ts"
import type { Memory } from "../services/memory/Memory.ts"
import type { NodeStatus, PeerStatus } from "../services/node/Status.ts"
import * as LockHolder from "../services/store/LockHolder.ts"
import type { Origins } from "../services/admin/Origins.ts"
import type { Purging } from "../services/admin/Purging.ts"
import type { Verification } from "../services/admin/Verification.ts"
import { HomeNotFound, NodeNotRunning } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import { writeError } from "./Output.ts"

export interface Access {
  readonly home: string
  readonly isRunning: boolean
  readonly memory: Memory["Service"]
  readonly archive: Effect.Effect<Archive, ConfigInvalid>
  readonly verification: Verification
  readonly purging: Purging
  readonly origins: Origins
  readonly status: Effect.Effect<NodeStatus, StoreUnavailable | ConfigInvalid>
  readonly peers: Effect.Effect<ReadonlyArray<PeerStatus>, StoreUnavailable | NodeNotRunning>
}

/**
 * What a command needs: to read, without a lock; to maintain derived data like an index; to change existing rows; or to
 * write new rows. Only the last makes a data directory that is not there.
 */
export type Purpose = "read" | "maintain" | "change" | "write"

/** How a command gets at a data directory. Tests have their own. */
export const Opener = Context.Reference("feral-sync/cli/Access/Opener", {
  defaultValue: () => ({ open: (home: string, purpose: Purpose) => attempt(home, purpose) })
})

/** When it is tried again. A crowd that tries too often keeps the processor from the process that has the lock. */
const again = (patience: Duration.Input) =>
  Schedule.min([Schedule.exponential("50 millis", 1.5), Schedule.spaced("500 millis")]).pipe(
    Schedule.jittered,
    Schedule.upTo({ duration: patience })
  )

/** Opens the way to the memory; it is closed with the scope. `patience` is how long to wait for the lock. */
export const open = Effect.fn("Access.open")(function* (purpose: Purpose, patience: Duration.Input = "5 seconds") {
  const home = yield* Config.loadHome(yield* Globals.Home)
  const opener = yield* Opener
  return yield* Effect.suspend(() => opener.open(home, purpose)).pipe(
    Effect.retry({
      while: (error) => error._tag === "StoreUnavailable" && error.reason === "locked",
      schedule: again(patience)
    }),
    Effect.catchTag("StoreUnavailable", (error) =>
      error.reason === "locked" ? heldBy(home, error) : Effect.fail(error)
    )
  )
})

/** The same failure, which names the process that is in the way. */
const heldBy = Effect.fnUntraced(function* (home: string, { cause }: StoreUnavailable) {
  const holder = LockHolder.describe(yield* LockHolder.find(home))
  const detail = `${home} is locked by ${holder}, which does not answer`
  return yield* new StoreUnavailable({ reason: "locked", detail, cause })
})

const attempt = Effect.fnUntraced(function* (home: string, purpose: Purpose) {
  yield* Home.mustBePossible(home)
  const node = yield* running(home)
  if (Option.isSome(node)) return node.value
  if (purpose === "write") {
    const isNew = yield* isMissing(home)
    const access = yield* direct(home, false)
    if (isNew && !(yield* Globals.Json)) yield* writeError(`Created a new node in ${home}`)
    return access
  }
  yield* exists(home)
  if (purpose === "change") return yield* direct(home, false)
  // A backup, the directory of another user, or a full disk: it can still be read.
  if (!canMakeFiles(Home.paths(home).database)) return yield* direct(home, true)
  if (purpose === "maintain") return yield* direct(home, false)
  // A database of an older version is changed, also to read.
  return yield* Effect.catchTag(direct(home, true), "StoreUnavailable", () => direct(home, false))
})

/** Whether the database is missing. An error here comes again when it is opened, with its cause. */
const isMissing = (home: string) => Effect.sync(() => isAbsent(Home.paths(home).database))

/** Fails when there is nothing to read. Nothing is made. */
export const exists = Effect.fnUntraced(function* (home: string) {
  if (yield* isMissing(home)) return yield* new HomeNotFound({ home, isEmpty: existsSync(home) })
})

const isAbsent = (path: string): boolean => {
  try {
    statSync(path)
    return false
  } catch (error) {
    return Home.codeOf(error) === "ENOENT"
  }
}

/** Whether a node runs there now: quicker than to connect. */
export const isRunning = Effect.fnUntraced(function* (home: string) {
  if (!existsSync(Home.paths(home).socket)) return false
  const { isRunning } = yield* Effect.promise(() => import("../services/admin/api/Client.ts"))
  return yield* isRunning(home)
})

/** The client of the node that runs there. It is loaded only if there may be one. */
const connected = Effect.fnUntraced(function* (home: string) {
  if (!existsSync(Home.paths(home).socket)) return Option.none<Client["Service"]>()
  const { connect } = yield* Effect.promise(() => import("../services/admin/api/Client.ts"))
  return yield* connect(home)
})

/** The same; fails when none runs there. */
export const client = Effect.fnUntraced(function* (home: string) {
  const found = yield* connected(home)
  return Option.isSome(found) ? found.value : yield* new NodeNotRunning({ home })
})

/** The node that runs there. */
export const running = Effect.fnUntraced(function* (home: string) {
  return Option.map(
    yield* connected(home),
    ({ memory, archive, verification, purging, origins, status, peers }): Access => ({
      home,
      isRunning: true,
      memory,
      archive: Effect.succeed(archive),
      verification,
      purging,
      origins,
      status,
      peers
    })
  )
})

/** The database of the data directory. What that takes is loaded when no node runs. */
const direct = Effect.fnUntraced(function* (home: string, readOnly: boolean) {
  const { open } = yield* Effect.promise(() => import("./Direct.ts"))
  return (yield* open(home, readOnly)) satisfies Access
})
