/** Answers that stay up to date. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Queue, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Kind from "../../../src/services/memory/Declaration.ts"
import * as TestNetwork from "../../../src/testing/TestNetwork.ts"
import { integer, runs } from "../../support/Generators.ts"

const Item = Kind.make("items", {
  rule: "lww",
  row: Schema.Struct({ open: Schema.Boolean, write: Schema.Finite })
})
const Click = Kind.make("clicks", { rule: "counter" })

/** A write: of one of four rows, which it opens, closes or deletes, some time after the one before. */
const Write = Arbitrary.all([integer(0, 3), integer(0, 3), integer(0, 2)])
type Write = readonly [pause: number, row: number, verb: number]

type Rows = ReadonlyArray<readonly [id: string, write: number]>

/** The open rows after each write. */
const statesOf = (writes: ReadonlyArray<Write>): ReadonlyArray<Rows> => {
  const open = new Map<string, number>()
  const states: Array<Rows> = [[]]
  for (const [index, [, row, verb]] of writes.entries()) {
    if (verb === 0) open.set(`${row}`, index)
    else open.delete(`${row}`)
    states.push([...open].sort())
  }
  return states
}

/** Lets time pass, and what is due then happen. */
const pass = Effect.fnUntraced(function* (steps: number) {
  for (let step = 0; step < steps; step++) {
    yield* TestClock.adjust(1)
    for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
  }
})

describe("live", () => {
  it.effect.prop(
    "shows a state of the past at first, then later ones in order, and the last one at the end",
    [Arbitrary.array(Write, { maxLength: 12 }), integer(0, 12), integer(0, 5)],
    ([writes, before, slowness]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const net = yield* TestNetwork.make({ kinds: [Item] })
          const [a] = yield* net.nodes("a")
          const items = a.collection(Item)
          const shown: Array<Rows> = []
          const follow = items.live({ where: { open: true } }).pipe(
            Stream.runForEach((rows) => {
              shown.push(rows.map(({ id, write }) => [id, write] as const))
              return Effect.sleep(slowness)
            }),
            Effect.forkScoped
          )
          for (const [index, [pause, row, verb]] of writes.entries()) {
            if (index === before) yield* follow
            yield* pass(pause)
            const id = `${row}`
            if (verb < 2) yield* items.put(id, { open: verb === 0, write: index })
            else yield* Effect.catchTag(items.delete(id), "RowNotFound", () => Effect.void)
          }
          if (before >= writes.length) yield* follow
          yield* pass((slowness + 1) * (writes.length + 2))

          const states = statesOf(writes)
          assert.deepStrictEqual(shown.at(-1), states.at(-1))
          let at = Math.min(before, writes.length)
          for (const rows of shown) {
            const text = JSON.stringify(rows)
            const next = states.findIndex((state, index) => index >= at && JSON.stringify(state) === text)
            assert.isAtLeast(next, at, `${text} was never so after the state before`)
            at = next
          }
        })
      ),
    runs(150)
  )

  it.effect("shows a change by a write that is older than the last one", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make({ kinds: [Click] })
      const [a, b] = yield* net.nodes("a", "b")
      yield* net.partition("a", "b")
      yield* a.collection(Click).increment("page", 2)
      yield* TestClock.adjust("1 second")
      yield* b.collection(Click).increment("page", 3)
      const values = yield* Queue.unbounded<ReadonlyArray<number>>()
      yield* b
        .collection(Click)
        .live()
        .pipe(
          Stream.runForEach((rows) =>
            Queue.offer(
              values,
              rows.map(({ value }) => value)
            )
          ),
          Effect.forkScoped
        )
      assert.deepStrictEqual(yield* Queue.take(values), [3])
      yield* net.heal()
      yield* net.settled
      assert.deepStrictEqual(yield* Queue.take(values), [5])
    })
  )

  it.effect("follows the built-in kinds by the filters of recent, and is silent about other changes", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make()
      const [a] = yield* net.nodes("a")
      const { notes, facts, live } = a.memory
      const shown = yield* Queue.unbounded<ReadonlyArray<unknown>>()
      yield* live({ kinds: ["notes"], tags: ["home"] }).pipe(
        Stream.map((rows) => rows.map((row) => row.kind === "notes" && row.content)),
        Stream.runForEach((contents) => Queue.offer(shown, contents)),
        Effect.forkScoped
      )
      assert.deepStrictEqual(yield* Queue.take(shown), [])
      const { id } = yield* notes.put({ content: "tea", tags: ["home"] })
      assert.deepStrictEqual(yield* Queue.take(shown), ["tea"])
      yield* facts.set({ subject: "a", predicate: "b", object: "c" })
      yield* notes.put({ content: "milk", tags: ["work"] })
      yield* pass(5)
      yield* notes.delete(id)
      assert.deepStrictEqual(yield* Queue.take(shown), [])
    })
  )

  it.effect("fails for a wrong condition", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make({ kinds: [Item] })
      const [a] = yield* net.nodes("a")
      const failure = yield* Effect.flip(Stream.runDrain(a.collection(Item).live({ limit: 0 })))
      assert.strictEqual(failure._tag, "QueryInvalid")
    })
  )
})
