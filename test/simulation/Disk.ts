/**
 * The disk of a simulated node: it outlives the process, and loses what was not synced when the power fails. One is in memory, the
 * other is the SQLite store on real files (`SqliteDisk.ts`).
 */
import { Effect, Layer } from "effect"
import type * as Merge from "../../src/core/replica/Merge.ts"
import type { NodeId } from "../../src/core/replica/NodeId.ts"
import type { Operation } from "../../src/core/replica/Operation.ts"
import type { HlcClock } from "../../src/services/node/HlcClock.ts"
import type { StoreUnavailable } from "../../src/services/node/NodeFailure.ts"
import { Store } from "../../src/services/store/Store.ts"
import type * as Engine from "../../src/services/store/Engine.ts"
import * as MemoryBackend from "../../src/services/store/MemoryBackend.ts"
import * as MemoryDisk from "../../src/services/store/MemoryDisk.ts"
import type { State } from "../../src/services/store/StoreState.ts"

/** What was committed, at one moment. */
export interface Content {
  readonly nodeId: NodeId | undefined
  readonly state: Pick<State, "vectorClock" | "digest" | "live" | "cut">
  /** What waits to be written anew after the replica has rejoined. */
  readonly rejoining: ReadonlyArray<Operation>
  readonly rows: ReadonlyMap<Merge.Slot, Operation>
}

export interface Disk {
  /** What is committed now. Another object after each commit. */
  readonly content: Content
  /** Whether nothing more can be written. */
  isFull: boolean
  /** The store on this disk, for one process. */
  store(options: Engine.Options): Layer.Layer<Store, StoreUnavailable, HlcClock>
  /**
   * The disk as the next process finds it. The one that ends goes on with this one, where nobody looks any more. With `power`, from 0
   * to 1, that much of what was not synced is lost.
   */
  crash(power: number | undefined): Disk
  copy(): Disk
  /** The disk of the same replica when it begins anew. */
  rejoin(): Disk
}

/** In memory. */
export const inMemory = (nodeId: NodeId, disk = MemoryDisk.make()): Disk => {
  disk.nodeId = nodeId
  const look = (): Content => ({ nodeId, state: disk.state, rows: disk.rows, rejoining: disk.rejoining ?? [] })
  let content = look()
  return {
    get content() {
      if (content.state !== disk.state || content.rejoining.length !== (disk.rejoining?.length ?? 0)) content = look()
      return content
    },
    get isFull() {
      return disk.isFull
    },
    set isFull(isFull) {
      disk.isFull = isFull
    },
    store: (options) =>
      Layer.effect(
        Store,
        Effect.suspend(() => MemoryBackend.make({ ...options, disk }))
      ),
    crash: (power) => {
      if (power !== undefined) MemoryDisk.losePower(disk, 1 + Math.floor(power * MemoryDisk.maxUnsynced))
      return inMemory(nodeId, { ...MemoryDisk.copy(disk), isFull: disk.isFull })
    },
    copy: () => inMemory(nodeId, MemoryDisk.copy(disk)),
    rejoin: () => inMemory(nodeId, { ...MemoryDisk.rejoined(disk), isFull: disk.isFull })
  }
}
