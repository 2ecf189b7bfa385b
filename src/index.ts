/**
 * feral-sync as a library: the node as a layer, its services, and the pure core.
 */
export * as FeralSync from "./FeralSync.ts"
export { Discovery, Memory, Peers, Store, Transport } from "./Services.ts"
// The tags without their layers: types that TypeScript infers name them.
export { Discovery as DiscoveryTag } from "./services/discovery/Discovery.ts"
export { Memory as MemoryTag } from "./services/memory/Memory.ts"
export { Peers as PeersTag } from "./services/peers/Peers.ts"
export { Store as StoreTag } from "./services/store/Store.ts"
export { Transport as TransportTag } from "./services/transport/Transport.ts"
export { Api } from "./services/admin/api/Api.ts"
export { HlcClock as Clock } from "./services/node/HlcClock.ts"
export { Config, type Overrides, type Settings, type TlsFiles } from "./services/node/Config.ts"
export type { Announcement, Sighting } from "./services/discovery/Discovery.ts"
export * as Failure from "./services/node/NodeFailure.ts"
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
} from "./services/node/NodeFailure.ts"
export * as Logging from "./services/node/Logging.ts"
export {
  EpisodeInput,
  ExecutionArgs,
  ExecutionInput,
  FactInput,
  Match,
  NoteInput,
  Page,
  SearchInput,
  Written
} from "./services/memory/Memory.ts"
export { Passphrase, PassphraseInvalid } from "./services/node/Passphrase.ts"
export type {
  Applied,
  Audited,
  Batch,
  Change,
  Counts,
  Delta,
  DeltaRequest,
  Draft,
  Quarantined,
  Snapshot
} from "./services/store/Store.ts"
export { Alarm, NodeStatus, PeerStatus } from "./services/node/Status.ts"
export type {
  Connection,
  ConnectionHandler as Host,
  Incoming,
  WebSocketOptions
} from "./services/transport/Transport.ts"
export { MemoryNetwork } from "./services/transport/MemoryNetwork.ts"

export * as Address from "./core/peers/Address.ts"
export * as Digest from "./core/replica/Digest.ts"
export * as SessionFailure from "./core/sync/SyncFailure.ts"
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
  TooLongAway,
  PeerTimeout,
  ProtocolViolation,
  RateLimited,
  RowsPurged,
  RowsTooLarge,
  SelfConnection,
  TimestampReused
} from "./core/sync/SyncFailure.ts"
export * as Handshake from "./core/sync/Handshake.ts"
export * as Hlc from "./core/replica/Hlc.ts"
export * as Json from "./core/replica/Json.ts"
export * as Merge from "./core/replica/Merge.ts"
export * as NodeId from "./core/replica/NodeId.ts"
export * as Oddities from "./core/sync/Oddities.ts"
export * as Operation from "./core/replica/Operation.ts"
export * as Reconcile from "./core/replica/Ranges.ts"
export * as Replica from "./core/replica/Replica.ts"
export * as Roster from "./core/peers/Roster.ts"
export * as Row from "./core/replica/Row.ts"
export { Episode, Execution, Fact, Note } from "./core/replica/Row.ts"
export * as Session from "./core/sync/Session.ts"
export * as VectorClock from "./core/replica/VectorClock.ts"
export * as Wire from "./core/sync/Wire.ts"
