/**
 * What a `Store` has to do, as tests: for the stores of this package and for one of your own. A store over a `Backend`
 * (`Engine.make`) has most of it from the engine.
 *
 * ```ts
 * import { Context, Effect, Layer } from "effect"
 * import { Clock, Store } from "feral-sync"
 * import { storeContract } from "feral-sync/testing"
 *
 * storeContract(
 *   "SQLite",
 *   Effect.sync(() => ({
 *     open: Effect.map(
 *       Layer.build(Layer.fresh(Store.layerSqlite({ home: "data" }).pipe(Layer.provide(Clock.layer)))),
 *       (services) => Context.get(services, Store)
 *     )
 *   }))
 * )
 * ```
 */
import { Effect, Fiber, HashMap, References, type Scope, Stream } from "effect"
import assert from "node:assert/strict"
import * as Digest from "../../core/replica/Digest.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import { CanonicalJson } from "../../core/replica/Json.ts"
import * as Kinds from "../../core/replica/Kind.ts"
import * as Merge from "../../core/replica/Merge.ts"
import { Kind, OpId, type Operation, RowId } from "../../core/replica/Operation.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import type { Draft, Store } from "../../services/store/Store.ts"
import { arrange, order, sample } from "../Arbitraries.ts"
import { history } from "../Schedule.ts"
import { said } from "../Story.ts"
import { type Case, type Runner, state, type Suite } from "../Suite.ts"

/** Where a store is kept: what one opening commits is there at the next one. */
export interface Place {
  /** Opens the store until the scope closes, with a clock of its own. */
  readonly open: Effect.Effect<Store["Service"], unknown, Scope.Scope>
}

/** Histories that are tried. */
const seeds = Array.from({ length: 12 }, (_, seed) => seed)

const historyOf = (seed: number) => sample(history(Kinds.all[seed % Kinds.all.length] ?? Kinds.table.notes), { seed })

/** A local write of a note. */
const draft = (row: string, content: string): Draft => ({
  op_id: OpId.make(`op-${row}-${content}`),
  table: Kind.make("notes"),
  op_type: "insert",
  row_id: RowId.make(row),
  data: CanonicalJson.make(JSON.stringify({ content }))
})

const batch = (operations: ReadonlyArray<Operation>, coverage = VectorClock.empty) => ({
  operations,
  coverage,
  quarantined: []
})

const clockOf = (operations: ReadonlyArray<Operation>) =>
  VectorClock.fromEntries(operations.map(({ hlc: { node, wall, counter } }) => [node, { wall, counter }]))

/** Everything that a store holds, in pages of at most `maxOperations`. */
const everything = Effect.fnUntraced(function* (store: Store["Service"], maxOperations = 1_000) {
  const { frontier } = yield* store.snapshot
  const held: Array<Operation> = []
  for (const origin of HashMap.keys(frontier)) {
    let from = Hlc.zero
    while (true) {
      const page = yield* store.delta({ from: [[origin, from]], since: 0, maxBytes: 1e9, maxOperations })
      held.push(...page.operations)
      const last = page.operations.at(-1)
      if (page.exhausted === 1 || last === undefined) break
      from = { wall: last.hlc.wall, counter: last.hlc.counter }
    }
  }
  return held
})

const texts = (operations: Iterable<Operation>): ReadonlyArray<string> => Array.from(operations, said).sort()

