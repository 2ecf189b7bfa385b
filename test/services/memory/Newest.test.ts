/** The rows that were written last, of all kinds in one order. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { CanonicalJson } from "../../../src/core/replica/Json.ts"
import * as Kind from "../../../src/services/memory/Declaration.ts"
import type { NewestInput } from "../../../src/services/memory/Memory.ts"
import * as TestNetwork from "../../../src/testing/TestNetwork.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch } from "../../support/Stores.ts"

const Todo = Kind.make("todos", { rule: "fields", row: Schema.Struct({ title: Schema.String }) })
const Visit = Kind.make("visits", { rule: "counter" })

const filled = Effect.gen(function* () {
  const net = yield* TestNetwork.make({ kinds: [Todo, Visit] })
  const [a] = yield* net.nodes("a")
  for (let second = 0; second < 5; second++) {
    yield* TestClock.adjust("1 second")
    yield* a.memory.notes.put({ content: `note ${second}` })
    yield* a.collection(Todo).put(`t${second}`, { title: `todo ${second}` })
    yield* a.collection(Visit).increment(`v${second % 2}`)
  }
  // Of a kind that no application has declared here.
  yield* a.store.apply(
    batch(
      [1, 2, 3].map((n) => ({
        ...write(node("far"), at(1_000 * n + 500), `p${n}`, "plans!lww"),
        data: '{"text":"x"}' as CanonicalJson
      }))
    )
  )
  const ids = (input: NewestInput) =>
    Effect.gen(function* () {
      const found: Array<string> = []
      for (let cursor: string | undefined; ;) {
        const page = yield* a.memory.newest({ ...input, ...(cursor !== undefined && { cursor }) })
        assert.isAtMost(page.rows.length, input.limit ?? 20)
        found.push(...page.rows.map((row) => (row.kind === "notes" ? String(row["content"]) : row.id)))
        cursor = page.next
        if (cursor === undefined) return found
      }
    })
  return { a, ids }
})

const all = "v0,t4,note 4,v1,t3,note 3,p3,t2,note 2,p2,t1,note 1,p1,t0,note 0".split(",")

describe("Memory.newest", () => {
  it.effect("gives the rows of all kinds, those of applications too, newest first and in pages of any size", () =>
    Effect.gen(function* () {
      const { ids } = yield* filled
      for (const limit of [1, 2, 3, 7, 20]) assert.deepStrictEqual(yield* ids({ limit }), all)
    })
  )

  it.effect("gives those that fit all filters", () =>
    Effect.gen(function* () {
      const { a, ids } = yield* filled
      for (const limit of [1, 20]) {
        const of = (input: NewestInput) => ids({ ...input, limit })
        assert.deepStrictEqual(
          yield* of({ kinds: ["todos", "notes"], since: 3, until: 5 }),
          all.slice(4, 9).filter((id) => id !== "p3")
        )
        assert.deepStrictEqual(yield* of({ kinds: ["todos!fields"] }), ["t4", "t3", "t2", "t1", "t0"])
        assert.deepStrictEqual(yield* of({ origin: "far" }), ["p3", "p2", "p1"])
        assert.deepStrictEqual(yield* of({ kinds: ["plans", "plans!lww"], since: 2 }), ["p3", "p2"])
        assert.deepStrictEqual(yield* of({ kinds: ["notes"], origin: "far" }), [])
      }
      assert.strictEqual((yield* Effect.flip(a.memory.newest({ kinds: ["tasks"] })))._tag, "KindUndeclared")
      assert.strictEqual((yield* Effect.flip(a.memory.newest({ cursor: "x" })))._tag, "QueryInvalid")
      const { own } = a.memory
      assert.strictEqual((yield* Effect.flip(own.find("todos", { newest: true, after: "t1" })))._tag, "QueryInvalid")
    })
  )

  it.effect("leaves out nothing where the rows of one kind are too large for one answer", () =>
    Effect.gen(function* () {
      const { a, ids } = yield* filled
      const large = "x".repeat(3_000_000)
      for (const id of ["l0", "l1", "l2"]) {
        yield* TestClock.adjust("1 second")
        yield* a.collection(Todo).put(id, { title: large })
        yield* a.memory.notes.put({ content: `after ${id}` })
      }
      const first = yield* a.memory.newest()
      assert.isBelow(first.rows.length, 10)
      assert.deepStrictEqual(yield* ids({}), ["after l2", "l2", "after l1", "l1", "after l0", "l0", ...all])
    })
  )
})
