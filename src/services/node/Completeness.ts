/**
 * How complete the answer of a read is: whether a row that is missing in it may exist all the same. An application that
 * finds nothing can tell then whether there is nothing.
 */
import { Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import * as PeerName from "./PeerName.ts"
import type { NodeStatus } from "./Status.ts"

/**
 * Another node that has, or may have, what this one lacks. `operations` are lacking at least, as far as its clock
 * shows: one for each origin of which it has more. With 0, it is not in sync now, and may have written since
 * `last_seen_at` (Unix seconds, where it was met before). A node whose id is not known yet is named by its address.
 */
export const Behind = Schema.Struct({
  node: Schema.String,
  operations: Schema.Natural,
  last_seen_at: Schema.optionalKey(Schema.Finite)
})
export interface Behind extends Schema.Schema.Type<typeof Behind> {}

/**
 * `found` is the number of rows in the answer, `searched` the number of rows that were looked at, `node` the node that
 * answered. `in_sync` says that nothing is known to be missing: every row is indexed, and this node is `behind` no
 * other.
 */
export const Completeness = Schema.Struct({
  found: Schema.Natural,
  searched: Schema.Natural,
  node: Schema.String,
  in_sync: Schema.Boolean,
  behind: Schema.Array(Behind)
})
export interface Completeness extends Schema.Schema.Type<typeof Completeness> {}

/**
 * What is known of a read: the rows of its answer, its kinds (all by default), how many rows of kinds of applications
 * it looked at, and how far the index was.
 */
export interface Read {
  readonly found: number
  readonly ofApplications?: number | undefined
  readonly kinds?: ReadonlyArray<string> | undefined
  readonly indexing?: { readonly done: number; readonly total: number } | undefined
}

type Status = Pick<NodeStatus, "node_id" | "counts" | "peers" | "absent">

/** How complete a read is that was made at about the time of this status. */
export const of = (status: Status, { found, kinds = Kind.names, ofApplications = 0, indexing }: Read): Completeness => {
  const { node_id: node, counts } = status
  const held = Kind.names.reduce((sum, name) => sum + (kinds.includes(name) ? counts[name] : 0), ofApplications)
  const waiting = indexing === undefined ? 0 : indexing.total - indexing.done
  const behind = behindOf(status)
  return {
    found,
    searched: Math.max(found, held - waiting),
    node,
    in_sync: behind.length === 0 && waiting === 0,
    behind
  }
}

/** The nodes that this one is behind: those that have the most first. */
const behindOf = ({ peers, absent = [] }: Pick<Status, "peers" | "absent">): ReadonlyArray<Behind> =>
  [
    ...peers.flatMap((peer) => {
      const { state, last_seen_at: seen, we_lack: lacking } = peer
      if (state === "live" && lacking === undefined) return []
      const operations = lacking?.operations ?? lacking?.origins ?? 0
      return [{ node: PeerName.of(peer), operations, ...(seen === undefined ? {} : { last_seen_at: seen }) }]
    }),
    ...absent.map(({ node_id: id, last_seen_at }) => ({ node: id, operations: 0, last_seen_at }))
  ].toSorted((a, b) => b.operations - a.operations)
