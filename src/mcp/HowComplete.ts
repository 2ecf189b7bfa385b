/**
 * How complete an answer is: an agent that finds nothing concludes that there is nothing, so every read says what it
 * looked at, and which nodes may have more.
 */
import { Effect } from "effect"
import * as Completeness from "../services/node/Completeness.ts"
import type { NodeStatus } from "../services/node/Status.ts"
import type { Opened } from "./Reach.ts"

const { behind, found, in_sync, node, searched } = Completeness.Completeness.fields

export const fields = {
  found: found.annotate({ description: "Rows in this answer" }),
  searched: searched.annotate({ description: "Rows that were looked at" }),
  node: node.annotate({ description: "The node that answered" }),
  in_sync: in_sync.annotate({ description: "Whether nothing is known to be missing" }),
  behind: behind.annotate({
    description: "Nodes that have, or may have, rows that are not here; those with the most first"
  })
}

/** Nodes that are named at most. */
const named = 8

/** With the status of the node at about the time of the read. */
export const inStatus = (status: NodeStatus, read: Completeness.Read) => {
  const { behind, ...complete } = Completeness.of(status, read)
  return { ...complete, behind: behind.slice(0, named) }
}

export const of = ({ status }: Opened, read: Completeness.Read) =>
  Effect.map(status, (status) => inStatus(status, read))
