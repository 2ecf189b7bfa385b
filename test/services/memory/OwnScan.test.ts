/** Rows of kinds that were not declared: the same as of those that were. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import { Kind } from "../../../src/core/replica/Operation.ts"
import type { RowsRequest, Shown } from "../../../src/core/replica/Query.ts"
import * as OwnScan from "../../../src/services/memory/OwnScan.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import { ownKinds, ownOperation, integer, runs } from "../../support/Generators.ts"
import { batch, opened } from "../../support/Stores.ts"

/** All rows, in pages. */
const paged = Effect.fnUntraced(function* <E>(
  limit: number,
  read: (request: RowsRequest) => Effect.Effect<ReadonlyArray<Shown>, E>
) {
  const all: Array<Shown> = []
  let after: RowsRequest["after"]
  for (;;) {
    const rows = yield* read({ where: [], after, limit })
    all.push(...rows)
    const last = rows.at(-1)
    if (last === undefined || rows.length < limit) return all
    after = { key: null, id: last.id }
  }
})

describe("rows of a kind that was not declared", () => {
  it.effect.prop(
    "are those of a store that has it declared, in pages of any size",
    [Arbitrary.array(ownOperation, { maxLength: 20 }), integer(1, 4)],
    ([operations, limit]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* opened(MemoryStore.layer())
          yield* store.declare(new Map(ownKinds.map((kind) => [kind, []])))
          yield* store.apply(batch(operations))
          for (const kind of ownKinds.map((name) => Kind.make(name))) {
            const declared = yield* paged(limit, (request) => store.rows(kind, request))
            assert.deepStrictEqual(yield* paged(limit, (request) => OwnScan.rows(store, kind, request)), declared)
          }
        })
      ),
    runs(200)
  )
})
