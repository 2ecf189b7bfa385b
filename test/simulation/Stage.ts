/**
 * What stands while a scenario is played: the nodes and the network between them, what was acknowledged, and how a node goes up and down.
 */
import { Effect, HashMap } from "effect"
import * as Cut from "../../src/core/replica/Cut.ts"
import type { Operation } from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import { slotOf } from "../../src/core/replica/Merge.ts"
import type * as Merge from "../../src/core/replica/Merge.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import * as Stability from "../../src/core/replica/Stability.ts"
import type { Incoming } from "../../src/services/transport/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { OldNode } from "../support/OldNode.ts"
import { addressOf, SimulatedNode } from "./Cluster.ts"
import { Hostile } from "./Hostile.ts"
import * as Oracle from "./Oracle.ts"
import type { Scenario } from "./Scenario.ts"
import type { Shelf } from "./SqliteDisk.ts"
import { epoch, World } from "./World.ts"

export class Stage {
  readonly world: World
  readonly ledger = new Oracle.Ledger()
  readonly trace: Array<string> = []
  readonly hosts: ReadonlyArray<string>
  readonly nodes: ReadonlyArray<SimulatedNode>
  readonly old: ReadonlyArray<OldNode>
  /** What was in the sets of each node that only grow. */
  readonly grown: Array<ReadonlySet<Merge.Slot>>
  /** The deletions that each node has seen. */
  readonly buried: Array<Map<Merge.Slot, Operation>> = []
  /** Who has begun anew. */
  readonly rejoined = new Set<string>()
  /** Whose disk gave way to an older one. */
  readonly restored = new Set<string>()
  /** Who has lost what was not synced, or more. */
  readonly forgetful = new Set<string>()
  readonly hostile = new Hostile()
  /** Whether anything was said that is not so: then a node may claim what it does not hold, until rows are compared. */
  hasLied = false
  /** Until when a host is stalled. */
  readonly stalled = new Map<string, number>()
  partition: { readonly side: number; readonly until: number } | undefined
  /** Rows that were under way to others than those who wrote them. */
  rowsCarried = 0
  private readonly scenario: Scenario

  constructor(scenario: Scenario, shelf: Shelf) {
    this.scenario = scenario
    this.world = new World(scenario.seed)
    this.hosts = [
      ...Array.from({ length: scenario.nodes }, (_, index) => `n${index}`),
      ...scenario.old.map((_, index) => `old${index}`)
    ]
    this.nodes = Array.from(
      { length: scenario.nodes },
      (_, index) => new SimulatedNode(this.world, scenario, index, this.dialsOf(index), shelf)
    )
    this.old = scenario.old.map((isNewest, index) => new OldNode(NodeId.make(`old${index}`), isNewest))
    this.grown = this.nodes.map(() => new Set())
    // After every commit, however short its state lasts.
    const committed = this.contents
    this.world.afterStep = () => {
      for (const [index, { disk }] of this.nodes.entries()) {
        if (disk.content === committed[index]) continue
        committed[index] = disk.content
        this.check(index)
      }
    }
  }

  get contents() {
    return this.nodes.map(({ disk }) => disk.content)
  }

  dialsOf(index: number) {
    return this.scenario.dials.filter(([from]) => from === index).map(([, to]) => addressOf(this.hosts[to] ?? ""))
  }

  note(line: string): void {
    this.trace.push(`${((this.world.now - epoch) / 1000).toFixed(3).padStart(9)} s  ${line}`)
  }

  /** The time that a frame is under way. */
  readonly delay = (from: string, to: string, item: Incoming) =>
    Effect.gen({ self: this }, function* () {
      const { world, scenario, stalled } = this
      if (item._tag === "Frame") {
        const origins = Array.from(item.text.matchAll(/"origin_node":"([^"]*)"/g), ([, origin]) => origin)
        this.rowsCarried += origins.filter((origin) => origin !== to).length
      }
      if (scenario.latency > 0) yield* world.sleep(Math.floor(world.random() * scenario.latency))
      for (;;) {
        const until = Math.max(stalled.get(from) ?? 0, stalled.get(to) ?? 0)
        if (until <= world.now) return
        yield* world.sleep(until - world.now)
      }
    })

