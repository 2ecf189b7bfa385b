import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { createHash } from "node:crypto"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import { utf8Length } from "../../../src/core/replica/NodeId.ts"
import { Kind, toWire } from "../../../src/core/replica/Operation.ts"
import * as Row from "../../../src/core/replica/Row.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import { OperationTooLarge, RowNotFound } from "../../../src/services/node/NodeFailure.ts"
import { Memory } from "../../../src/services/memory/Memory.ts"
import { Store } from "../../../src/services/store/Store.ts"
import { node, write } from "../../support/Network.ts"
import { batch } from "../../support/Stores.ts"
import * as MemoryLive from "../../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"

const store = MemoryStore.layer({ nodeId: node("here") }).pipe(Layer.provide(HlcClock.layer))
const memory = Layer.provideMerge(MemoryLive.layer, store)

/** A store that lets others run after each read, as a disk may. */
const yielding = Layer.effect(
  Store,
  Effect.map(Store, (store) =>
    Store.of({ ...store, get: (kind, id) => Effect.tap(store.get(kind, id), () => Effect.yieldNow) })
  )
).pipe(Layer.provide(store))

const limited = (maxOperationBytes: number) =>
  MemoryLive.layerWith({ maxOperationBytes }).pipe(
    Layer.provide(SecureRandom.layerWebCrypto),
    Layer.provideMerge(store)
  )

/** The operation that holds a row, and its data. */
const held = Effect.fnUntraced(function* (kind: string, id: string) {
  const operation = Option.getOrThrow(yield* (yield* Store).get(Kind.make(kind), id))
  return { operation, data: Row.columnsOf(operation) }
})

