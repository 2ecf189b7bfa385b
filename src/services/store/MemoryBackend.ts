/**
 * A store whose rows are in memory. It keeps nothing but its `MemoryDisk`, and is deterministic: given a node id, the
 * same calls lead to the same state.
 */
import { Effect, Number as Num, Option, Random } from "effect"
import * as Cut from "../../core/replica/Cut.ts"
import * as History from "../../core/replica/History.ts"
import type { Timestamp } from "../../core/replica/Hlc.ts"
import * as Merge from "../../core/replica/Merge.ts"
import { byCodePoint, NodeId } from "../../core/replica/NodeId.ts"
import type { Kind, Operation } from "../../core/replica/Operation.ts"
import { contains, PositionOrder, positionOf, type RangeRequest } from "../../core/replica/Ranges.ts"
import * as Query from "../../core/replica/Query.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { type Backend, type FeedPage, SlotTaken } from "./Backend.ts"
import * as Opaque from "./Opaque.ts"
import * as Searching from "./Searching.ts"
import { pageLength, type Room, rowsEnough, sizeOf } from "./Sizes.ts"
import * as Engine from "./Engine.ts"
import * as MemoryDisk from "./MemoryDisk.ts"

export interface Options extends Engine.Options {
  /** The identity of a fresh disk; by default one drawn from `Random`. */
  readonly nodeId?: NodeId | undefined
  /** The disk with earlier commits; by default an empty one. One layer at a time may use it. */
  readonly disk?: MemoryDisk.MemoryDisk | undefined
}

