/**
 * Whole nodes over a network in memory and under virtual time, as they are but for sockets and files.
 */
import { Context, Effect, Layer, Option, Redacted, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Address } from "../../src/core/peers/Address.ts"
import { CanonicalJson, emptyObject } from "../../src/core/replica/Json.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { Kind, type Operation, OpId, RowId } from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Config, type Settings } from "../../src/services/node/Config.ts"
import { type Sighting } from "../../src/services/discovery/Discovery.ts"
import { Counters } from "../../src/services/node/Counters.ts"
import { Passphrase } from "../../src/services/node/Passphrase.ts"
import { Peers } from "../../src/services/peers/Peers.ts"
import { format } from "../../src/services/admin/api/Exposition.ts"
import * as Metrics from "../../src/services/admin/api/Metrics.ts"
import * as NodeState from "../../src/services/admin/api/NodeState.ts"
import type { NodeStatus, PeerStatus } from "../../src/services/node/Status.ts"
import { Store } from "../../src/services/store/Store.ts"
import type { Quota } from "../../src/services/store/Opaque.ts"
import { Transport } from "../../src/services/transport/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { write } from "./Network.ts"
import { webSocket } from "./Transports.ts"
import * as MemoryDisk from "../../src/services/store/MemoryDisk.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"
import * as MemoryTransport from "../../src/services/transport/MemoryTransport.ts"
import * as StaticDiscovery from "../../src/services/discovery/StaticDiscovery.ts"
import * as Supervisor from "../../src/services/peers/Supervisor.ts"

/** The key of a passphrase in these worlds. */
export const keyOf = (text: string): Uint8Array => new TextEncoder().encode(text.padEnd(32))

/** A passphrase whose key takes no time. */
export const passphrase = (text: string, previous?: string): Layer.Layer<Passphrase> =>
  Layer.succeed(
    Passphrase,
    Passphrase.of({
      ...secretOf(text),
      isNew: false,
      file: Option.none(),
      previous: previous === undefined ? undefined : secretOf(previous)
    })
  )

const secretOf = (text: string) => ({
  passphrase: Redacted.make(text),
  key: Effect.succeed(Redacted.make(keyOf(text)))
})

export interface Running {
  readonly host: string
  readonly port: number
  readonly store: Store["Service"]
  readonly peers: Peers["Service"]
  readonly status: Effect.Effect<ReadonlyArray<PeerStatus>>
  /** How the node is, as `status` shows it. */
  readonly state: Effect.Effect<NodeStatus>
  /** What `/metrics` shows. */
  readonly metrics: Effect.Effect<string>
  readonly write: (row: string, content?: string) => Effect.Effect<void>
  readonly rows: Effect.Effect<ReadonlyArray<string>>
}

interface Options {
  readonly secret?: string
  /** The passphrase before. */
  readonly previous?: string
  /** The wire that it speaks. */
  readonly form?: 1 | 2
  readonly id?: string
  readonly port?: number
  readonly legacy?: "on"
  /** The way of beginning that it knows. */
  readonly revision?: 1 | 2
  /** Bytes of a frame that it takes. */
  readonly maxRecvBytes?: number
  /** What rows of unknown kinds may take. */
  readonly quota?: Quota
  /** What one address may send, in a second and at once. */
  readonly maxPeerRateBytes?: number
  readonly maxPeerBurstBytes?: number
  /** The disk, when it is kept or to be filled. */
  readonly disk?: MemoryDisk.MemoryDisk
  /** What discovery shows, instead of the list of those to dial. */
  readonly sightings?: ReadonlyArray<Sighting>
}

/** Starts a node on a host of the network. */
export const start = (host: string, dials: ReadonlyArray<Address>, options: Options = {}) =>
  Effect.flatMap(MemoryNetwork, (network) =>
    startOver(
      MemoryTransport.layer({ host, port: options.port ?? 1, ...limitsOf(options) }).pipe(
        Layer.provide(Layer.succeed(MemoryNetwork, network))
      ),
      host,
      dials,
      options
    )
  )

const limitsOf = ({ form, revision, maxRecvBytes }: Options) => ({
  ...(form !== undefined && { form }),
  ...(revision !== undefined && { revision }),
  ...(maxRecvBytes !== undefined && { maxRecvBytes })
})