  check(index: number): void {
    const node = this.nodes[index]
    if (node === undefined) return
    const { content } = node.disk
    if (this.rejoined.has(node.nodeId)) this.ledger.addAnew(node.nodeId, content.rows.values())
    Oracle.checkSafety(node.host, content, this.ledger, this.restored, this.hasLied)
    if (this.hasLied) Oracle.checkOrigins(node.host, content)
    node.noteTime()
    Oracle.checkPoison(node.host, content, node.latest)
    this.grown[index] = Oracle.checkGrowth(node.host, this.grown[index] ?? new Set(), content)
    Oracle.checkBuried(node.host, (this.buried[index] ??= new Map()), content)
  }

  /**
   * Where no history was lost, nobody is told that some of it is. A row that is too large for some hides what it has replaced from
   * those: they do lack it, until rows are compared.
   */
  readonly checkStatus = Effect.gen({ self: this }, function* () {
    if (this.restored.size > 0 || this.hasLied || this.scenario.small !== undefined) return
    for (const node of this.nodes) Oracle.checkNotDiverged(node.host, yield* node.status)
  })

  /** What every node takes for stable is so. */
  readonly checkStable = Effect.gen({ self: this }, function* () {
    // What is forged in the past of another node looks as if all had it.
    if (this.hasLied) return
    const { contents } = this
    for (const { host, store, disk } of this.nodes) {
      if (store === undefined) continue
      const { vectorClock: clock, frontier } = yield* store.snapshot
      const acknowledgements = yield* store.acknowledgements
      const stability = Stability.of({ self: store.nodeId, clock, frontier, acknowledgements, removed: new Set() })
      const known = [...HashMap.keys(clock), ...HashMap.keys(frontier), ...acknowledgements.map(({ node }) => node)]
      const isForgetful = (node: string) => this.forgetful.has(node)
      Oracle.checkStable(host, stability.clock, known, disk.content, contents, isForgetful, this.ledger)
    }
  })

  /**
   * An operation whose origin lost its disk, and that no other node of ours has, is gone: an existing FERAL node may have it, but
   * sends nothing back to where it came from. A node that rejoins does not write it again where its origin has written later, and
   * so claims to have had it (`docs/tombstones.md`).
   */
  forgetDestroyed(): void {
    const { contents } = this
    const isClaimed = ({ hlc }: Operation) =>
      contents.some(({ nodeId, state }) => nodeId === hlc.node && VectorClock.covers(state.vectorClock, hlc))
    const isGone = (operation: Operation) => contents.some((content) => Oracle.isGone(content, operation, this.ledger))
    this.ledger.destroy(
      (operation) =>
        !isGone(operation) &&
        this.restored.has(operation.hlc.node) &&
        !contents.some(
          ({ rows, rejoining }) =>
            Oracle.holds(rows, operation) ||
            rejoining.some((one) => !isClaimed(one) && Oracle.holds(new Map([[slotOf(one), one]]), operation))
        )
    )
  }

  /** The nodes that show, now, that they were too long away. */
  readonly away = Effect.gen({ self: this }, function* () {
    const away: Array<SimulatedNode> = []
    for (const node of this.nodes) {
      if (node.disk.content.state.cut.isAway !== true) continue
      const status = yield* node.status
      if (status.some(({ last_error }) => last_error?._tag === "TooLongAway")) away.push(node)
    }
    return away
  })

  /** Nodes are stopped, begin anew, and come back: all of them are down before the first one is up again. */
  readonly rejoin = (nodes: ReadonlyArray<SimulatedNode>) =>
    Effect.gen({ self: this }, function* () {
      for (const node of nodes) yield* node.stop()
      for (const node of nodes) {
        this.note(`${node.host} begins anew`)
        yield* node.rejoin
        const index = this.nodes.indexOf(node)
        this.grown[index] = new Set()
        this.buried[index] = new Map()
        // It claims what it has written before, until that comes from the others.
        this.restored.add(node.nodeId)
        this.forgetful.add(node.nodeId)
        this.rejoined.add(node.nodeId)
      }
      this.forgetDestroyed()
      for (const node of nodes) yield* this.wake(node)
    })

