/** A write waits until other nodes have it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { Memory, type WaitInput } from "../../../src/services/memory/Memory.ts"
import * as MemoryLive from "../../../src/services/memory/MemoryLive.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import { NotYetOnNodes, QueryInvalid, RowNotFound } from "../../../src/services/node/NodeFailure.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import { Store } from "../../../src/services/store/Store.ts"
import { node } from "../../support/Network.ts"

const [a, b, c] = [node("a"), node("b"), node("c")]
const memory = MemoryLive.layer.pipe(
  Layer.provideMerge(MemoryStore.layer({ nodeId: node("here") })),
  Layer.provide(HlcClock.layer)
)

/** The peer says that it has committed everything, or nothing. */
const says = Effect.fnUntraced(function* (peer: typeof a, hasAll: boolean) {
  const store = yield* Store
  const clock = hasAll ? (yield* store.snapshot).vectorClock : VectorClock.empty
  yield* store.acknowledge({ node: peer, clock, agreed: undefined })
})

describe("Memory.waitFor", () => {
  it.effect("is done as soon as as many nodes have it, and says which, and when they were heard of", () =>
    Effect.gen(function* () {
      const { notes, waitFor } = yield* Memory
      yield* TestClock.setTime(1_000_000)
      yield* says(c, false)
      const { id, hlc } = yield* notes.put({ content: "x" })
      for (const which of [{ hlc }, { kind: "notes", id }]) {
        const fiber = yield* Effect.forkChild(waitFor({ ...which, nodes: 2 }), { startImmediately: true })
        // The second one has nothing to wait for.
        if ("hlc" in which) {
          yield* TestClock.adjust("1 second")
          yield* says(a, true)
          yield* TestClock.adjust("1 second")
          assert.isUndefined(fiber.pollUnsafe())
          yield* says(b, true)
        }
        assert.deepStrictEqual(yield* Fiber.join(fiber), {
          reached: [
            { node: b, at: 1_002 },
            { node: a, at: 1_001 }
          ],
          missing: [{ node: c, at: 1_000 }]
        })
      }
    }).pipe(Effect.provide(memory))
  )

  it.effect("fails after its time, with the nodes that have it", () =>
    Effect.gen(function* () {
      const { notes, waitFor } = yield* Memory
      const { hlc } = yield* notes.put({ content: "x" })
      yield* says(a, true)
      yield* says(b, false)
      for (const [input, seconds] of [
        [{ hlc, nodes: 2 }, 30],
        [{ hlc, nodes: 2, timeout: 5 }, 5],
        [{ hlc, nodes: 2, timeout: 0 }, 0]
      ] as const) {
        const fiber = yield* Effect.forkChild(Effect.flip(waitFor(input)), { startImmediately: true })
        yield* TestClock.adjust(seconds * 1_000 - 1)
        if (seconds > 0) assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust(1)
        const error = yield* Fiber.join(fiber)
        assert.instanceOf(error, NotYetOnNodes)
        assert.deepInclude(error, { hlc, wanted: 2, reached: [{ node: a, at: 0 }], missing: [{ node: b, at: 0 }] })
        assert.match(error.message, /only 1 of 2 other nodes acknowledged it in time; it will reach b/)
      }
    }).pipe(Effect.provide(memory))
  )

  it.effect.each<WaitInput>([
    { nodes: 1 },
    { nodes: 1, id: "x" },
    { nodes: 1, hlc: "yesterday" },
    { nodes: 0, hlc: "1:0:a" },
    { nodes: 1.5, hlc: "1:0:a" },
    { nodes: 1, hlc: "1:0:a", timeout: -1 }
  ])("does not wait for nothing: %j", (input) =>
    Effect.gen(function* () {
      assert.instanceOf(yield* Effect.flip((yield* Memory).waitFor(input)), QueryInvalid)
    }).pipe(Effect.provide(memory))
  )

  it.effect("does not wait for a row that is not there", () =>
    Effect.gen(function* () {
      const { waitFor } = yield* Memory
      assert.instanceOf(yield* Effect.flip(waitFor({ nodes: 1, kind: "notes", id: "none" })), RowNotFound)
    }).pipe(Effect.provide(memory))
  )
})
