/**
 * How much fits into a frame: operations, and the parts of a clock.
 */
import { HashMap } from "effect"
import type { Timestamp } from "../replica/Hlc.ts"
import { type NodeId, utf8Length } from "../replica/NodeId.ts"
import * as Operation from "../replica/Operation.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import { limits } from "./WireMessages.ts"

/**
 * The operations that fit into a frame of about `maxBytes` bytes, as texts: a leading part, and at least one of them
 * however large it is. Those that are larger than `maxOperation` are left out. `taken` counts both.
 */
export const fill = (
  operations: ReadonlyArray<Operation.Operation>,
  maxBytes: number,
  maxOperation: number
): Filled => {
  const changes: Array<string> = []
  const tooLarge: Array<{ readonly operation: Operation.Operation; readonly bytes: number }> = []
  let bytes = 0
  for (const operation of operations) {
    const text = Operation.toWire(operation)
    const size = utf8Length(text) + 1
    if (size > maxOperation) {
      tooLarge.push({ operation, bytes: size })
      continue
    }
    if (changes.length > 0 && bytes + size > maxBytes) break
    changes.push(text)
    bytes += size
  }
  return { changes, bytes, tooLarge, taken: changes.length + tooLarge.length }
}

export interface Filled {
  readonly changes: ReadonlyArray<string>
  readonly bytes: number
  readonly tooLarge: ReadonlyArray<{ readonly operation: Operation.Operation; readonly bytes: number }>
  readonly taken: number
}

/**
 * Cuts a clock into parts whose wire text has about `maxBytes` bytes each, and no more entries than a message may have;
 * at least one entry in each, and one part at least.
 */
export const partsOf = (clock: VectorClock.VectorClock, maxBytes: number): ReadonlyArray<VectorClock.VectorClock> => {
  const parts: Array<Array<readonly [NodeId, Timestamp]>> = [[]]
  let bytes = 0
  for (const [node, timestamp] of HashMap.entries(clock)) {
    // The id stands there twice, and may have to be escaped.
    const size = 2 * utf8Length(JSON.stringify(node)) + 40
    let part = parts.at(-1) ?? []
    if (part.length >= limits.origins || (part.length > 0 && bytes + size > maxBytes)) {
      parts.push((part = []))
      bytes = 0
    }
    part.push([node, timestamp])
    bytes += size
  }
  return parts.length === 1 ? [clock] : parts.map(VectorClock.fromEntries)
}
