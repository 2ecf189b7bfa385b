/** What a store takes goes with what it holds, and not with how it came to hold it, nor with time. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, HashMap } from "effect"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { open } from "../../support/SqliteFiles.ts"
import { at, batch, everything, onDisk, request } from "../../support/Stores.ts"

const slots = 1_000
const content = "x".repeat(300)
const round = (number: number) => Array.from({ length: slots }, (_, slot) => draft(`r${slot}`, `${number} ${content}`))

const bytesIn = (home: string): number =>
  readdirSync(home)
    .filter((name) => name.startsWith("sync.db"))
    .reduce((sum, name) => sum + statSync(join(home, name)).size, 0)

/** The size of a file, closed, to which so many rounds of the same rows were written. */
const sizeAfter = Effect.fnUntraced(function* (rounds: number) {
  const { home } = yield* onDisk
  yield* Effect.scoped(
    Effect.gen(function* () {
      const store = yield* open({ home })
      for (let number = 0; number < rounds; number++) yield* store.append(round(number))
      assert.strictEqual((yield* store.counts).notes, slots)
      assert.lengthOf(yield* everything(store), slots)
    })
  )
  return bytesIn(home)
})

describe("what a store takes", () => {
  it.effect("after 20,000 writes to 1,000 notes is what 1,000 notes take", () =>
    Effect.gen(function* () {
      assert.isBelow(yield* sizeAfter(20), 2 * (yield* sizeAfter(1)))
    })
  )

  it.effect("a row that is deleted leaves its tombstone alone, which is counted", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      yield* store.append(round(0))
      yield* store.append(round(1).map(({ row_id }) => draft(row_id, "", "notes", "delete")))
      const { notes, tombstones } = yield* store.counts
      assert.deepStrictEqual({ notes, tombstones }, { notes: 0, tombstones: slots })
      const left = yield* everything(store)
      assert.deepStrictEqual(new Set(left.map(({ data }) => data as string)), new Set(["{}"]))
      // Written again, it is a row again.
      yield* store.append([draft("r0")])
      assert.strictEqual((yield* store.counts).tombstones, slots - 1)
    })
  )

  it.effect("the clock has an entry for each origin, whatever became of its operations", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      const origins = Array.from({ length: 50 }, (_, index) => node(`origin-${index}`))
      for (let time = 1; time <= 20; time++) {
        // Each beats all before it on the same row.
        const operations = origins.map((origin, index) => write(origin, at(time * 100 + index), "r1"))
        const through = Object.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))
        yield* store.apply(batch(operations, through))
      }
      const { vectorClock: clock, frontier } = yield* store.snapshot
      assert.strictEqual(HashMap.size(clock), origins.length)
      assert.isAtMost(HashMap.size(frontier), origins.length)
      const from = Object.fromEntries(origins.map((origin) => [origin, at(0)]))
      assert.lengthOf((yield* store.delta(request(from))).operations, 1)
    })
  )
})
