/**
 * The nodes of a simulated network: whole ones, above a disk and a network in memory, each with a clock of its own.
 */
import { Clock as EffectClock, Context, Deferred, Effect, Exit, Layer, Option, Redacted, Scope } from "effect"
import type { Address } from "../../src/core/peers/Address.ts"
import { CanonicalJson, emptyObject } from "../../src/core/replica/Json.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { Kind, OpId, type Operation, RowId } from "../../src/core/replica/Operation.ts"
import { credit } from "../../src/core/sync/SessionLimits.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Config } from "../../src/services/node/Config.ts"
import type { StoreUnavailable } from "../../src/services/node/NodeFailure.ts"
import { Passphrase } from "../../src/services/node/Passphrase.ts"
import { Peers } from "../../src/services/peers/Peers.ts"
import { Credit } from "../../src/services/peers/SessionMeeting.ts"
import { Store } from "../../src/services/store/Store.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { type Disk, inMemory } from "./Disk.ts"
import * as Naive from "./Naive.ts"
import * as Own from "./Own.ts"
import { type Kind as KindName, largeContent, maxDrift, type Scenario, smallFrame } from "./Scenario.ts"
import { type Shelf, SqliteDisk } from "./SqliteDisk.ts"
import { epoch, type World } from "./World.ts"
import * as MemoryTransport from "../../src/services/transport/MemoryTransport.ts"
import * as StaticDiscovery from "../../src/services/discovery/StaticDiscovery.ts"
import * as Supervisor from "../../src/services/peers/Supervisor.ts"

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

/** What a scenario says of its nodes. */
type Terms = Pick<Scenario, "keep" | "small" | "sqlite" | "frame" | "credit" | "remembered" | "own">

/** One node: its disk, which outlives its process, its clock, and the process while it runs. */
export class SimulatedNode {
  readonly host: string
  nodeId: NodeId
  disk: Disk
  backup: Disk | undefined
  /** How far its clock is from the true time (ms), and how much faster it runs. */
  offset = 0
  rate = 0
  private isAhead = false
  /** The latest time that its clock was seen to show. */
  latest = epoch
  private readonly world: World
  private readonly dials: ReadonlyArray<Address>
  private life:
    { readonly scope: Scope.Closeable; readonly store: Store["Service"]; readonly peers: Peers["Service"] } | undefined
  /** Until the last process has written what it writes when it is stopped. */
  private ending: Effect.Effect<void> = Effect.void
  private written = 0
  private renewed = 0
  /** How often its process was started, and what that one has counted in each row. */
  private starts = 0
  private counted = new Map<string, number>()

  private readonly terms: Terms
  readonly isSmall: boolean

  constructor(world: World, terms: Terms, index: number, dials: ReadonlyArray<Address>, shelf: Shelf) {
    this.world = world
    this.terms = terms
    this.isSmall = terms.small?.includes(index) === true
    this.host = `n${index}`
    this.nodeId = NodeId.make(this.host)
    this.dials = dials
    this.disk = terms.sqlite?.includes(index) === true ? shelf.fresh(this.nodeId) : inMemory(this.nodeId)
  }

  /** What its clock shows. */
  get time(): number {
    return this.world.now + this.offset + (this.world.now - epoch) * this.rate
  }

  /** To be called before its clock is set: the latest time that it has shown must be known. */
  noteTime(): void {
    if (!this.isAhead) this.latest = Math.max(this.latest, this.time)
  }

