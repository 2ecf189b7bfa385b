/** How many rows there are of each declared kind: counted by the backend, once for each state of the store. */
import { Effect } from "effect"
import type { Backend } from "./Backend.ts"
import type { State } from "./StoreState.ts"

const none: ReadonlyMap<string, number> = new Map()

export const make = ({ ownCounts }: Pick<Backend, "ownCounts">, committing: { readonly state: State }) => {
  let last: { readonly state: State; readonly counts: ReadonlyMap<string, number> } | undefined
  return Effect.suspend(() => {
    const { state } = committing
    if (state.declared.size === 0) return Effect.succeed(none)
    if (last?.state === state) return Effect.succeed(last.counts)
    return Effect.map(ownCounts, (found) => {
      const counts = new Map(Array.from(state.declared.keys(), (kind) => [kind, found.get(kind) ?? 0]))
      last = { state, counts }
      return counts
    })
  })
}
