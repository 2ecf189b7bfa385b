/** The change feed, in memory and on the disk. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Deferred, Effect, Exit, Fiber, Ref, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"
import * as Merge from "../../../src/core/replica/Merge.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import * as SqliteIdentity from "../../../src/services/store/SqliteIdentity.ts"
import * as SqliteRestore from "../../../src/services/store/SqliteRestore.ts"
import * as SqliteStore from "../../../src/services/store/SqliteStore.ts"
import type { FeedEvent, FeedOptions, Policy } from "../../../src/services/store/Store.ts"
import { draft } from "../../support/Drafts.ts"
import { integer, operations, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, everything, onDisk, opened, places, type StoreService } from "../../support/Stores.ts"

const [a, b] = [node("a"), node("b")]
const day = 86_400_000

/** What is there to read now. */
const read = (store: StoreService, options: FeedOptions) => Stream.runCollect(store.feed({ ...options, follow: false }))

const operationsOf = (events: ReadonlyArray<FeedEvent>) =>
  events.flatMap((event) => (event._tag === "Changed" ? event.operations : []))
const rowsOf = (events: ReadonlyArray<FeedEvent>) => operationsOf(events).map(({ row_id }) => String(row_id))
const tagsOf = (events: ReadonlyArray<FeedEvent>) => events.map(({ _tag }) => _tag)

/** Everything that is held, and the cursor after it. */
const caughtUp = Effect.fnUntraced(function* (store: StoreService) {
  const events = yield* read(store, { since: "0" })
  return events.at(-1)?.cursor ?? "0"
})

