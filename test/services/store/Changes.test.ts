import * as ChangedOrigins from "../../../src/core/replica/ChangedOrigins.ts"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import { Kind } from "../../../src/core/replica/Operation.ts"
import type { Change } from "../../../src/services/store/Store.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, places, type StoreService } from "../../support/Stores.ts"

const [a, b] = [node("a"), node("b")]
const notes = Kind.make("notes")

for (const { name, make } of places) {
  describe(`Store.changes, ${name}`, () => {
    const fresh = Effect.flatMap(make, (place) => place.open)

    /** Collects `count` changes in a fiber that has subscribed by the time this returns. */
    const collect = <E>(store: StoreService, count: number, tap: (change: Change) => Effect.Effect<unknown, E>) =>
      store.changes.pipe(
        Stream.take(count),
        Stream.tap(tap),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )

    it.effect("publishes each commit once it can be read", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        yield* store.append([draft("before")])
        const fiber = yield* collect(store, 3, ({ version, operations }) =>
          Effect.gen(function* () {
            assert.isAtLeast((yield* store.snapshot).version, version)
            for (const operation of operations) {
              assert.deepStrictEqual(yield* store.get(notes, operation.row_id), Option.some(operation))
            }
          })
        )
        const first = yield* store.append([draft("r1"), draft("r2")])
        const second = write(a, at(3), "r3")
        yield* store.apply(batch([second, write(b, at(2), "r3")]))
        yield* store.apply(batch([second]))
        yield* store.apply(batch([], { a: at(3) }))
        assert.deepStrictEqual(yield* Fiber.join(fiber), [
          { version: 2, operations: first, changedOrigins: ChangedOrigins.of(first, new Map()) },
          {
            version: 3,
            operations: [second],
            changedOrigins: ChangedOrigins.of([second], new Map([[a, new Set([b])]]))
          },
          { version: 4, operations: [], changedOrigins: ChangedOrigins.of([], new Map()) }
        ])
      })
    )

    it.effect("a subscriber that is too slow loses the oldest, and sees the gap", () =>
      Effect.gen(function* () {
        const store = yield* fresh
        const gate = yield* Deferred.make<void>()
        const total = 1_200
        const versions: Array<number> = []
        const fiber = yield* store.changes.pipe(
          Stream.tap(({ version }) =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.sync(() => versions.push(version))
            )
          ),
          Stream.takeUntil(({ version }) => version === total),
          Stream.runDrain,
          Effect.forkChild({ startImmediately: true })
        )
        for (let wall = 1; wall <= total; wall++) yield* store.apply(batch([], { [store.nodeId]: at(wall) }))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(fiber)
        assert.isBelow(versions.length, total)
        assert.isAtLeast(versions.length, 1_024)
        const newest = versions.slice(-1_024)
        assert.deepStrictEqual(
          newest,
          Array.from({ length: 1_024 }, (_, index) => total - 1_023 + index)
        )
      })
    )
  })
}
