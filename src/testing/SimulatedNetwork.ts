/**
 * A network of replicas and sessions in plain values: no Effect, no time of its own, no chance but that of a schedule.
 * What is tested is the protocol (`Session.step`) and the merge, as every node runs them.
 *
 * ```ts
 * import { Merge } from "feral-sync/core"
 * import { type History, type Schedule, SimulatedNetwork } from "feral-sync/testing"
 *
 * export const isRight = (history: History, schedule: Schedule): boolean => {
 *   const network = SimulatedNetwork.of(history).play(schedule).settle()
 *   return network.differences(Merge.of(history)).length === 0
 * }
 * ```
 */
import type { NodeId } from "../core/replica/NodeId.ts"
import type { Operation } from "../core/replica/Operation.ts"
import type { State } from "../core/replica/Merge.ts"
import type { History, Schedule, Step } from "./Schedule.ts"
import { seeded } from "./Seeded.ts"
import { choicesOf, settle, waitUntil } from "./Settle.ts"
import { Link } from "./SimulatedLink.ts"
import { SimulatedReplica } from "./SimulatedReplica.ts"
import { said, write } from "./Story.ts"

/** When a simulation begins (ms): later than any timestamp of a history that an arbitrary makes. */
const epoch = 1_000_000

export class SimulatedNetwork {
  /** The replicas, by the ids of their nodes. */
  readonly replicas: ReadonlyMap<NodeId, SimulatedReplica>
  /** What happened so far, a line each. */
  readonly story: Array<string> = []
  private readonly clock = { now: epoch }
  private readonly links = new Map<string, Link>()
  private readonly ahead: Array<Operation>

  private constructor(history: History) {
    const nodes = [...new Set(history.map(({ hlc }) => hlc.node))]
    this.replicas = new Map(nodes.map((node) => [node, new SimulatedReplica(node)]))
    this.ahead = [...history]
  }

  /** A network of the nodes that write in a history. Nothing is written or connected yet. */
  static of(history: History): SimulatedNetwork {
    return new SimulatedNetwork(history)
  }

  /** Takes the steps of a schedule. */
  play(schedule: Schedule): this {
    for (const step of schedule) this.take(step)
    return this
  }

  /** Writes what is left of the history, connects all nodes, and lets them run until nothing happens any more. */
  settle(): this {
    while (this.ahead.length > 0) this.take({ _tag: "Write" })
    const nodes = [...this.replicas.keys()]
    // Anew, so that no session is left that a schedule has ended.
    this.links.clear()
    for (const one of nodes.keys()) for (let other = one + 1; other < nodes.length; other++) this.connect(one, other)
    settle([...this.links.values()], this.clock)
    this.story.push("All nodes are connected until nothing happens any more.")
    return this
  }

  /**
   * How the nodes differ from the state that they have to come to, a line for each difference. Empty when they do not.
   */
  differences(expected: State): ReadonlyArray<string> {
    const shown = (operation: Operation | undefined) => (operation === undefined ? "nothing" : write(operation))
    return [...this.replicas].flatMap(([node, { state }]) =>
      [...new Set([...expected.keys(), ...state.keys()])].flatMap((slot) => {
        const [wanted, held] = [expected.get(slot), state.get(slot)]
        return wanted !== undefined && held !== undefined && said(wanted) === said(held)
          ? []
          : [`node ${node} holds ${shown(held)}, and should hold ${shown(wanted)}`]
      })
    )
  }

  private take(step: Step): void {
    switch (step._tag) {
      case "Write": {
        const operation = this.ahead.shift()
        if (operation === undefined) return
        this.replicas.get(operation.hlc.node)?.append([operation])
        this.story.push(write(operation))
        return
      }
      case "Connect":
        return this.connect(step.one, step.other)
      case "Cut": {
        const key = this.keyOf(step.one, step.other)
        if (key !== undefined && this.links.delete(key)) this.story.push(`The connection of ${key} is cut.`)
        return
      }
      case "Run": {
        const random = seeded(step.seed)
        for (let taken = 0; taken < step.steps; taken++) {
          const choices = choicesOf([...this.links.values()])
          if (choices.length === 0) return
          choices[Math.floor(random() * choices.length)]?.()
        }
        this.story.push(`${step.steps} steps of the protocol happen.`)
        return
      }
      case "Wait":
        waitUntil([...this.links.values()], this.clock, this.clock.now + step.ms)
        this.story.push(`${step.ms} ms pass.`)
    }
  }

  private keyOf(one: number, other: number): string | undefined {
    const nodes = [...this.replicas.keys()]
    const [a, b] = [nodes[one % nodes.length], nodes[other % nodes.length]]
    return a === undefined || b === undefined || a === b ? undefined : [a, b].sort().join(" and ")
  }

  private connect(one: number, other: number): void {
    const replicas = [...this.replicas.values()]
    const [a, b] = [replicas[one % replicas.length], replicas[other % replicas.length]]
    const key = this.keyOf(one, other)
    if (a === undefined || b === undefined || key === undefined || this.links.has(key)) return
    this.links.set(key, new Link(a, b, () => this.clock.now))
    this.story.push(`${a.id} dials ${b.id}.`)
  }
}