for (const { name, make } of places) {
  describe(`Store.feed, ${name}`, () => {
    const fresh = Effect.flatMap(make, (place) => place.open)

    it.effect("gives what is held in commit order, and each row once, as it is now", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const [first, second, third] = [write(a, at(9), "r1"), write(b, at(5), "r2"), write(a, at(7), "r3", "episodes")]
        yield* store.apply(batch([first]))
        yield* store.apply(batch([second]))
        yield* store.apply(batch([third]))
        const again = write(b, at(10), "r1", "notes", "update")
        yield* store.apply(batch([again]))
        assert.deepStrictEqual(operationsOf(yield* read(store, { since: "0" })), [second, third, again])
        const cursor = yield* caughtUp(store)
        assert.deepStrictEqual(yield* read(store, { since: cursor }), [])
        const deletion = write(a, at(11), "r2", "notes", "delete")
        yield* store.apply(batch([deletion]))
        assert.deepStrictEqual(operationsOf(yield* read(store, { since: cursor })), [deletion])
      })
    )

    it.effect("gives the kinds that are asked for, in bounded events, and a cursor past the others", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const rows = Array.from({ length: 2_500 }, (_, index) =>
          write(a, at(index + 1), `r${index}`, index % 500 === 0 ? "episodes" : "notes")
        )
        yield* store.apply(batch(rows))
        const episodes = yield* read(store, { since: "0", kinds: ["episodes"] })
        assert.deepStrictEqual(rowsOf(episodes), ["r0", "r500", "r1000", "r1500", "r2000"])
        const all = yield* read(store, { since: "0" })
        assert.deepStrictEqual(operationsOf(all), rows)
        for (const event of all) assert.isAtMost(event._tag === "Changed" ? event.operations.length : 0, 1_000)
        assert.strictEqual(episodes.at(-1)?.cursor, all.at(-1)?.cursor)
        // Each event can be gone on from.
        let seen = 0
        for (const event of all) {
          seen += event._tag === "Changed" ? event.operations.length : 0
          assert.strictEqual(operationsOf(yield* read(store, { since: event.cursor })).length, rows.length - seen)
        }
        // Pages are no larger than a mebibyte, but for one row that is.
        const large = [1, 2, 3].map((wall) => ({ ...write(a, at(9_000 + wall), `l${wall}`), data: textOf(700_000) }))
        yield* store.apply(batch(large))
        const events = yield* read(store, { since: all.at(-1)?.cursor ?? "" })
        assert.deepStrictEqual(
          events.map((event) => (event._tag === "Changed" ? event.operations.length : 0)),
          [1, 1, 1]
        )
      })
    )

    it.effect("without a cursor begins now, says where that is, and follows", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.append([draft("before")])
        const events = yield* Ref.make<ReadonlyArray<FeedEvent>>([])
        const begun = yield* Deferred.make<void>()
        const fiber = yield* store.feed().pipe(
          Stream.tap((event) => Ref.update(events, (all) => [...all, event])),
          Stream.tap(() => Deferred.succeed(begun, undefined)),
          Stream.takeUntil((event) => rowsOf([event]).includes("last")),
          Stream.runDrain,
          Effect.forkChild({ startImmediately: true })
        )
        yield* Deferred.await(begun)
        for (let index = 0; index < 20; index++) yield* store.append([draft(`r${index}`)])
        yield* store.append([draft("last")])
        yield* Fiber.join(fiber)
        const all = yield* Ref.get(events)
        assert.deepStrictEqual(all[0]?._tag === "Changed" && all[0].operations, [])
        const expected = [...Array.from({ length: 20 }, (_, index) => `r${index}`), "last"]
        assert.deepStrictEqual(rowsOf(all), expected)
        assert.deepStrictEqual(rowsOf(yield* read(store, { since: all[0]?.cursor })), expected)
      })
    )

    it.effect("a reader that is slower than 1,024 commits misses nothing", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const gate = yield* Deferred.make<void>()
        const total = 1_030
        const fiber = yield* store.feed({ since: "0" }).pipe(
          Stream.tap(() => Deferred.await(gate)),
          Stream.takeUntil((event) => rowsOf([event]).includes(`r${total}`)),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        for (let wall = 1; wall <= total; wall++) yield* store.apply(batch([write(a, at(wall), `r${wall}`)]))
        yield* Deferred.succeed(gate, undefined)
        const expected = Array.from({ length: total }, (_, index) => `r${index + 1}`)
        assert.deepStrictEqual(rowsOf(yield* Fiber.join(fiber)), expected)
      })
    )

    it.effect("goes on after a restart, and begins again with a cursor of another store", () =>
      Effect.gen(function* () {
        const place = yield* make
        const cursor = yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            yield* store.append([draft("r1"), draft("r2")])
            return yield* caughtUp(store)
          })
        )
        const store = yield* place.open
        yield* store.append([draft("r3")])
        assert.deepStrictEqual(rowsOf(yield* read(store, { since: cursor })), ["r3"])
        const other = yield* fresh
        yield* other.append([draft("r1"), draft("r2")])
        for (const strange of [yield* caughtUp(other), "nonsense", "", `${cursor}0`, cursor.replace(/-2-0$/, "-9-0")]) {
          const events = yield* read(store, { since: strange })
          assert.deepStrictEqual(tagsOf(events), ["Reset", "Changed"], strange)
          assert.deepStrictEqual(rowsOf(events), ["r1", "r2", "r3"])
          assert.deepStrictEqual(rowsOf(yield* read(store, { since: events[0]?.cursor })), ["r1", "r2", "r3"])
        }
      })
    )

    it.effect("a reader that has not seen a deletion begins again when that is dropped, others go on", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const notes = [1, 2, 3].map((wall) => write(b, at(wall), `r${wall}`))
        yield* store.apply(batch(notes, { b: at(3) }))
        const early = yield* caughtUp(store)
        yield* store.apply(batch([write(a, at(4), "r2", "notes", "delete")], { a: at(4) }))
        const late = yield* caughtUp(store)
        const follower = yield* store.feed({ since: late }).pipe(
          Stream.takeUntil((event) => rowsOf([event]).includes("r4")),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.setTime(10 * day)
        const policy: Policy = { keepMs: day, removed: new Set(), connected: new Set([a, b]), mayLeaveOut: true }
        const { vectorClock: clock } = yield* store.snapshot
        for (const confirmed of [VectorClock.empty, clock]) {
          for (const peer of [a, b]) yield* store.acknowledge({ node: peer, clock, agreed: clock, confirmed })
          yield* store.collect(policy)
        }
        assert.strictEqual((yield* store.counts).tombstones, 0)
        yield* store.apply(batch([write(a, at(9), "r4")]))
        assert.deepStrictEqual(rowsOf(yield* read(store, { since: late })), ["r4"])
        assert.deepStrictEqual(rowsOf(yield* Fiber.join(follower)), ["r4"])
        const events = yield* read(store, { since: early })
        assert.deepStrictEqual(tagsOf(events), ["Reset", "Changed"])
        assert.deepStrictEqual(rowsOf(events), ["r1", "r3", "r4"])
        // Those that began since go on from wherever they are.
        for (const { cursor } of events) assert.notInclude(tagsOf(yield* read(store, { since: cursor })), "Reset")
      })
    )

    it.effect("all readers begin again when rows are purged", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.apply(batch([write(a, at(1), "r1"), write(b, at(2), "r2")]))
        const cursor = yield* caughtUp(store)
        const follower = yield* store.feed({ since: cursor }).pipe(
          Stream.takeUntil((event) => rowsOf([event]).includes("r2")),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
        yield* store.purge({ origin: a }, { isDry: true })
        assert.deepStrictEqual(yield* read(store, { since: cursor }), [])
        yield* store.purge({ origin: a })
        assert.deepStrictEqual(tagsOf(yield* Fiber.join(follower)), ["Reset", "Changed"])
        const events = yield* read(store, { since: cursor })
        assert.deepStrictEqual(tagsOf(events), ["Reset", "Changed"])
        assert.deepStrictEqual(rowsOf(events), ["r2"])
        assert.deepStrictEqual(yield* read(store, { since: events[1]?.cursor ?? "" }), [])
      })
    )
  })
}

