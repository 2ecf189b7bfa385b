import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import type { Reach } from "../../src/mcp/Reach.ts"
import { search, status } from "../../src/mcp/tools/Looking.ts"
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
  return { a, call: (tool: typeof search, args: object) => tool.call(args, reach) }
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
      for (const more of [
        { kinds: ["todos", "notes"] },
        { kinds: ["todos"], tags: ["x"] },
        { kinds: ["todos"], since: 1 }
      ]) {
        const wrong = yield* Effect.map(call(search, { query: "tea", ...more }), Result.flip)
        assert.strictEqual(Result.getOrThrow(wrong)._tag, "QueryInvalid")
      }
    })
  )
})
