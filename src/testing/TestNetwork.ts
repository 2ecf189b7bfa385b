/**
 * Whole nodes in one process, under `TestClock`: no directory, no socket, no waiting. An application tests what it does
 * while nodes are apart, crash and come back.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestNetwork } from "feral-sync/testing"
 *
 * export const program = Effect.gen(function* () {
 *   const net = yield* TestNetwork.make()
 *   const [a, b] = yield* net.nodes("a", "b")
 *   yield* net.partition("a", "b")
 *   yield* a.memory.notes.put({ content: "while apart" })
 *   yield* net.heal("a", "b")
 *   yield* net.settled
 *   return yield* b.memory.notes.list()
 * })
 * ```
 *
 * Time is that of `TestClock`: `settled` lets it pass. The nodes live as long as the scope.
 */
import { Data, Effect, HashMap, Layer, Context, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Digest from "../core/replica/Digest.ts"
import * as VectorClock from "../core/replica/VectorClock.ts"
import type { Declarable } from "../services/memory/Declaration.ts"
import * as MemoryDisk from "../services/store/MemoryDisk.ts"
import { MemoryNetwork } from "../services/transport/MemoryNetwork.ts"
import { Machine, type Options, start, stop, type TestNode } from "./TestNode.ts"

export { NodeDown, type Options, type Services, type TestNode } from "./TestNode.ts"

/** The nodes did not come to the same state within the time of a test. */
export class NotSettled extends Data.TaggedError("NotSettled")<{
  readonly problem: string
  readonly nextStep: string
}> {
  override get message(): string {
    return `${this.problem}; ${this.nextStep}`
  }
}

export interface TestNetwork<K extends Declarable = never> {
  /** Starts nodes, each connected with all others. Their names are their node ids. */
  nodes<const Names extends ReadonlyArray<string>>(
    ...names: Names
  ): Effect.Effect<{ readonly [Index in keyof Names]: TestNode<K> }>
  /** Separates two nodes: their connection is lost, and none comes up until they are healed. */
  partition(one: string, other: string): Effect.Effect<void>
  /** Ends the partition of two nodes, or all partitions where no nodes are named. */
  heal(one?: string, other?: string): Effect.Effect<void>
  /** Ends the process of a node at once, with its connections. What it had committed is kept. */
  crash(name: string): Effect.Effect<void>
  /** Starts a node that crashed again, on what it had committed. */
  restart(name: string): Effect.Effect<void>
  /**
   * Lets time pass until the nodes that run, and can reach each other directly or through others, hold the same. Fails
   * after ten minutes of `TestClock`.
   */
  readonly settled: Effect.Effect<void, NotSettled>
}

/** How long nodes may take to settle, and how far time goes at once (ms). */
const patience = { longest: 600_000, shortestStep: 10, longestStep: 1_000 } as const

/** Turns that fibers get between two looks at the nodes. */
const turns = 30

const pairOf = (one: string, other: string): string => [one, other].sort().join("\0")

/** A network without nodes. It ends with the scope. */
export const make = Effect.fnUntraced(function* <const K extends Declarable = never>(
  options: Options<K> = {}
): Effect.fn.Return<TestNetwork<K>, never, Scope.Scope> {
  const network = Context.get(yield* Layer.build(Layer.fresh(MemoryNetwork.layer)), MemoryNetwork)
  const machines = new Map<string, Machine<K>>()
  const parted = new Set<string>()
  yield* Effect.addFinalizer(() => Effect.forEach(machines.values(), stop, { discard: true }))

  const machineOf = (name: string) =>
    Effect.suspend(() => {
      const machine = machines.get(name)
      const known = [...machines.keys()].join(", ")
      return machine === undefined
        ? Effect.die(new Error(`the network has no node ${name}; its nodes are ${known}`))
        : Effect.succeed(machine)
    })

  const startAll = Effect.fn("TestNetwork.nodes")(function* (names: ReadonlyArray<string>) {
    const made: Array<TestNode<K>> = []
    for (const name of names) {
      if (machines.has(name)) return yield* Effect.die(new Error(`the network has a node ${name} already`))
      const machine = new Machine<K>(name)
      const dials = [...machines.keys()]
      machines.set(name, machine)
      yield* start(machine, dials, network, options)
      made.push(machine)
    }
    return made
  })

  function nodes<const Names extends ReadonlyArray<string>>(
    ...names: Names
  ): Effect.Effect<{ readonly [Index in keyof Names]: TestNode<K> }>
  function nodes(...names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<TestNode<K>>> {
    return startAll(names)
  }

  const partition = Effect.fn("TestNetwork.partition")(function* (one: string, other: string) {
    yield* machineOf(one)
    yield* machineOf(other)
    parted.add(pairOf(one, other))
    yield* network.part(one, other)
  })

  const heal = Effect.fn("TestNetwork.heal")(function* (one?: string, other?: string) {
    const pairs = one === undefined || other === undefined ? [...parted] : [pairOf(one, other)]
    for (const pair of pairs) {
      parted.delete(pair)
      const [a = "", b = ""] = pair.split("\0")
      yield* network.heal(a, b)
    }
  })

  const crash = Effect.fn("TestNetwork.crash")(function* (name: string) {
    const machine = yield* machineOf(name)
    if (machine.running === undefined) return
    // What its fibers still do while they end, they do to a disk that is not used any more.
    machine.disk = MemoryDisk.copy(machine.disk)
    for (const other of machines.keys()) yield* network.cut(name, other)
    yield* stop(machine)
  })

  const restart = Effect.fn("TestNetwork.restart")(function* (name: string) {
    const machine = yield* machineOf(name)
    if (machine.running !== undefined) return
    const others = [...machines.keys()].filter((other) => other !== name)
    yield* start(machine, others, network, options)
  })

  /** The nodes that run, in groups that can reach each other. */
  const groups = (): ReadonlyArray<ReadonlyArray<Machine<K>>> => {
    const left = new Set([...machines.values()].filter(({ running }) => running !== undefined))
    const found: Array<ReadonlyArray<Machine<K>>> = []
    for (const first of left) {
      const group = [first]
      left.delete(first)
      for (const one of group)
        for (const other of left)
          if (!parted.has(pairOf(one.name, other.name))) {
            left.delete(other)
            group.push(other)
          }
      found.push(group)
    }
    return found
  }

  /** What keeps the nodes from being settled, in words; none when they are. */
  const difference = Effect.gen(function* () {
    for (const group of groups()) {
      const held = yield* Effect.forEach(group, ({ name, store }) =>
        Effect.map(store.snapshot, ({ vectorClock, holdings, digest }) => ({
          name,
          digest,
          clock: HashMap.filter(vectorClock, (_, node) => HashMap.has(holdings, node))
        }))
      )
      for (const one of held)
        for (const other of held) {
          const lacking = VectorClock.difference(other.clock, one.clock)
          if (!HashMap.isEmpty(lacking))
            return `${one.name} lacks what ${other.name} has of ${[...HashMap.keys(lacking)].join(", ")}`
          if (!Digest.equals(one.digest, other.digest)) return `${one.name} and ${other.name} hold different rows`
        }
    }
    return undefined
  })

  const settled = Effect.gen(function* () {
    let step: number = patience.shortestStep
    for (let passed = 0; ; passed += step, step = Math.min(patience.longestStep, step * 2)) {
      for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
      const problem = yield* difference
      if (problem === undefined) return
      if (passed > patience.longest) {
        const states = yield* Effect.forEach(
          [...machines.values()].filter(({ running }) => running !== undefined),
          ({ name, peers }) =>
            Effect.map(
              peers.status,
              (all) => `${name}: ${all.map((peer) => `${peer.address} ${peer.state}`).join(", ")}`
            )
        )
        return yield* new NotSettled({
          problem: `${problem} (${states.join("; ")})`,
          nextStep: "heal the network, or check that the nodes may talk to each other"
        })
      }
      yield* TestClock.adjust(step)
    }
  })

  return { nodes, partition, heal, crash, restart, settled }
})
