/**
 * The rows that an operator purged from this replica: those of a kind that this version does not know, or all rows of
 * an origin.
 *
 * A purge is local. The vector clock keeps its coverage, so peers do not send the rows again; where one does, for a
 * comparison of rows, they are not taken. A peer that has not purged them holds more rows under the same vector clock.
 * The sum of what was removed tells that difference from every other one.
 *
 * Later operations of the origin are accepted like before.
 */
import { HashMap, Option } from "effect"
import * as Digest from "./Digest.ts"
import * as Hlc from "./Hlc.ts"
import type { NodeId } from "./NodeId.ts"
import type { Kind, Operation } from "./Operation.ts"

/** What to remove: the rows of a kind, or those of an origin. */
export type Scope = { readonly kind: Kind } | { readonly origin: NodeId }

/** The purged rows of one origin. */
export interface Purge {
  /** Counts the purges of a replica, from 1. One purge of a kind removes rows of many origins. */
  readonly run: number
  /** The kind whose rows were removed; all kinds without it. */
  readonly kind: Kind | undefined
  readonly origin: NodeId
  /** Later operations of the origin are not removed. */
  readonly through: Hlc.Timestamp
  readonly rows: number
  readonly bytes: number
  /** The sum of the fingerprints of the rows. */
  readonly digest: Digest.Digest
}

/** All purges of a replica, by origin. */
export type Purges = HashMap.HashMap<NodeId, ReadonlyArray<Purge>>

export const none: Purges = HashMap.empty()

/** Purges from a list of them, in any order. */
export const fromList = (list: Iterable<Purge>): Purges => {
  let purges = none
  for (const purge of list) purges = withPurge(purges, purge)
  return purges
}

/** All purges, in the order in which they were made. */
export const toList = (purges: Purges): ReadonlyArray<Purge> =>
  [...HashMap.values(purges)].flat().sort((a, b) => a.run - b.run)

/** The number of the next purge. */
export const nextRun = (purges: Purges): number => Math.max(0, ...toList(purges).map(({ run }) => run)) + 1

/** With one that is new, or in place of the same part of the same run. */
export const withPurge = (purges: Purges, purge: Purge): Purges => {
  const others = ofOrigin(purges, purge.origin).filter(({ run, kind }) => run !== purge.run || kind !== purge.kind)
  return HashMap.set(purges, purge.origin, [...others, purge])
}

const ofOrigin = (purges: Purges, origin: NodeId): ReadonlyArray<Purge> =>
  Option.getOrElse(HashMap.get(purges, origin), () => [])

/** The part of a run that removes the rows of one origin, as far as it has come. */
export const partOf = (purges: Purges, run: number, kind: Kind | undefined, origin: NodeId): Purge =>
  ofOrigin(purges, origin).find((purge) => purge.run === run && purge.kind === kind) ?? {
    run,
    kind,
    origin,
    through: Hlc.zero,
    rows: 0,
    bytes: 0,
    digest: Digest.empty
  }

/** Whether an operation was removed, or would have been. */
export const covers = (purges: Purges, { table, hlc }: Operation): boolean =>
  ofOrigin(purges, hlc.node).some(
    ({ kind, through }) => (kind === undefined || kind === table) && !Hlc.isAfter(hlc, through)
  )

/**
 * Whether a replica with the digest `theirs` holds what we hold and the rows of our last purges besides, of the last
 * one or of more. Returns the number of these rows. A replica that is younger than a purge lacks the rows of earlier
 * purges as well.
 */
export const explains = (purges: Purges, ours: Digest.Digest, theirs: string): number | undefined => {
  if (HashMap.isEmpty(purges)) return undefined
  let sum = ours
  let rows = 0
  const list = toList(purges)
  for (let index = list.length - 1; index >= 0; index--) {
    const purge = list[index]
    if (purge === undefined) continue
    sum = Digest.add(sum, purge.digest)
    rows += purge.rows
    if (list[index - 1]?.run !== purge.run && Digest.toText(sum) === theirs) return rows
  }
  return undefined
}
