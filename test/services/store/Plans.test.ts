/** How SQLite carries out what is asked of a store: by an index that has the rows in their order, and never by sorting all rows of a kind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { CanonicalJson } from "../../../src/core/replica/Json.ts"
import * as Kind from "../../../src/core/replica/Kind.ts"
import * as Operation from "../../../src/core/replica/Operation.ts"
import type * as Selection from "../../../src/core/replica/Selection.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as SearchQuery from "../../../src/core/search/SearchQuery.ts"
import { node, write } from "../../support/Network.ts"
import { searchFor } from "../../support/Searches.ts"
import { at, batch, onDisk } from "../../support/Stores.ts"

/** The statements that are prepared while something runs. */
const prepared = <A, E, R>(run: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<string>, E, R> =>
  Effect.suspend(() => {
    const statements = new Set<string>()
    const { prepare } = DatabaseSync.prototype
    DatabaseSync.prototype.prepare = function (statement, ...rest) {
      statements.add(statement)
      return prepare.call(this, statement, ...rest)
    }
    return run.pipe(
      Effect.ensuring(Effect.sync(() => (DatabaseSync.prototype.prepare = prepare))),
      Effect.map(() => [...statements])
    )
  })

const origin = node("a")
const plans = Operation.Kind.make("plans!lww")

const filters: ReadonlyArray<Selection.Filter> = [
  {},
  { subject: "s" },
  { session: "s" },
  { status: "ok" },
  { subject: "s", predicate: "p" },
  { origin },
  { since: 2, until: 8 },
  { tags: ["t"] },
  { tags: ["t", "u"], since: 2 }
]

describe("what is asked of SQLite", () => {
  it.effect("is read in order from an index, however many rows there are", () =>
    Effect.gen(function* () {
      const place = yield* onDisk
      const statements = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* place.open
          const data = JSON.stringify({ content: "tea", summary: "tea", object: "tea", tags: ["t"] }) as CanonicalJson
          yield* store.apply(
            batch(
              Kind.all.flatMap(({ name }, kind) =>
                [1, 2, 3].map((n) => ({ ...write(origin, at(10 * kind + n), `r${n}`, name), data }))
              )
            )
          )
          yield* store.declare(new Map([[plans, ["due"]]]))
          return yield* prepared(
            Effect.gen(function* () {
              for (const filter of filters) {
                const page = yield* store.select({ filter, limit: 2 })
                const [last] = page.operations
                if (last === undefined) continue
                const after = { rank: 0, hlc: last.hlc, table: last.table, row_id: last.row_id }
                yield* store.select({ filter, limit: 2, after })
              }
              for (const condition of [{ from: 2 }, { to: 2 }, { from: 2, to: 8 }, { equals: 2 }]) {
                const where = [{ field: "due", ...condition }]
                yield* store.rows(plans, { where, after: undefined, limit: 2 })
                yield* store.rows(plans, { where, after: { key: 2, id: "r1" }, limit: 2 })
              }
              const words = { query: SearchQuery.fromText("tea"), columns: undefined }
              for (const written of [{}, { since: 2, until: 8 }, { origin }]) {
                const place = { rank: 0, hlc: { wall: 5, counter: 0, node: origin }, table: plans, row_id: "r1" }
                for (const after of [undefined, place, { ...place, table: "a" }])
                  yield* store.rows(plans, { where: [], written, newest: { after }, limit: 2 })
              }
              yield* store.rows(plans, { where: [], words, after: undefined, limit: 2 })
              yield* store.rows(plans, { where: [], words, after: { key: null, id: "r1" }, limit: 2 })
              yield* searchFor(store, "tea", 10)
              yield* store.index
              yield* searchFor(store, "tea", 10)
              for (const kinds of [undefined, ["notes", "episodes"]]) {
                yield* Stream.runDrain(store.feed({ follow: false, since: "0", ...(kinds && { kinds }) }))
              }
              yield* store.tombstones(VectorClock.advance(VectorClock.empty, origin, at(99)))
              yield* store.delta({ from: [[origin, at(1)]], maxBytes: 1_000, maxOperations: 10, since: 0 })
            })
          )
        })
      )
      const database = new DatabaseSync(join(place.home, "sync.db"), { readOnly: true })
      const asked = statements.filter((statement) =>
        /^\s*SELECT[^]*\b(FROM|JOIN) (operations|own_rows)\b/.test(statement)
      )
      assert.isAbove(asked.length, 25)
      for (const statement of asked) {
        const plan = database
          .prepare(`EXPLAIN QUERY PLAN ${statement}`)
          .all()
          .map(({ detail }) => String(detail))
        // The matches of a word have no order.
        const isOfWords = statement.includes("tokens MATCH")
        const isSorted = plan.includes("USE TEMP B-TREE FOR ORDER BY")
        const isScanned = plan.some((step) => /^SCAN (o|operations|own_rows)$/.test(step))
        assert.isFalse((isSorted && !isOfWords) || isScanned, `${statement}\n${plan.join("\n")}`)
      }
      database.close()
    })
  )
})
