/**
 * Lets sessions between replicas run until nothing happens any more, and compares what the replicas then hold.
 */
import { assert } from "@effect/vitest"
import { HashMap } from "effect"
import * as Digest from "../../src/core/replica/Digest.ts"
import { toWire } from "../../src/core/replica/Operation.ts"
import * as Session from "../../src/core/sync/Session.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import type { NaiveReplica } from "./NaiveReplica.ts"
import type { Link } from "./Network.ts"

/** Lets a set of links run, in any order that `pick` chooses, until nothing happens any more. */
export const settle = (
  links: ReadonlyArray<Link>,
  clock: { now: number },
  pick: (n: number) => number = () => 0
): void => {
  for (let round = 0; round < 100_000; round++) {
    const choices: Array<() => void> = []
    for (const link of links) {
      for (const index of [0, 1] as const) {
        const end = link.ends[index]
        if (end.inbox.length > 0) choices.push(() => link.deliver(index))
        if (end.replica.version > end.session.local.version) choices.push(() => link.notify(index))
      }
    }
    if (choices.length === 0) {
      // Nothing but time is left: go to the next deadline, unless only keep-alives are.
      const next = Math.min(...links.flatMap((link) => link.ends.map((end) => Session.deadline(end.session))))
      if (next > clock.now + 10_000) return
      clock.now = Math.max(clock.now, next)
      for (const link of links) for (const index of [0, 1] as const) link.tick(index)
      continue
    }
    choices[pick(choices.length)]?.()
  }
  assert.fail("the sessions never came to rest")
}

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
