/**
 * Operations that are larger than the other side accepts. They are left out and named, everything else
 * flows, and no coverage of their origins passes them.
 *
 * An operation leaves the list when the peer covers it, or when another one takes its row. What is listed is bounded:
 * beyond that, the least timestamp of each origin is kept, for coverage, until the next start of the pump.
 */
import { RowsTooLarge } from "./SyncFailure.ts"
import { emptyObject } from "../replica/Json.ts"
import * as Merge from "../replica/Merge.ts"
import type { Operation } from "../replica/Operation.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import type { Deferred } from "./Wire.ts"

/** An operation that is too large for the peer, without its data. */
export interface TooLarge {
  readonly operation: Operation
  readonly bytes: number
}

export interface Deferral {
  readonly rows: ReadonlyMap<Merge.Slot, TooLarge>
  /** The operations that are not listed: their number, and the least timestamp of each origin. */
  readonly unlisted: number
  readonly least: VectorClock.VectorClock
}

/** Operations that are listed one by one, and those of them that are named to the peer. */
const bounds = { rows: 256, named: 16 } as const

export const none: Deferral = { rows: new Map(), unlisted: 0, least: VectorClock.empty }

export const countOf = ({ rows, unlisted }: Deferral): number => rows.size + unlisted

/** With operations that were left out. */
export const add = (deferral: Deferral, left: ReadonlyArray<TooLarge>): Deferral => {
  if (left.length === 0) return deferral
  const rows = new Map(deferral.rows)
  let { unlisted, least } = deferral
  for (const { operation, bytes } of left) {
    const slot = Merge.slotOf(operation)
    if (rows.has(slot) || rows.size < bounds.rows) {
      rows.set(slot, { operation: { ...operation, data: emptyObject }, bytes })
      continue
    }
    unlisted++
    least = VectorClock.withEarliest(least, operation.hlc.node, operation.hlc)
  }
  return { rows, unlisted, least }
}

/** Without those whose rows are taken by one of these operations. */
export const withoutSuperseded = (deferral: Deferral, operations: ReadonlyArray<Operation>): Deferral => {
  if (deferral.rows.size === 0) return deferral
  return without(deferral, (slot, { operation }) =>
    operations.some((other) => Merge.slotOf(other) === slot && Merge.resolve(operation, other) === "applied")
  )
}

/** Without those that the peer covers. */
export const cover = (deferral: Deferral, known: VectorClock.VectorClock): Deferral =>
  without(deferral, (_, { operation }) => VectorClock.covers(known, operation.hlc))

const without = (deferral: Deferral, isGone: (slot: Merge.Slot, row: TooLarge) => boolean): Deferral => {
  const gone = [...deferral.rows].filter(([slot, row]) => isGone(slot, row))
  if (gone.length === 0) return deferral
  const rows = new Map(deferral.rows)
  for (const [slot] of gone) rows.delete(slot)
  return { ...deferral, rows }
}

/** What of a clock may be claimed: no origin past the first of its operations that were left out. */
export const claimable = ({ rows, least }: Deferral, clock: VectorClock.VectorClock): VectorClock.VectorClock => {
  let firsts = least
  for (const { operation } of rows.values())
    firsts = VectorClock.withEarliest(firsts, operation.hlc.node, operation.hlc)
  return VectorClock.before(clock, firsts)
}

/** The report to the peer. */
export const toWire = (deferral: Deferral): Deferred => ({
  type: "sync_deferred",
  count: countOf(deferral),
  rows: [...deferral.rows.values()].slice(0, bounds.named).map(({ operation, bytes }) => ({
    table: operation.table,
    row_id: operation.row_id,
    bytes
  }))
})

/** As people are told, on the side that leaves out (`there`) and on the one that lacks (`here`). */
export const named = (
  peer: string,
  where: "here" | "there",
  { count, rows }: Pick<Deferred, "count" | "rows">
): RowsTooLarge | undefined =>
  count === 0 ? undefined : new RowsTooLarge({ peer, where, count, rows: rows.map((row) => ({ ...row })) })
