/**
 * The state of a replica as the session protocol needs it, as plain values.
 */
import { HashMap, Option } from "effect"
import type { ChangedOrigins } from "./ChangedOrigins.ts"
import type { Cut, Told } from "./Cut.ts"
import * as Digest from "./Digest.ts"
import * as Hlc from "./Hlc.ts"
import type { Timestamp } from "./Hlc.ts"
import type { NodeId } from "./NodeId.ts"
import type { Operation } from "./Operation.ts"
import type { Purges } from "./Purge.ts"
import * as VectorClock from "./VectorClock.ts"

/** The rows of one origin, tombstones included: how many, and their digest. */
export interface Holding {
  readonly rows: number
  readonly digest: Digest.Digest
}

/** The rows of each origin that has any. Two replicas with equal holdings of an origin hold the same rows of it. */
export type Holdings = HashMap.HashMap<NodeId, Holding>

export const noHoldings: Holdings = HashMap.empty()
export const noRows: Holding = { rows: 0, digest: Digest.empty }

/** What is held of an origin. */
export const holdingOf = (holdings: Holdings, node: NodeId): Holding =>
  Option.getOrElse(HashMap.get(holdings, node), () => noRows)

/** Whether the same rows are held, by their number and digest. */
export const isSameHolding = (a: Holding, b: Holding): boolean => a.rows === b.rows && Digest.equals(a.digest, b.digest)

/** `holdings` after `changes` were added to them. An origin that has no rows left leaves them. */
export const addHoldings = (holdings: Holdings, changes: Iterable<readonly [NodeId, Holding]>): Holdings =>
  HashMap.mutate(holdings, (sums) => {
    for (const [node, { rows, digest }] of changes) {
      const before = holdingOf(sums, node)
      const after = { rows: before.rows + rows, digest: Digest.add(before.digest, digest) }
      if (isSameHolding(after, noRows)) HashMap.remove(sums, node)
      else HashMap.set(sums, node, after)
    }
  })

/** The state of a replica at one moment. */
export interface Snapshot {
  /** Counts commits since the replica was opened. */
  readonly version: number
  /** What this replica claims: of every operation that the clock covers, it holds that one or one that wins over it. */
  readonly vectorClock: VectorClock.VectorClock
  /** The greatest timestamp held of each origin: beyond `clock` while a peer's round is not complete. */
  readonly frontier: VectorClock.VectorClock
  /** The digest of all rows. */
  readonly digest: Digest.Digest
  readonly holdings: Holdings
  /** The purged rows of this replica, which `clock` still covers. */
  readonly purges: Purges
  /** How often origins without rows were forgotten since the replica was opened. */
  readonly forgets?: number
  /** The digest of all rows but tombstones. */
  readonly live?: Digest.Digest
  /** How many operations of kinds of applications are held. */
  readonly ofApplications?: number
  /** Up to where tombstones may be dropped here; none in a replica that knows of no such thing. */
  readonly cut?: Cut
  /** Whether tombstones that may be dropped are still here. */
  readonly isCollecting?: boolean
}

/**
 * Whether a replica tells others how far it covers an origin: it holds rows of it. Where rows were removed by hand, of
 * any origin: what they won over has no winner here any more, and must not be sent again.
 */
export const isAnnounced = ({ holdings, purges }: Pick<Snapshot, "holdings" | "purges">, node: NodeId): boolean =>
  HashMap.has(holdings, node) || !HashMap.isEmpty(purges)

/** A commit as it is published: the operations that changed a row, in commit order. */
export interface Change {
  /** The version of the replica after it. */
  readonly version: number
  readonly operations: ReadonlyArray<Operation>
  /** What it wrote, seen from the origins. Where it is told, these operations can be sent as they are. */
  readonly changedOrigins?: ChangedOrigins
}

/** Asks for the operations beyond the given timestamps, origin by origin, in the order given. */
export interface DeltaRequest {
  readonly from: ReadonlyArray<readonly [NodeId, Timestamp]>
  /** The version that the caller has seen. */
  readonly since: number
  /** About how many bytes of operations to read at most; one operation is read however large it is. */
  readonly maxBytes: number
  readonly maxOperations: number
}