  /** Runs while the clock shows a year too much. */
  ahead<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const { offset } = this
    return Effect.suspend(() => {
      this.isAhead = true
      this.offset = offset + 365 * 86_400_000
      return Effect.ensuring(
        effect,
        Effect.sync(() => {
          this.isAhead = false
          this.offset = offset
        })
      )
    })
  }

  /** Whether there is a way out of a clock that was far ahead. */
  get canRenew(): boolean {
    return this.disk instanceof SqliteDisk
  }

  get isUp(): boolean {
    return this.life !== undefined
  }

  /** The store of the process that runs. */
  get store(): Store["Service"] | undefined {
    return this.life?.store
  }

  /** What it shows of its peers. */
  get status() {
    return this.life?.peers.status ?? Effect.succeed([])
  }

  /** Runs by the clock of this node. */
  readonly here = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provideService(
      effect,
      EffectClock.Clock,
      this.world.clock(() => this.time)
    )

  /** Starts the process on the disk, once the one before has let go of it. */
  start(): Effect.Effect<void, never, MemoryNetwork> {
    return Effect.suspend(() => Effect.andThen(this.ending, this.begin()))
  }

  private begin(): Effect.Effect<void, never, MemoryNetwork> {
    return Effect.suspend(() => {
      if (this.life !== undefined) return Effect.void
      const { frame, credit: used = credit, remembered, keep } = this.terms
      const limit = this.isSmall ? { maxRecvBytes: smallFrame } : {}
      const settings = {
        mdns: false,
        legacy: "on",
        ...limit,
        ...(keep && { tombstoneMs: keep }),
        ...(frame && { maxFrameBytes: frame })
      } as const
      const layer = Supervisor.layer.pipe(
        Layer.provideMerge(
          Layer.mergeAll(
            StaticDiscovery.layer(this.dials.map((address) => ({ ...address, plain: true as const }))),
            MemoryTransport.layer({ host: this.host, port: 1, ...limit }),
            secret,
            this.disk.store({
              // Kinds that this version does not know are written by nodes of later versions: each of these is one.
              isKnown: () => true,
              maxAheadMs: maxDrift,
              rememberedCommits: remembered
            })
          )
        ),
        Layer.provideMerge(HlcClock.layer),
        Layer.provideMerge(Layer.succeed(Config, Config.make(settings))),
        Layer.provide(Layer.succeed(Credit, used)),
        Layer.fresh
      )
      const scope = Scope.makeUnsafe()
      return Layer.build(layer).pipe(
        this.here,
        Scope.provide(scope),
        Effect.orDie,
        Effect.tap((context) =>
          // Half of the nodes have the application.
          this.terms.own === true && this.host.endsWith("0")
            ? Effect.ignore(Context.get(context, Store).declare(new Map(Own.kinds.map((kind) => [kind, ["f0"]]))))
            : Effect.void
        ),
        Effect.map((context) => {
          this.starts++
          this.counted = new Map()
          this.life = { scope, store: Context.get(context, Store), peers: Context.get(context, Peers) }
        })
      )
    })
  }

  /** Stops the process in good order. */
  stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const life = this.life
      this.life = undefined
      if (life === undefined) return Effect.void
      const ended = Deferred.makeUnsafe<void>()
      this.ending = Deferred.await(ended)
      return Effect.ensuring(Scope.close(life.scope, Exit.void), Deferred.succeed(ended, undefined))
    })
  }

  /**
   * The process ends at once. Whatever its fibers still do while they are wound up, they do to a disk that nobody looks at any
   * more, and to a network that they were cut off from before.
   */
  kill(power: number | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.disk = this.disk.crash(power)
      return this.stop()
    })
  }

  /** Takes another identity, while it is down, and writes anew what it wrote at a time that is still to come. */
  readonly renew = Effect.suspend(() => {
    if (!(this.disk instanceof SqliteDisk) || this.isUp) return Effect.void
    this.nodeId = NodeId.make(`${this.host}-${++this.renewed}`)
    this.backup = undefined
    return this.here(this.disk.reissue(this.nodeId, Math.floor(this.time)))
  })

  /** Begins anew, while it is down. */
  readonly rejoin = Effect.suspend(() => {
    if (this.isUp) return Effect.void
    return Effect.map(this.ending, () => {
      this.disk = this.disk.rejoin()
      this.backup = undefined
    })
  })

  /** Takes in operations of anybody, and claims nothing for it. */
  import(operations: ReadonlyArray<Operation>): Effect.Effect<boolean, StoreUnavailable> {
    return Effect.suspend(() =>
      this.life === undefined
        ? Effect.succeed(false)
        : Effect.as(this.life.store.apply({ operations, coverage: VectorClock.empty, quarantined: [] }), true)
    )
  }

  /** What it writes of a kind of the application. */
  private own(row: string, isDelete: boolean) {
    const table = Own.kinds[this.written % Own.kinds.length] ?? ""
    const rule = Own.ruleOf({ table: Kind.make(table) })
    const count = (this.counted.get(row) ?? 0) + 1
    if (rule === "counter") this.counted.set(row, count)
    const content = Own.contentFor(table, this.written, isDelete, `${this.host}/${this.starts}`, count)
    return {
      table: Kind.make(table),
      op_type: isDelete && rule !== "counter" ? ("delete" as const) : ("update" as const),
      data: CanonicalJson.make(JSON.stringify(content))
    }
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
      const text = Naive.textFor(++this.written)
      const own = this.terms.own === true && kind === "dreams" ? this.own(row, isDelete) : {}
      const draft = {
        op_id: OpId.make(`${this.host}/${this.written}`),
        table: Kind.make(kind),
        op_type: isDelete ? "delete" : "insert",
        row_id: RowId.make(row),
        data: isLarge
          ? CanonicalJson.make(`{"content":"${"x".repeat(largeContent)}"}`)
          : isDelete
            ? emptyObject
            : CanonicalJson.make(`{"${Naive.columnOf[kind]}":"${text}"}`),
        ...own
      } as const
      // By the clock of this node, whoever asks it to write.
      return this.life.store.append([draft]).pipe(
        Effect.catchTag("KindUnknown", Effect.die),
        this.here,
        Effect.map(([operation]) => operation)
      )
    })
  }
}
