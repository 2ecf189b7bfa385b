import assert from "node:assert/strict"
import { test } from "node:test"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Kind } from "feral-sync"
import { TestNetwork } from "feral-sync/testing"

const Todo = Kind.make("todos", { rule: "fields", row: Schema.Struct({ title: Schema.String, done: Schema.Boolean }) })

const program = Effect.gen(function* () {
  const net = yield* TestNetwork.make({ kinds: [Todo] })
  const [phone, laptop] = yield* net.nodes("phone", "laptop")
  const { id } = yield* phone.collection(Todo).put({ title: "tea", done: false })
  yield* net.settled
  yield* net.partition("phone", "laptop")
  yield* phone.collection(Todo).patch(id, { title: "green tea" })
  yield* laptop.collection(Todo).patch(id, { done: true })
  yield* net.heal()
  yield* net.settled
  const { title, done } = yield* laptop.collection(Todo).get(id)
  assert.deepEqual({ title, done }, { title: "green tea", done: true })
}).pipe(Effect.scoped, Effect.provide(TestClock.layer()))

await test("edits of different fields both stay", () => Effect.runPromise(program))