export const make = Effect.fnUntraced(function* ({
  disk = MemoryDisk.make(),
  nodeId: wanted,
  ...options
}: Options = {}) {
  const nodeId = disk.nodeId ?? wanted ?? (yield* randomNodeId)
  disk.nodeId = nodeId

  const current = (operations: ReadonlyArray<Operation>) =>
    Effect.sync(() => {
      const found = new Map<Merge.Slot, Operation>()
      for (const operation of operations) {
        const slot = Merge.slotOf(operation)
        const row = disk.rows.get(slot)
        if (row !== undefined) found.set(slot, row)
      }
      return found
    })

  const beyond = (origin: NodeId, timestamp: Timestamp, room: Room) =>
    Effect.sync(() => {
      const history = disk.history.get(origin) ?? []
      const start = MemoryDisk.indexAfter(history, timestamp)
      const candidates = history.slice(start, start + rowsEnough(room))
      const { length, bytes } = pageLength(candidates.map(sizeOf), room)
      const last = candidates[length - 1]
      const end = last === undefined ? start : MemoryDisk.indexAfter(history, last.hlc)
      return { operations: history.slice(start, end), bytes, exhausted: end === history.length }
    })

  const list = (kind: Kind, { after, limit }: { readonly after?: string | undefined; readonly limit: number }) =>
    Effect.sync(() => {
      if (Merge.ruleOf(kind) === "opaque") return []
      const rows: Array<Operation> = []
      for (const row of disk.rows.values()) {
        if (row.table !== kind || row.op_type === "delete") continue
        if (after === undefined || byCodePoint(row.row_id, after) > 0) rows.push(row)
      }
      return rows.sort((a, b) => byCodePoint(a.row_id, b.row_id)).slice(0, limit)
    })

  const currentIn = (kind: string, rowId?: string) =>
    Array.from(disk.rows.values()).filter(
      ({ table, row_id }) => table === kind && (rowId === undefined || row_id === rowId)
    )

  const rows = (kind: Kind, request: Searching.RowsRequest) =>
    Effect.sync(() => {
      const shown = [...Map.groupBy(currentIn(kind), ({ row_id }) => row_id).values()].flatMap((current) => {
        const row = Query.shownOf(current)
        return row === undefined || !Searching.isRequested(request, row) ? [] : [row]
      })
      return Query.inOrder(kind, request, shown)
    })

  const range = (request: RangeRequest) =>
    Effect.sync(() => {
      const room = { bytes: request.maxBytes, operations: request.maxOperations, atLeastOne: true }
      const rows = Array.from(disk.rows.values()).filter((row) => contains(request, positionOf(row)))
      rows.sort((a, b) => PositionOrder(positionOf(a), positionOf(b)))
      const candidates = rows.slice(0, rowsEnough(room))
      const { length } = pageLength(candidates.map(sizeOf), room)
      return { operations: rows.slice(0, length), exhausted: length === rows.length }
    })

  const select = ({ filter, after, limit }: Selection.Request) =>
    Effect.sync((): Selection.Page => {
      const fits = Selection.matcher(filter)
      const rows = Array.from(disk.rows.values())
        .filter((row) => fits(row) && (after === undefined || Selection.isAfter(Selection.placeOf(row), after)))
        .sort(Selection.OperationOrder)
      return { operations: rows.slice(0, limit), isMore: rows.length > limit }
    })

  const search = ({ query, filter, after, limit }: Searching.Request) =>
    Effect.sync((): Searching.Found => {
      const fits = Selection.matcher(filter)
      const hits = Array.from(disk.rows.values()).flatMap((operation): ReadonlyArray<Searching.Hit> => {
        const hit = fits(operation) ? Searching.hitOf(operation, query, after) : undefined
        return hit === undefined ? [] : [hit]
      })
      hits.sort(Searching.HitOrder)
      return { hits: hits.slice(0, limit), isMore: hits.length > limit, waiting: 0 }
    })

  const tombstones = (covered: VectorClock.VectorClock) =>
    Array.from(disk.rows.values()).filter((row) => Cut.isCollected(covered, row))

  const backend: Backend = {
    nodeId,
    opened: disk.state,
    feedId: `${nodeId}${disk.lineage}`,
    versions: (kind, rowId) =>
      Effect.sync(() =>
        disk.versions.filter(({ operation }) => History.isIn({ kind, id: rowId }, operation)).toReversed()
      ),
    versionsInConflict: (before, limit) =>
      Effect.sync(() =>
        disk.versions
          .filter(({ version, isConflict }) => isConflict && version < before)
          .toReversed()
          .slice(0, limit)
      ),
    deleted: (request) =>
      Effect.sync(() => History.deleted(disk.versions, (operation) => disk.rows.get(Merge.slotOf(operation)), request)),
    eraseVersions: (scope) =>
      Effect.sync(
        () => void (disk.versions = disk.versions.filter(({ operation }) => !History.isIn(scope, operation)))
      ),
    committedAfter: (number, room, kinds) => Effect.sync(() => committedAfter(disk, number, room, kinds)),
    lastNumberOf: (operations) =>
      Effect.sync(() => operations.reduce((last, row) => Math.max(last, disk.numbers.get(Merge.slotOf(row)) ?? 0), 0)),
    current,
    commit: (commit, synced) =>
      Effect.suspend((): Effect.Effect<void, StoreUnavailable | SlotTaken> =>
        disk.isFull
          ? Effect.fail(new StoreUnavailable({ reason: "disk full", detail: "the disk in memory is full" }))
          : MemoryDisk.write(disk, commit, synced, options.history)
            ? Effect.void
            : new SlotTaken()
      ),
    sync: Effect.sync(() => void (disk.unsynced.length = 0)),
    beyond,
    range,
    // The slot of a row of a known kind. The rows of others have no winner, and so no slot of their own.
    get: (kind, rowId) => Effect.sync(() => Option.fromUndefinedOr(disk.rows.get(`${kind}\0${rowId}\0`))),
    currentOfRow: (kind, rowId) => Effect.sync(() => currentIn(kind, rowId)),
    rows,
    ownCounts: Effect.sync(() => {
      const shownOf = (kind: string) =>
        [...Map.groupBy(currentIn(kind), ({ row_id }) => row_id).values()].filter(
          (held) => Query.shownOf(held) !== undefined
        )
      return new Map(Array.from(disk.state.declared.keys(), (kind) => [kind, shownOf(kind).length]))
    }),
    kinds: Effect.sync(() => [...new Set(Array.from(disk.rows.values(), ({ table }) => table))].sort(byCodePoint)),
    usageOf: (kinds) =>
      Effect.sync(() =>
        Opaque.recount(
          Opaque.nothing,
          kinds.flatMap((kind) => currentIn(kind)),
          []
        )
      ),
    list,
    select,
    search,
    index: Effect.void,
    waiting: Effect.succeed(0),
    quarantine: Effect.sync(() => disk.quarantine),
    damage: Effect.succeed([]),
    acknowledged: Array.from(disk.acknowledged.values()),
    acknowledge: (news) => Effect.sync(() => MemoryDisk.acknowledge(disk, news)),
    tombstones: (covered) => Effect.sync(() => tombstones(covered).length),
    countBeyond: (from, most) =>
      Effect.sync(() => {
        const counts = from.map(([origin, timestamp]) => {
          const history = disk.history.get(origin) ?? []
          return history.length - MemoryDisk.indexAfter(history, timestamp)
        })
        return Math.min(most, Num.sumAll(counts))
      }),
    lastTombstones: (covered) =>
      Effect.sync(() =>
        VectorClock.fromEntries(
          tombstones(covered).map(({ hlc: { node, wall, counter } }) => [node, { wall, counter }] as const)
        )
      ),
    someTombstones: (covered, most) => Effect.sync(() => tombstones(covered).slice(0, most)),
    rejoining: disk.rejoining && {
      read: (from, most) => Effect.sync(() => disk.rejoining?.slice(from, from + most) ?? []),
      clear: Effect.sync(() => (disk.rejoining = undefined))
    },
    backup: (file) => Effect.sync(() => void disk.backups.set(file, MemoryDisk.copy(disk))),
    upkeep: Effect.void
  }
  return yield* Engine.make(backend, options)
})

const committedAfter: (disk: MemoryDisk.MemoryDisk, ...request: Parameters<Backend["committedAfter"]>) => FeedPage = (
  { feed },
  number,
  room,
  kinds
) => {
  const isRequested = ({ table }: Operation) => kinds === undefined || kinds.includes(table)
  const start = MemoryDisk.indexAfterNumber(feed, number)
  const candidates = feed.slice(start, start + rowsEnough(room))
  const { length } = pageLength(
    candidates.map(({ operation }) => (isRequested(operation) ? sizeOf(operation) : 0)),
    room
  )
  const rows = candidates.slice(0, length)
  const operations = rows.map(({ operation }) => operation).filter(isRequested)
  return { operations, number: rows.at(-1)?.number ?? number }
}

const randomNodeId = Effect.map(
  Effect.all([Random.nextIntBetween(0, 2 ** 32), Random.nextIntBetween(0, 2 ** 32)]),
  (halves) => NodeId.make(halves.map((half) => half.toString(16).padStart(8, "0")).join(""))
)
