/** Deletions that every node has confirmed are dropped, in memory and on the disk. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Cut from "../../../src/core/replica/Cut.ts"
import * as Digest from "../../../src/core/replica/Digest.ts"
import { Kind, RowId } from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import { type Policy, Store } from "../../../src/services/store/Store.ts"
import * as Archive from "../../../src/services/admin/Archive.ts"
import { toWire } from "../../../src/core/replica/Operation.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, clockOf, everything, opened, places, type StoreService } from "../../support/Stores.ts"

const day = 86_400_000
const [a, b] = [node("a"), node("b")]
const policy: Policy = { keepMs: day, removed: new Set(), connected: new Set([a]), mayLeaveOut: true }
const deletion = (wall: number, row: string) => write(a, at(wall), row, "notes", "delete")
const notes = Kind.make("notes")

/** A store that holds `count` deletions of `a` and one note, to all of which `a` has agreed. */
const agreedOn = Effect.fnUntraced(function* (store: StoreService, count: number) {
  const rows = Array.from({ length: count }, (_, index) => deletion(index + 1, `gone-${index}`))
  yield* store.apply(batch([...rows, write(a, at(count + 1), "kept")], { a: at(count + 1) }))
  yield* TestClock.setTime(10 * day)
  const { vectorClock: clock } = yield* store.snapshot
  const told = (confirmed: VectorClock.VectorClock) => store.acknowledge({ node: a, clock, agreed: clock, confirmed })
  yield* told(VectorClock.empty)
  return { told, last: clockOf({ a: at(count) }) }
})

