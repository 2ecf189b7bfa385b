/**
 * `feral-sync/core`: the data, its laws and the protocol, as pure functions. It has no I/O and needs nothing of Node,
 * so it runs in a browser and in a worker too.
 *
 * Time, randomness and bytes are arguments, and failures are values (`Result`, `Option`). Times are in ms since the
 * Unix epoch where a name ends with `Ms`, `wall` or `now`, and Unix seconds in rows.
 *
 * ```ts
 * import { Merge, type Operation } from "feral-sync/core"
 *
 * // Equal for every order and every split of the same operations.
 * export const merged = (a: ReadonlyArray<Operation.Operation>, b: ReadonlyArray<Operation.Operation>) =>
 *   Merge.merge(Merge.merge(new Map(), a), b)
 * ```
 */
export * as Acknowledgement from "./replica/Acknowledgement.ts"
export * as Column from "./replica/Column.ts"
export * as Cut from "./replica/Cut.ts"
export * as Digest from "./replica/Digest.ts"
export * as ExportFormat from "./replica/ExportFormat.ts"
export * as Hlc from "./replica/Hlc.ts"
export * as Json from "./replica/Json.ts"
export * as Kind from "./replica/Kind.ts"
export * as Merge from "./replica/Merge.ts"
export * as NodeId from "./replica/NodeId.ts"
export * as Operation from "./replica/Operation.ts"
export * as Purge from "./replica/Purge.ts"
export * as Reconcile from "./replica/Ranges.ts"
export * as Replica from "./replica/Replica.ts"
export * as Row from "./replica/Row.ts"
export { Episode, Execution, Fact, Note } from "./replica/Row.ts"
export * as Rule from "./replica/Rule.ts"
export * as Search from "./replica/Search.ts"
export * as Stability from "./replica/Stability.ts"
export * as VectorClock from "./replica/VectorClock.ts"

export * as Handshake from "./sync/Handshake.ts"
export * as Oddities from "./sync/Oddities.ts"
export * as Session from "./sync/Session.ts"
export * as SessionFailure from "./sync/SyncFailure.ts"
// By their own names too: the types that TypeScript infers of what uses them have to be written down by those.
export {
  ClockAhead,
  ClockDrift,
  ClockFast,
  DeferredByPeer,
  DuplicateAnnounced,
  DuplicateNodeId,
  FrameTooLarge,
  LegacyRefused,
  OriginsFull,
  OriginsLeftOut,
  OverQuota,
  PeerSlowed,
  OwnOperationsForeign,
  OwnOperationsReturned,
  PassphraseMismatch,
  PassphraseUnset,
  PeerClosed,
  PeerGrantInvalid,
  PeerIdentityRequired,
  PeerRefused,
  PeerPaused,
  PeerRemoved,
  TooLongAway,
  PeerTimeout,
  ProtocolViolation,
  RateLimited,
  RowsPurged,
  RowsTooLarge,
  SelfConnection,
  TimestampReused,
  UnprovedRefusal
} from "./sync/SyncFailure.ts"
export * as Wire from "./sync/Wire.ts"

export * as Address from "./peers/Address.ts"
export * as Admission from "./peers/Admission.ts"
export * as RateLimit from "./peers/RateLimit.ts"
export * as Roster from "./peers/Roster.ts"

export * as DnsSd from "./discovery/DnsSd.ts"
