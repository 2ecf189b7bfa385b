import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Reach } from "../../src/mcp/Reach.ts"
import { recent, search, status } from "../../src/mcp/tools/Looking.ts"
import type { Tool } from "../../src/mcp/Tool.ts"
import * as Kind from "../../src/services/memory/Declaration.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"

const Todo = Kind.make("todos", { rule: "fields", row: Schema.Struct({ title: Schema.String }) })

/** Calls tools on a node of a test network. */
const opened = Effect.gen(function* () {
  const net = yield* TestNetwork.make({ kinds: [Todo] })
  const [a] = yield* net.nodes("a")
  const counts = yield* a.store.counts
  // What these tools look at.
  const now = { version: "0", node_id: "a", counts, peers: [] }
  const reach = {
    open: () =>
      Effect.succeed({
        isRunning: true,
        memory: a.memory,
        status: Effect.succeed(now)
      })
  } as unknown as Reach["Service"]
  return { a, call: (tool: Tool, args: object) => tool.call(args, reach) }
})

describe("search_memory", () => {
  it.effect("finds rows of a kind of an application, which memory_status names", () =>
    Effect.gen(function* () {
      const { a, call } = yield* opened
      const { id } = yield* a.collection(Todo).put({ title: "green tea" })
      yield* a.collection(Todo).put({ title: "milk" })
      yield* a.collection(Todo).put({ title: "teapot" })
      const named = Result.getOrThrow(yield* call(status, {}))
      assert.deepInclude(named, { applications: ["todos!fields"] })
      for (const kind of ["todos", "todos!fields"]) {
        const found = Result.getOrThrow(yield* call(search, { query: "GREEN", kinds: [kind] }))
        assert.deepInclude(found, { found: 1, searched: 3, truncated: false })
        const { rows } = Schema.decodeUnknownSync(Schema.Struct({ rows: Schema.Array(Schema.Unknown) }))(found)
        assert.deepInclude(rows[0], { kind, id, title: "green tea", origin_node: "a" })
      }
      const page = Result.getOrThrow(yield* call(search, { query: "tea", kinds: ["todos"], limit: 1 }))
      assert.containsAllKeys(page, ["next_cursor", "narrow"])
    })
  )

  it.effect("says what is wrong with a kind that is not there, or not alone", () =>
    Effect.gen(function* () {
      const { call } = yield* opened
      const unknown = yield* Effect.map(call(search, { query: "tea", kinds: ["tasks"] }), Result.flip)
      assert.strictEqual(Result.getOrThrow(unknown)._tag, "KindUndeclared")
      for (const more of [{ kinds: ["todos", "notes"] }, { kinds: ["todos"], tags: ["x"] }]) {
        const wrong = yield* Effect.map(call(search, { query: "tea", ...more }), Result.flip)
        assert.strictEqual(Result.getOrThrow(wrong)._tag, "QueryInvalid")
      }
    })
  )
})

describe("recent", () => {
  it.effect(
    "gives rows of kinds of applications beside the others where they are named, newest first, page by page",
    () =>
      Effect.gen(function* () {
        const { a, call } = yield* opened
        const Answer = Schema.Struct({
          rows: Schema.Array(Schema.Struct({ kind: Schema.String, id: Schema.String, written_at: Schema.String })),
          next_cursor: Schema.optionalKey(Schema.String),
          searched: Schema.Natural
        })
        const ask = (args: object) =>
          Effect.map(call(recent, args), (answer) => Schema.decodeUnknownSync(Answer)(Result.getOrThrow(answer)))
        const written: Array<string> = []
        for (let round = 0; round < 4; round++) {
          yield* TestClock.adjust("1 second")
          written.push((yield* a.collection(Todo).put({ title: `todo ${round}` })).id)
          yield* TestClock.adjust("1 second")
          written.push((yield* a.memory.notes.put({ content: `note ${round}` })).id)
        }
        written.reverse()
        const kinds = ["todos", "notes"]
        const all = yield* ask({ kinds })
        assert.deepStrictEqual(
          all.rows.map(({ id }) => id),
          written
        )
        assert.deepStrictEqual(
          all.rows.slice(0, 2).map(({ kind }) => kind),
          ["notes", "todos!fields"]
        )
        const paged: Array<string> = []
        for (let cursor: string | undefined, pages = 0; pages < 9; pages++) {
          const page = yield* ask({ kinds, limit: 3, ...(cursor !== undefined && { cursor }) })
          paged.push(...page.rows.map(({ id }) => id))
          cursor = page.next_cursor
          if (cursor === undefined) break
        }
        assert.deepStrictEqual(paged, written)
        const since = all.rows[2]?.written_at
        assert.deepStrictEqual(
          (yield* ask({ kinds, since })).rows.map(({ id }) => id),
          written.slice(0, 3)
        )
        assert.lengthOf((yield* ask({ kinds: ["todos!fields"] })).rows, 4)
        assert.deepStrictEqual(
          (yield* ask({})).rows.map(({ kind }) => kind),
          ["notes", "notes", "notes", "notes"]
        )
        const unknown = yield* Effect.map(call(recent, { kinds: ["tasks"] }), Result.flip)
        assert.strictEqual(Result.getOrThrow(unknown)._tag, "KindUndeclared")
      })
  )
})
