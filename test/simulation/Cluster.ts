/**
 * The nodes of a simulated network: whole ones, above a disk and a network in memory, each with a clock of its own.
 */
import { Clock as EffectClock, Context, Effect, Exit, Layer, Option, Redacted, Scope } from "effect"
import type { Address } from "../../src/core/Address.ts"
import { CanonicalJson, emptyObject } from "../../src/core/Json.ts"
import { NodeId } from "../../src/core/NodeId.ts"
import { Kind, OpId, type Operation, RowId } from "../../src/core/Operation.ts"
import * as VectorClock from "../../src/core/VectorClock.ts"
import { Clock } from "../../src/services/Clock.ts"
import { Config } from "../../src/services/Config.ts"
import { Discovery } from "../../src/services/Discovery.ts"
import type { StoreUnavailable } from "../../src/services/Failure.ts"
import { Passphrase } from "../../src/services/Passphrase.ts"
import { Peers } from "../../src/services/Peers.ts"
import { Store } from "../../src/services/Store.ts"
import * as MemoryDisk from "../../src/services/store/MemoryDisk.ts"
import { Transport } from "../../src/services/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { type Kind as KindName, largeContent } from "./Scenario.ts"
import { epoch, type World } from "./World.ts"

export const passphrase = "the passphrase of the simulation"

const secret: Layer.Layer<Passphrase> = Layer.succeed(
  Passphrase,
  Passphrase.of({
    passphrase: Redacted.make(passphrase),
    isNew: false,
    file: Option.none(),
    key: Effect.succeed(Redacted.make(new TextEncoder().encode(passphrase)))
  })
)

export const addressOf = (host: string): Address => ({ host, port: 1 })

/** One node: its disk, which outlives its process, its clock, and the process while it runs. */
export class SimulatedNode {
  readonly host: string
  disk = MemoryDisk.make()
  backup: MemoryDisk.MemoryDisk | undefined
  /** How far its clock is from the true time (ms), and how much faster it runs. */
  offset = 0
  rate = 0
  /** The latest time that its clock was seen to show. */
  latest = epoch
  private readonly world: World
  private readonly dials: ReadonlyArray<Address>
  private life: { readonly scope: Scope.Closeable; readonly store: Store["Service"] } | undefined
  private written = 0

  private readonly limit: { readonly maxRecvBytes?: number }

  /** `maxRecvBytes`: the largest frame that it takes, where that is not the default. */
  constructor(world: World, host: string, dials: ReadonlyArray<Address>, maxRecvBytes?: number) {
    this.limit = maxRecvBytes === undefined ? {} : { maxRecvBytes }
    this.world = world
    this.host = host
    this.dials = dials
  }

  /** What its clock shows. */
  private get time(): number {
    return this.world.now + this.offset + (this.world.now - epoch) * this.rate
  }

  /** To be called before its clock is set: the latest time that it has shown must be known. */
  noteTime(): void {
    this.latest = Math.max(this.latest, this.time)
  }

  get isUp(): boolean {
    return this.life !== undefined
  }

  private get clock(): EffectClock.Clock {
    return this.world.clock(() => this.time)
  }

  /** Starts the process on the disk. */
  start(): Effect.Effect<void, never, MemoryNetwork> {
    return Effect.suspend(() => {
      const layer = Peers.layer.pipe(
        Layer.provideMerge(
          Layer.mergeAll(
            Discovery.layerStatic(this.dials.map((address) => ({ ...address, plain: true as const }))),
            Transport.layerMemory({ host: this.host, port: 1, ...this.limit }),
            secret,
            // Kinds that this version does not know are written by nodes of later versions: each of these is one.
            Store.layerMemory({ nodeId: NodeId.make(this.host), disk: this.disk, isKnown: () => true })
          )
        ),
        Layer.provideMerge(Clock.layer),
        Layer.provideMerge(Layer.succeed(Config, Config.make({ mdns: false, legacy: "on", ...this.limit }))),
        Layer.fresh
      )
      const scope = Scope.makeUnsafe()
      return Layer.build(layer).pipe(
        Effect.provideService(EffectClock.Clock, this.clock),
        Scope.provide(scope),
        Effect.orDie,
        Effect.map((context) => {
          this.life = { scope, store: Context.get(context, Store) }
        })
      )
    })
  }

  /** Stops the process in good order. */
  stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const life = this.life
      this.life = undefined
      return life === undefined ? Effect.void : Scope.close(life.scope, Exit.void)
    })
  }

  /**
   * The process ends at once. Whatever its fibers still do while they are wound up, they do to a disk that nobody looks at any
   * more, and to a network that they were cut off from before.
   */
  kill(power: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (power > 0) MemoryDisk.losePower(this.disk, power)
      const { isFull, backups } = this.disk
      this.disk = { ...MemoryDisk.copy(this.disk), isFull, backups }
      return this.stop()
    })
  }

  /** Takes in operations of anybody, and claims nothing for it. */
  import(operations: ReadonlyArray<Operation>): Effect.Effect<boolean, StoreUnavailable> {
    return Effect.suspend(() =>
      this.life === undefined
        ? Effect.succeed(false)
        : Effect.as(this.life.store.apply({ operations, through: VectorClock.empty, quarantined: [] }), true)
    )
  }

  /** A local write; fails when the node is down as well. */
  write(
    kind: KindName,
    row: string,
    isDelete: boolean,
    isLarge: boolean
  ): Effect.Effect<Operation | undefined, StoreUnavailable> {
    return Effect.suspend(() => {
      if (this.life === undefined) return Effect.succeed(undefined)
      const draft = {
        op_id: OpId.make(`${this.host}/${++this.written}`),
        table: Kind.make(kind),
        op_type: isDelete ? "delete" : "insert",
        row_id: RowId.make(row),
        data: isLarge ? CanonicalJson.make(`{"content":"${"x".repeat(largeContent)}"}`) : emptyObject
      } as const
      // By the clock of this node, whoever asks it to write.
      return this.life.store.append([draft]).pipe(
        Effect.catchTag("KindUnknown", Effect.die),
        Effect.provideService(EffectClock.Clock, this.clock),
        Effect.map(([operation]) => operation)
      )
    })
  }
}
