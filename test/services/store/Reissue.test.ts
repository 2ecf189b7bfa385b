/** A node whose clock was far ahead for a write, and the way out. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as TestClock from "effect/testing/TestClock"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { canonical } from "../../../src/core/replica/Json.ts"
import { Kind } from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { StoreUnavailable } from "../../../src/services/node/NodeFailure.ts"
import * as SqliteIdentity from "../../../src/services/store/SqliteIdentity.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { beside, open } from "../../support/SqliteFiles.ts"
import { at, batch, described, everything, onDisk, type StoreService } from "../../support/Stores.ts"

const now = 1_800_000_000_000
const zero = { wall: 0, counter: 0 }
const year = 365 * 86_400_000

describe("a clock that was a year ahead", () => {
  it.effect(
    "keeps the node from writing until it is told what to do, and loses nothing when its rows are written anew",
    () =>
      Effect.gen(function* () {
        const { home } = yield* onDisk
        const maxAheadMs = 300_000
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* open({ home, maxAheadMs })
            yield* TestClock.setTime(now)
            yield* store.append([draft("past", "first"), draft("edited", "first")])
            yield* store.apply(batch([write(node("b"), at(5), "of another")], { b: at(5) }))
            yield* TestClock.setTime(now + year)
            yield* store.append([
              draft("edited", "second"),
              draft("deleted", "", "notes", "delete"),
              draft("seen", "x", "episodes")
            ])
            yield* TestClock.setTime(now + 1_000)
            const refused = yield* Effect.flip(store.append([draft("later")]))
            assert.instanceOf(refused, StoreUnavailable)
            assert.strictEqual(refused.reason, "clock ahead")
            assert.match(refused.message, /identity new --reissue/)
            return yield* described(store)
          })
        )
        const renewed = yield* SqliteIdentity.renew(home, now + 1_000)
        assert.strictEqual(renewed.reissued, 3)
        const store = yield* open({ home, maxAheadMs })
        const after = yield* everything(store)
        const contents = (rows: typeof after) =>
          rows.map(({ table, row_id, op_type, data }) => `${table} ${row_id} ${op_type} ${data}`)
        assert.deepStrictEqual(contents(after).sort(), contents([...before.state.values()]).sort())
        for (const { hlc } of after) assert.isAtMost(hlc.wall, now + 1_000)
        assert.deepStrictEqual(yield* store.counts, before.counts)
        const { vectorClock: clock, frontier } = yield* store.snapshot
        assert.strictEqual(VectorClock.get(clock, renewed.before).wall, now)
        assert.isTrue(VectorClock.includes(clock, frontier))
        assert.deepStrictEqual((yield* store.audit).corrected, [])
        const [next] = yield* store.append([draft("later")])
        assert.strictEqual(next?.hlc.node, renewed.nodeId)
        assert.strictEqual(next?.hlc.wall, now + 1_000)
      })
  )

  it.effect("shows a row with half a character as well-formed text, also when it was written anew", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const shown = () =>
        beside(home, (db) =>
          db
            .prepare("SELECT content FROM notes")
            .all()
            .map((row) => ({ ...row }))
        )
      const { nodeId } = yield* Effect.scoped(open({ home }))
      const data = Option.getOrThrow(canonical({ content: "half \ud83d" }, 4))
      const late = { ...write(nodeId, { wall: now + year, counter: 0 }, "half"), data }
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.apply(batch([late]))))
      const before = shown()
      assert.deepStrictEqual(before, [{ content: "half \ufffd" }])
      assert.strictEqual((yield* SqliteIdentity.renew(home, now)).reissued, 1)
      assert.deepStrictEqual(shown(), before)
    })
  )

  it.effect("is left behind also where what was written then has lost its row", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const maxAheadMs = 300_000
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home, maxAheadMs })
          yield* store.apply(batch([write(node("b"), at(5), "seen", "episodes")], { b: at(5) }))
          yield* TestClock.setTime(now + year)
          yield* store.append([draft("seen", "too late", "episodes")])
        })
      )
      yield* TestClock.setTime(now)
      const renewed = yield* SqliteIdentity.renew(home, now)
      assert.strictEqual(renewed.reissued, 0)
      const store = yield* open({ home, maxAheadMs })
      const { vectorClock: clock, frontier } = yield* store.snapshot
      assert.deepStrictEqual(
        [VectorClock.get(clock, renewed.before), VectorClock.get(frontier, renewed.before)],
        [zero, zero]
      )
      assert.deepStrictEqual(VectorClock.get(clock, node("b")), at(5))
      const [next] = yield* store.append([draft("later")])
      assert.strictEqual(next?.hlc.wall, now)
    })
  )

  it.effect("what was written last stays the last, though the clock of another node is a little ahead", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          const theirs = { wall: now + 120_000, counter: 3 }
          yield* store.apply(batch([write(node("b"), theirs, "edited")], { b: theirs }))
          yield* TestClock.setTime(now + year)
          yield* store.append([draft("edited", "by us, after we had read it")])
        })
      )
      yield* SqliteIdentity.renew(home, now)
      const store = yield* open({ home })
      const late = { wall: now + 120_000, counter: 3 }
      yield* store.apply(batch([write(node("b"), late, "edited")], { b: late }))
      assert.match(Option.getOrThrow(yield* store.get(Kind.make("notes"), "edited")).data, /we had read it/)
    })
  )

  it.effect("is left behind also where another node is known up to just below a write that it could not send", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const known = Hlc.predecessor({ wall: now + 60_000, counter: 0 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* store.apply(batch([write(node("b"), at(5), "of another")], { b: known }))
          yield* TestClock.setTime(now + year)
          yield* store.append([draft("one"), draft("two")])
        })
      )
      const { nodeId } = yield* SqliteIdentity.renew(home, now)
      const own = (yield* everything(yield* open({ home }))).filter(({ hlc }) => hlc.node === nodeId)
      assert.deepStrictEqual(own.map(({ hlc: { wall, counter } }) => ({ wall, counter })).sort(Hlc.TimestampOrder), [
        Hlc.plus(known, 1),
        Hlc.plus(known, 2)
      ])
    })
  )

  /** Whether a write of another node is still claimed after a store has taken these steps, and its identity was made anew. */
  const isClaimed = Effect.fnUntraced(function* (
    theirs: Hlc.Timestamp,
    steps: (store: StoreService) => Effect.Effect<unknown, unknown>
  ) {
    const { home } = yield* onDisk
    yield* Effect.scoped(Effect.flatMap(open({ home }), steps))
    yield* SqliteIdentity.renew(home, now)
    const { vectorClock: clock } = yield* (yield* open({ home })).snapshot
    return VectorClock.covers(clock, { ...theirs, node: node("b") })
  })

  it.effect("what lost in a set to a row that is now written later is asked for again", () =>
    Effect.gen(function* () {
      const theirs = { wall: now + 120_000, counter: 0 }
      const claimed = yield* isClaimed(theirs, (store) =>
        Effect.gen(function* () {
          yield* TestClock.setTime(now + 60_000)
          yield* store.append([draft("seen", "ours", "episodes")])
          yield* store.apply(batch([write(node("b"), theirs, "seen", "episodes")], { b: theirs }))
        })
      )
      assert.isFalse(claimed)
    })
  )

  it.effect("what lost to a row that is now written before it is asked for again", () =>
    Effect.gen(function* () {
      // The clock of the other node is too far ahead for the new row to come after it.
      const theirs = { wall: now + 600_000, counter: 0 }
      const claimed = yield* isClaimed(theirs, (store) =>
        Effect.gen(function* () {
          yield* store.apply(batch([write(node("b"), theirs, "edited")], { b: theirs }))
          yield* TestClock.setTime(now + year)
          yield* store.append([draft("edited", "ours")])
        })
      )
      assert.isFalse(claimed)
    })
  )

  it.effect("an identity that is made anew without it leaves every row as it is", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open({ home })
          yield* TestClock.setTime(now)
          yield* store.append([draft("r1")])
          return yield* everything(store)
        })
      )
      assert.strictEqual((yield* SqliteIdentity.renew(home)).reissued, 0)
      assert.deepStrictEqual(yield* everything(yield* open({ home })), before)
    })
  )
})
