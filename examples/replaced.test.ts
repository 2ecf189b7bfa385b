/**
 * Nodes whose store, transport and discovery are all their own (`store.ts`, `pipes.ts`, `discovery.ts`), made of nothing but what the
 * package exports. They have no directory, no file and no socket.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted, Schema, Stream } from "effect"
import { FeralSync, Kind, Memory, NodeId, Store } from "feral-sync"
import * as Registry from "./discovery.ts"
import * as Pipes from "./pipes.ts"
import * as Shelves from "./store.ts"

const Todo = Kind.make("todos", { rule: "fields", row: Schema.Struct({ title: Schema.String, done: Schema.Boolean }) })

/** What the hosts share. */
const world = Effect.map(Layer.build(Layer.merge(Pipes.Hosts.layer, Registry.Registry.layer)), Layer.succeedContext)

const node = (host: string, shelf: Shelves.Shelf, shared: Effect.Success<typeof world>) =>
  Layer.build(
    FeralSync.layer(
      { passphrase: Option.some(Redacted.make("an example passphrase")), kinds: [Todo] },
      {
        store: Shelves.layer(shelf),
        transport: Layer.provide(Pipes.layer(host), shared),
        discovery: Layer.provide(Registry.layer(host), shared)
      }
    )
  )

it.live("nodes find each other, replicate, and go on after a restart, with layers that are all their own", () =>
  Effect.gen(function* () {
    const shared = yield* world
    const [one, other] = [Shelves.shelf(NodeId.NodeId.make("one")), Shelves.shelf(NodeId.NodeId.make("other"))]
    const first = yield* node("first", one, shared)
    const here = Context.get(first, Memory).collection(Todo)

    const id = yield* Effect.scoped(
      Effect.gen(function* () {
        const second = yield* node("second", other, shared)
        const there = Context.get(second, Memory).collection(Todo)
        const { id } = yield* here.put({ title: "tea", done: false })
        yield* there.live().pipe(
          Stream.filter((rows) => rows.length === 1),
          Stream.runHead
        )
        yield* there.patch(id, { done: true })
        yield* here.live({ where: { done: true } }).pipe(
          Stream.filter((rows) => rows.length === 1),
          Stream.runHead
        )
        assert.deepStrictEqual(yield* Context.get(second, Store).digest, yield* Context.get(first, Store).digest)
        return id
      })
    )

    yield* here.patch(id, { title: "green tea" })
    const again = yield* node("second", other, shared)
    const rows = yield* Context.get(again, Memory)
      .collection(Todo)
      .live()
      .pipe(
        Stream.flattenIterable,
        Stream.filter(({ title }) => title === "green tea"),
        Stream.runHead
      )
    assert.deepInclude(Option.getOrThrow(rows), { id, done: true })
  }).pipe(Effect.scoped, Effect.timeout("15 seconds"))
)
