/**
 * Searches and filters over random rows in all scripts: every place where a store is kept gives the same answers, in the same order.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CanonicalJson } from "../../../src/core/replica/Json.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as Selection from "../../../src/core/replica/Selection.ts"
import * as Query from "../../../src/core/search/SearchQuery.ts"
import { node, write } from "../../support/Network.ts"
import { unspaced } from "../../support/Scripts.ts"
import { seeded } from "../../support/Seeded.ts"
import { at, batch, inMemory, onDisk, type StoreService } from "../../support/Stores.ts"

const words = [
  "tea",
  "Tea",
  "teapot",
  "café",
  "ﬁne",
  "שָׁלוֹם",
  "हिन्दी",
  "🫖",
  "会议",
  "项目会议",
  "한국어",
  "ไทย",
  "か\u3099",
  "C++",
  'x"y',
  "AND",
  "NEAR("
]
const separators = ["", " ", " ", "、", "-", "\n", "\u00ad"]
const values = ["s1", "s2", "会议", "a'b", "%", '{"a":1}']
/** Values of columns as other nodes may write them. */
const odd = [7, true, null, { a: 1 }, ["s1"], "", "\ud800"]

const drawn = (seed: number) => {
  const next = seeded(seed)
  const pick = <A>(list: ReadonlyArray<A>): A => list[Math.floor(next() * list.length)] as A
  const text = (parts: number) =>
    Array.from(
      { length: Math.floor(next() * parts) },
      () => pick(words) + pick(separators) + (next() < 0.2 ? pick(unspaced) : "")
    ).join("")
  const value = () => (next() < 0.1 ? pick(odd) : pick(values))
  const tags = () => {
    const list = Array.from({ length: Math.floor(next() * 4) }, value)
    return next() < 0.5 ? JSON.stringify(list) : next() < 0.5 ? list : value()
  }
  const row = (): Operation => {
    const kind = pick(["notes", "knowledge", "episodes", "execution_log", "dreams"])
    const data = {
      content: text(6),
      tags: tags(),
      subject: value(),
      predicate: value(),
      object: text(4),
      session_id: value(),
      result_status: value(),
      summary: text(5),
      detail: text(3)
    }
    const origin = node(pick(["a", "b", "c"]))
    const op_type = kind !== "episodes" && next() < 0.1 ? "delete" : "insert"
    return {
      ...write(
        origin,
        at(1 + Math.floor(next() * 300), Math.floor(next() * 2)),
        `r${Math.floor(next() * 40)}`,
        kind,
        op_type
      ),
      data: JSON.stringify(op_type === "delete" ? {} : data) as CanonicalJson
    }
  }
  const maybe = <Key extends string, A>(key: Key, make: () => A, share = 0.2) =>
    next() < share ? ({ [key]: make() } as { readonly [K in Key]: A }) : {}
  const filter = (): Selection.Filter => ({
    ...maybe("kinds", () => [pick(["notes", "knowledge", "episodes"]), pick(["notes", "execution_log"])]),
    ...maybe("tags", () => (next() < 0.7 ? [pick(values)] : [pick(values), pick(values)])),
    ...maybe("subject", () => pick(values)),
    ...maybe("predicate", () => pick(values), 0.1),
    ...maybe("session", () => pick(values)),
    ...maybe("status", () => pick(values), 0.1),
    ...maybe("origin", () => pick(["a", "b"]), 0.1),
    ...maybe("since", () => Math.floor(next() * 300) / 1000, 0.1),
    ...maybe("until", () => Math.floor(next() * 300) / 1000, 0.1)
  })
  return { row, filter, text, count: () => Math.floor(next() * 40), limit: () => 1 + Math.floor(next() * 5) }
}

/** All pages of a read, of a few rows each. */
const pages = Effect.fnUntraced(function* <E>(
  page: (
    after: Selection.Place | undefined
  ) => Effect.Effect<readonly [rows: ReadonlyArray<readonly [Operation, number]>, isMore: boolean], E>
) {
  const all: Array<readonly [string, number]> = []
  for (let after: Selection.Place | undefined; ;) {
    const [rows, isMore] = yield* page(after)
    all.push(...rows.map(([{ op_id }, rank]) => [op_id, rank] as const))
    const last = rows.at(-1)
    if (!isMore || last === undefined) return all
    after = Selection.placeOf(...last)
  }
})

const selected = (store: StoreService, filter: Selection.Filter, limit: number) =>
  pages((after) =>
    Effect.map(store.select({ filter, after, limit }), ({ operations, isMore }) => [
      operations.map((operation) => [operation, 0] as const),
      isMore
    ])
  )

const found = (store: StoreService, text: string, filter: Selection.Filter, limit: number) =>
  pages((after) =>
    Effect.map(store.search({ query: Query.fromText(text), filter, after, limit }), ({ hits, isMore }) => [
      hits.map(({ operation, rank }) => [operation, rank] as const),
      isMore
    ])
  )

describe("reads of all stores are alike", () => {
  for (const seed of [1, 2]) {
    it.effect(`seed ${seed}`, () =>
      Effect.gen(function* () {
        const one = yield* Effect.flatMap(inMemory, (place) => place.open)
        const other = yield* Effect.flatMap(onDisk, (place) => place.open)
        const { row, filter, text, count, limit } = drawn(seed)
        let looked = 0
        for (let round = 0; round < 8; round++) {
          const rows = Array.from({ length: count() }, row)
          yield* one.apply(batch(rows))
          yield* other.apply(batch(rows))
          for (let query = 0; query < 8; query++) {
            const wanted = filter()
            const all = yield* selected(one, wanted, limit())
            assert.deepStrictEqual(yield* selected(other, wanted, limit()), all, JSON.stringify(wanted))
            const asked = text(3)
            const near = query % 2 === 0 ? {} : wanted
            const matches = yield* found(one, asked, near, limit())
            assert.deepStrictEqual(yield* found(other, asked, near, limit()), matches, JSON.stringify([asked, near]))
            looked += all.length + matches.length
          }
        }
        assert.isAbove(looked, 100)
      })
    )
  }
})