/** Starts a node on a port of this machine. */
export const startOnSocket = Effect.fnUntraced(function* (
  host: string,
  dials: ReadonlyArray<Address>,
  options: Options = {},
  settings: Partial<Settings> = {}
) {
  return yield* startOver(Layer.succeed(Transport, yield* webSocket(settings)), host, dials, options)
})

const startOver = Effect.fnUntraced(function* (
  transport: Layer.Layer<Transport>,
  host: string,
  dials: ReadonlyArray<Address>,
  options: Options
): Effect.fn.Return<Running, never, Scope.Scope> {
  const node = Supervisor.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        options.sightings === undefined
          ? StaticDiscovery.layer(dials)
          : StaticDiscovery.layerTest(Stream.concat(Stream.fromIterable(options.sightings), Stream.never)),
        transport,
        passphrase(options.secret ?? "secret", options.previous),
        MemoryStore.layer({ nodeId: NodeId.make(options.id ?? host), quota: options.quota, disk: options.disk })
      )
    ),
    Layer.provideMerge(HlcClock.layer),
    Layer.provideMerge(
      Layer.succeed(
        Config,
        Config.make({
          mdns: false,
          legacy: options.legacy ?? "tls",
          ...(options.maxRecvBytes !== undefined && { maxRecvBytes: options.maxRecvBytes }),
          ...(options.maxPeerRateBytes !== undefined && { maxPeerRateBytes: options.maxPeerRateBytes }),
          ...(options.maxPeerBurstBytes !== undefined && { maxPeerBurstBytes: options.maxPeerBurstBytes })
        })
      )
    ),
    Layer.fresh
  )
  const context = yield* Layer.build(node).pipe(Effect.orDie)
  const counters = yield* Counters
  const store = Context.get(context, Store)
  let written = 0
  return {
    host,
    port: Context.get(context, Peers).port,
    store,
    peers: Context.get(context, Peers),
    status: Context.get(context, Peers).status,
    state: yield* NodeState.running(Effect.succeed(null)).pipe(
      Effect.provideContext(context),
      Effect.map(Effect.orDie)
    ),
    metrics: Effect.scoped(Effect.flatten(Metrics.make)).pipe(
      Effect.map(format),
      Effect.provideContext(context),
      Effect.provideService(Counters, counters),
      Effect.orDie
    ),
    write: (row, content) =>
      store
        .append([
          {
            op_id: OpId.make(`${host}-${++written}`),
            table: Kind.make("notes"),
            op_type: "insert",
            row_id: RowId.make(row),
            data: content === undefined ? emptyObject : CanonicalJson.make(JSON.stringify({ content }))
          }
        ])
        .pipe(Effect.orDie, Effect.asVoid),
    rows: store.list(Kind.make("notes"), { limit: 1_000 }).pipe(
      Effect.orDie,
      Effect.map((operations) => operations.map(({ row_id }) => row_id))
    )
  }
})

/** Lets everything happen that needs no time, and then lets time pass. */
export const pass = (time: `${number} ${"millis" | "seconds" | "minutes"}`) =>
  Effect.andThen(
    Effect.repeat(Effect.yieldNow, { times: 500 }),
    Effect.andThen(TestClock.adjust(time), Effect.repeat(Effect.yieldNow, { times: 500 }))
  )

export const at = (host: string): Address => ({ host, port: 1 })
export const world = <A, E>(body: Effect.Effect<A, E, Scope.Scope | MemoryNetwork>) =>
  body.pipe(Effect.provide(MemoryNetwork.layer))

/** An operation of a node that is not there. */
export const written = (row: string, wall: number): Operation => write(NodeId.make("x"), { wall, counter: 0 }, row)

/** The coverage of these operations. */
export const upTo = (...operations: ReadonlyArray<Operation>): VectorClock.VectorClock =>
  VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))

/** Gives a node what a peer could have sent it. */
export const take = ({ store }: Running, operations: ReadonlyArray<Operation>, coverage = upTo(...operations)) =>
  store.apply({ operations, coverage, quarantined: [] })

/** A node that was started again, has met `b` before, and has written since: three minutes later, `b` is not there. */
export const metBefore = Effect.gen(function* () {
  const disk = MemoryDisk.make()
  yield* Effect.scoped(
    Effect.gen(function* () {
      const [a] = [yield* start("a", [], { disk }), yield* start("b", [at("a")])]
      yield* a.write("known")
      yield* pass("10 seconds")
    })
  )
  const a = yield* start("a", [], { disk, port: 2 })
  yield* a.write("new")
  yield* pass("3 minutes")
  return a
})
