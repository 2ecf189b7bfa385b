/**
 * `feral-sync/client`: a node that runs in another process, as typed Effects. It goes over the socket in the data
 * directory of the node, which only its owner can use.
 *
 * ```ts
 * import { Effect, Option } from "effect"
 * import { Client } from "feral-sync/client"
 *
 * export const counts = Effect.gen(function* () {
 *   const client = yield* Client.connect("/var/lib/agent/feral")
 *   if (Option.isNone(client)) return "no node runs there"
 *   return (yield* client.value.status).counts
 * }).pipe(Effect.scoped)
 * ```
 *
 * Its memory has the kinds of an application too: `client.value.memory.collection(Todo)`.
 */
import { Client as ClientTag, connect, layerMemory } from "./services/admin/api/Client.ts"

/**
 * The client of a node. `connect` finds the node of a data directory; `layerMemory` is the memory of that node alone.
 */
export const Client = Object.assign(ClientTag, { connect, layerMemory })
export type Client = ClientTag
export * as Kind from "./services/memory/Declaration.ts"
export { Client as ClientTag } from "./services/admin/api/Client.ts"
export type { Archive } from "./services/admin/Archive.ts"
export type { Origins } from "./services/admin/Origins.ts"
export type { Purging } from "./services/admin/Purging.ts"
export type { Verification } from "./services/admin/Verification.ts"
export { Alarm, NodeStatus, PeerStatus } from "./services/node/Status.ts"
export {
  EpisodeInput,
  ExecutionArgs,
  ExecutionInput,
  FactInput,
  Match,
  Memory,
  NoteInput,
  Page,
  SearchInput,
  Written
} from "./services/memory/Memory.ts"
export {
  InputInvalid,
  KindUndeclared,
  OperationTooLarge,
  OriginsKept,
  PurgeRefused,
  QueryInvalid,
  RowNotFound,
  RowUnreadable,
  StoreUnavailable
} from "./services/node/NodeFailure.ts"
