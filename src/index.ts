/**
 * feral-sync as a library: the node as a layer, its services, and the pure core (`feral-sync/core`).
 * `feral-sync/client` is the client of a node in another process, and `feral-sync/testing` is the test kit.
 */
export * as FeralSync from "./FeralSync.ts"
export { Discovery, Engine, Memory, Peers, Store, Transport } from "./Services.ts"
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
  KindInvalid,
  KindMismatch,
  KindUndeclared,
  KindUnknown,
  ListenFailed,
  MdnsUnavailable,
  NotYetOnNodes,
  VersionNotFound,
  OperationTooLarge,
  OriginsKept,
  PurgeRefused,
  CodeRefused,
  PeerNotFound,
  PeerUnreachable,
  PeersNotDiscovered,
  QueryInvalid,
  RowNotFound,
  RowUnreadable,
  ServiceFailed,
  StoreUnavailable,
  TlsHandshakeFailed,
  TlsMaterialInvalid
} from "./services/node/NodeFailure.ts"
export * as Logging from "./services/node/Logging.ts"
export {
  AboutInput,
  AnyRow,
  EpisodeInput,
  ExecutionArgs,
  ExecutionInput,
  FactInput,
  FeedEvent,
  type FeedOptions,
  Found,
  Indexing,
  Match,
  NoteChange,
  NoteInput,
  Page,
  NewestInput,
  NewestRow,
  RecentInput,
  SearchInput,
  Reached,
  SearchPageInput,
  WaitInput,
  Written
} from "./services/memory/Memory.ts"
export * as Kind from "./services/memory/Declaration.ts"
export { Passphrase, PassphraseInvalid } from "./services/node/Passphrase.ts"
// What a store, a transport or a discovery of one's own is made of.
export type {
  Applied,
  Audited,
  Batch,
  Change,
  Counts,
  Delta,
  DeltaRequest,
  Draft,
  Forgotten,
  Kept,
  Origin,
  Policy,
  Quarantined,
  Removed,
  Snapshot
} from "./services/store/Store.ts"
export * as History from "./core/replica/History.ts"
export * as Query from "./core/replica/Query.ts"
export * as Selection from "./core/replica/Selection.ts"
export type { Found as BackendFound, Hit, Request as BackendSearch } from "./services/store/Searching.ts"
export type { Query as WordQuery } from "./core/search/SearchQuery.ts"
export { type Backend, type FeedPage, type Rejoining, SlotTaken } from "./services/store/Backend.ts"
export type { Commit, Current, State } from "./services/store/StoreState.ts"
export type { Page as BackendPage, Room } from "./services/store/Sizes.ts"
export type { Quota, Usage } from "./services/store/Opaque.ts"
export { Alarm, NodeStatus, PeerStatus } from "./services/node/Status.ts"
export type { Connection, ConnectionHandler, Incoming, WebSocketOptions } from "./services/transport/Transport.ts"
export { MemoryNetwork } from "./services/transport/MemoryNetwork.ts"

export * from "./core/index.ts"
