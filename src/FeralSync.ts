/**
 * A whole node as one layer.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const memory = yield* Memory
 *   yield* memory.notes.put({ content: "hello" })
 * })
 * program.pipe(Effect.provide(FeralSync.layer({ home: "./data" })), NodeRuntime.runMain)
 * ```
 *
 * The node runs as long as the layer lives: it listens, announces itself, dials, and withdraws when the scope closes.
 */
import { Effect, Layer } from "effect"
import { Clock } from "./services/Clock.ts"
import { Config, type Settings } from "./services/Config.ts"
import { Discovery } from "./services/Discovery.ts"
import type { ListenFailed, StoreUnavailable, TlsMaterialInvalid } from "./services/Failure.ts"
import { Memory } from "./services/Memory.ts"
import { Passphrase, type PassphraseInvalid } from "./services/Passphrase.ts"
import { Peers } from "./services/Peers.ts"
import { Store } from "./services/Store.ts"
import { Transport } from "./services/Transport.ts"

/** What a node provides. */
export type Node = Config | Clock | Store | Memory | Discovery | Transport | Passphrase | Peers

/** What can keep a node from starting. */
export type StartFailure = ListenFailed | StoreUnavailable | TlsMaterialInvalid | PassphraseInvalid

/** Layers to use in place of the node's own. */
export interface Replacements {
  readonly store?: Layer.Layer<Store, StoreUnavailable, Config | Clock>
  readonly discovery?: Layer.Layer<Discovery, never, Config>
  readonly transport?: Layer.Layer<Transport, TlsMaterialInvalid, Config>
}

/** The database in the data directory. */
const sqlite = Layer.unwrap(
  Effect.map(Config, ({ home, maxClockDriftMs }) => Store.layerSqlite({ home, maxAheadMs: maxClockDriftMs }))
)

/** mDNS, unless it is switched off. */
const mdns = Layer.unwrap(
  Effect.map(Config, (settings) =>
    settings.mdns ? Discovery.layerMdns({ interfaces: settings.mdnsInterfaces }) : Discovery.layerNone
  )
)

/** A node with these settings; what is not given has the default of the README's table. */
export const layer = (
  settings: Partial<Settings> = {},
  replacements: Replacements = {}
): Layer.Layer<Node, StartFailure> =>
  layerConfigured(replacements).pipe(Layer.provideMerge(Layer.succeed(Config, Config.make(settings))))

/** A node with the settings of the `Config` that it is given. */
export const layerConfigured = ({
  store = sqlite,
  discovery = mdns,
  transport = Transport.layerWebSocket
}: Replacements = {}): Layer.Layer<Exclude<Node, Config>, StartFailure, Config> =>
  Peers.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Memory.layer, discovery, transport)),
    // The data directory is made before anything is put into it.
    Layer.provideMerge(store),
    Layer.provideMerge(Layer.merge(Clock.layer, Passphrase.layer))
  )
