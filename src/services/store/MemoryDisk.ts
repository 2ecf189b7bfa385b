/**
 * The disk of an in-memory store: the commits, and nothing else. It outlives the layer that writes to it, as a disk
 * outlives the process: to crash a node, close its layer and give the disk to a new one.
 *
 * As on a disk, the last commits are lost with the power when they were not synced: see `losePower`.
 */
import type { Acknowledgement, Acknowledgements } from "../../core/replica/Acknowledgement.ts"
import * as Cut from "../../core/replica/Cut.ts"
import * as History from "../../core/replica/History.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import type { Quarantined } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as StoreState from "./StoreState.ts"

export interface MemoryDisk {
  /** The identity of the replica, once there is one. */
  nodeId: NodeId | undefined
  state: StoreState.State
  quarantine: ReadonlyArray<Quarantined>
  /** What other nodes have acknowledged. */
  acknowledged: Acknowledgements
  readonly rows: Map<Merge.Slot, Operation>
  /** The same rows in the order of their numbers in the change feed. */
  readonly feed: Array<Numbered>
  readonly numbers: Map<Merge.Slot, number>
  /** The local history, the oldest first. */
  versions: ReadonlyArray<History.Version>
  /** Tells the feeds of copies apart, by the copies that were made on the way to each of them. */
  readonly lineage: string
  copies: number
  /** The same rows by origin, in the order of their timestamps. */
  readonly history: Map<NodeId, Array<Operation>>
  /** How to take back each of the commits that are not synced, oldest first. */
  readonly unsynced: Array<Undo>
  /** What waits to be written anew after the replica has rejoined. */
  rejoining: ReadonlyArray<Operation> | undefined
  /** Copies made by `backup`, by file name. */
  readonly backups: Map<string, MemoryDisk>
  /** Whether nothing more can be written. */
  isFull: boolean
}

export interface Numbered {
  readonly number: number
  readonly operation: Operation
}

interface Undo {
  readonly versions: ReadonlyArray<History.Version>
  readonly state: StoreState.State
  readonly acknowledged: Acknowledgements
  readonly quarantine: ReadonlyArray<Quarantined>
  readonly slots: ReadonlyArray<readonly [Merge.Slot, Numbered | undefined]>
}

/** Commits that a loss of power takes at most: older ones are synced. */
export const maxUnsynced = 64

/** An empty disk. */
export const make = (lineage = ""): MemoryDisk => ({
  nodeId: undefined,
  state: StoreState.empty,
  quarantine: [],
  acknowledged: new Map(),
  rows: new Map(),
  feed: [],
  numbers: new Map(),
  versions: [],
  lineage,
  copies: 0,
  history: new Map(),
  unsynced: [],
  rejoining: undefined,
  backups: new Map(),
  isFull: false
})

/** A disk with the same contents. */
export const copy = (disk: MemoryDisk): MemoryDisk => {
  const { nodeId, state, quarantine, acknowledged, rows, feed, numbers, history, rejoining, versions } = disk
  return {
    ...make(nextLineage(disk)),
    nodeId,
    state,
    quarantine,
    acknowledged,
    rejoining,
    versions,
    rows: new Map(rows),
    feed: [...feed],
    numbers: new Map(numbers),
    history: new Map(Array.from(history, ([node, operations]) => [node, [...operations]]))
  }
}

const nextLineage = (disk: MemoryDisk): string => `${disk.lineage}.${++disk.copies}`

/** The disk of a replica that was too long away and begins anew, as `SqliteRejoin.ts` makes it. */
export const rejoined = (disk: MemoryDisk): MemoryDisk => {
  const { nodeId, state, rows } = disk
  const high = StoreState.highWater(state)
  const isOwn = ({ hlc }: Operation) => hlc.node === nodeId
  return {
    ...make(nextLineage(disk)),
    nodeId,
    state: {
      ...StoreState.empty,
      declared: state.declared,
      frontier: nodeId === undefined ? VectorClock.empty : VectorClock.advance(VectorClock.empty, nodeId, high),
      cut: { ...Cut.none, isRejoined: true }
    },
    rejoining: [...rows.values()]
      .filter((row) => Merge.ruleOf(row.table) !== "opaque" || isOwn(row))
      .filter((row) => VectorClock.covers(state.vectorClock, row.hlc))
      .sort((a, b) => Hlc.HlcOrder(a.hlc, b.hlc))
  }
}