/** The contract, as tests of a store. `place` is asked for a fresh one each time. */
export const suite = (name: string, place: Effect.Effect<Place, unknown, Scope.Scope>): Suite => {
  const test = (name: string, body: (place: Place) => Effect.Effect<void, unknown, Scope.Scope>): Case => ({
    name,
    run: Effect.scoped(Effect.flatMap(place, body)).pipe(
      Effect.timeout("15 seconds"),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  })
  const fresh = Effect.flatMap(place, ({ open }) => open)
  return {
    name,
    cases: [
      test(
        "begins empty, with an identity that it keeps",
        Effect.fnUntraced(function* ({ open }) {
          const nodeId = yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* open
              const { vectorClock, frontier, digest } = yield* store.snapshot
              assert.ok(HashMap.isEmpty(vectorClock) && HashMap.isEmpty(frontier))
              assert.deepStrictEqual(digest, Digest.empty)
              // A store without a commit may have written nothing of itself.
              yield* store.append([draft("r1", "x")])
              return store.nodeId
            })
          )
          assert.strictEqual((yield* open).nodeId, nodeId)
        })
      ),
      test(
        "gives each write the next timestamp, holds it, covers it, and publishes it after the commit",
        Effect.fnUntraced(function* ({ open }) {
          const store = yield* open
          const published = yield* store.changes.pipe(
            Stream.take(2),
            Stream.runCollect,
            Effect.forkScoped({ startImmediately: true })
          )
          const first = yield* store.append([draft("r1", "x"), draft("r2", "y")])
          const second = yield* store.append([draft("r1", "z")])
          const written = [...first, ...second]
          for (const [index, { hlc }] of written.entries()) {
            assert.strictEqual(hlc.node, store.nodeId)
            const before = written[index - 1]
            assert.ok(before === undefined || Hlc.isAfter(hlc, before.hlc))
            assert.ok(VectorClock.covers(yield* store.vectorClock, hlc))
          }
          assert.deepStrictEqual(texts(yield* everything(store)), texts(Merge.of(written).values()))
          const changes = [...(yield* Fiber.join(published))]
          assert.deepStrictEqual(
            changes.map(({ operations }) => texts(operations)),
            [texts(first), texts(second)]
          )
          assert.ok((changes[0]?.version ?? 0) < (changes[1]?.version ?? 0))
        })
      ),
      test(
        "holds the merge of what it was given, with the digest of its rows",
        Effect.fnUntraced(function* () {
          for (const seed of seeds) {
            const written = historyOf(seed)
            const store = yield* fresh
            let given: ReadonlyArray<Operation> = []
            for (const operation of written) {
              given = [...given, operation]
              yield* store.apply(batch([operation], clockOf(given)))
            }
            const merged = Merge.of(written)
            assert.deepStrictEqual(texts(yield* everything(store)), texts(merged.values()))
            const { digest } = Merge.mergeBatch(() => undefined, written)
            assert.deepStrictEqual(yield* store.digest, digest)
          }
        })
      ),
      test(
        "comes to the same in any order, in one batch or several, and when it is given all of it twice",
        Effect.fnUntraced(function* () {
          for (const seed of seeds) {
            const written = historyOf(seed)
            const [one, other] = [yield* fresh, yield* fresh]
            yield* one.apply(batch(written, clockOf(written)))
            const told = arrange([...written, ...written], sample(order, { seed }))
            for (const operation of told) yield* other.apply(batch([operation]))
            yield* other.apply(batch([], clockOf(written)))
            assert.deepStrictEqual(yield* one.digest, yield* other.digest)
            const clocks = [yield* one.vectorClock, yield* other.vectorClock] as const
            assert.strictEqual(VectorClock.compare(...clocks), "equal")
          }
        })
      ),
      test(
        "moves its clock only to what a batch covers, and never back",
        Effect.fnUntraced(function* ({ open }) {
          const store = yield* open
          const written = historyOf(5)
          yield* store.apply(batch(written))
          assert.ok(HashMap.isEmpty(yield* store.vectorClock))
          yield* store.apply(batch([], clockOf(written)))
          yield* store.apply(batch([], clockOf(written.slice(0, 1))))
          assert.strictEqual(VectorClock.compare(yield* store.vectorClock, clockOf(written)), "equal")
        })
      ),
      test(
        "reads what it holds of an origin in the order of timestamps, page by page",
        Effect.fnUntraced(function* () {
          for (const seed of seeds) {
            const store = yield* fresh
            yield* store.apply(batch(historyOf(seed)))
            const held = yield* everything(store, 2)
            assert.deepStrictEqual(texts(held), texts(yield* everything(store)))
            for (const [index, { hlc }] of held.entries()) {
              const before = held[index - 1]?.hlc
              assert.ok(before === undefined || before.node !== hlc.node || !Hlc.isAfter(before, hlc))
            }
          }
        })
      ),
      test(
        "has at the next opening what it had committed, and issues no timestamp twice",
        Effect.fnUntraced(function* ({ open }) {
          const written = historyOf(2)
          const before = yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* open
              yield* store.apply(batch(written, clockOf(written)))
              const own = yield* store.append([draft("own", "x")])
              return { own, held: texts(yield* everything(store)), digest: yield* store.digest }
            })
          )
          const store = yield* open
          assert.deepStrictEqual(texts(yield* everything(store)), before.held)
          assert.deepStrictEqual(yield* store.digest, before.digest)
          const [next] = yield* store.append([draft("own", "y")])
          const [last] = before.own
          assert.ok(next !== undefined && last !== undefined && Hlc.isAfter(next.hlc, last.hlc))
        })
      )
    ]
  }
}

/** States the contract as tests of the runner that runs this file. */
export const storeContract = (
  name: string,
  place: Effect.Effect<Place, unknown, Scope.Scope>,
  options: { readonly runner?: Runner | undefined } = {}
): void => state(suite(name, place), options.runner)