describe("Memory", () => {
  it.effect("makes identifiers that grow, also within a millisecond and when the clock steps back", () =>
    Effect.gen(function* () {
      const { notes } = yield* Memory
      const add = Effect.map(notes.put({ content: "x" }), ({ id }) => id)
      yield* TestClock.setTime(5_000)
      const ids = yield* Effect.replicateEffect(add, 500)
      yield* TestClock.setTime(1_000)
      ids.push(...(yield* Effect.replicateEffect(add, 10)))
      assert.deepStrictEqual(ids, [...new Set(ids)].sort())
      for (const id of ids) assert.match(id, /^00000000-1388-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }).pipe(Effect.provide(memory))
  )

  it.effect("writes the columns of each kind, with their defaults", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      yield* TestClock.setTime(1_700_000_000_250)
      const created_at = 1_700_000_000.25
      const session = { session_id: "s", skill_id: "k", endpoint_id: "e", result_status: "ok" }
      const written = {
        notes: yield* memory.notes.put({ content: "hello" }),
        knowledge: yield* memory.facts.add({ subject: "sky", predicate: "is", object: "blue" }),
        episodes: yield* memory.episodes.record({ session_id: "s", event_type: "t", summary: "sum" }),
        execution_log: yield* memory.executionLog.append(session)
      }
      const columns: Record<string, object> = {
        notes: { content: "hello", tags: "[]", importance: "normal", source: "user" },
        knowledge: { subject: "sky", predicate: "is", object: "blue", confidence: 1, source: "user" },
        episodes: { session_id: "s", event_type: "t", summary: "sum", detail: "", importance: 0.5 },
        execution_log: { ...session, args: "{}", result_summary: "", latency_ms: 0 }
      }
      for (const [kind, { id, hlc }] of Object.entries(written)) {
        const { operation, data } = yield* held(kind, id)
        assert.deepStrictEqual(data, { id, ...columns[kind], created_at })
        assert.strictEqual(operation.op_type, "insert")
        assert.strictEqual(hlc, `${operation.hlc.wall}:${operation.hlc.counter}:here`)
        assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
      }
      const provenance = { created_at, updated_at: created_at, origin_node: "here" }
      const { notes, knowledge, episodes, execution_log } = written
      assert.deepStrictEqual<unknown>(yield* memory.notes.list(), [
        { ...columns.notes, tags: [], ...provenance, ...notes }
      ])
      assert.deepStrictEqual<unknown>(yield* memory.facts.list(), [
        { ...columns.knowledge, ...provenance, ...knowledge }
      ])
      assert.deepStrictEqual<unknown>(yield* memory.episodes.list(), [
        { ...columns.episodes, ...provenance, ...episodes }
      ])
      const executions = [{ ...columns.execution_log, args: {}, ...provenance, ...execution_log }]
      assert.deepStrictEqual<unknown>(yield* memory.executionLog.list(), executions)
    }).pipe(Effect.provide(memory))
  )

  it.effect("writes what it is given", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      yield* memory.notes.put({ content: "c", tags: ["a", 'b"'], importance: "high", source: "agent" })
      const [note] = yield* memory.notes.list()
      assert.deepInclude(note, { content: "c", tags: ["a", 'b"'], importance: "high", source: "agent" })
      yield* memory.facts.add({ subject: "s", predicate: "p", object: "o", confidence: 0.25, source: "x" })
      assert.deepInclude((yield* memory.facts.list())[0], { confidence: 0.25, source: "x" })
      yield* memory.episodes.record({ session_id: "s", event_type: "t", summary: "u", detail: "d", importance: 0 })
      assert.deepInclude((yield* memory.episodes.list())[0], { detail: "d", importance: 0 })
      const run = { session_id: "s", skill_id: "k", endpoint_id: "e", result_status: "ok" }
      yield* memory.executionLog.append({ ...run, args: [1], result_summary: "r", latency_ms: 12.5 })
      const [execution] = yield* memory.executionLog.list()
      assert.deepInclude(execution, { args: [1], result_summary: "r", latency_ms: 12.5 })
    }).pipe(Effect.provide(memory))
  )

  it.effect("an edit replaces the content and keeps everything else", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const data = '{"colour":{"deep":[1]},"content":"old","id":"r","tags":["x"]}'
      yield* (yield* Store).apply(
        batch([{ ...write(node("there"), { wall: 5, counter: 0 }, "r"), data: CanonicalJson.make(data) }])
      )
      yield* memory.notes.edit("r", "new")
      const { operation } = yield* held("notes", "r")
      assert.strictEqual(operation.data as string, data.replace("old", "new"))
      assert.strictEqual(operation.op_type, "update")
    }).pipe(Effect.provide(memory))
  )

  it.effect("deletes leave a tombstone without data, and no row", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const note = yield* memory.notes.put({ content: "c" })
      const fact = yield* memory.facts.add({ subject: "s", predicate: "p", object: "o" })
      yield* memory.notes.delete(note.id)
      yield* memory.facts.delete(fact.id)
      for (const [kind, { id }] of [["notes", note] as const, ["knowledge", fact] as const]) {
        const { operation } = yield* held(kind, id)
        assert.deepStrictEqual([operation.op_type, operation.data as string], ["delete", "{}"])
      }
      assert.deepStrictEqual([yield* memory.notes.list(), yield* memory.facts.list()], [[], []])
    }).pipe(Effect.provide(memory))
  )

  it.effect("says which row is not there, or not any more", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const { id } = yield* memory.notes.put({ content: "c" })
      yield* memory.notes.delete(id)
      const failures = [
        yield* Effect.flip(memory.notes.edit("missing", "x")),
        yield* Effect.flip(memory.notes.delete("missing")),
        yield* Effect.flip(memory.facts.delete("missing")),
        yield* Effect.flip(memory.notes.edit(id, "x")),
        yield* Effect.flip(memory.notes.delete(id))
      ]
      for (const failure of failures) assert.instanceOf(failure, RowNotFound)
      assert.strictEqual((yield* (yield* Store).counts).tombstones, 1)
    }).pipe(Effect.provide(memory))
  )

  it.effect("of concurrent edits and a delete, none brings a deleted note back", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const { id } = yield* memory.notes.put({ content: "c" })
      const edits = Array.from({ length: 20 }, (_, index) => Effect.exit(memory.notes.edit(id, `${index}`)))
      const all = [...edits.slice(0, 10), Effect.exit(memory.notes.delete(id)), ...edits.slice(10)]
      yield* Effect.all(all, { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* memory.notes.list(), [])
    }).pipe(Effect.provide(Layer.provide(MemoryLive.layer, yielding)))
  )

  it.effect("a fact that is set has one row on every node; one that is added has its own", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const fact = (object: string) => ({ subject: "sky", predicate: "is", object })
      const first = yield* memory.facts.set(fact("blue"))
      const second = yield* memory.facts.set(fact("grey"))
      assert.strictEqual(first.id, createHash("sha256").update("sky\0is").digest("hex").slice(0, 32))
      assert.strictEqual(second.id, first.id)
      assert.notStrictEqual(second.hlc, first.hlc)
      assert.notStrictEqual(
        (yield* memory.facts.set({ subject: "sk", predicate: "yis", object: "white" })).id,
        first.id
      )
      yield* memory.facts.add(fact("red"))
      const objects = (yield* memory.facts.list()).map(({ object }) => object).sort()
      assert.deepStrictEqual(objects, ["grey", "red", "white"])
      yield* memory.facts.delete(first.id)
      yield* memory.facts.set(fact("black"))
      assert.lengthOf(yield* memory.facts.list(), 3)
    }).pipe(Effect.provide(memory))
  )

  it.effect("lists page by page, in the order of the ids", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const total = 2_345
      const ids = new Array<string>()
      for (let index = 0; index < total; index++) ids.push((yield* memory.notes.put({ content: `${index}` })).id)
      const all = yield* memory.notes.list()
      assert.deepStrictEqual(
        all.map(({ id }) => id),
        ids
      )
      assert.deepStrictEqual(yield* memory.notes.list({ limit: 1_500 }), all.slice(0, 1_500))
      assert.deepStrictEqual(yield* memory.notes.list({ after: ids[1_200] ?? "", limit: 3 }), all.slice(1_201, 1_204))
      assert.deepStrictEqual(yield* memory.notes.list({ limit: 0 }), [])
    }).pipe(Effect.provide(memory))
  )

  it.effect("refuses what no peer would take, and takes what is just below", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const limit = 1_000
      const refused = yield* Effect.flip(memory.notes.put({ content: "é".repeat(500) }))
      assert.instanceOf(refused, OperationTooLarge)
      assert.isAbove(refused.bytes, limit)
      assert.strictEqual(refused.limit, limit)
      assert.deepStrictEqual(yield* memory.notes.list(), [])
      const room = limit - (refused.bytes - 1_000)
      const { id } = yield* memory.notes.put({ content: "x".repeat(room) })
      assert.instanceOf(yield* Effect.flip(memory.notes.put({ content: "x".repeat(room + 1) })), OperationTooLarge)
      assert.instanceOf(yield* Effect.flip(memory.notes.edit(id, "x".repeat(room + 1))), OperationTooLarge)
      const { operation } = yield* held("notes", id)
      assert.isAtMost(utf8Length(toWire(operation)), limit)
      assert.isAbove(utf8Length(toWire(operation)), limit - 60)
    }).pipe(Effect.provide(limited(1_000)))
  )

  it.effect("takes up to 8 MiB by default", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      yield* memory.notes.put({ content: "x".repeat(8 * 1024 * 1024 - 66 * 1024) })
      const refused = yield* Effect.flip(memory.notes.put({ content: "x".repeat(8 * 1024 * 1024 - 64 * 1024) }))
      assert.instanceOf(refused, OperationTooLarge)
    }).pipe(Effect.provide(memory))
  )

  it.effect("shows changes, local and replicated", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const store = yield* Store
      const fiber = yield* memory.changes.pipe(
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      const { id } = yield* memory.notes.put({ content: "c" })
      yield* store.apply(batch([write(node("there"), { wall: 5, counter: 0 }, "r")]))
      const changes = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        changes.map(({ version, operations }) => [version, ...operations.map(({ row_id }) => row_id as string)]),
        [
          [1, id],
          [2, "r"]
        ]
      )
    }).pipe(Effect.provide(memory))
  )
})
