/**
 * A replica without a disk, batches or indexes: what a store does, in its plainest form. It is the model that stores
 * are compared with, and the replica of a `SimulatedNetwork`.
 */
import { HashMap, Option } from "effect"
import * as ChangedOrigins from "../core/replica/ChangedOrigins.ts"
import * as Digest from "../core/replica/Digest.ts"
import * as Hlc from "../core/replica/Hlc.ts"
import * as Kind from "../core/replica/Kind.ts"
import * as Merge from "../core/replica/Merge.ts"
import type { NodeId } from "../core/replica/NodeId.ts"
import type { Operation } from "../core/replica/Operation.ts"
import {
  addHoldings,
  type Batch,
  type Change,
  type Delta,
  type DeltaRequest,
  noHoldings,
  type Snapshot
} from "../core/replica/Replica.ts"
import * as Purge from "../core/replica/Purge.ts"
import * as Ranges from "../core/replica/Ranges.ts"
import * as VectorClock from "../core/replica/VectorClock.ts"
import * as Opaque from "../services/store/Opaque.ts"

type Sums = Pick<Snapshot, "digest" | "holdings" | "ofApplications">

export class SimulatedReplica {
  readonly id: NodeId
  state: Merge.State = new Map()
  clock = VectorClock.empty
  frontier = VectorClock.empty
  purges: Purge.Purges = Purge.none
  /** What rows of unknown kinds may take, and what did not fit into that of the last batch. */
  quota: Opaque.Quota = Opaque.unlimited
  overQuota = VectorClock.empty
  version = 0
  readonly log: Array<Required<Change>> = []
  quarantined = 0
  forgets = 0
  /** Whether it forgets every origin without rows at once, as a store does when there are too many. */
  private readonly isForgetful: boolean
  private summed: { readonly state: Merge.State; readonly sums: Sums } | undefined

  constructor(id: NodeId, isForgetful = false) {
    this.id = id
    this.isForgetful = isForgetful
  }

  /** A local write. */
  append(operations: ReadonlyArray<Operation>): void {
    this.commit(operations, VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc])))
  }

  apply(batch: Batch): Snapshot {
    this.quarantined += batch.quarantined.length
    const usage = Opaque.recount(Opaque.nothing, this.state.values(), [])
    const { purges, state: current, quota } = this
    const { operations, coverage: through, overQuota } = Opaque.sift(batch, { usage, purges, current, quota })
    this.overQuota = overQuota
    this.commit(operations, through)
    return this.snapshot()
  }

  /** Removes rows by hand. */
  purge(scope: Purge.Scope): void {
    const run = Purge.nextRun(this.purges)
    const isMeant = ({ table, hlc }: Operation) => ("kind" in scope ? table === scope.kind : hlc.node === scope.origin)
    for (const operation of [...this.state.values()].filter(isMeant)) {
      const { table, hlc } = operation
      const part = Purge.partOf(this.purges, run, "kind" in scope ? table : undefined, hlc.node)
      const digest = Digest.add(part.digest, Digest.ofOperation(operation))
      const through = Hlc.latest(part.through, { wall: hlc.wall, counter: hlc.counter })
      this.purges = Purge.withPurge(this.purges, { ...part, through, rows: part.rows + 1, digest })
    }
    this.damage((state) => {
      for (const [slot, operation] of state) if (isMeant(operation)) state.delete(slot)
    })
  }

  snapshot(): Snapshot {
    const { version, clock, frontier, purges, forgets } = this
    return { version, vectorClock: clock, frontier, purges, forgets, ...this.sums() }
  }

  /** What is computed of all rows. They are another map after each change. */
  private sums(): Sums {
    if (this.summed?.state === this.state) return this.summed.sums
    let digest = Digest.empty
    const rows = Array.from(this.state.values(), (operation) => {
      const one = Digest.ofOperation(operation)
      digest = Digest.add(digest, one)
      return [operation.hlc.node, { rows: 1, digest: one }] as const
    })
    const ofApplications = [...this.state.values()].filter(({ table }) => Kind.parseName(table) !== undefined).length
    const sums = { digest, holdings: addHoldings(noHoldings, rows), ofApplications }
    this.summed = { state: this.state, sums }
    return sums
  }

  delta({ from, since, maxBytes, maxOperations }: DeltaRequest): Delta {
    const operations: Array<Operation> = []
    let bytes = 0
    let exhausted = 0
    for (const [node, timestamp] of from) {
      const beyond = [...this.state.values()]
        .filter(({ hlc }) => hlc.node === node && Hlc.isAfter(hlc, timestamp))
        .sort((a, b) => Hlc.TimestampOrder(a.hlc, b.hlc))
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
    const changed = ChangedOrigins.join(
      this.log.filter(({ version }) => version > since).map(({ changedOrigins }) => changedOrigins)
    )
    return { snapshot: this.snapshot(), operations, exhausted, changedOrigins: Option.some(changed) }
  }

  range({ maxOperations, ...range }: Ranges.RangeRequest): Ranges.RangePage {
    const rows = [...this.state.values()]
      .filter((row) => Ranges.contains(range, Ranges.positionOf(row)))
      .sort((a, b) => Ranges.PositionOrder(Ranges.positionOf(a), Ranges.positionOf(b)))
    return { operations: rows.slice(0, maxOperations), exhausted: rows.length <= maxOperations }
  }

  /** The loss of a row, or another in its place, behind the back of the replica. */
  damage(change: (state: Map<Merge.Slot, Operation>) => void): void {
    const state = new Map(this.state)
    change(state)
    this.state = state
    this.version++
    this.log.push({ version: this.version, operations: [], changedOrigins: ChangedOrigins.of([], new Map()) })
  }

  private forget(): void {
    const isKept = (_: unknown, node: NodeId) =>
      node === this.id || [...this.state.values()].some(({ hlc }) => hlc.node === node)
    const [clock, frontier] = [this.clock, this.frontier].map((entries) => HashMap.filter(entries, isKept))
    if (clock === undefined || frontier === undefined) return
    if (HashMap.size(clock) < HashMap.size(this.clock) || HashMap.size(frontier) < HashMap.size(this.frontier))
      this.forgets++
    this.clock = clock
    this.frontier = frontier
  }

  private commit(operations: ReadonlyArray<Operation>, through: VectorClock.VectorClock): void {
    const { writes, supersessions } = Merge.mergeBatch((slot) => this.state.get(slot), operations)
    const clock = VectorClock.merge(this.clock, through)
    if (writes.size === 0 && supersessions.size === 0 && HashMap.isEmpty(VectorClock.difference(clock, this.clock)))
      return
    this.version++
    this.state = new Map([...this.state, ...writes])
    this.clock = clock
    this.frontier = VectorClock.merge(
      this.frontier,
      VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))
    )
    const changed = [...writes.values()]
    this.log.push({
      version: this.version,
      operations: changed,
      changedOrigins: ChangedOrigins.of(changed, supersessions)
    })
    if (this.isForgetful) this.forget()
  }
}
