/** Rows of unknown kinds: their quota, and their removal, wherever the rows are kept. */
import { beforeCut } from "../../support/SqliteFiles.ts"
import { assert, describe, it } from "@effect/vitest"
import { Effect, HashMap } from "effect"
import { DatabaseSync } from "node:sqlite"
import { join } from "node:path"
import { Kind } from "../../../src/core/replica/Operation.ts"
import * as Purge from "../../../src/core/replica/Purge.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { sizeOf } from "../../../src/services/store/Sizes.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import * as Opaque from "../../../src/services/store/Opaque.ts"
import * as StoreState from "../../../src/services/store/StoreState.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, clockOf, described, opened, temporaryDirectory } from "../../support/Stores.ts"
import { draft } from "../../support/Drafts.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import * as SqliteStore from "../../../src/services/store/SqliteStore.ts"

const junk = (origin: string, wall: number, kind = "junk") => write(node(origin), at(wall), `r${wall}`, kind)
const one = sizeOf(junk("m", 1))
const kind = Kind.make("junk")

const places = [
  {
    name: "in memory",
    make: Effect.sync(() => {
      const disk = MemoryDisk.make()
      return (quota?: Opaque.Quota) => opened(MemoryStore.layer({ disk, quota }))
    })
  },
  {
    name: "SQLite",
    make: Effect.map(temporaryDirectory, (home) => (quota?: Opaque.Quota) => opened(SqliteStore.layer({ home, quota })))
  }
]

