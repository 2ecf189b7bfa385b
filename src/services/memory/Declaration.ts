/**
 * Kinds that applications declare: a kind is a value.
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { FeralSync, Kind } from "feral-sync"
 *
 * const Todo = Kind.make("todos", {
 *   rule: "fields",
 *   row: Schema.Struct({ title: Schema.String, done: Schema.Boolean }),
 *   search: ["title"]
 * })
 *
 * export const open = Effect.gen(function* () {
 *   const todos = yield* Todo
 *   return yield* todos.query({ where: { done: false } })
 * }).pipe(Effect.provide(FeralSync.layer({ home: "data", kinds: [Todo] })))
 * ```
 *
 * On the wire its name is `todos!fields`: the rule travels with it, so that nodes without the application merge its
 * rows alike.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type * as Rule from "../../core/replica/Rule.ts"
import { KindInvalid, type KindMismatch, type StoreUnavailable } from "../node/NodeFailure.ts"
import { Store } from "../store/Store.ts"
import { Memory } from "./Memory.ts"
import { type Any, type Collected, type Collection, columnsOf, type OwnKind, problemOf } from "./OwnKind.ts"

export { isUnreadable } from "./OwnKind.ts"
export type {
  Any,
  ChangeEvent,
  Changed,
  Collected,
  Collection,
  OwnKind,
  Provenance,
  LiveInput,
  QueryInput,
  RowOf,
  Unreadable,
  Where
} from "./OwnKind.ts"

type Row = Schema.Codec<object, unknown> & { readonly fields: Schema.Struct.Fields }

/** A kind with the layer of its collection, as a node takes it. */
export interface Declarable extends Any {
  readonly layer: Layer.Layer<never, never, Memory>
}

type Own<Name extends string, R extends Rule.Known, S extends Schema.Codec<unknown, unknown>> = OwnKind<Name, R, S> & {
  readonly layer: Layer.Layer<Collected<`${Name}!${R}`>, never, Memory>
}

/** The services of some kinds. */
export type Provided<K> = K extends OwnKind<infer Name, infer R, infer _> ? Collected<`${Name}!${R}`> : never

/** Declares a kind whose rows have columns. */
export function make<const Name extends string, R extends "lww" | "log" | "fields", S extends Row>(
  name: Name,
  options: { readonly rule: R; readonly row: S; readonly search?: ReadonlyArray<keyof S["Type"] & string> }
): Own<Name, R, S>
/** Declares a kind of counters. */
export function make<const Name extends string>(
  name: Name,
  options: { readonly rule: "counter" }
): Own<Name, "counter", typeof Schema.Finite>
/** Declares a kind of sets: of texts, or of members with another schema. */
export function make<const Name extends string, S extends Schema.Codec<unknown, unknown> = typeof Schema.String>(
  name: Name,
  options: { readonly rule: "set"; readonly row?: S }
): Own<Name, "set", S>
export function make(
  name: string,
  {
    rule,
    row = rule === "counter" ? Schema.Finite : Schema.String,
    search = []
  }: { readonly rule: Rule.Known; readonly row?: Any["row"]; readonly search?: ReadonlyArray<string> }
): Declarable {
  const table = `${name}!${rule}`
  const kind: Any = { name, rule, table, row, search }
  const tag = Context.Service<Collected<string>, Collection<Any>>(`feral-sync/kinds/${table}`)
  const layer = Layer.effect(
    tag,
    Effect.map(Memory, (memory) => memory.collection(kind))
  )
  return Object.assign(kind, { layer, [Symbol.iterator]: () => tag[Symbol.iterator]() })
}

/** Declares kinds to the store of this node. */
export const declare = Effect.fnUntraced(function* (kinds: ReadonlyArray<Any>) {
  for (const kind of kinds) {
    const reason =
      problemOf(kind) ??
      (kinds.some((other) => other !== kind && other.name === kind.name) ? "it is declared twice" : undefined)
    if (reason !== undefined) return yield* new KindInvalid({ kind: kind.name, reason })
  }
  const store = yield* Store
  yield* store.declare(new Map(kinds.map((kind) => [kind.table, columnsOf(kind)])))
})

/** A store for which some kinds are declared before anything else uses it. */
export const declaring = <E, R>(
  store: Layer.Layer<Store, E, R>,
  kinds: ReadonlyArray<Any>
): Layer.Layer<Store, E | KindInvalid | KindMismatch | StoreUnavailable, R> =>
  Layer.effect(
    Store,
    Effect.tap(Store, () => declare(kinds))
  ).pipe(Layer.provide(store))

/** A node with the collections of some kinds. */
export function collected<K extends Declarable, A, E, R>(
  node: Layer.Layer<A | Memory, E, R>,
  kinds: ReadonlyArray<K>
): Layer.Layer<A | Memory | Provided<K>, E, R>
export function collected<A, E, R>(
  node: Layer.Layer<A | Memory, E, R>,
  kinds: ReadonlyArray<Declarable>
): Layer.Layer<A | Memory, E, R> {
  return kinds.reduce((all, kind) => Layer.provideMerge(kind.layer, all), node)
}
