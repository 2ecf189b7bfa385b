/** Compares what replicas hold after the sessions between them came to rest. */
import { assert } from "@effect/vitest"
import { HashMap } from "effect"
import * as Digest from "../../src/core/replica/Digest.ts"
import { toWire } from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import type { NaiveReplica } from "./NaiveReplica.ts"

export { settle } from "../../src/testing/Settle.ts"

export const rows = (replica: NaiveReplica): ReadonlyArray<string> => Array.from(replica.state.values(), toWire).sort()

/** What a replica covers of the origins of which it has rows. */
const history = (replica: NaiveReplica): VectorClock.VectorClock => {
  const { vectorClock: clock, holdings } = replica.snapshot()
  return HashMap.filter(clock, (_, node) => HashMap.has(holdings, node))
}

export const assertConverged = (replicas: ReadonlyArray<NaiveReplica>): void => {
  const [first, ...others] = replicas
  if (first === undefined) return
  for (const other of others) {
    // Of origins without rows each may remember what it likes.
    const [one, two] = [first, other].map(history)
    assert.isTrue(one !== undefined && two !== undefined && VectorClock.compare(one, two) === "equal")
    assert.strictEqual(Digest.toText(first.snapshot().digest), Digest.toText(other.snapshot().digest))
    assert.deepStrictEqual(rows(first), rows(other))
  }
}
