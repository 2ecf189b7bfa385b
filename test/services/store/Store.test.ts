import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, HashMap, Option } from "effect"
import { TestClock } from "effect/testing"
import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { Kind } from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { KindUnknown } from "../../../src/services/node/NodeFailure.ts"
import type { Kept } from "../../../src/services/store/Store.ts"
import { storeContract } from "../../../src/testing/contracts/StoreContract.ts"
import * as RowlessOrigins from "../../../src/services/store/RowlessOrigins.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, clockOf, described, everything, places } from "../../support/Stores.ts"

const [a, b, c] = [node("a"), node("b"), node("c")]
const notes = Kind.make("notes")

for (const { name, make } of places) {
  storeContract(`contract of the store, ${name}`, make)

  describe(`Store, ${name}`, () => {
    const fresh = Effect.flatMap(make, (place) => place.open)

    it.effect("starts empty, with an identity of its own", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const snapshot = yield* store.snapshot
        assert.match(store.nodeId, /^[0-9a-f]{16}$/)
        assert.deepStrictEqual(store.ownTimestampAtOpen, Hlc.zero)
        assert.strictEqual(snapshot.version, 0)
        assert.isTrue(HashMap.isEmpty(snapshot.vectorClock) && HashMap.isEmpty(snapshot.frontier))
        assert.deepStrictEqual(snapshot.digest, Digest.empty)
        assert.deepStrictEqual(yield* store.quarantine, [])
        assert.notStrictEqual((yield* fresh).nodeId, store.nodeId)
      })
    )

    it.effect("counts what a clock does not cover, up to a limit", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const operations = [
          write(a, at(1), "r1"),
          write(a, at(2), "r2"),
          write(b, at(1), "r3"),
          write(b, at(5), "r4"),
          write(c, at(1), "r1")
        ]
        yield* store.apply(batch(operations))
        const held = yield* everything(store)
        const clocks = [{}, { a: at(1) }, { a: at(2), b: at(4) }, { c: at(9) }, { a: at(9), b: at(9), c: at(9) }]
        for (const clock of clocks.map(clockOf)) {
          const missing = held.filter(({ hlc }) => !VectorClock.covers(clock, hlc)).length
          assert.strictEqual(yield* store.countBeyond(clock, 1_000), missing)
          assert.strictEqual(yield* store.countBeyond(clock, 2), Math.min(2, missing))
        }
      })
    )

    it.effect("appends: each draft gets the next HLC, is held, and is covered by the clock", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* TestClock.setTime(5_000)
        const first = yield* store.append([draft("r1", "x"), draft("r2", "y", "episodes")])
        yield* TestClock.setTime(4_000)
        const second = yield* store.append([draft("r3")])
        const self = store.nodeId
        assert.deepStrictEqual(
          [...first, ...second].map(({ hlc }) => hlc),
          [0, 1, 2].map((counter) => ({ ...at(5_000, counter), node: self }))
        )
        assert.strictEqual(first[0]?.timestamp, 5)
        assert.deepStrictEqual(yield* store.get(notes, "r1"), Option.fromUndefinedOr(first[0]))
        assert.isTrue(Option.isNone(yield* store.get(notes, "r2")))
        assert.deepStrictEqual(yield* everything(store), [...first, ...second])
        const { vectorClock: clock, frontier, version } = yield* store.snapshot
        assert.deepStrictEqual(VectorClock.get(clock, self), at(5_000, 2))
        assert.deepStrictEqual(VectorClock.get(frontier, self), at(5_000, 2))
        assert.strictEqual(version, 2)
        assert.deepStrictEqual(yield* store.append([]), [])
        assert.strictEqual((yield* store.snapshot).version, 2)
      })
    )

    it.effect.each(["diary", "Notes", "NOTES", "notes ", "constructor", "toString"])(
      "refuses a local write of the kind %j, and what came with it",
      (kind) =>
        Effect.gen(function* () {
          const store = yield* fresh
          const refused = yield* Effect.flip(store.append([draft("r1"), draft("r2", "x", kind)]))
          assert.instanceOf(refused, KindUnknown)
          assert.match(refused.message, /use notes, knowledge, episodes, execution_log$/)
          assert.deepStrictEqual(yield* everything(store), [])
          assert.strictEqual((yield* store.snapshot).version, 0)
        })
    )

    it.effect("issues nothing at or below a timestamp that it took or claims", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.apply(batch([write(a, at(700), "r1"), write(a, at(900, 7), "r1", "episodes")]))
        const [first] = yield* store.append([draft("r2")])
        assert.deepStrictEqual(first?.hlc, { ...at(900, 8), node: store.nodeId })
        yield* store.apply(batch([], { a: at(1_000) }))
        const [second] = yield* store.append([draft("r2")])
        assert.deepStrictEqual(second?.hlc, { ...at(1_000, 1), node: store.nodeId })
      })
    )

    it.effect("notes and knowledge: the last writer wins, a tombstone is a row", () =>
      Effect.gen(function* () {
        for (const kind of ["notes", "knowledge"]) {
          const store = yield* fresh
          const [old, last] = [write(a, at(1), "r", kind), write(b, at(3), "r", kind, "update")]
          const between = write(c, at(2), "r", kind, "delete")
          const applied = yield* store.apply(batch([last, between, old]))
          assert.strictEqual(applied.applied, 1)
          assert.deepStrictEqual(yield* store.get(Kind.make(kind), "r"), Option.some(last))
          assert.strictEqual((yield* store.apply(batch([old, between]))).applied, 0)
          const tombstone = write(a, at(4), "r", kind, "delete")
          yield* store.apply(batch([tombstone]))
          assert.deepStrictEqual(yield* store.get(Kind.make(kind), "r"), Option.some(tombstone))
          assert.deepStrictEqual(yield* store.list(Kind.make(kind), { limit: 10 }), [])
          assert.deepStrictEqual(yield* everything(store), [tombstone])
        }
      })
    )

    it.effect("episodes and execution log: the first insert stays, deletes do nothing", () =>
      Effect.gen(function* () {
        for (const kind of ["episodes", "execution_log"]) {
          const store = yield* fresh
          const [first, later] = [write(b, at(1), "r", kind), write(a, at(2), "r", kind)]
          yield* store.apply(batch([later, write(a, at(3), "r", kind, "delete")]))
          assert.deepStrictEqual(yield* store.get(Kind.make(kind), "r"), Option.some(later))
          yield* store.apply(batch([first]))
          yield* store.apply(batch([write(c, at(9), "r", kind, "delete"), later]))
          assert.deepStrictEqual(yield* store.list(Kind.make(kind), { limit: 10 }), [first])
          assert.deepStrictEqual(yield* everything(store), [first])
        }
      })
    )

    it.effect("keeps every operation of a kind that it does not know, and shows no rows of it", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const operations = [1, 2, 3].map((wall) => write(a, at(wall), "r", "plans", wall === 2 ? "delete" : "insert"))
        yield* store.apply(batch([...operations, ...operations].reverse()))
        assert.deepStrictEqual(yield* everything(store), operations)
        assert.isTrue(Option.isNone(yield* store.get(Kind.make("plans"), "r")))
        assert.deepStrictEqual(yield* store.list(Kind.make("plans"), { limit: 10 }), [])
      })
    )

    it.effect("what it holds already changes nothing, and makes no version", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const operations = [write(a, at(1), "r1"), write(b, at(2), "r2", "episodes"), write(a, at(3), "r", "plans")]
        const first = yield* store.apply(batch(operations, { a: at(3) }))
        assert.strictEqual(first.applied, 3)
        const again = yield* store.apply(batch(operations, { a: at(2) }))
        assert.deepStrictEqual(again, { ...first, applied: 0, hasChanged: false })
      })
    )

    it.effect("counts operations that claim one HLC with two contents", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const operation = write(a, at(1), "r")
        yield* store.apply(batch([operation]))
        assert.strictEqual((yield* store.apply(batch([{ ...operation, timestamp: 9 }]))).conflicts, 1)
        assert.strictEqual((yield* store.apply(batch([operation]))).conflicts, 1)
      })
    )

    it.effect("also when the one has no effect by its rule, and everything before it was new", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const operation = write(a, at(1), "r", "episodes")
        yield* store.apply(batch([operation]))
        const { conflicts } = yield* store.apply(batch([{ ...operation, op_type: "delete" }]))
        assert.strictEqual(conflicts, 1)
      })
    )

    it.effect("`through` moves the clock, and only forward; operations alone do not move it", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.apply(batch([write(a, at(5), "r"), write(b, at(6), "r")], { a: at(4), [store.nodeId]: at(8) }))
        const { vectorClock: clock, frontier } = yield* store.snapshot
        assert.strictEqual(VectorClock.compare(clock, clockOf({ a: at(4), [store.nodeId]: at(8) })), "equal")
        assert.strictEqual(VectorClock.compare(frontier, clockOf({ a: at(5), b: at(6) })), "equal")
        assert.strictEqual(VectorClock.compare(yield* store.vectorClock, clock), "equal")
        yield* store.apply(batch([], { a: at(2), b: at(6) }))
        assert.strictEqual(
          VectorClock.compare(yield* store.vectorClock, clockOf({ a: at(4), b: at(6), [store.nodeId]: at(8) })),
          "equal"
        )
      })
    )

    it.effect("coverage names no origin: what no operation was taken of is not known, and moves no time", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const made = Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`made-up-${n}`, at(90_000)]))
        const { hasChanged } = yield* store.apply(batch([], made))
        assert.isFalse(hasChanged)
        yield* store.apply(batch([write(a, at(5), "r")], { ...made, a: at(5) }))
        assert.strictEqual(VectorClock.compare(yield* store.vectorClock, clockOf({ a: at(5) })), "equal")
        const [next] = yield* store.append([draft("r2")])
        assert.isBelow(next?.hlc.wall ?? Infinity, 90_000)
      })
    )

    it.effect("of origins whose rows all lost, the latest are remembered, also after a restart, and time goes on", () =>
      Effect.gen(function* () {
        const place = yield* make
        yield* TestClock.setTime(1)
        const losers = Array.from({ length: 3_000 }, (_, n) => node(`loser-${n}`))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            yield* store.append([draft("mine")])
            yield* store.apply(batch([write(a, at(5), "r", "episodes")], { a: at(5) }))
            // In a set that only grows the first one stays.
            for (let from = 0; from < losers.length; from += 250) {
              const some = losers.slice(from, from + 250).map((loser, n) => [loser, at(10 + from + n)] as const)
              yield* store.apply(
                batch(
                  some.map(([loser, timestamp]) => write(loser, timestamp, "r", "episodes")),
                  Object.fromEntries(some)
                )
              )
            }
            const { vectorClock: clock, frontier } = yield* store.snapshot
            assert.isAtMost(HashMap.size(clock), RowlessOrigins.rowless.most + 2)
            assert.isAtMost(HashMap.size(frontier), RowlessOrigins.rowless.most + 2)
            assert.isTrue(HashMap.has(clock, store.nodeId) && HashMap.has(clock, a))
            assert.isTrue(losers.slice(-RowlessOrigins.rowless.kept).every((loser) => HashMap.has(clock, loser)))
          })
        )
        const store = yield* place.open
        assert.isAtMost(HashMap.size(yield* store.vectorClock), RowlessOrigins.rowless.most + 2)
        const [next] = yield* store.append([draft("later")])
        assert.isAtLeast(next?.hlc.wall ?? 0, 10 + losers.length - 1)
      })
    )

    it.effect("origins are forgotten on request, but for those with rows, this node, and the latest of all", () =>
      Effect.gen(function* () {
        const place = yield* make
        yield* TestClock.setTime(1)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            yield* store.append([draft("mine")])
            yield* store.apply(
              batch(
                [
                  write(a, at(5), "r"),
                  ...[b, c].map((one, n) => write(one, at(2 + n), "r")),
                  write(node("late"), at(9), "e", "episodes", "delete")
                ],
                { a: at(5), b: at(2), c: at(3), late: at(9) }
              )
            )
            assert.deepStrictEqual(
              (yield* store.origins).map(({ node, rows, isSelf }) => [node as string, rows, isSelf]).sort(),
              [
                ["a", 1, false],
                ["b", 0, false],
                ["c", 0, false],
                ["late", 0, false],
                [store.nodeId as string, 1, true]
              ].sort()
            )
            const before = yield* store.digest
            const { forgotten, kept } = yield* store.forgetOrigins([a, b, node("late"), node("nobody"), store.nodeId])
            assert.deepStrictEqual(forgotten, [])
            assert.deepStrictEqual(
              [...kept].sort(),
              [
                [a, "rows"],
                [node("late"), "latest"],
                [node("nobody"), "unknown"],
                [store.nodeId, "self"]
              ].sort() as Array<[typeof a, Kept]>
            )
            assert.deepStrictEqual((yield* store.forgetOrigins([b])).forgotten, [b])
            assert.deepStrictEqual(yield* store.digest, before)
          })
        )
        const store = yield* place.open
        assert.isFalse(HashMap.has(yield* store.vectorClock, b))
        assert.isTrue(HashMap.has(yield* store.vectorClock, c))
      })
    )

    it.effect("lists rows by id, in the order of code points, page by page", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const ids = ["a", "b", "~", "é", "\ue000", "\u{1f600}"]
        yield* store.append([...ids].reverse().map((id) => draft(id)))
        yield* store.append([draft("b", "", "notes", "delete"), draft("c", "", "knowledge")])
        const page = (after: string | undefined, limit: number) =>
          Effect.map(store.list(notes, { after, limit }), (rows) => rows.map(({ row_id }) => row_id as string))
        const live = ids.filter((id) => id !== "b")
        assert.deepStrictEqual(yield* page(undefined, 100), live)
        assert.deepStrictEqual(yield* page(undefined, 2), live.slice(0, 2))
        assert.deepStrictEqual(yield* page("~", 2), live.slice(2, 4))
        assert.deepStrictEqual(yield* page("\u{1f600}", 2), [])
        assert.deepStrictEqual(yield* page(undefined, 0), [])
      })
    )

    it.effect("keeps the newest 1,000 of a quarantine, each cut to 4 KiB", () =>
      Effect.gen(function* () {
        const place = yield* make
        const store = yield* place.open
        const quarantined = Array.from({ length: 700 }, (_, index) => ({ peer: a, reason: `no ${index}`, text: "{}" }))
        const { snapshot } = yield* store.apply({ ...batch([]), quarantined })
        assert.strictEqual(snapshot.version, 1)
        assert.deepStrictEqual(yield* store.quarantine, quarantined)
        const long = { peer: b, reason: "too long", text: "\u{1f600}".repeat(1_024) + "x" }
        yield* store.apply({ ...batch([]), quarantined: [...quarantined, long] })
        const kept = yield* store.quarantine
        assert.lengthOf(kept, 1_000)
        assert.deepStrictEqual(kept.at(-1), { ...long, text: "\u{1f600}".repeat(1_024) })
        assert.deepStrictEqual(kept[0], quarantined[401])
        assert.strictEqual((yield* store.counts).quarantine, 1_000)
      })
    )

    it.effect("everything but the version survives closing and opening again", () =>
      Effect.gen(function* () {
        const place = yield* make
        yield* TestClock.setTime(1_000)
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            yield* store.append([draft("r1"), draft("r2", "", "episodes")])
            yield* store.apply({
              ...batch([write(a, at(2_000), "r1", "notes", "delete"), write(b, at(3), "p", "plans")], {
                b: at(9_000, 5)
              }),
              quarantined: [{ peer: a, reason: "why", text: "[" }]
            })
            return yield* described(store)
          })
        )
        const store = yield* place.open
        assert.deepStrictEqual(yield* described(store), before)
        assert.deepStrictEqual(store.ownTimestampAtOpen, at(1_000, 1))
        assert.strictEqual((yield* store.snapshot).version, 0)
        const [next] = yield* store.append([draft("r9")])
        // How far beyond is left to chance: a backup does not know what was issued after it.
        assert.strictEqual(next?.hlc.wall, 9_000)
        assert.isAbove(next?.hlc.counter ?? 0, 5)
      })
    )

    it.effect("a backup holds what was committed, and goes its own way", () =>
      Effect.gen(function* () {
        const place = yield* make
        const store = yield* place.open
        yield* store.append([draft("r1"), draft("r2")])
        const before = yield* described(store)
        if (name === "SQLite") yield* Effect.promise(() => mkdir(dirname(place.backup.file)))
        yield* store.backup(place.backup.file)
        yield* store.append([draft("r3")])
        const copy = yield* place.backup.open
        assert.deepStrictEqual(yield* described(copy), before)
        yield* copy.append([draft("r4")])
        assert.lengthOf(yield* store.list(notes, { limit: 9 }), 3)
      })
    )

    it.effect("memory and disk agree, wherever a write is interrupted", () =>
      Effect.gen(function* () {
        const place = yield* make
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* place.open
            for (let steps = 0; steps < 40; steps++) {
              const fiber = yield* Effect.forkChild(
                steps % 2 === 0
                  ? store.append([draft(`r${steps}`)])
                  : store.apply(batch([write(a, at(steps), `r${steps}`)])),
                { startImmediately: true }
              )
              for (let step = 0; step < steps; step++) yield* Effect.yieldNow
              yield* Fiber.interrupt(fiber)
            }
            return yield* described(store)
          })
        )
        assert.deepStrictEqual(yield* described(yield* place.open), before)
      })
    )
  })
}
