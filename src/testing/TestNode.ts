/** One node of a network in one process (`TestNetwork.ts`): the process that runs, or the disk that is left of it. */
import { Context, Data, Effect, Exit, Layer, Option, Redacted, Scope } from "effect"
import { NodeId } from "../core/replica/NodeId.ts"
import * as StaticDiscovery from "../services/discovery/StaticDiscovery.ts"
import { Discovery } from "../services/discovery/Discovery.ts"
import * as MemoryLive from "../services/memory/MemoryLive.ts"
import { collected, type Declarable, declaring, type Provided } from "../services/memory/Declaration.ts"
import { Memory } from "../services/memory/Memory.ts"
import { type Collection, Kinds } from "../services/memory/OwnKind.ts"
import { Config, type Settings } from "../services/node/Config.ts"
import { HlcClock } from "../services/node/HlcClock.ts"
import { Passphrase } from "../services/node/Passphrase.ts"
import { Peers } from "../services/peers/Peers.ts"
import * as Supervisor from "../services/peers/Supervisor.ts"
import * as MemoryDisk from "../services/store/MemoryDisk.ts"
import * as MemoryStore from "../services/store/MemoryStore.ts"
import { Store } from "../services/store/Store.ts"
import { MemoryNetwork } from "../services/transport/MemoryNetwork.ts"
import * as MemoryTransport from "../services/transport/MemoryTransport.ts"
import { Transport } from "../services/transport/Transport.ts"

/** What a node of the network provides. */
export type Services = Memory | Store | Peers | Config | HlcClock | Discovery | Transport | Passphrase

/** A node was used that is not running. */
export class NodeDown extends Data.TaggedError("NodeDown")<{ readonly node: string }> {
  readonly problem = `the node ${this.node} is not running`
  readonly nextStep = "start it again with net.restart, or do not crash it before"
  override get message(): string {
    return `${this.problem}; ${this.nextStep}`
  }
}

/** How the nodes of a network are set up. */
export interface Options<K extends Declarable = never> {
  /** Kinds of an application, which every node has. */
  readonly kinds?: ReadonlyArray<K> | undefined
  /** Settings of every node. What is about files, sockets and the log has no effect. */
  readonly settings?: Partial<Settings> | undefined
}

/** One node. Its services are those of the process that runs now: they are other ones after a restart. */
export interface TestNode<K extends Declarable = never> {
  readonly name: string
  readonly memory: Memory["Service"]
  readonly store: Store["Service"]
  readonly peers: Peers["Service"]
  /** The rows of a kind that the network was made with. */
  collection<One extends K>(kind: One): Collection<One>
  /** Runs a program on this node: with its `Memory`, `Store` and `Peers`, and its kinds. */
  run<A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Services | Provided<K>>>
}

/** All nodes of a test share a key: deriving one takes longer than the test. */
const passphrase: Layer.Layer<Passphrase> = Layer.succeed(
  Passphrase,
  Passphrase.of({
    passphrase: Redacted.make("the passphrase of a test"),
    isNew: false,
    file: Option.none(),
    key: Effect.succeed(Redacted.make(new Uint8Array(32)))
  })
)

const port = 1

interface Running<K extends Declarable> {
  readonly scope: Scope.Closeable
  readonly context: Context.Context<Services | Provided<K>>
}

/** A process that is running, or the disk that is left of it. */
export class Machine<K extends Declarable> implements TestNode<K> {
  readonly name: string
  disk: MemoryDisk.MemoryDisk
  running: Running<K> | undefined

  constructor(name: string) {
    this.name = name
    this.disk = { ...MemoryDisk.make(), nodeId: NodeId.make(name) }
  }

  get context(): Context.Context<Services | Provided<K>> {
    if (this.running === undefined) throw new NodeDown({ node: this.name })
    return this.running.context
  }
  get memory() {
    return Context.get(this.context, Memory)
  }
  get store() {
    return Context.get(this.context, Store)
  }
  get peers() {
    return Context.get(this.context, Peers)
  }
  collection<One extends K>(kind: One): Collection<One> {
    return this.memory.collection(kind)
  }
  run<A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Services | Provided<K>>> {
    return Effect.suspend(() => Effect.provideContext(program, this.context))
  }
}

/** Starts a node, which dials others. */
export const start = Effect.fnUntraced(function* <K extends Declarable>(
  machine: Machine<K>,
  dials: ReadonlyArray<string>,
  network: MemoryNetwork["Service"],
  { kinds = [], settings }: Options<K>
) {
  const scope = yield* Scope.make()
  const addresses = dials.map((host) => ({ host, port }))
  const node = MemoryLive.layer.pipe(
    Layer.provide(Layer.succeed(Kinds, kinds)),
    Layer.provideMerge(Supervisor.layer),
    Layer.provideMerge(
      Layer.mergeAll(
        StaticDiscovery.layer(addresses),
        Layer.provide(MemoryTransport.layer({ host: machine.name, port }), Layer.succeed(MemoryNetwork, network)),
        passphrase,
        declaring(MemoryStore.layer({ disk: machine.disk }), kinds)
      )
    ),
    Layer.provideMerge(HlcClock.layer),
    Layer.provideMerge(Layer.succeed(Config, Config.make({ mdns: false, apiPort: 0, ...settings })))
  )
  // What fails here is an error of the kit: nothing of it can be out of order.
  const context = yield* Layer.build(Layer.fresh(collected(node, kinds))).pipe(Scope.provide(scope), Effect.orDie)
  machine.running = { scope, context }
})

export const stop = <K extends Declarable>(machine: Machine<K>) =>
  Effect.suspend(() => {
    const { running } = machine
    machine.running = undefined
    return running === undefined ? Effect.void : Scope.close(running.scope, Exit.void)
  })