for (const { name, make } of places) {
  describe(`rows of unknown kinds, ${name}`, () => {
    const quota = { origin: 3 * one, total: 5 * one }

    it.effect("are taken up to the quota of their origin and of all; coverage ends before what is left out", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)(quota)
        const first = yield* store.apply(
          batch([1, 2, 3, 4, 5].map((wall) => junk("m", wall)).concat(write(node("m"), at(6), "note")), { m: at(6) })
        )
        assert.deepStrictEqual(VectorClock.toRecord(first.overQuota), { m: "4:0:m" })
        assert.strictEqual(first.applied, 4)
        assert.strictEqual(VectorClock.get(first.snapshot.vectorClock, node("m")).wall, 3)
        const second = yield* store.apply(
          batch([1, 2, 3].map((wall) => junk("n", wall)).concat(write(node("o"), at(9), "note of o")), {
            n: at(3),
            o: at(9)
          })
        )
        assert.deepStrictEqual(VectorClock.toRecord(second.overQuota), { n: "3:0:n" })
        assert.strictEqual(VectorClock.get(second.snapshot.vectorClock, node("o")).wall, 9)
        const { usage, overQuota } = yield* store.opaque
        assert.strictEqual(usage.total, 5 * one)
        assert.deepStrictEqual(
          new Map(usage.origins),
          new Map([
            ["m", 3 * one],
            ["n", 2 * one]
          ])
        )
        assert.deepStrictEqual(VectorClock.toRecord(overQuota), { m: "4:0:m", n: "3:0:n" })
        assert.deepStrictEqual((yield* store.audit).corrected, [])
      })
    )

    it.effect("are not left out when they are there already, and not counted twice", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)(quota)
        const rows = [1, 2, 3].map((wall) => junk("m", wall))
        for (let times = 0; times < 3; times++) {
          const { overQuota } = yield* store.apply(batch([...rows, ...rows], { m: at(3) }))
          assert.isTrue(HashMap.isEmpty(overQuota))
        }
        assert.strictEqual((yield* store.opaque).usage.total, 3 * one)
      })
    )

    it.effect("are measured again after a restart, and taken when the quota was raised", () =>
      Effect.gen(function* () {
        const open = yield* make
        const rows = [1, 2, 3, 4].map((wall) => junk("m", wall))
        yield* Effect.scoped(Effect.flatMap(open(quota), (store) => store.apply(batch(rows, { m: at(4) }))))
        yield* Effect.scoped(
          Effect.flatMap(open(quota), (store) =>
            Effect.gen(function* () {
              assert.strictEqual((yield* store.opaque).usage.total, 3 * one)
              assert.isFalse(HashMap.isEmpty((yield* store.apply(batch(rows, { m: at(4) }))).overQuota))
            })
          )
        )
        const store = yield* open({ origin: 4 * one, total: 5 * one })
        const { snapshot } = yield* store.apply(batch(rows, { m: at(4) }))
        assert.strictEqual(VectorClock.get(snapshot.vectorClock, node("m")).wall, 4)
      })
    )

    it.effect("that the owner brings have no quota", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)({ origin: 0, total: 0 })
        const { applied, overQuota } = yield* store.apply(batch([junk("m", 1), junk("m", 2)]), "owner")
        assert.strictEqual(applied, 2)
        assert.isTrue(HashMap.isEmpty(overQuota))
      })
    )

    it.effect(
      "are removed by their kind: the clock stays, they are not taken again, and the sums are those of the rows",
      () =>
        Effect.gen(function* () {
          const open = yield* make
          const rows = Array.from({ length: 1_200 }, (_, n) => junk(n % 2 === 0 ? "m" : "n", n + 1))
          const others = [junk("m", 5_000, "other_junk"), write(node("m"), at(5_001), "note")]
          const kept = yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* open()
              yield* store.append([draft("mine")])
              yield* store.apply(batch([...rows, ...others], { m: at(5_001), n: at(1_200) }))
              const before = yield* store.snapshot
              const counted = yield* store.purge({ kind }, { isDry: true })
              assert.strictEqual((yield* store.snapshot).version, before.version)
              const removed = yield* store.purge({ kind })
              assert.deepStrictEqual(removed, counted)
              assert.deepStrictEqual(
                new Map(removed.map(({ origin, rows }) => [origin, rows])),
                new Map([
                  [node("m"), 600],
                  [node("n"), 600]
                ])
              )
              const { vectorClock: clock, purges, digest } = yield* store.snapshot
              assert.strictEqual(VectorClock.compare(clock, before.vectorClock), "equal")
              assert.notDeepEqual(digest, before.digest)
              const sum = Purge.toList(purges).reduce((sum, { rows }) => sum + rows, 0)
              assert.strictEqual(sum, 1_200)
              assert.strictEqual((yield* store.opaque).usage.total, sizeOf(junk("m", 5_000, "other_junk")))
              assert.deepStrictEqual((yield* store.audit).corrected, [])
              return yield* described(store)
            })
          )
          const store = yield* open()
          assert.deepStrictEqual(yield* described(store), kept)
          const again = yield* store.apply(batch(rows, { m: at(5_001), n: at(1_200) }))
          assert.strictEqual(again.applied, 0)
          const { applied } = yield* store.apply(batch([junk("m", 6_000)], { m: at(6_000) }))
          assert.strictEqual(applied, 1)
        })
    )

    it.effect("and all other rows of an origin are removed by the origin, and nothing of others", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)()
        yield* store.append([draft("mine")])
        yield* store.apply(
          batch([
            junk("m", 1),
            write(node("m"), at(2), "n1"),
            write(node("m"), at(3), "n2", "notes", "delete"),
            write(node("n"), at(4), "n3")
          ])
        )
        const removed = yield* store.purge({ origin: node("m") })
        assert.deepStrictEqual(
          removed.map(({ origin, rows }) => [origin, rows]),
          [["m", 3]]
        )
        const { notes, tombstones } = yield* store.counts
        assert.deepStrictEqual([notes, tombstones], [2, 0])
        assert.deepStrictEqual((yield* store.audit).corrected, [])
        // What was on its way is not taken either.
        assert.strictEqual((yield* store.apply(batch([write(node("m"), at(1), "n9")]))).applied, 0)
      })
    )

    it.effect("that were removed as unknown are asked for again by a version that knows their kind", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make)()
        yield* store.apply(batch([junk("m", 1), write(node("n"), at(1), "note")], { m: at(1), n: at(1) }))
        yield* store.purge({ kind })
        const { vectorClock: clock, frontier, digest, holdings, purges } = yield* store.snapshot
        const known = Purge.fromList(Purge.toList(purges).map((purge) => ({ ...purge, kind: Kind.make("notes") })))
        const after = StoreState.withoutOutdated({
          ...StoreState.empty,
          vectorClock: clock,
          frontier,
          digest,
          holdings,
          purges: known
        })
        assert.strictEqual(VectorClock.compare(after.vectorClock, clockOf({ n: at(1) })), "equal")
        assert.isTrue(HashMap.isEmpty(after.purges))
      })
    )
  })
}

describe("a file of an earlier version", () => {
  it.effect("gets the size of its rows of unknown kinds, whatever their place among the known ones", () =>
    Effect.gen(function* () {
      const home = yield* temporaryDirectory
      const kinds = ["aaa", "episodes_", "f", "kn", "notes", "notes2", "zzz", "knowledge", "episodes", "execution_log"]
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* opened(SqliteStore.layer({ home }))
          yield* store.apply(batch(kinds.map((kind, n) => junk(n % 2 === 0 ? "m" : "n", n + 1, kind))))
          return (yield* store.opaque).usage
        })
      )
      const db = new DatabaseSync(join(home, "sync.db"))
      db.exec("ALTER TABLE clock DROP COLUMN opaque_bytes; DROP TABLE purged")
      beforeCut(db, 3)
      db.close()
      const read = yield* Effect.scoped(opened(SqliteStore.layer({ home, readOnly: true })))
      assert.strictEqual((yield* read.opaque).usage.total, 0)
      const { usage } = yield* (yield* opened(SqliteStore.layer({ home }))).opaque
      assert.strictEqual(usage.total, before.total)
      assert.deepStrictEqual(new Map(usage.origins), new Map(before.origins))
    })
  )
})
