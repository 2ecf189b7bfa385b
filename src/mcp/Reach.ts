/**
 * How the server gets at the memory: the one thing that differs between a process of its own, which is a guest of a
 * node, and the node itself.
 *
 * It is opened for one call, and closed with the scope of the call. So a node that restarts is found again by the next
 * call, and a database without a node is never locked between two calls. Writes that come together may share one
 * opening.
 */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { ConfigInvalid, StoreUnavailable } from "../services/node/NodeFailure.ts"
import type { Memory } from "../services/memory/Memory.ts"
import type { NodeStatus } from "../services/node/Status.ts"
import type { Operation } from "../core/replica/Operation.ts"

/**
 * What a call does. It reads, possibly after bringing an index up to date; it changes existing rows; or it writes new
 * rows.
 */
export type Purpose = "read" | "maintain" | "change" | "write"

/** The memory, while a call uses it. */
export interface Opened {
  /** Whether a node runs there, which gets what other nodes write. */
  readonly isRunning: boolean
  readonly memory: Memory["Service"]
  readonly status: Effect.Effect<NodeStatus, StoreUnavailable | ConfigInvalid>
}

/** Why the memory cannot be opened. Nothing was done. */
export interface Unreachable {
  readonly _tag: string
  readonly message: string
  readonly nextStep?: string | undefined
}

/** What happens in the memory: it is watched from now on, or a commit was made, here or on another node. */
export type Event =
  { readonly _tag: "Watched" } | { readonly _tag: "Changed"; readonly operations: ReadonlyArray<Operation> }

export class Reach extends Context.Service<
  Reach,
  {
    open(purpose: Purpose): Effect.Effect<Opened, Unreachable, Scope.Scope>
    /** The events of the node. Without a node there are none; when the node is there again, it is watched again. */
    readonly events: Stream.Stream<Event>
  }
>()("feral-sync/mcp/Reach") {}
