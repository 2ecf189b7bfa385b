/**
 * What other nodes are known to hold: the clock that each of them acknowledged, and the clock at which its rows were
 * last the same as ours.
 *
 * Guarantees:
 * - `clock` is what the node said last that it has committed. It goes back when the node says less, as after a restore.
 * - `agreed` never goes beyond `clock`, and moves on only when the clocks and the digests of both nodes are equal.
 * - What is forgotten, or not written in time, makes both smaller. They are never made larger by a restart.
 */
import { HashMap } from "effect"
import { type Hlc, TimestampOrder } from "./Hlc.ts"
import type { NodeId } from "./NodeId.ts"
import * as VectorClock from "./VectorClock.ts"

export interface Acknowledgement {
  readonly node: NodeId
  /** The vector clock that it has committed: of every covered operation, it holds that one or one that wins over it. */
  readonly clock: VectorClock.VectorClock
  /** The first clock that it told with its own entry as it is in `clock`. It is not kept on the disk. */
  readonly written?: VectorClock.VectorClock | undefined
  /** When it was last heard of (ms). */
  readonly seenAt: number
  /** The clock at which its rows were last the same as ours, and when that was (ms); never, without a time. */
  readonly agreed: VectorClock.VectorClock
  readonly agreedAt: number | undefined
  /** The tombstones that it has confirmed (`Cut.ts`), by its last report; none from a node that does not report. */
  readonly confirmed?: VectorClock.VectorClock | undefined
}

/** The state of a peer that a session shows at one moment. */
export interface Report {
  readonly node: NodeId
  readonly clock: VectorClock.VectorClock
  /** The clock of both, when their rows are the same. */
  readonly agreed: VectorClock.VectorClock | undefined
  readonly confirmed?: VectorClock.VectorClock | undefined
}

/** The acknowledgements of other nodes, by node. */
export type Acknowledgements = ReadonlyMap<NodeId, Acknowledgement>

/** Nodes that are remembered. Where there are more, nothing can be said of all of them (`Stability.ts`). */
export const limit = 10_000

/** The acknowledgement of a node after a report. */
export const after = (
  before: Acknowledgement | undefined,
  { node, clock, agreed, confirmed }: Report,
  now: number
): Acknowledgement => ({
  node,
  clock,
  written: firstWithOwn(node, before?.written ?? clock, clock),
  seenAt: now,
  agreed: agreed ?? VectorClock.meet(before?.agreed ?? VectorClock.empty, clock),
  agreedAt: agreed === undefined ? before?.agreedAt : now,
  ...(confirmed && { confirmed })
})

/** The earlier of two clocks of a node, if its own entry is the same in both. */
const firstWithOwn = (
  node: NodeId,
  earlier: VectorClock.VectorClock,
  clock: VectorClock.VectorClock
): VectorClock.VectorClock =>
  TimestampOrder(VectorClock.get(earlier, node), VectorClock.get(clock, node)) === 0 ? earlier : clock

/**
 * What a node had seen when it wrote an operation, as far as it is known. What it acknowledged afterwards does not
 * count: its operation may come later than the acknowledgement of ours, though it was written before.
 */
export const seenWhenWriting = ({ clock, written }: Acknowledgement, operation: Hlc): VectorClock.VectorClock =>
  written !== undefined && VectorClock.covers(written, operation) ? written : clock

/** The nodes that have acknowledged an operation, or one that wins over it. */
export const holdersOf = (acknowledgements: Iterable<Acknowledgement>, hlc: Hlc): ReadonlyArray<NodeId> =>
  Array.from(acknowledgements).flatMap(({ node, clock }) => (VectorClock.covers(clock, hlc) ? [node] : []))

/** Whether anything but the time is the same. */
export const isSame = (a: Acknowledgement, b: Acknowledgement): boolean =>
  isEqual(a.clock, b.clock) &&
  isEqual(a.agreed, b.agreed) &&
  isEqual(a.confirmed ?? VectorClock.empty, b.confirmed ?? VectorClock.empty) &&
  (a.agreedAt === undefined) === (b.agreedAt === undefined)

const isEqual = (a: VectorClock.VectorClock, b: VectorClock.VectorClock): boolean =>
  a === b || (HashMap.size(a) === HashMap.size(b) && VectorClock.compare(a, b) === "equal")
