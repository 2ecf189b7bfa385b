/** An agent that watches misses nothing of what happens while the memory is away. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import { RowId } from "../../src/core/replica/Operation.ts"
import type { Event } from "../../src/mcp/Reach.ts"
import * as Watching from "../../src/mcp/Watching.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { StoreUnavailable } from "../../src/services/node/NodeFailure.ts"
import { Memory } from "../../src/services/memory/Memory.ts"
import * as MemoryLive from "../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"

const layer = MemoryLive.layer.pipe(Layer.provide(MemoryStore.layer()), Layer.provide(HlcClock.layer))

const rowsIn = (events: ReadonlyArray<Event>) =>
  events.flatMap((event) => (event._tag === "Changed" ? event.operations.map(({ row_id }) => row_id) : []))

describe("the events of a memory", () => {
  it.effect("go on where they were when it is found again", () =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const lost = yield* Deferred.make<void>()
      const events = yield* Queue.unbounded<Event>()
      let found = 0
      const find = Effect.sync(() => {
        found++
        // The first way to it breaks, then there is none, then there is another.
        if (found === 2) return Option.none()
        const broken = Stream.fromEffect(Effect.andThen(Deferred.await(lost), Effect.fail(gone)))
        return Option.some(
          found === 1 ? { feed: (options) => Stream.merge(memory.feed(options), broken) } : memory
        ) as Option.Option<Pick<Memory["Service"], "feed">>
      })
      const gone = new StoreUnavailable({ reason: "other", detail: "the node stopped" })
      const reader = yield* Effect.forkChild(
        Stream.runForEach(Watching.events(find), (event) => Queue.offer(events, event))
      )
      const untilRow = Effect.fnUntraced(function* (id: RowId) {
        const seen: Array<Event> = []
        while (!rowsIn(seen).includes(id)) seen.push(yield* Queue.take(events))
        return seen
      })
      // The first page, without rows, says that it is watched from here on.
      const first = [yield* Queue.take(events), yield* Queue.take(events)]
      assert.deepStrictEqual(
        first.map(({ _tag }) => _tag),
        ["Watched", "Changed"]
      )
      const before = yield* memory.notes.put({ content: "before" })
      assert.deepStrictEqual(rowsIn(yield* untilRow(RowId.make(before.id))), [before.id])
      yield* Deferred.succeed(lost, undefined)
      const meanwhile = [yield* memory.notes.put({ content: "one" }), yield* memory.notes.put({ content: "two" })]
      yield* TestClock.adjust("2 seconds")
      const missed = yield* untilRow(RowId.make(meanwhile[1]?.id ?? ""))
      assert.deepStrictEqual(
        rowsIn(missed),
        meanwhile.map(({ id }) => id)
      )
      assert.strictEqual(found, 3)
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(layer))
  )

  it.effect("say that anything may have changed where the place is lost", () =>
    Effect.gen(function* () {
      const memory = { feed: () => Stream.make({ _tag: "Reset", cursor: "x" } as const) }
      const events = yield* Stream.runCollect(Stream.take(Watching.events(Effect.succeedSome(memory)), 2))
      assert.deepStrictEqual([...events], [{ _tag: "Watched" }, { _tag: "Watched" }])
    })
  )
})
