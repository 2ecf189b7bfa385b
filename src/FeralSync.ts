/**
 * A whole node as one layer.
 *
 * ```ts
 * import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
 * import { Effect } from "effect"
 * import { FeralSync, Memory } from "feral-sync"
 *
 * const program = Effect.gen(function* () {
 *   const memory = yield* Memory
 *   yield* memory.notes.put({ content: "hello" })
 * })
 * program.pipe(Effect.provide(FeralSync.layer({ home: "./data" })), NodeRuntime.runMain)
 * ```
 *
 * The node runs as long as the layer lives: it listens, announces itself, dials, and withdraws when the scope closes.
 * It answers on the socket in its data directory meanwhile, so that the command line works on it as on any other node.
 */
import { Effect, Layer } from "effect"
import { Api } from "./services/admin/api/Api.ts"
import { HlcClock } from "./services/node/HlcClock.ts"
import { Config, quotaOf, type Settings } from "./services/node/Config.ts"
import * as Counters from "./services/node/Counters.ts"
import { Discovery } from "./services/discovery/Discovery.ts"
import * as History from "./core/replica/History.ts"
import type {
  KindInvalid,
  KindMismatch,
  ListenFailed,
  StoreUnavailable,
  TlsMaterialInvalid
} from "./services/node/NodeFailure.ts"
import { collected, type Declarable, declaring, type Provided } from "./services/memory/Declaration.ts"
import { Memory } from "./services/memory/Memory.ts"
import { Kinds } from "./services/memory/OwnKind.ts"
import * as Preflight from "./services/node/Preflight.ts"
import { Passphrase, type PassphraseInvalid } from "./services/node/Passphrase.ts"
import { Peers } from "./services/peers/Peers.ts"
import { layerFile as layerPaused } from "./services/peers/Paused.ts"
import { layerFile as layerRemoved } from "./services/peers/Removed.ts"
import { layerFile as layerTickets } from "./services/peers/Tickets.ts"
import { Store } from "./services/store/Store.ts"
import { Transport } from "./services/transport/Transport.ts"
import * as MdnsDiscovery from "./services/discovery/MdnsDiscovery.ts"
import * as MemoryLive from "./services/memory/MemoryLive.ts"
import * as SqliteStore from "./services/store/SqliteStore.ts"
import * as StaticDiscovery from "./services/discovery/StaticDiscovery.ts"
import * as Supervisor from "./services/peers/Supervisor.ts"
import * as WebSocketTransport from "./services/transport/WebSocketTransport.ts"

/** What a node provides. */
export type Node = Config | HlcClock | Store | Memory | Discovery | Transport | Passphrase | Peers | Api

/** What can keep a node from starting. */
export type StartFailure =
  ListenFailed | StoreUnavailable | TlsMaterialInvalid | PassphraseInvalid | KindInvalid | KindMismatch

/** What a program may set. Where its log goes is the business of the program itself; see `Logging`. */
export type NodeSettings = Partial<Omit<Settings, "log" | "logLevel">>

/** The kinds of an application (`services/memory/Declaration.ts`). `yield* Todo` gives the collection of each. */
export interface Kinds<K extends Declarable> {
  readonly kinds?: ReadonlyArray<K>
}

/** Layers to use in place of the node's own. With a store and a transport of its own, a node uses no data directory. */
export interface Replacements {
  readonly store?: Layer.Layer<Store, StoreUnavailable, Config | HlcClock>
  readonly discovery?: Layer.Layer<Discovery, never, Config>
  readonly transport?: Layer.Layer<Transport, TlsMaterialInvalid, Config>
  readonly passphrase?: Layer.Layer<Passphrase, PassphraseInvalid | StoreUnavailable, Config>
}

/** The database in the data directory. */
const sqlite = Layer.unwrap(
  Effect.map(Config, (settings) =>
    SqliteStore.layer({
      home: settings.home,
      maxAheadMs: settings.maxClockDriftMs,
      quota: quotaOf(settings),
      history: settings.history ? History.limits : "off"
    })
  )
)

/** mDNS, unless it is switched off. */
const mdns = Layer.unwrap(
  Effect.map(Config, (settings) =>
    settings.mdns ? MdnsDiscovery.layer({ interfaces: settings.mdnsInterfaces }) : StaticDiscovery.layerNone
  )
)

/**
 * A node with these settings. The defaults are those of `docs/configuration.md`, except for `apiPort`: a program asks
 * for that port if it wants one.
 */
export function layer<const K extends Declarable = never>(
  settings?: NodeSettings & Kinds<K>,
  replacements?: Replacements
): Layer.Layer<Node | Provided<K>, StartFailure>
export function layer(
  { kinds = [], ...settings }: NodeSettings & Kinds<Declarable> = {},
  replacements: Replacements = {}
): Layer.Layer<Node, StartFailure> {
  return collected(layerConfigured(replacements, kinds), kinds).pipe(
    Layer.provideMerge(Layer.succeed(Config, Config.make({ apiPort: 0, ...settings })))
  )
}

/** A node with the settings of the `Config` that it is given. */
export const layerConfigured = (
  replacements: Replacements = {},
  kinds: ReadonlyArray<Declarable> = []
): Layer.Layer<Exclude<Node, Config>, StartFailure, Config> => {
  const { store = sqlite, discovery = mdns, transport = WebSocketTransport.layer } = replacements
  const isInMemory = replacements.store !== undefined && replacements.transport !== undefined
  const passphrase = replacements.passphrase ?? (isInMemory ? Passphrase.layerMemory : Passphrase.layer)
  return (isInMemory ? Api.layerPort : Api.layer).pipe(
    Layer.provideMerge(
      isInMemory ? Supervisor.layer : Layer.provide(Supervisor.layer, [layerTickets, layerRemoved, layerPaused])
    ),
    Layer.provideMerge(Layer.mergeAll(MemoryLive.layer, discovery, transport)),
    // A passphrase is made only by the node that holds the lock of the store.
    Layer.provideMerge(passphrase),
    Layer.provideMerge(declaring(store, kinds)),
    Layer.provide(Layer.succeed(Kinds, kinds)),
    Layer.provideMerge(HlcClock.layer),
    Layer.provide(replacements.transport === undefined && !isInMemory ? Preflight.layer : Layer.empty),
    Layer.provide(Counters.layer)
  )
}