for (const { name, make } of places) {
  describe(`deletions, ${name}`, () => {
    it.effect(
      "are dropped once every node has confirmed them, all of them, and are still dropped after a restart",
      () =>
        Effect.gen(function* () {
          const place = yield* make
          const count = 1_203
          yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* place.open
              const { told, last } = yield* agreedOn(store, count)
              const { live } = yield* store.snapshot
              assert.strictEqual(yield* store.collect(policy), 0)
              assert.deepStrictEqual(new Map((yield* store.snapshot).cut?.confirmed), new Map(last))
              yield* told(last)
              // Without a policy nothing moves.
              assert.strictEqual(yield* store.collect(undefined), 0)
              assert.strictEqual(yield* store.collect(policy), count)
              const after = yield* store.snapshot
              assert.deepStrictEqual(after.live, live)
              assert.deepStrictEqual(after.digest, live)
              assert.isFalse(after.isCollecting)
              assert.deepStrictEqual((yield* store.audit).corrected, [])
              assert.strictEqual((yield* store.counts).tombstones, 0)
            })
          )
          const store = yield* place.open
          const { cut } = yield* store.snapshot
          assert.strictEqual(cut?.count, count)
          assert.deepStrictEqual(
            (yield* everything(store)).map(({ row_id }) => row_id),
            [RowId.make("kept")]
          )
          assert.deepStrictEqual((yield* store.audit).corrected, [])
        })
    )

    it.effect("that come late are left out, unless they have a row to delete", () =>
      Effect.gen(function* () {
        const place = yield* make
        const store = yield* place.open
        const { told, last } = yield* agreedOn(store, 3)
        yield* store.collect(policy)
        yield* told(last)
        assert.strictEqual(yield* store.collect(policy), 3)
        const before = (yield* store.snapshot).digest
        yield* store.apply(batch([deletion(2, "gone-1")]))
        assert.isTrue(Digest.equals((yield* store.snapshot).digest, before))
        // A row that lost to a deletion came by whatever way, and the deletion after it: in one batch, and in two.
        for (const batches of [[[0, 1]], [[0], [1]]]) {
          const row = write(b, at(1), "gone-1")
          const both = [row, deletion(2, "gone-1")]
          for (const indexes of batches) yield* store.apply(batch(indexes.flatMap((index) => both[index] ?? [])))
          assert.deepStrictEqual(
            (yield* store.list(notes, { limit: 9 })).map(({ row_id }) => row_id),
            [RowId.make("kept")]
          )
          yield* store.collect(undefined)
          assert.isTrue(Digest.equals((yield* store.snapshot).digest, before))
        }
      })
    )

    it.effect("are dropped for nothing that one peer says, and rows are not taken from one that was away", () =>
      Effect.gen(function* () {
        const place = yield* make
        const store = yield* place.open
        const { told, last } = yield* agreedOn(store, 3)
        const everything = clockOf({ a: at(99 * day), b: at(99 * day) })
        const huge = { confirmed: everything, collected: everything, since: undefined, isFilling: false }
        yield* store.adopt(huge)
        yield* store.acknowledge({ node: b, clock: clockOf({}), agreed: undefined, confirmed: everything })
        assert.strictEqual(yield* store.collect(policy), 0)
        assert.strictEqual((yield* store.counts).tombstones, 3)
        yield* told(last)
        yield* store.acknowledge({
          node: b,
          clock: (yield* store.snapshot).vectorClock,
          agreed: (yield* store.snapshot).vectorClock,
          confirmed: everything
        })
        assert.strictEqual(yield* store.collect(policy), 3)
        // Nor by an export from before: the row is known, and gone. A row of a node that was never met is taken.
        const archive = yield* Effect.provideService(
          Archive.make({ maxClockDriftMs: day, maxRecvBytes: 10_000 }),
          Store,
          store
        )
        const lines = [write(a, at(1), "gone-0"), write(a, at(4), "kept"), write(node("z"), at(1), "new")].map(toWire)
        const { refused } = yield* archive.take(lines)
        assert.deepStrictEqual(refused, [{ index: 0, reason: "this row was deleted here" }])
        // The session may not know yet that the cut has moved.
        const row = write(b, at(1), "gone-1")
        const from = { node: b, told: Cut.toldOf(Cut.none) }
        const { applied } = yield* store.apply({ ...batch([row]), from })
        assert.strictEqual(applied, 0)
      })
    )

    it.effect("a store without rows takes over a cut, one with rows of others does not", () =>
      Effect.gen(function* () {
        const place = yield* make
        yield* TestClock.setTime(20 * day)
        const store = yield* place.open
        const told = {
          confirmed: clockOf({ a: at(day) }),
          collected: clockOf({ a: at(day) }),
          since: undefined,
          isFilling: false
        }
        yield* store.append([draft("own")])
        yield* store.adopt(told)
        assert.deepStrictEqual(new Map((yield* store.snapshot).cut?.collected), new Map(told.collected))
        assert.isTrue((yield* store.snapshot).cut?.isFilling)
        const { vectorClock: clock } = yield* store.snapshot
        yield* store.acknowledge({ node: a, clock, agreed: clock, confirmed: told.confirmed })
        assert.isFalse((yield* store.snapshot).cut?.isFilling)
        const other = yield* (yield* make).open
        yield* other.apply(batch([write(a, at(1), "theirs")]))
        yield* other.adopt(told)
        assert.isTrue((yield* other.snapshot).cut?.collected !== undefined)
        assert.deepStrictEqual(new Map((yield* other.snapshot).cut?.collected), new Map())
      })
    )
  })
}

describe("deletions, on a full disk", () => {
  it.effect("are dropped once there is room again", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* opened(MemoryStore.layer({ disk }))
          yield* agreedOn(store, 3)
        })
      )
      // What a crash leaves between the move of the cut and the first drop.
      disk.state = { ...disk.state, cut: { ...disk.state.cut, collected: clockOf({ a: at(3) }) } }
      const store = yield* opened(MemoryStore.layer({ disk }))
      disk.isFull = true
      assert.strictEqual((yield* Effect.flip(store.collect(undefined))).reason, "disk full")
      assert.isTrue((yield* store.snapshot).isCollecting)
      disk.isFull = false
      assert.strictEqual(yield* store.collect(undefined), 3)
      assert.isFalse((yield* store.snapshot).isCollecting)
    })
  )
})
