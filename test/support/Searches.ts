/** Searches of a store for a text, once everything is indexed. */
import { Effect } from "effect"
import type { Filter } from "../../src/core/replica/Selection.ts"
import * as Query from "../../src/core/search/SearchQuery.ts"
import type { StoreService } from "./Stores.ts"

export const hitsFor = Effect.fnUntraced(function* (
  store: StoreService,
  text: string,
  limit = 100,
  filter: Filter = {}
) {
  yield* store.index
  return (yield* store.search({ query: Query.fromText(text), filter, limit })).hits
})

/** The operations that hold the rows. */
export const searchFor = (store: StoreService, text: string, limit?: number) =>
  Effect.map(hitsFor(store, text, limit), (hits) => hits.map(({ operation }) => operation))
