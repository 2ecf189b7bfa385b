/** The local history, in memory and on the disk. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import * as History from "../../../src/core/replica/History.ts"
import type * as Selection from "../../../src/core/replica/Selection.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { beside, filesWith, open } from "../../support/SqliteFiles.ts"
import {
  at,
  batch,
  everything,
  placesWithHistory,
  type StoreService,
  temporaryDirectory
} from "../../support/Stores.ts"

const [a, b] = [node("a"), node("b")]
const minute = 60_000
const limits = { versions: 3, ageMs: 60 * minute, bytes: 20_000 }

const kept = (store: StoreService, id: string, kind = "notes") =>
  Effect.map(store.versions(kind, id), (versions) => versions.map(({ operation }) => operation))
const note = (origin: NodeId, wall: number, id: string, type: Operation["op_type"] = "update") =>
  write(origin, at(wall), id, "notes", type)

for (const { name, open } of placesWithHistory(limits)) {
  describe(`the local history, ${name}`, () => {
    it.effect("keeps what was replaced and deleted, the last versions of each row, also after a restart", () =>
      Effect.gen(function* () {
        const place = yield* open
        const rows = [1, 2, 3, 4, 5].map((wall) => note(a, wall, "r1"))
        const gone = note(a, 9, "r1", "delete")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place
            for (const row of rows) yield* store.apply(batch([row]))
            yield* store.apply(batch([gone]))
            // A log has no versions.
            yield* store.apply(batch([write(a, at(9), "e", "episodes")]))
            yield* store.apply(batch([write(a, at(8), "e", "episodes")]))
          })
        )
        const store = yield* place
        assert.deepStrictEqual(yield* kept(store, "r1"), [rows[4], rows[3], rows[2]])
        assert.deepStrictEqual(yield* kept(store, "e", "episodes"), [])
        const [newest] = yield* store.versions("notes", "r1")
        assert.deepStrictEqual(newest?.by, gone.hlc)
        // What came too late, once.
        const late = note(b, 7, "r1")
        for (const wall of [1, 2]) yield* store.apply(batch([late], { b: at(7 + wall) }))
        assert.deepStrictEqual(yield* kept(store, "r1"), [late, rows[4], rows[3]])
        assert.strictEqual((yield* store.audit).corrected.length, 0)
        assert.deepStrictEqual(
          (yield* everything(store)).map(({ row_id }) => String(row_id)),
          ["e", "r1"]
        )
      })
    )

    it.effect("finds deleted rows by what deleted them, and what would bring them back, page by page", () =>
      Effect.gen(function* () {
        const store = yield* yield* open
        const both = ["notes", "knowledge"]
        const deleted = (after?: Selection.Place, kinds = both, most = 10) =>
          Effect.map(store.deleted({ kinds, limit: most, after }), (rows) =>
            rows.map(({ by, version: { operation } }) => [operation.row_id, by, operation.hlc.wall])
          )
        const fact = (wall: number, type: Operation["op_type"]) => write(a, at(wall), "f", "knowledge", type)
        yield* store.apply(batch([note(a, 1, "r1"), note(a, 2, "r2"), note(a, 3, "r3"), fact(4, "insert")]))
        assert.deepStrictEqual(yield* deleted(), [])
        const [gone1, gone2, goneF] = [note(b, 20, "r1", "delete"), note(a, 10, "r2", "delete"), fact(30, "delete")]
        for (const gone of [gone1, gone2, goneF]) yield* store.apply(batch([gone]))
        // A row that was never here, and one that was written again.
        yield* store.apply(batch([note(a, 40, "r4", "delete"), note(a, 41, "r3", "delete")]))
        yield* store.apply(batch([note(a, 42, "r3")]))
        // A second deletion, and a version that came too late: the last one before the deletion is the one to restore.
        const later = note(a, 25, "r2", "delete")
        yield* store.apply(batch([later]))
        yield* store.apply(batch([note(node("c"), 5, "r1")]))
        const expected = [
          ["f", goneF.hlc, 4],
          ["r2", later.hlc, 2],
          ["r1", gone1.hlc, 5]
        ]
        assert.deepStrictEqual(yield* deleted(), expected)
        assert.deepStrictEqual(yield* deleted(undefined, ["notes"]), expected.slice(1))
        const [first] = yield* store.deleted({ kinds: both, limit: 1 })
        assert.isDefined(first)
        assert.deepStrictEqual(yield* deleted(History.placeOf(first)), expected.slice(1))
        assert.deepStrictEqual(yield* deleted(undefined, both, 2), expected.slice(0, 2))
      })
    )

    it.effect("drops what is old, and the oldest where it takes too much", () =>
      Effect.gen(function* () {
        const store = yield* yield* open
        yield* store.append([draft("r1"), draft("r2")])
        yield* store.append([draft("r1")])
        yield* TestClock.adjust(61 * minute)
        yield* store.append([draft("r2")])
        assert.strictEqual((yield* kept(store, "r1")).length, 0)
        assert.strictEqual((yield* kept(store, "r2")).length, 1)
        const large = (count: number) =>
          Array.from({ length: count }, (_, index) => draft(`l${index}`, "x".repeat(900)))
        yield* store.append(large(40))
        yield* store.append(large(40))
        const left = yield* Effect.forEach(large(40), ({ row_id }) => kept(store, row_id))
        const counts = left.map(({ length }) => length)
        assert.isBelow(
          counts.reduce((sum, count) => sum + count, 0),
          24
        )
        assert.strictEqual(counts.at(-1), 1)
        assert.strictEqual((yield* kept(store, "r2")).length, 0)
      })
    )

    it.effect("tells conflicts from changes by those who had seen what they replaced", () =>
      Effect.gen(function* () {
        const store = yield* yield* open
        const own = (id: string) => Effect.map(store.append([draft(id)]), ([row]) => row?.hlc ?? { ...at(0), node: a })
        yield* TestClock.setTime(1_000_000)
        yield* Effect.forEach(["seen", "unseen", "stranger", "late", "old"], own)
        const clock = (yield* store.snapshot).vectorClock
        yield* store.acknowledge({ node: a, clock, agreed: undefined })
        const after = yield* own("unseen")
        // `a` has seen all but the last one; nothing is known of `b`.
        yield* store.apply(batch([note(a, 1_000_100, "seen"), note(a, after.wall + 50, "unseen")]))
        yield* store.apply(batch([note(b, 1_030_000, "stranger"), note(b, 1_200_000, "old")]))
        yield* store.apply(batch([note(b, 999_000, "late"), note(a, 1_000_101, "seen", "delete")]))
        yield* store.append([draft("stranger")])
        const conflicts = yield* store.conflicts(Number.MAX_SAFE_INTEGER, 10)
        assert.deepStrictEqual(
          conflicts.map(({ operation }) => String(operation.row_id)),
          ["late", "stranger", "unseen"]
        )
        const [first, ...rest] = conflicts
        assert.deepStrictEqual(yield* store.conflicts(first?.version ?? 0, 1), rest.slice(0, 1))
      })
    )

    it.effect("what a node acknowledges after a write, and before that write comes, is not what it had seen", () =>
      Effect.gen(function* () {
        const store = yield* yield* open
        yield* TestClock.setTime(1_000_000)
        const own = (id: string) =>
          Effect.gen(function* () {
            yield* store.append([draft(id)])
            return (yield* store.snapshot).vectorClock
          })
        const told = (seen: VectorClock.VectorClock, wrote: number) =>
          store.acknowledge({ node: a, clock: VectorClock.advance(seen, a, at(wrote)), agreed: undefined })
        yield* told(yield* own("known"), 999_000)
        // Apart from each other, both write. When they meet again, `a` takes what we wrote first, and sends after that.
        yield* TestClock.setTime(1_000_500)
        const before = (yield* store.snapshot).vectorClock
        const after = yield* own("crossed")
        yield* told(before, 1_000_900)
        yield* told(after, 1_000_900)
        yield* store.apply(batch([note(a, 1_000_800, "crossed"), note(a, 1_000_900, "known")]))
        // What it writes from now on, it writes over what it has taken.
        yield* store.append([draft("crossed")])
        yield* told((yield* store.snapshot).vectorClock, 1_000_900)
        yield* store.apply(batch([note(a, 1_002_000, "crossed")]))
        const conflicts = yield* store.conflicts(Number.MAX_SAFE_INTEGER, 10)
        assert.deepStrictEqual(
          conflicts.map(({ operation, by }) => [String(operation.row_id), by.wall]),
          [["crossed", 1_000_800]]
        )
      })
    )

    it.effect("a purge, and the erasure of a row, erase versions too", () =>
      Effect.gen(function* () {
        const store = yield* yield* open
        for (const wall of [1, 2])
          yield* store.apply(batch([note(a, wall, "r1"), note(b, wall, "r2"), note(b, wall, "r3")]))
        yield* store.eraseVersions({ kind: "notes", id: "r2" })
        assert.strictEqual((yield* kept(store, "r2")).length, 0)
        assert.strictEqual((yield* kept(store, "r3")).length, 1)
        yield* store.purge({ origin: b })
        assert.strictEqual((yield* kept(store, "r3")).length, 0)
        assert.strictEqual((yield* kept(store, "r1")).length, 1)
        yield* store.eraseVersions("all")
        assert.strictEqual((yield* kept(store, "r1")).length, 0)
      })
    )
  })
}

describe("the local history", () => {
  it.effect("is erased when it is switched off, and nothing of it is left in the file", () =>
    Effect.gen(function* () {
      const home = join(yield* temporaryDirectory, "home")
      const secret = "the word that is gone"
      const within = <A>(
        history: History.Limits | "off" | undefined,
        body: (store: StoreService) => Effect.Effect<A, unknown>
      ) => Effect.scoped(Effect.flatMap(open({ home, history }), body))
      yield* within(History.limits, (store) =>
        Effect.andThen(store.append([draft("r1", secret)]), store.append([draft("r1", "y")]))
      )
      assert.deepStrictEqual(filesWith(home, secret), ["sync.db"])
      yield* within(undefined, (store) => kept(store, "r1"))
      assert.deepStrictEqual(filesWith(home, secret), ["sync.db"])
      assert.deepStrictEqual(yield* within("off", (store) => kept(store, "r1")), [])
      assert.deepStrictEqual(filesWith(home, secret), [])
      assert.strictEqual(
        beside(home, (db) => db.prepare("SELECT bytes FROM history_size").get()?.["bytes"]),
        0
      )
    })
  )

  it.effect("of many writes to few rows is as large as those rows allow", () =>
    Effect.gen(function* () {
      const home = join(yield* temporaryDirectory, "home")
      const store = yield* open({ home, history: limits })
      const drafts = Array.from({ length: 20 }, (_, index) => draft(`r${index}`, "x"))
      for (let round = 0; round < 30; round++) yield* store.append(drafts)
      const [rows, size] = beside(home, (db) => [
        db.prepare("SELECT count(*) AS n, sum(bytes) AS bytes FROM history").get(),
        db.prepare("SELECT bytes FROM history_size").get()
      ])
      assert.strictEqual(rows?.["n"], 60)
      assert.strictEqual(rows?.["bytes"], size?.["bytes"])
    })
  )
})