  /**
   * What people do who read the status. Where the network was split, and both parts have collected, one of them stays as it is: the other
   * nodes are stopped, those that know that they were away begin anew, and the rest comes back later.
   */
  readonly tend = Effect.gen({ self: this }, function* () {
    const away = yield* this.away
    if (away.length === 0) return
    const cutOf = ({ disk }: SimulatedNode) => disk.content.state.cut
    const size = (node: SimulatedNode) => HashMap.size(cutOf(node).collected)
    // Who stays has missed nothing that others have collected, or the least.
    const missed = (node: SimulatedNode) =>
      this.nodes.filter((other) =>
        ["self away", "apart"].includes(Cut.verdict(cutOf(node), Cut.toldOf(cutOf(other)), other.nodeId))
      ).length
    const [main] = [...this.nodes].sort(
      (one, other) =>
        missed(one) - missed(other) ||
        Number(away.includes(one)) - Number(away.includes(other)) ||
        size(other) - size(one)
    )
    if (main === undefined) return
    const fits = (one: SimulatedNode, other: SimulatedNode) =>
      Cut.verdict(cutOf(one), Cut.toldOf(cutOf(other)), other.nodeId) === "admitted"
    const others = this.nodes.filter((node) => node !== main && !(fits(main, node) && fits(node, main)))
    for (const node of others) yield* node.stop()
    const told = others.filter((node) => cutOf(node).isAway === true)
    // Where none of them knows it, those that do begin anew, and tell the others.
    yield* this.rejoin(told.length > 0 ? told : away)
    yield* Effect.forkScoped(
      Effect.andThen(this.world.sleep(120_000), Effect.forEach(others, this.wake, { discard: true }))
    )
  })

  get pairs() {
    return this.hosts.flatMap((one, index) => this.hosts.slice(index + 1).map((other) => [one, other] as const))
  }

  private isApart(one: string, other: string): boolean {
    const { nodes, partition, world, hosts } = this
    if (nodes.some((node) => !node.isUp && (node.host === one || node.host === other))) return true
    if (partition === undefined || partition.until <= world.now) return false
    return ((partition.side >> hosts.indexOf(one)) & 1) !== ((partition.side >> hosts.indexOf(other)) & 1)
  }

  /** Brings the network into line with who is up and who can reach whom. */
  readonly rewire = Effect.gen({ self: this }, function* () {
    const network = yield* MemoryNetwork
    for (const [one, other] of this.pairs) {
      yield* this.isApart(one, other) ? network.part(one, other) : network.heal(one, other)
    }
  })

  readonly wake = (node: SimulatedNode) =>
    Effect.gen({ self: this }, function* () {
      if (node.isUp) return
      yield* node.start()
      this.note(`${node.host} is up`)
      yield* this.rewire
    })

  /** The process of a node dies, and comes back. Whether there was one. */
  readonly goDown = (node: SimulatedNode, power: number | undefined, downFor: number) =>
    Effect.gen({ self: this }, function* () {
      if (!node.isUp) return false
      const network = yield* MemoryNetwork
      for (const other of this.hosts) if (other !== node.host) yield* network.part(node.host, other)
      if (power !== undefined) this.forgetful.add(node.nodeId)
      if (power !== undefined) this.grown[this.nodes.indexOf(node)] = new Set()
      if (power !== undefined) this.buried[this.nodes.indexOf(node)] = new Map()
      yield* node.kill(power)
      yield* Effect.forkScoped(Effect.andThen(this.world.sleep(downFor), this.wake(node)))
      return true
    })

  /** A node that is down takes another identity, and writes anew what it wrote ahead of its clock. */
  readonly renew = (node: SimulatedNode) =>
    Effect.gen({ self: this }, function* () {
      const { nodeId, disk } = node
      const before = disk.content.rows
      yield* node.renew
      if (this.restored.has(nodeId)) this.restored.add(node.nodeId)
      if (this.forgetful.has(nodeId)) this.forgetful.add(node.nodeId)
      const renamed = [...disk.content.rows.values()].filter(({ hlc }) => hlc.node === node.nodeId)
      this.note(`${node.host} is ${node.nodeId}, and has written ${renamed.length} rows anew`)
      Oracle.checkRenewed(before, disk.content.rows, nodeId, node.time)
      this.ledger.rename(new Map(renamed.map((operation) => [operation.op_id, operation])))
      // What it had written over in that time is gone with it.
      this.buried[this.nodes.indexOf(node)] = new Map()
      this.ledger.forget(({ hlc }) => hlc.node === nodeId && hlc.wall > node.time)
    })
}
