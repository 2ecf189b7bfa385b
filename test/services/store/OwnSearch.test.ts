/** Searches of kinds of applications: with an index of words or without, the answers are those of a look at every row. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { canonical } from "../../../src/core/replica/Json.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { Kind, OpId, RowId } from "../../../src/core/replica/Operation.ts"
import * as Query from "../../../src/core/replica/Query.ts"
import * as SearchQuery from "../../../src/core/search/SearchQuery.ts"
import * as Tokens from "../../../src/core/search/Tokens.ts"
import type { RowsRequest } from "../../../src/services/store/Searching.ts"
import type { Draft } from "../../../src/services/store/Store.ts"
import { seeded } from "../../support/Seeded.ts"
import { inMemory, onDisk, type Place, type StoreService } from "../../support/Stores.ts"

const docs = Kind.make("docs!lww")
const plans = Kind.make("plans!fields")
const kinds = [docs, plans]
const columns = new Map(kinds.map((kind) => [kind, ["title", "text", "tags", "rank"]]))

let drafts = 0
const draft = (table: Kind, row: string, content: object | undefined): Draft => ({
  op_id: OpId.make(`o${drafts++}`),
  table,
  op_type: content === undefined ? "delete" : "update",
  row_id: RowId.make(row),
  data: Option.getOrThrow(canonical(content ?? {}, 32))
})

const words = [
  "tea",
  "teapot",
  "Café",
  "ﬁne",
  "हिन्दी",
  "🫖",
  "项目会议",
  "会议",
  "ไทย",
  "C++",
  'x"y',
  "AND",
  "title",
  "kind"
]
const separators = ["", " ", " ", "、", "-", "\n"]

const drawn = (seed: number) => {
  const next = seeded(seed)
  const pick = <A>(list: ReadonlyArray<A>): A => list[Math.floor(next() * list.length)] as A
  const text = (parts: number) =>
    Array.from({ length: Math.floor(next() * parts) }, () => pick(words) + pick(separators)).join("")
  const content = () => ({
    ...(next() < 0.7 && { title: text(3) }),
    ...(next() < 0.7 && { text: text(6) }),
    ...(next() < 0.3 && { tags: [text(2), { tea: text(2) }] }),
    rank: Math.floor(next() * 4)
  })
  const write = () => draft(pick(kinds), `r${Math.floor(next() * 12)}`, next() < 0.2 ? undefined : content())
  const question = () => ({
    kind: pick(kinds),
    limit: 1 + Math.floor(next() * 5),
    ...(next() < 0.4 && { newest: { after: undefined } }),
    ...(next() < 0.3 && { written: { since: next() * 40, ...(next() < 0.5 && { until: next() * 60 }) } }),
    where: next() < 0.3 ? [{ field: "rank", from: 1 }] : next() < 0.2 ? [{ field: "rank", equals: 2 }] : [],
    ...(next() < 0.9 && {
      words: {
        query: SearchQuery.fromText(next() < 0.5 ? pick(words).slice(0, 1 + Math.floor(next() * 4)) : text(3)),
        columns: next() < 0.5 ? undefined : next() < 0.5 ? ["title"] : ["text", "tags"]
      }
    })
  })
  return { writes: () => Array.from({ length: 1 + Math.floor(next() * 8) }, write), question, next }
}

/** All rows that a store gives, page by page. */
const all = Effect.fnUntraced(function* (store: StoreService, kind: Kind, request: Omit<RowsRequest, "after">) {
  const rows: Array<Query.Shown> = []
  for (let start: Query.Start = request; ;) {
    const page: ReadonlyArray<Query.Shown> = yield* store.rows(kind, { ...request, ...start })
    assert.isAtMost(page.length, request.limit)
    rows.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < request.limit) return rows
    start = Query.startAfter(kind, request, last)
  }
})

/** The answer of a look at every row. */
const looked = Effect.fnUntraced(function* (
  store: StoreService,
  kind: Kind,
  { where, words, written, newest }: ReturnType<ReturnType<typeof drawn>["question"]>
) {
  const rows = yield* all(store, kind, { where, limit: 1_000 })
  const { since = 0, until = Infinity }: { since?: number; until?: number } = written ?? {}
  const found = rows.filter(
    ({ value, hlc }) =>
      hlc.wall >= Math.round(since * 1000) &&
      hlc.wall < Math.round(until * 1000) &&
      (words === undefined || SearchQuery.rankOf(Tokens.of(Query.textOf(value, words.columns)), words.query) > 0)
  )
  return newest === undefined ? found : found.sort((a, b) => Hlc.HlcOrder(b.hlc, a.hlc))
})

