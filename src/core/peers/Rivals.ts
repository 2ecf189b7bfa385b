/**
 * Connections to one node: of two that are made at the same time, the one that the lower id dialled stays. Later on the
 * newer stays: a peer dials again only when it has lost the older one.
 */
import { byCodePoint, type NodeId } from "../replica/NodeId.ts"

/** Two connections made within this time were made at the same time (ms). */
const simultaneous = 10_000

/** An established connection. */
export interface Link {
  readonly id: number
  readonly node: NodeId
  readonly dialledBy: NodeId
  readonly since: number
}

/** Which of two connections to one node goes; none while the other side has to decide. */
export const loserOf = (older: Link, newer: Link, self: NodeId): Link | undefined => {
  if (newer.since - older.since > simultaneous) return older
  if (older.dialledBy === newer.dialledBy) return newer.dialledBy === self ? newer : undefined
  return byCodePoint(older.dialledBy, newer.dialledBy) < 0 ? newer : older
}
