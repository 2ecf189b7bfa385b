/**
 * The local history: the last versions of rows that were replaced or deleted here, and writes that came too late to
 * win.
 *
 * It is not replicated, and in no digest. It holds rows of kinds where the last writer wins. Of each row it keeps the
 * last versions; old ones go by age, and the oldest of all when it takes too much space.
 *
 * A version is a *conflict* when the node whose write won had not seen it. That is known of this node itself. Of
 * another node it is taken from what that node had acknowledged before it wrote: one that has seen a write says so
 * before it writes again. Of a node that was never connected to this one, two writes within a minute count as a
 * conflict.
 */
import { type Hlc, HlcOrder } from "./Hlc.ts"
import * as Merge from "./Merge.ts"
import type { NodeId } from "./NodeId.ts"
import type { Operation } from "./Operation.ts"
import * as Selection from "./Selection.ts"
import * as VectorClock from "./VectorClock.ts"

type Place = Selection.Place

/** A version that lost its place, or never had it. */
export interface Superseded {
  readonly operation: Operation
  /** The write that won. */
  readonly by: Hlc
  readonly isConflict: boolean
}

/** A version that is kept, with its number on this node, and since when it is kept (ms). */
export interface Version extends Superseded {
  readonly version: number
  readonly keptAt: number
}

/** A row that is deleted here, with the write that deleted it and the last version of it that is kept. */
export interface Deleted {
  readonly by: Hlc
  readonly version: Version
}

/** Which deleted rows: of some kinds, at most `limit`, after a place. The one that was deleted last comes first. */
export interface DeletedRequest {
  readonly kinds: ReadonlyArray<string>
  readonly after?: Place | undefined
  readonly limit: number
}

/** The place of a deleted row in their order. */
export const placeOf = ({ by, version: { operation } }: Deleted): Place => ({
  ...Selection.placeOf(operation),
  hlc: by
})

/**
 * The deleted rows of which the history has a version that can be written again: the greatest of them. `current` is
 * what holds a row: a tombstone, or nothing once that was collected.
 */
export const deleted = (
  versions: ReadonlyArray<Version>,
  current: (operation: Operation) => Operation | undefined,
  { kinds, after, limit }: DeletedRequest
): ReadonlyArray<Deleted> => {
  const last = new Map<Merge.Slot, Version>()
  for (const version of versions) {
    const { operation } = version
    if (operation.op_type === "delete" || !kinds.includes(operation.table)) continue
    const slot = Merge.slotOf(operation)
    const before = last.get(slot)
    if (before === undefined || HlcOrder(before.operation.hlc, operation.hlc) < 0) last.set(slot, version)
  }
  return Array.from(last.values(), (version) => ({ version, held: current(version.operation) }))
    .filter(({ held }) => held === undefined || held.op_type === "delete")
    .map(({ version, held }): Deleted => ({ by: held?.hlc ?? version.by, version }))
    .filter((one) => after === undefined || Selection.isAfter(placeOf(one), after))
    .sort((a, b) => Selection.PlaceOrder(placeOf(a), placeOf(b)))
    .slice(0, limit)
}

/** How much is kept: versions of a row, how long (ms), and bytes in all. */
export interface Limits {
  readonly versions: number
  readonly ageMs: number
  readonly bytes: number
}

export const limits: Limits = { versions: 10, ageMs: 30 * 86_400_000, bytes: 16 * 1024 * 1024 }

/** How close two writes are of which nothing else is known, for a conflict (ms). */
const close = 60_000

/** What is known of other nodes: what the writer of an operation had seen before it. */
export interface Known {
  readonly self: NodeId
  readonly seenBefore: (operation: Hlc) => VectorClock.VectorClock | undefined
}

/** The versions that lose by a batch. `current` is what its slots hold, `writes` what takes them. */
export const superseded = (
  current: ReadonlyMap<Merge.Slot, Operation>,
  batch: ReadonlyArray<Operation>,
  writes: ReadonlyArray<Operation>,
  known: Known
): ReadonlyArray<Superseded> => {
  if (current.size === 0) return []
  const losers: Array<Superseded> = []
  const winners = new Map<Merge.Slot, Operation>()
  for (const winner of writes) {
    const slot = Merge.slotOf(winner)
    winners.set(slot, winner)
    const operation = current.get(slot)
    if (operation === undefined || !isKept(operation)) continue
    losers.push({ operation, by: winner.hlc, isConflict: isConflict(operation.hlc, winner.hlc, known, true) })
  }
  for (const operation of batch) {
    const slot = Merge.slotOf(operation)
    const before = current.get(slot)
    if (before === undefined || !isKept(operation)) continue
    if (HlcOrder(operation.hlc, before.hlc) >= 0) continue
    const { hlc } = winners.get(slot) ?? before
    losers.push({ operation, by: hlc, isConflict: isConflict(operation.hlc, hlc, known, false) })
  }
  return losers
}

const isKept = ({ table }: Operation): boolean => Merge.ruleOf(table) === "lww"

const isConflict = (loser: Hlc, winner: Hlc, { self, seenBefore }: Known, wasHeld: boolean): boolean => {
  if (loser.node === winner.node) return false
  if (winner.node === self) return !wasHeld
  const clock = seenBefore(winner)
  return clock === undefined ? winner.wall - loser.wall < close : !VectorClock.covers(clock, loser)
}

/** Which versions to erase: of an origin, of a kind, of one row, or all of them. */
export type Scope = { readonly origin: NodeId } | { readonly kind: string; readonly id?: string | undefined } | "all"

/** Whether a version is among them. */
export const isIn = (scope: Scope, { hlc, table, row_id }: Operation): boolean =>
  scope === "all" ||
  ("origin" in scope
    ? hlc.node === scope.origin
    : table === scope.kind && (scope.id === undefined || scope.id === row_id))

/**
 * The history with more versions, without those that are too many, too old or too large: the oldest come first and go
 * first.
 */
export const keep = (
  before: ReadonlyArray<Version>,
  superseded: ReadonlyArray<Superseded>,
  now: number,
  { versions, ageMs, bytes }: Limits
): ReadonlyArray<Version> => {
  let kept = [...before]
  let next = (before.at(-1)?.version ?? 0) + 1
  for (const one of superseded) {
    const isSame = ({ operation }: Version) =>
      isOfRow(operation, one.operation) && HlcOrder(operation.hlc, one.operation.hlc) === 0
    if (!kept.some(isSame)) kept.push({ ...one, version: next++, keptAt: now })
  }
  for (const { operation } of superseded) {
    const excess = kept.filter((one) => isOfRow(one.operation, operation)).slice(0, -versions)
    if (excess.length > 0) kept = kept.filter((one) => !excess.includes(one))
  }
  let size = kept.reduce((sum, { operation }) => sum + operation.data.length, 0)
  let first = 0
  for (const { keptAt, operation } of kept) {
    if (keptAt >= now - ageMs && size <= bytes) break
    size -= operation.data.length
    first++
  }
  return kept.slice(first)
}

const isOfRow = (a: Operation, b: Operation): boolean => a.table === b.table && a.row_id === b.row_id
