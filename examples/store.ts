/**
 * A store of your own: a backend keeps the rows, here in a list, and the engine makes a store of it. The engine has the order of
 * commits, the clock, the digest, the quota and the changes. `store.test.ts` runs the contract of stores over it.
 */
import { Effect, Layer, Option } from "effect"
import {
  type Acknowledgement,
  type Backend,
  Cut,
  Engine,
  Hlc,
  Merge,
  type NodeId,
  type Operation,
  Query,
  type Quarantined,
  Reconcile,
  Selection,
  SlotTaken,
  Store,
  VectorClock
} from "feral-sync"

interface Row {
  /** Its place in the order of commits. */
  readonly number: number
  readonly operation: Operation.Operation
}

/** What is kept when the store is closed. One store at a time may have it. */
export interface Shelf {
  readonly nodeId: NodeId.NodeId
  state: typeof Engine.empty
  /** In the order of commits. */
  rows: ReadonlyArray<Row>
  quarantine: ReadonlyArray<Quarantined>
  acknowledged: Acknowledgement.Acknowledgements
}

export const shelf = (nodeId: NodeId.NodeId): Shelf => ({
  nodeId,
  state: Engine.empty,
  rows: [],
  quarantine: [],
  acknowledged: new Map()
})

type Test = (operation: Operation.Operation) => boolean