/** A bounded piece of the state, read in one transaction together with the snapshot. */
export interface Delta {
  readonly snapshot: Snapshot
  /** In the order of the request: origin by origin, each in the order of its timestamps. */
  readonly operations: ReadonlyArray<Operation>
  /** How many of the requested origins were read to their end: they are the first ones. */
  readonly exhausted: number
  /** The writes after version `since`; none when that is too long ago. */
  readonly changedOrigins: Option.Option<ChangedOrigins>
}

/** A part of a frame that is not an operation. Kept, bounded in count and size, so that an operator can look at it. */
export interface Quarantined {
  readonly peer: NodeId
  readonly reason: string
  /** The JSON text as it came, cut to 4 KiB. */
  readonly text: string
}

/** The contents of a frame from a peer, to be committed together. */
export interface Batch {
  readonly operations: ReadonlyArray<Operation>
  /** The coverage once `operations` are committed. */
  readonly coverage: VectorClock.VectorClock
  readonly quarantined: ReadonlyArray<Quarantined>
  /**
   * What the peer that sent it told of its cut, where one of the two has one. What `Cut.verdict` refuses is not taken.
   */
  readonly from?: { readonly node: NodeId; readonly told: Told | undefined }
}

/**
 * What a replica holds that a clock does not cover: how many rows of origins that the clock has not seen at all, and
 * for the other origins from where on.
 */
export const beyond = (
  { frontier, holdings }: Pick<Snapshot, "frontier" | "holdings">,
  clock: VectorClock.VectorClock
): { readonly whole: number; readonly from: ReadonlyArray<readonly [NodeId, Timestamp]> } => {
  let whole = 0
  const from: Array<readonly [NodeId, Timestamp]> = []
  for (const [node, { rows }] of HashMap.entries(holdings)) {
    const seen = Option.getOrUndefined(HashMap.get(clock, node))
    if (seen === undefined) whole += rows
    else if (
      Hlc.isAfter(
        Option.getOrElse(HashMap.get(frontier, node), () => seen),
        seen
      )
    )
      from.push([node, seen])
  }
  return { whole, from }
}

/**
 * Whether an operation is too far ahead of the time `now` (ms) to be taken. What is no later than what is held of its
 * origin is not: it was taken before, and the clock went back since then.
 */
export const isAhead = (
  { frontier }: Pick<Snapshot, "frontier">,
  timestamp: Hlc.Hlc,
  now: number,
  maxDriftMs: number
): boolean =>
  Hlc.isDrifting(timestamp, now, maxDriftMs) && Hlc.isAfter(timestamp, VectorClock.get(frontier, timestamp.node))

/** Whether the replica `self` holds operations of an origin, or held some: to take more of it makes no room scarcer. */
export const knows = (self: NodeId, { frontier }: Pick<Snapshot, "frontier">, node: NodeId): boolean =>
  node === self || HashMap.has(frontier, node)

/** Of how many origins the replica `self` has rows, itself included, and would have with those of `fresh`. */
export const originsWith = (
  self: NodeId,
  { holdings }: Pick<Snapshot, "holdings">,
  fresh: Iterable<NodeId> = []
): number => {
  const added = new Set([self, ...fresh])
  for (const node of added) if (HashMap.has(holdings, node)) added.delete(node)
  return HashMap.size(holdings) + added.size
}

/**
 * The new origins that a replica has to leave out where all of `operations` would make more than `most` origins. No
 * peer takes a clock of more, so origins that a member makes up must be stopped before they are committed.
 */
export const crowdedOut = (
  self: NodeId,
  snapshot: Pick<Snapshot, "holdings" | "frontier">,
  operations: ReadonlyArray<Operation>,
  most: number
): ReadonlySet<NodeId> => {
  const origins = new Set(operations.map(({ hlc }) => hlc.node))
  return originsWith(self, snapshot, origins) <= most
    ? new Set()
    : new Set([...origins].filter((node) => !knows(self, snapshot, node)))
}
