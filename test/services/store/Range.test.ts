/** Reading rows in their order, page by page, over every place where a store may be. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { variantOf } from "../../../src/core/replica/Merge.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import { type Position, positionOf, PositionOrder, type RangeRequest } from "../../../src/core/replica/Ranges.ts"
import { draft } from "../../support/Drafts.ts"
import { operations, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch, places, type StoreService } from "../../support/Stores.ts"

const all: RangeRequest = { after: undefined, until: undefined, maxBytes: 1e9, maxOperations: 1e6 }

/** Everything from `request.after` on, in pages. */
const pages = Effect.fnUntraced(function* (store: StoreService, request: RangeRequest) {
  const read: Array<Operation> = []
  let after = request.after
  for (let page = 0; page < 10_000; page++) {
    const { operations, exhausted } = yield* store.range({ ...request, after })
    read.push(...operations)
    if (exhausted) return read
    const last = operations.at(-1)
    if (last === undefined) throw new Error("a page that is empty and not the last")
    after = positionOf(last)
  }
  throw new Error("no end of pages")
})

const key = (operation: Operation) => [operation.table, operation.row_id, variantOf(operation)].join("\0")

for (const { name, make } of places) {
  describe(`Store.range, ${name}`, () => {
    it.effect.prop(
      "gives every row once, in the order of positions, however small the pages",
      [operations],
      ([made]) =>
        Effect.gen(function* () {
          const store = yield* (yield* make).open
          yield* store.apply(batch(made))
          const whole = (yield* store.range(all)).operations
          const positions = whole.map(positionOf)
          assert.deepStrictEqual(positions, [...positions].sort(PositionOrder))
          assert.strictEqual(new Set(whole.map(key)).size, whole.length)
          for (const maxOperations of [1, 3]) {
            assert.deepStrictEqual(yield* pages(store, { ...all, maxOperations }), whole)
          }
          assert.deepStrictEqual(yield* pages(store, { ...all, maxBytes: 1 }), whole)
        }).pipe(Effect.scoped),
      runs(60)
    )

    it.effect("begins after one row and ends with another, tombstones and kinds unknown included", () =>
      Effect.gen(function* () {
        const store = yield* (yield* make).open
        yield* store.append(["a", "b", "c", "d"].map((id) => draft(id)))
        yield* store.append([draft("c", "", "notes", "delete")])
        yield* store.apply(batch([write(node("x"), at(5), "p", "plans")]))
        const place = (table: string, row_id: string): Position => ({ table, row_id, variant: "" })
        const ids = (request: Partial<RangeRequest>) =>
          Effect.map(store.range({ ...all, ...request }), ({ operations, exhausted }) => [
            operations.map(({ row_id }) => row_id as string).join(""),
            exhausted
          ])
        assert.deepStrictEqual(yield* ids({}), ["abcdp", true])
        assert.deepStrictEqual(yield* ids({ after: place("notes", "a"), until: place("notes", "c") }), ["bc", true])
        assert.deepStrictEqual(yield* ids({ after: place("notes", "b"), maxOperations: 1 }), ["c", false])
        assert.deepStrictEqual(yield* ids({ after: place("notes", "d"), until: place("notes", "z") }), ["", true])
        assert.deepStrictEqual(yield* ids({ until: place("notes", "") }), ["", true])
      })
    )
  })
}
