/**
 * feral-sync as a library: the node as a layer, its services, and the pure core.
 */
export * as FeralSync from "./FeralSync.ts"
export { Api } from "./services/Api.ts"
export { Clock } from "./services/Clock.ts"
export { Config, type Overrides, type Settings, type TlsFiles } from "./services/Config.ts"
export { Discovery, type Announcement, type Sighting } from "./services/Discovery.ts"
export * as Failure from "./services/Failure.ts"
// By their own names too: the types that TypeScript infers of what uses them have to be written down by those.
export {
  ConfigInvalid,
  FileUnusable,
  InputInvalid,
  KindUnknown,
  ListenFailed,
  MdnsUnavailable,
  OperationTooLarge,
  OriginsKept,
  PurgeRefused,
  PeerUnreachable,
  PeersNotDiscovered,
  RowNotFound,
  StoreUnavailable,
  TlsHandshakeFailed,
  TlsMaterialInvalid
} from "./services/Failure.ts"
export * as Logging from "./services/Logging.ts"
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
} from "./services/Memory.ts"
export { Passphrase, PassphraseInvalid } from "./services/Passphrase.ts"
export { Peers } from "./services/Peers.ts"
export {
  Store,
  type Applied,
  type Audited,
  type Batch,
  type Change,
  type Counts,
  type Delta,
  type DeltaRequest,
  type Draft,
  type Quarantined,
  type Snapshot
} from "./services/Store.ts"
export { Alarm, NodeStatus, PeerStatus } from "./services/Status.ts"
export { Transport, type Connection, type Host, type Incoming, type WebSocketOptions } from "./services/Transport.ts"
export { MemoryNetwork } from "./services/transport/MemoryNetwork.ts"

export * as Address from "./core/Address.ts"
export * as Digest from "./core/Digest.ts"
export * as SessionFailure from "./core/Failure.ts"
export {
  ClockAhead,
  ClockDrift,
  ClockFast,
  DeferredByPeer,
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
  PeerRemoved,
  PeerTimeout,
  ProtocolViolation,
  RateLimited,
  RowsPurged,
  RowsTooLarge,
  SelfConnection,
  TimestampReused
} from "./core/Failure.ts"
export * as Handshake from "./core/Handshake.ts"
export * as Hlc from "./core/Hlc.ts"
export * as Json from "./core/Json.ts"
export * as Merge from "./core/Merge.ts"
export * as NodeId from "./core/NodeId.ts"
export * as Oddities from "./core/Oddities.ts"
export * as Operation from "./core/Operation.ts"
export * as Reconcile from "./core/Reconcile.ts"
export * as Replica from "./core/Replica.ts"
export * as Roster from "./core/Roster.ts"
export * as Row from "./core/Row.ts"
export { Episode, Execution, Fact, Note } from "./core/Row.ts"
export * as Session from "./core/Session.ts"
export * as VectorClock from "./core/VectorClock.ts"
export * as Wire from "./core/Wire.ts"
