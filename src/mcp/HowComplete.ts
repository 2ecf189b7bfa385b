/**
 * How complete an answer is: an agent that finds nothing concludes that there is nothing, so every read says what it looked at, and
 * which nodes may have more.
 */
import { Effect, Schema } from "effect"
import type { NodeStatus } from "../services/node/Status.ts"
import type { Opened } from "./Reach.ts"

export const fields = {
  found: Schema.Natural.annotate({ description: "Rows in this answer" }),
  searched: Schema.Natural.annotate({ description: "Rows that this node holds of the kinds that were looked at" }),
  node: Schema.String.annotate({ description: "The node that answered" }),
  in_sync: Schema.Boolean.annotate({ description: "Whether this node has all that the nodes it knows have" }),
  behind: Schema.Array(Schema.String).annotate({
    description: "Why there may be more than was found: nodes from which something may be missing"
  })
}

/** Nodes that are named at most. */
const named = 8

export const of = Effect.fnUntraced(function* (
  { isRunning, status }: Opened,
  {
    found,
    kinds,
    indexing
  }: {
    readonly found: number
    readonly kinds: ReadonlyArray<string>
    readonly indexing?: { readonly done: number; readonly total: number } | undefined
  }
) {
  const { counts, node_id, peers } = yield* status
  const behind = [
    ...(indexing === undefined ? [] : [`the index has ${indexing.done} of ${indexing.total} rows: ask again`]),
    ...(isRunning ? peers.flatMap(missing) : ["no node runs here: what others write does not arrive until one does"])
  ]
  return {
    found,
    searched: kinds.reduce((sum, kind) => sum + (countOf(counts, kind) ?? 0), 0),
    node: node_id,
    in_sync: behind.length === 0,
    behind: behind.length <= named ? behind : [...behind.slice(0, named), `and ${behind.length - named} more`]
  }
})

const countOf = (counts: NodeStatus["counts"], kind: string): number | undefined =>
  Object.entries(counts).find(([name]) => name === kind)?.[1]

const missing = ({
  address,
  lag_ops,
  last_sync_at,
  node_id,
  port,
  state
}: NodeStatus["peers"][number]): ReadonlyArray<string> => {
  const name = node_id ?? `${address}:${port}`
  if (state === "live" && (lag_ops ?? 0) === 0) return []
  if (state === "live" || state === "syncing") return [`${name} is being synced with`]
  return [
    last_sync_at === null
      ? `${name} is not connected, and was not yet since this node started`
      : `${name} is not connected; last in sync at ${new Date(last_sync_at * 1000).toISOString()}`
  ]
}
