/**
 * The services that a program may provide itself, each with its layers. A tag alone stands in a module without them, so
 * that to name a service loads no database, no WebSocket and no mDNS.
 */
import * as MdnsDiscovery from "./services/discovery/MdnsDiscovery.ts"
import * as StaticDiscovery from "./services/discovery/StaticDiscovery.ts"
import { Discovery as DiscoveryTag } from "./services/discovery/Discovery.ts"
import * as MemoryLive from "./services/memory/MemoryLive.ts"
import { Memory as MemoryTag } from "./services/memory/Memory.ts"
import * as Supervisor from "./services/peers/Supervisor.ts"
import { Peers as PeersTag } from "./services/peers/Peers.ts"
import * as StoreEngine from "./services/store/Engine.ts"
import * as Opaque from "./services/store/Opaque.ts"
import * as Searching from "./services/store/Searching.ts"
import * as Sizes from "./services/store/Sizes.ts"
import type { Operation } from "./core/replica/Operation.ts"
import * as StoreState from "./services/store/StoreState.ts"
import * as MemoryStore from "./services/store/MemoryStore.ts"
import * as SqliteStore from "./services/store/SqliteStore.ts"
import { Store as StoreTag } from "./services/store/Store.ts"
import * as MemoryTransport from "./services/transport/MemoryTransport.ts"
import { Transport as TransportTag } from "./services/transport/Transport.ts"
import * as WebSocketTransport from "./services/transport/WebSocketTransport.ts"

/** The replica. In an SQLite file, or in memory. */
export const Store = Object.assign(StoreTag, {
  layerSqlite: SqliteStore.layer,
  layerMemory: MemoryStore.layer,
  compact: SqliteStore.compact
})
export type Store = StoreTag

/** A store over a backend: what a store of one's own needs to bring is the backend alone. */
export const Engine = {
  /** The store over `backend`. It keeps order, clock, digest, quota and changes; the backend keeps rows. */
  make: StoreEngine.make,
  /** The state of a backend without rows: `Backend.opened` of a fresh one. */
  empty: StoreState.empty,
  /** About how many bytes an operation takes, and how many of the leading ones fit into a room. */
  sizeOf: Sizes.sizeOf,
  pageLength: Sizes.pageLength,
  /** The bytes that operations take, by origin. */
  usageOf: (operations: ReadonlyArray<Operation>): Opaque.Usage => Opaque.recount(Opaque.nothing, operations, []),
  /** How a row fits to a search, and the order of what was found: for a backend without an index of words. */
  hitOf: Searching.hitOf,
  HitOrder: Searching.HitOrder
}

/** What applications read and write. Over the store of this node, or with other limits or identifiers. */
export const Memory = Object.assign(MemoryTag, { layer: MemoryLive.layer, layerWith: MemoryLive.layerWith })
export type Memory = MemoryTag

/** How peers are found. By mDNS, from a fixed list, not at all, or as a test says. */
export const Discovery = Object.assign(DiscoveryTag, {
  layerMdns: MdnsDiscovery.layer,
  layerStatic: StaticDiscovery.layer,
  layerNone: StaticDiscovery.layerNone,
  layerTest: StaticDiscovery.layerTest
})
export type Discovery = DiscoveryTag

/** Connections. Over real sockets, or inside this process. */
export const Transport = Object.assign(TransportTag, {
  layerWebSocket: WebSocketTransport.layer,
  layerWebSocketWith: WebSocketTransport.layerWith,
  layerMemory: MemoryTransport.layer
})
export type Transport = TransportTag

/** The peers of this node. */
export const Peers = Object.assign(PeersTag, { layer: Supervisor.layer })
export type Peers = PeersTag