const backend = (shelf: Shelf): Backend => {
  const those = (test: Test) => shelf.rows.map(({ operation }) => operation).filter(test)
  const read = <A>(value: () => A) => Effect.sync(value)
  const isCollected = (covered: VectorClock.VectorClock) => (operation: Operation.Operation) =>
    Cut.isCollected(covered, operation)
  const after = (origin: NodeId.NodeId, timestamp: Hlc.Timestamp) =>
    those(({ hlc }) => hlc.node === origin && Hlc.isAfter(hlc, timestamp)).sort((a, b) => Hlc.HlcOrder(a.hlc, b.hlc))
  const of = (kind: string, rowId?: string) =>
    those(({ table, row_id }) => table === kind && (rowId === undefined || row_id === rowId))

  return {
    nodeId: shelf.nodeId,
    opened: shelf.state,
    feedId: shelf.nodeId,
    acknowledged: [...shelf.acknowledged.values()],

    commit: ({ state, writes, replaced, quarantined }) =>
      Effect.suspend(() => {
        const gone = new Set(replaced.map(Merge.slotOf))
        const left = shelf.rows.filter(({ operation }) => !gone.has(Merge.slotOf(operation)))
        const taken = new Set(left.map(({ operation }) => Merge.slotOf(operation)))
        if (writes.some((write) => taken.has(Merge.slotOf(write)))) return Effect.fail(new SlotTaken())
        const first = state.feed.last - writes.length + 1
        shelf.rows = [...left, ...writes.map((operation, index) => ({ number: first + index, operation }))]
        shelf.state = state
        shelf.quarantine = [...shelf.quarantine, ...quarantined].slice(-1_000)
        return Effect.void
      }),
    acknowledge: (news) =>
      read(() => {
        shelf.acknowledged = new Map([...shelf.acknowledged, ...news.map((one) => [one.node, one] as const)])
      }),

    current: (operations) =>
      read(() => {
        const slots = new Set(operations.map(Merge.slotOf))
        return new Map(those((row) => slots.has(Merge.slotOf(row))).map((row) => [Merge.slotOf(row), row]))
      }),
    beyond: (origin, timestamp, room) =>
      read(() => {
        const all = after(origin, timestamp)
        const { length, bytes } = Engine.pageLength(all.map(Engine.sizeOf), room)
        // Operations of one timestamp stay together.
        const last = all[length - 1]
        const operations = last === undefined ? [] : all.filter(({ hlc }) => !Hlc.isAfter(hlc, last.hlc))
        return { operations, bytes, exhausted: operations.length === all.length }
      }),
    countBeyond: (from, most) =>
      read(() =>
        Math.min(
          most,
          from.reduce((sum, [node, timestamp]) => sum + after(node, timestamp).length, 0)
        )
      ),
    range: (request) =>
      read(() => {
        const all = those((row) => Reconcile.contains(request, Reconcile.positionOf(row))).sort((a, b) =>
          Reconcile.PositionOrder(Reconcile.positionOf(a), Reconcile.positionOf(b))
        )
        const room = { bytes: request.maxBytes, operations: request.maxOperations, atLeastOne: true }
        const { length } = Engine.pageLength(all.map(Engine.sizeOf), room)
        return { operations: all.slice(0, length), exhausted: length === all.length }
      }),
    committedAfter: (number, room, kinds) =>
      read(() => {
        const all = shelf.rows.filter((row) => row.number > number)
        const sizes = all.map(({ operation }) => Engine.sizeOf(operation))
        const page = all.slice(0, Engine.pageLength(sizes, room).length)
        return {
          operations: page
            .map(({ operation }) => operation)
            .filter(({ table }) => kinds === undefined || kinds.includes(table)),
          number: page.at(-1)?.number ?? number
        }
      }),
    lastNumberOf: (operations) =>
      read(() => {
        const slots = new Set(operations.map(Merge.slotOf))
        const rows = shelf.rows.filter(({ operation }) => slots.has(Merge.slotOf(operation)))
        return Math.max(0, ...rows.map(({ number }) => number))
      }),

    get: (kind, rowId) => read(() => Option.fromUndefinedOr(of(kind, rowId)[0])),
    currentOfRow: (kind, rowId) => read(() => of(kind, rowId)),
    list: (kind, { after = "", limit }) =>
      read(() =>
        of(kind)
          .filter(({ op_type, row_id }) => op_type !== "delete" && row_id > after)
          .sort((a, b) => (a.row_id < b.row_id ? -1 : 1))
          .slice(0, limit)
      ),
    rows: (kind, { where, after, limit }) =>
      read(() => {
        const ordered = Query.orderedBy(where)
        const place = (row: Query.Shown) => Query.placeOf(row, ordered)
        return [...Map.groupBy(of(kind), ({ row_id }) => row_id).values()]
          .flatMap((held) => Query.shownOf(held) ?? [])
          .filter((row) => Query.matches(where, row))
          .filter((row) => after === undefined || Query.PlaceOrder(place(row), after) > 0)
          .sort((a, b) => Query.PlaceOrder(place(a), place(b)))
          .slice(0, limit)
      }),
    kinds: read(() => [...new Set(those(() => true).map(({ table }) => table))]),
    ownCounts: read(() => {
      const idsOf = (kind: string) => new Set(of(kind).map(({ row_id }) => row_id))
      const rowsOf = (kind: string) => [...idsOf(kind)].filter((id) => Query.shownOf(of(kind, id)) !== undefined)
      return new Map([...shelf.state.declared.keys()].map((kind) => [kind, rowsOf(kind).length]))
    }),
    usageOf: (kinds) => read(() => Engine.usageOf(those(({ table }) => kinds.includes(table)))),
    select: ({ filter, after, limit }) =>
      read(() => {
        const all = those(Selection.matcher(filter))
          .filter((row) => after === undefined || Selection.isAfter(Selection.placeOf(row), after))
          .sort(Selection.OperationOrder)
        return { operations: all.slice(0, limit), isMore: all.length > limit }
      }),
    search: ({ query, filter, after, limit }) =>
      read(() => {
        const hits = those(Selection.matcher(filter))
          .flatMap((row) => Engine.hitOf(row, query, after) ?? [])
          .sort(Engine.HitOrder)
        return { hits: hits.slice(0, limit), isMore: hits.length > limit, waiting: 0 }
      }),
    // There is no index of words: a search reads all rows.
    index: Effect.void,
    waiting: Effect.succeed(0),

    tombstones: (covered) => read(() => those(isCollected(covered)).length),
    someTombstones: (covered, most) => read(() => those(isCollected(covered)).slice(0, most)),
    lastTombstones: (covered) =>
      read(() => VectorClock.fromEntries(those(isCollected(covered)).map(({ hlc }) => [hlc.node, hlc] as const))),
    quarantine: read(() => shelf.quarantine),

    // Earlier versions are not kept, nothing is slow to write, and nothing can be damaged.
    versions: () => Effect.succeed([]),
    versionsInConflict: () => Effect.succeed([]),
    deleted: () => Effect.succeed([]),
    eraseVersions: () => Effect.void,
    sync: Effect.void,
    damage: Effect.succeed([]),
    backup: () => Effect.void,
    upkeep: Effect.void
  }
}

/** A store that has what was committed to the shelf when it is opened. */
export const layer = (shelf: Shelf) =>
  Layer.effect(
    Store,
    Effect.suspend(() => Engine.make(backend(shelf)))
  )