/** Writes a commit. Gives false, and writes nothing, when a slot holds what the commit does not replace. */
export const write = (
  disk: MemoryDisk,
  commit: StoreState.Commit,
  synced: boolean,
  history?: History.Limits
): boolean => {
  const replaced = new Set(commit.replaced.map(Merge.slotOf))
  const slots = commit.writes.map(Merge.slotOf)
  if (slots.some((slot) => disk.rows.has(slot) && !replaced.has(slot))) return false
  const written = new Set(slots)
  const left = [...replaced].filter((slot) => !written.has(slot))
  const first = commit.state.feed.last - commit.writes.length + 1
  const undo: Undo = {
    versions: disk.versions,
    state: disk.state,
    acknowledged: disk.acknowledged,
    quarantine: disk.quarantine,
    slots: [
      ...left.map((slot) => [slot, place(disk, slot, undefined)] as const),
      ...commit.writes.map((operation, index) => {
        const slot = Merge.slotOf(operation)
        return [slot, place(disk, slot, { number: first + index, operation })] as const
      })
    ]
  }
  disk.state = commit.state
  if (commit.superseded !== undefined && history !== undefined) {
    disk.versions = History.keep(disk.versions, commit.superseded.versions, commit.superseded.at, history)
  }
  disk.quarantine = [...disk.quarantine, ...commit.quarantined].slice(-StoreState.quarantineLimits.rows)
  if (synced) disk.unsynced.length = 0
  else if (disk.unsynced.push(undo) > maxUnsynced) disk.unsynced.shift()
  return true
}

/** Writes acknowledgements over those of the same nodes. */
export const acknowledge = (disk: MemoryDisk, news: ReadonlyArray<Acknowledgement>): void => {
  disk.acknowledged = new Map([...disk.acknowledged, ...news.map((one) => [one.node, one] as const)])
}

/**
 * What a loss of power does to a disk that no layer uses: its last `commits` commits are gone, as far as they were not
 * synced. Returns how many were lost.
 */
export const losePower = (disk: MemoryDisk, commits: number = maxUnsynced): number => {
  let lost = 0
  while (lost < commits) {
    const undo = disk.unsynced.pop()
    if (undo === undefined) break
    for (const [slot, before] of undo.slots) place(disk, slot, before)
    disk.state = undo.state
    disk.acknowledged = undo.acknowledged
    disk.quarantine = undo.quarantine
    disk.versions = undo.versions
    lost++
  }
  return lost
}

/** The operations of an origin after `timestamp`, from the index on. */
export const indexAfter = (operations: ReadonlyArray<Operation>, timestamp: Hlc.Timestamp): number => {
  let low = 0
  let high = operations.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const operation = operations[middle]
    if (operation !== undefined && Hlc.isAfter(operation.hlc, timestamp)) high = middle
    else low = middle + 1
  }
  return low
}

/** The rows of the feed after a number, from the index on. */
export const indexAfterNumber = (feed: ReadonlyArray<Numbered>, number: number): number => {
  let low = 0
  let high = feed.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const row = feed[middle]
    if (row !== undefined && row.number > number) high = middle
    else low = middle + 1
  }
  return low
}

/** Puts an operation into a slot, or empties it. Returns the old operation. */
const place = (disk: MemoryDisk, slot: Merge.Slot, row: Numbered | undefined): Numbered | undefined => {
  const before = disk.feed[indexAfterNumber(disk.feed, disk.numbers.get(slot) ?? 0) - 1]
  const current = disk.numbers.has(slot) ? before : undefined
  if (current !== undefined) {
    const history = disk.history.get(current.operation.hlc.node) ?? []
    history.splice(history.lastIndexOf(current.operation, indexAfter(history, current.operation.hlc) - 1), 1)
    disk.feed.splice(indexAfterNumber(disk.feed, current.number) - 1, 1)
  }
  if (row === undefined) {
    disk.rows.delete(slot)
    disk.numbers.delete(slot)
    return current
  }
  const { number, operation } = row
  disk.feed.splice(indexAfterNumber(disk.feed, number), 0, row)
  disk.numbers.set(slot, number)
  const history = disk.history.get(operation.hlc.node) ?? []
  history.splice(indexAfter(history, operation.hlc), 0, operation)
  disk.history.set(operation.hlc.node, history)
  disk.rows.set(slot, operation)
  return current
}