const opened = (place: Place) => Effect.tap(place.open, (store) => store.declare(columns))

describe("a search of rows of applications", () => {
  for (let seed = 1; seed <= 12; seed++) {
    it.effect(`finds in memory and in SQLite what a look at every row finds, after any writes (seed ${seed})`, () =>
      Effect.gen(function* () {
        const places = [yield* inMemory, yield* onDisk]
        const draw = drawn(seed)
        let found = 0
        for (let opening = 0; opening < 3; opening++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              // Of kinds that are declared later, rows are there before the index.
              const [first, second] = yield* Effect.forEach(places, (place) =>
                opening === 0 ? place.open : opened(place)
              )
              if (first === undefined || second === undefined) return
              for (let round = 0; round < 12; round++) {
                yield* TestClock.adjust("1 second")
                const writes = draw.writes()
                yield* first.append(writes)
                yield* second.append(writes)
                if (opening === 0) continue
                // Sometimes the index is brought up to date in the background first.
                if (draw.next() < 0.3) yield* TestClock.adjust("3 seconds")
                for (let questions = 0; questions < 4; questions++) {
                  const { kind, ...question } = draw.question()
                  const expected = yield* looked(first, kind, { kind, ...question })
                  const shown = ({ id, value }: Query.Shown) => ({ id, value })
                  found += expected.length
                  assert.deepStrictEqual(yield* all(first, kind, question), expected)
                  assert.deepStrictEqual((yield* all(second, kind, question)).map(shown), expected.map(shown))
                }
              }
            })
          )
        }
        assert.isAbove(found, 5)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("finds rare words, and frequent ones, among more rows than are looked at by the index", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const store = yield* opened(place)
      const id = (n: number) => `r${String(n).padStart(4, "0")}`
      yield* store.append(
        Array.from({ length: 4_000 }, (_, n) =>
          draft(docs, id(n), { title: n % 2 === 0 ? "even" : "odd", text: n % 1_500 === 7 ? "needle word" : "word" })
        )
      )
      yield* store.append([draft(plans, "p", { text: "needle" })])
      const find = (text: string, limit = 2) =>
        Effect.map(
          all(store, docs, { where: [], limit, words: { query: SearchQuery.fromText(text), columns: undefined } }),
          (rows) => rows.map((row) => row.id)
        )
      const needles = [7, 1507, 3007].map(id)
      // Some of the rows are indexed, then all are.
      for (let round = 0; round < 6; round++) assert.deepStrictEqual(yield* find("needle"), needles)
      assert.lengthOf(yield* find("word", 1_000), 4_000)
      assert.lengthOf(yield* find("even wor", 300), 2_000)
      assert.deepStrictEqual(yield* find("needle odd"), needles)
      assert.deepStrictEqual(yield* find("odd even"), [])
      assert.deepStrictEqual(yield* find(""), [])
    }).pipe(Effect.scoped)
  )

  it.effect("the index has the words of rows that are there, and of no others", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const store = yield* opened(place)
      const ids = Array.from({ length: 40 }, (_, n) => `r${n}`)
      yield* store.append(ids.map((id) => draft(docs, id, { text: "needle" })))
      yield* store.append([draft(plans, "p", { text: "needle" })])
      const find = (text: string) =>
        Effect.map(
          store.rows(docs, {
            where: [],
            after: undefined,
            limit: 100,
            words: { query: SearchQuery.fromText(text), columns: undefined }
          }),
          (rows) => rows.length
        )
      const indexed = () => {
        const file = new DatabaseSync(join(place.home, "sync.db"), { readOnly: true })
        const count = file.prepare("SELECT rowid FROM own_tokens WHERE own_tokens MATCH 'needle'").all().length
        file.close()
        return count
      }
      assert.strictEqual(yield* find("needle"), 40)
      assert.strictEqual(indexed(), 41)
      yield* store.append([draft(docs, "r7", { text: "other" }), draft(docs, "r8", undefined)])
      assert.deepStrictEqual([yield* find("needle"), yield* find("other")], [38, 1])
      assert.strictEqual(indexed(), 39)
      // A patch writes an operation into a slot of its own: the row is another one all the same.
      yield* store.append([draft(plans, "p", { title: "new" })])
      yield* find("needle")
      assert.strictEqual(indexed(), 39)
      yield* store.purge({ kind: docs })
      for (let second = 0; indexed() > 1 && second < 60; second++) yield* TestClock.adjust("1 second")
      assert.strictEqual(indexed(), 1)
      assert.strictEqual(yield* find("needle"), 0)
    }).pipe(Effect.scoped)
  )
})
