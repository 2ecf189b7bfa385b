/**
 * Which operations are causally stable: every other node that counts has them, and nothing that loses to them can come
 * from those nodes any more. What is stable could be left out of all of them at once. A tombstone is of no more use to
 * them then.
 *
 * **Which nodes count.** Every origin of an operation or of a claim, and every node that was ever met, whether it wrote
 * something or not. A node that was removed does not count, nor does this node itself. An origin that was forgotten, by
 * hand or because there were too many without rows, counts only if it was met.
 *
 * **What is stable.** Each node that counts has *agreed* at a clock: its clock and ours were equal there, and so were
 * the digests of all rows (`Acknowledgement.ts`). The stable clock is the least of all these clocks and of our own,
 * origin by origin.
 *
 * **Why that is right.** Let `t` be an operation that the stable clock covers, and `m` a node that counts.
 *
 * 1. *`m` has `t`.* When `m` agreed, both clocks covered `t`, so both claimed to hold `t` or a winner over it. Clocks
 *    alone may claim too much: a node whose disk was restored claims what it has lost. Digests were equal too, so the
 *    rows were the same.
 * 2. *`m` writes nothing that loses to `t` from then on.* A node issues no timestamp at or below one that it has seen.
 * 3. *No earlier operation of `m` that loses to `t` can still arrive.* `m` claimed all its own operations when it
 *    agreed, and we claimed the same. So we have had each of them, or a winner over it. The same holds for what `m` had
 *    of others. Where no row of an origin is left, nothing is claimed: its operations have lost to rows that both hold.
 * 4. *So no node that counts holds an operation that loses to `t` in its slot, nor will.* The rows were the same, and
 *    the slot of `t` held `t` or a winner. An operation in a slot is only replaced by one that wins over it.
 *
 * **What it does not say.** A node that does not count may hold an operation that loses to `t`. Examples are a removed
 * node, a copy that only a third node has met, a backup that is restored later, and an export. One that counts may lose
 * what it had not synced when its power failed. So a tombstone that is stable is collected only by the rule of
 * `Cut.ts`.
 *
 * Sources: Wuu and Bernstein, "Efficient Solutions to the Replicated Log and Dictionary Problems" (1984); Baquero,
 * Almeida, Shoker, "Making Operation-Based CRDTs Operation-Based" (2014), for causal stability.
 */
import { HashMap, Order } from "effect"
import * as Acknowledgement from "./Acknowledgement.ts"
import { byCodePoint, type NodeId } from "./NodeId.ts"
import * as VectorClock from "./VectorClock.ts"

/** The input of the decision. */
export interface Known {
  readonly self: NodeId
  /** Our clock, and the greatest timestamp that we hold of each origin. */
  readonly clock: VectorClock.VectorClock
  readonly frontier: VectorClock.VectorClock
  readonly acknowledgements: ReadonlyArray<Acknowledgement.Acknowledgement>
  readonly removed: ReadonlySet<NodeId>
}

/** A node that has not agreed to all that we claim. */
export interface Waiting {
  readonly node: NodeId
  /** When it last agreed, and when it last gave a sign of life: was heard of, or wrote (ms). */
  readonly agreedAt: number | undefined
  readonly seenAt: number | undefined
}

export interface Stability {
  /** Every operation that it covers is stable. */
  readonly clock: VectorClock.VectorClock
  /** Who keeps the rest from being stable: first those who have never agreed, then those who agreed longest ago. */
  readonly waiting: ReadonlyArray<Waiting>
  /** Whether there are more nodes than can be remembered: then nothing is stable. */
  readonly isOverfull: boolean
}

/** Every node that is known, this one among them. */
export const nodesOf = ({
  clock,
  frontier,
  acknowledgements
}: Pick<Known, "clock" | "frontier" | "acknowledgements">): ReadonlySet<NodeId> =>
  new Set([...HashMap.keys(clock), ...HashMap.keys(frontier), ...acknowledgements.map(({ node }) => node)])

/** Whether there are more nodes than can be remembered. */
export const isOverfull = ({ acknowledgements }: Pick<Known, "acknowledgements">): boolean =>
  acknowledgements.length >= Acknowledgement.limit

/** What is stable, and which nodes are waited for. */
export const of = (known: Known): Stability => {
  const { self, clock, frontier, acknowledgements, removed } = known
  const byNode = new Map(acknowledgements.map((acknowledgement) => [acknowledgement.node, acknowledgement]))
  const nodes = nodesOf(known)
  let stable = isOverfull(known) ? VectorClock.empty : clock
  const waiting: Array<Waiting> = []
  for (const node of nodes) {
    if (node === self || removed.has(node)) continue
    const one = byNode.get(node)
    const agreed = one?.agreed ?? VectorClock.empty
    stable = VectorClock.meet(stable, agreed)
    if (VectorClock.includes(agreed, clock)) continue
    const { wall } = VectorClock.get(frontier, node)
    const seenAt = Math.max(one?.seenAt ?? 0, wall)
    waiting.push({ node, agreedAt: one?.agreedAt, seenAt: seenAt === 0 ? undefined : seenAt })
  }
  return { clock: stable, waiting: waiting.sort(WaitingOrder), isOverfull: isOverfull(known) }
}

const WaitingOrder: Order.Order<Waiting> = Order.combineAll([
  Order.mapInput(Order.Number, ({ agreedAt }: Waiting) => agreedAt ?? -1),
  Order.mapInput(Order.Number, ({ seenAt }: Waiting) => seenAt ?? -1),
  Order.mapInput(byCodePoint, ({ node }: Waiting) => node)
])
