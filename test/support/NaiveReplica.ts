/**
 * A replica of a few dozen lines, without disk, batches or indexes: what a store must do, in its plainest form.
 */
import { HashMap, Option } from "effect"
import * as Digest from "../../src/core/Digest.ts"
import * as Hlc from "../../src/core/Hlc.ts"
import * as Merge from "../../src/core/Merge.ts"
import type { NodeId } from "../../src/core/NodeId.ts"
import type { Operation } from "../../src/core/Operation.ts"
import {
  addHoldings,
  type Batch,
  type Delta,
  type DeltaRequest,
  noHoldings,
  type Snapshot
} from "../../src/core/Replica.ts"
import * as Reconcile from "../../src/core/Reconcile.ts"
import * as VectorClock from "../../src/core/VectorClock.ts"

export class NaiveReplica {
  readonly id: NodeId
  state: Merge.State = new Map()
  clock = VectorClock.empty
  tops = VectorClock.empty
  version = 0
  readonly log: Array<{
    readonly version: number
    readonly operations: ReadonlyArray<Operation>
    readonly wins: Merge.Wins
  }> = []
  quarantined = 0

  constructor(id: NodeId) {
    this.id = id
  }

  /** A local write. */
  append(operations: ReadonlyArray<Operation>): void {
    this.commit(operations, VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc])))
  }

  apply({ operations, through, quarantined }: Batch): Snapshot {
    this.quarantined += quarantined.length
    this.commit(operations, through)
    return this.snapshot()
  }

  snapshot(): Snapshot {
    let digest = Digest.empty
    for (const operation of this.state.values()) digest = Digest.add(digest, Digest.ofOperation(operation))
    const rows = Array.from(this.state.values(), (operation) => [operation.hlc.node, operation] as const)
    const holdings = addHoldings(
      noHoldings,
      rows.map(([node, operation]) => [node, { rows: 1, digest: Digest.ofOperation(operation) }])
    )
    return { version: this.version, clock: this.clock, tops: this.tops, digest, holdings }
  }

  delta({ from, since, maxBytes, maxOperations }: DeltaRequest): Delta {
    const operations: Array<Operation> = []
    let bytes = 0
    let exhausted = 0
    for (const [node, reading] of from) {
      const beyond = [...this.state.values()]
        .filter(({ hlc }) => hlc.node === node && Hlc.isAfter(hlc, reading))
        .sort((a, b) => Hlc.ReadingOrder(a.hlc, b.hlc))
      let taken = 0
      for (const operation of beyond) {
        if (operations.length >= maxOperations || (operations.length > 0 && bytes >= maxBytes)) break
        operations.push(operation)
        bytes += operation.data.length + 250
        taken++
      }
      if (taken < beyond.length) break
      exhausted++
    }
    const ranges = new Map<NodeId, { readonly least: Hlc.Reading; readonly greatest: Hlc.Reading }>()
    const wins = new Map<NodeId, Set<NodeId>>()
    for (const { version, operations, wins: won } of this.log) {
      if (version <= since) continue
      for (const [winner, losers] of won) wins.set(winner, new Set([...(wins.get(winner) ?? []), ...losers]))
      for (const { hlc } of operations) {
        const { least, greatest } = ranges.get(hlc.node) ?? { least: hlc, greatest: hlc }
        ranges.set(hlc.node, {
          least: Hlc.isAfter(least, hlc) ? hlc : least,
          greatest: Hlc.latest(greatest, hlc)
        })
      }
    }
    return { snapshot: this.snapshot(), operations, exhausted, touched: Option.some({ ranges, wins }) }
  }

  range({ maxOperations, ...range }: Reconcile.RangeRequest): Reconcile.RangePage {
    const rows = [...this.state.values()]
      .filter((row) => Reconcile.contains(range, Reconcile.positionOf(row)))
      .sort((a, b) => Reconcile.PositionOrder(Reconcile.positionOf(a), Reconcile.positionOf(b)))
    return { operations: rows.slice(0, maxOperations), exhausted: rows.length <= maxOperations }
  }

  /** The loss of a row, or another in its place, behind the back of the replica. */
  damage(change: (state: Map<Merge.Slot, Operation>) => void): void {
    const state = new Map(this.state)
    change(state)
    this.state = state
    this.version++
    this.log.push({ version: this.version, operations: [], wins: new Map() })
  }

  private commit(operations: ReadonlyArray<Operation>, through: VectorClock.VectorClock): void {
    const { writes, wins } = Merge.mergeBatch((slot) => this.state.get(slot), operations)
    const clock = VectorClock.merge(this.clock, through)
    if (writes.size === 0 && wins.size === 0 && HashMap.isEmpty(VectorClock.difference(clock, this.clock))) return
    this.version++
    this.state = new Map([...this.state, ...writes])
    this.clock = clock
    this.tops = VectorClock.merge(this.tops, VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc])))
    this.log.push({ version: this.version, operations: [...writes.values()], wins })
  }
}
