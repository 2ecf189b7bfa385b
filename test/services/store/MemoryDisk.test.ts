import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import { draft } from "../../support/Drafts.ts"
import { integer, operations, runs } from "../../support/Generators.ts"
import { digestOf } from "../../support/MergeModel.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, described, opened } from "../../support/Stores.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"

const Batches = Arbitrary.array(operations, { maxLength: 6 })

/** What a disk holds, for comparison. */
const contents = ({ state, quarantine, rows, history }: MemoryDisk.MemoryDisk) => ({
  clock: VectorClock.toRecord(state.vectorClock),
  frontier: VectorClock.toRecord(state.frontier),
  digest: state.digest,
  counts: state.counts,
  quarantine,
  rows: new Map([...rows].sort()),
  history: new Map([...history].filter(([, all]) => all.length > 0).sort())
})

describe("MemoryDisk", () => {
  it.effect("a loss of power takes what was not synced, and nothing that was", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const open = opened(MemoryStore.layer({ disk }))
      const a = node("a")
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* store.apply(batch([write(a, at(1), "r1")], { a: at(1) }))
          yield* store.append([draft("r2")])
          const before = yield* described(store)
          yield* store.apply(batch([write(a, at(2), "r2"), write(a, at(3), "r1")], { a: at(3) }))
          yield* store.apply(batch([write(a, at(4), "r1", "notes", "delete")], { a: at(4) }))
          return before
        })
      )
      assert.strictEqual(MemoryDisk.losePower(disk), 2)
      assert.strictEqual(MemoryDisk.losePower(disk), 0)
      assert.deepStrictEqual(yield* described(yield* open), before)
    })
  )

  it.prop(
    "what is taken back was never there",
    [Batches, integer(0, 6)],
    ([batches, lost]) =>
      Effect.runSync(
        Effect.scoped(
          Effect.gen(function* () {
            const disk = MemoryDisk.make()
            const store = yield* opened(MemoryStore.layer({ disk }))
            const states = [contents(disk)]
            for (const operations of batches) {
              const unsynced = disk.unsynced.length
              yield* store.apply(batch(operations))
              assert.deepStrictEqual(digestOf(disk.rows), disk.state.digest)
              if (disk.unsynced.length > unsynced) states.push(contents(disk))
            }
            const count = MemoryDisk.losePower(disk, lost)
            assert.strictEqual(count, Math.min(lost, states.length - 1))
            assert.deepStrictEqual<unknown>(contents(disk), states[states.length - 1 - count])
          })
        )
      ),
    runs(2_000)
  )

  it.effect("the system syncs what is old", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const store = yield* opened(MemoryStore.layer({ disk }))
      const all: Array<Operation> = []
      for (let wall = 1; wall <= MemoryDisk.maxUnsynced + 10; wall++) {
        const operation = write(node("a"), at(wall), `r${wall}`)
        all.push(operation)
        yield* store.apply(batch([operation]))
      }
      assert.strictEqual(MemoryDisk.losePower(disk), MemoryDisk.maxUnsynced)
      assert.deepStrictEqual([...disk.rows.values()], all.slice(0, 10))
    })
  )
})