const textOf = (length: number) => JSON.stringify({ content: "x".repeat(length) }) as Operation["data"]

describe("Store.feed", () => {
  it.effect("of a database that was restored, or got another identity, is another one; a compact one is the same", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const within = <A, E>(body: (store: StoreService) => Effect.Effect<A, E>) =>
        Effect.scoped(Effect.flatMap(place.open, body))
      let cursor = yield* within((store) =>
        Effect.gen(function* () {
          yield* store.append([draft("r1"), draft("r2")])
          yield* store.append([draft("r1")])
          yield* Effect.promise(() => mkdir(dirname(place.backup.file)))
          yield* store.backup(place.backup.file)
          return yield* caughtUp(store)
        })
      )
      yield* SqliteStore.compact(place.home)
      assert.deepStrictEqual(yield* within((store) => read(store, { since: cursor })), [])
      for (const change of [
        SqliteIdentity.renew(place.home),
        SqliteRestore.restore(place.home, place.backup.file),
        SqliteRestore.restore(place.home, place.backup.file)
      ]) {
        yield* change
        const events = yield* within((store) => read(store, { since: cursor }))
        assert.deepStrictEqual(tagsOf(events), ["Reset", "Changed"])
        assert.deepStrictEqual(rowsOf(events), ["r2", "r1"])
        cursor = events.at(-1)?.cursor ?? ""
      }
    })
  )

  it.prop(
    "whatever is written and lost, readers that come and go end with the rows of the store, each in commit order",
    [Arbitrary.array(operations, { maxLength: 8 }), Arbitrary.array(integer(0, 7), { minLength: 8, maxLength: 8 })],
    ([batches, steps]) =>
      Effect.runSync(
        Effect.gen(function* () {
          const disk = MemoryDisk.make()
          const readers = [0, 1, 2].map(() => ({ cursor: "0", rows: new Map<string, Operation>() }))
          const catchUp = (store: StoreService, reader: (typeof readers)[number]) =>
            store.feed({ since: reader.cursor, follow: false }).pipe(
              Stream.runForEach((event) =>
                Effect.sync(() => {
                  reader.cursor = event.cursor
                  if (event._tag === "Reset") reader.rows.clear()
                  else {
                    for (const operation of event.operations) {
                      const slot = Merge.slotOf(operation)
                      const before = reader.rows.get(slot)
                      // Never the same again, nor back to what it was.
                      assert.notDeepEqual(before, operation)
                      reader.rows.set(slot, operation)
                    }
                  }
                })
              )
            )
          for (const [index, operations] of batches.entries()) {
            const step = steps[index] ?? 0
            const scope = yield* Scope.make()
            const store = yield* Scope.provide(opened(MemoryStore.layer({ disk })), scope)
            yield* store.apply(batch(operations))
            for (const [bit, reader] of readers.entries()) if ((step >> bit) & 1) yield* catchUp(store, reader)
            yield* Scope.close(scope, Exit.void)
            if (index % 2 === 1) MemoryDisk.losePower(disk, step)
          }
          const store = yield* opened(MemoryStore.layer({ disk }))
          const held = new Map((yield* everything(store)).map((row) => [Merge.slotOf(row), row]))
          for (const reader of readers) {
            yield* catchUp(store, reader)
            assert.deepStrictEqual(new Map([...reader.rows].sort()), new Map([...held].sort()))
          }
        }).pipe(Effect.scoped)
      ),
    runs(300)
  )
})
