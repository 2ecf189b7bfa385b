/**
 * An application with kinds of its own: a list of things to do, labels on them, and how often each was opened.
 *
 * `docs/kinds.md` explains the rules.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Schema } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Discovery, FeralSync, Kind } from "feral-sync"

const Todo = Kind.make("todos", {
  rule: "fields",
  row: Schema.Struct({ title: Schema.String, done: Schema.Boolean, due: Schema.optionalKey(Schema.Finite) }),
  search: ["title"]
})
const Label = Kind.make("labels", { rule: "set" })
const Opened = Kind.make("opened", { rule: "counter" })

const program = Effect.gen(function* () {
  const [todos, labels, opened] = [yield* Todo, yield* Label, yield* Opened]
  const { id } = yield* todos.put({ title: "buy tea", done: false, due: 20 })
  yield* todos.put({ title: "buy milk", done: false, due: 10 })
  yield* todos.patch(id, { done: true })
  yield* labels.add(id, "shop")
  yield* opened.increment(id)
  yield* opened.increment(id, 2)

  const { rows } = yield* todos.query({ where: { done: false, due: { from: 0, to: 30 } } })
  yield* Console.log("to do:", rows.map(({ title }) => title).join(", "))
  for (const row of yield* todos.list()) {
    yield* Console.log(
      Kind.isUnreadable(row) ? `cannot be read: ${row.problem}` : `${row.title} ${row.done ? "✓" : ""}`
    )
  }
  yield* Console.log("found:", (yield* todos.search({ query: "tea" })).rows.length)
  yield* Console.log("labels and count:", yield* labels.get(id), yield* opened.get(id))
})

const home = mkdtempSync(join(tmpdir(), "own-kind-"))
program.pipe(
  Effect.provide(
    FeralSync.layer(
      { home, port: 0, host: "127.0.0.1", kinds: [Todo, Label, Opened] },
      { discovery: Discovery.layerNone }
    )
  ),
  Effect.ensuring(Effect.sync(() => rmSync(home, { recursive: true, force: true }))),
  NodeRuntime.runMain
)
