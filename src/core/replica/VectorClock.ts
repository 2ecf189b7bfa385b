/**
 * Vector clock: for every origin, how far into its history a node has seen.
 *
 * A clock is an immutable map from origin to timestamp; an origin that is absent stands at `Hlc.zero`. Clocks form a
 * lattice under `merge` and `meet`: both associative, commutative, idempotent, with `empty` as the identity of `merge`,
 * and `includes` as its partial order. `advance` and `merge` never move an entry back.
 *
 * Sources: Fidge (1988), Mattern (1989); used as a version vector (Parker et al., 1983).
 */
import { HashMap, Option, Result } from "effect"
import * as Hlc from "./Hlc.ts"
import type { NodeId } from "./NodeId.ts"

export type VectorClock = HashMap.HashMap<NodeId, Hlc.Timestamp>

/** The clock of a node that has seen nothing. */
export const empty: VectorClock = HashMap.empty()

/** A clock from entries; of two entries for one origin the later counts. */
export const fromEntries = (entries: Iterable<readonly [NodeId, Hlc.Timestamp]>): VectorClock =>
  HashMap.mutate(empty, (clock) => {
    for (const [node, timestamp] of entries) raise(clock, node, timestamp)
  })

/** How far `clock` has seen `node`. */
export const get = (clock: VectorClock, node: NodeId): Hlc.Timestamp =>
  Option.getOrElse(HashMap.get(clock, node), () => Hlc.zero)

/** `clock` after seeing `node` up to `timestamp`. */
export const advance = (clock: VectorClock, node: NodeId, timestamp: Hlc.Timestamp): VectorClock =>
  raise(clock, node, timestamp)

/** `clock` with the entry of `node` set to `timestamp`, be it earlier or later than before. */
export const withEntry = (clock: VectorClock, node: NodeId, timestamp: Hlc.Timestamp): VectorClock =>
  timestamp.wall === 0 && timestamp.counter === 0 ? HashMap.remove(clock, node) : HashMap.set(clock, node, timestamp)

/** `clock` with the entry of `node` at `timestamp` at the latest; an origin that it has not seen gets that entry. */
export const withEarliest = (clock: VectorClock, node: NodeId, { wall, counter }: Hlc.Timestamp): VectorClock =>
  HashMap.has(clock, node) && !Hlc.isAfter(get(clock, node), { wall, counter })
    ? clock
    : HashMap.set(clock, node, { wall, counter })

/** The earlier entry of each origin that stands in either. */
export const earliest = (a: VectorClock, b: VectorClock): VectorClock =>
  HashMap.reduce(b, a, (clock, timestamp, node) => withEarliest(clock, node, timestamp))

/** What of `clock` lies before the entries of `firsts`, origin by origin. */
export const before = (clock: VectorClock, firsts: VectorClock): VectorClock => {
  let capped = clock
  for (const [node, timestamp] of HashMap.entries(firsts)) {
    if (!Hlc.isAfter(timestamp, get(capped, node))) capped = withEntry(capped, node, Hlc.predecessor(timestamp))
  }
  return capped
}

/** The least clock that includes both. */
export const merge = (a: VectorClock, b: VectorClock): VectorClock =>
  HashMap.size(a) < HashMap.size(b)
    ? merge(b, a)
    : HashMap.mutate(a, (clock) => {
        for (const [node, timestamp] of HashMap.entries(b)) raise(clock, node, timestamp)
      })

/** The greatest clock that both include. */
export const meet = (a: VectorClock, b: VectorClock): VectorClock => {
  if (HashMap.size(a) > HashMap.size(b)) return meet(b, a)
  if (a === b || includes(b, a)) return a
  return fromEntries(
    Array.from(HashMap.entries(a), ([node, timestamp]) => {
      const other = get(b, node)
      return [node, Hlc.isAfter(timestamp, other) ? other : timestamp] as const
    })
  )
}

/** Whether `clock` has seen `hlc`. */
export const covers = (clock: VectorClock, hlc: Hlc.Hlc): boolean => !Hlc.isAfter(hlc, get(clock, hlc.node))

/** Whether `a` has seen everything that `b` has. */
export const includes = (a: VectorClock, b: VectorClock): boolean => {
  for (const [node, timestamp] of HashMap.entries(b)) if (Hlc.isAfter(timestamp, get(a, node))) return false
  return true
}

/** How two clocks relate: which one has seen more, both the same, or each something that the other lacks. */
export const compare = (a: VectorClock, b: VectorClock): "equal" | "before" | "after" | "concurrent" => {
  const aIncludesB = includes(a, b)
  const bIncludesA = includes(b, a)
  return aIncludesB ? (bIncludesA ? "equal" : "after") : bIncludesA ? "before" : "concurrent"
}

/** The entries of `a` that are ahead of `b`: merged with them, `b` includes `a`. */
export const difference = (a: VectorClock, b: VectorClock): VectorClock =>
  HashMap.filter(a, (timestamp, node) => Hlc.isAfter(timestamp, get(b, node)))

/** The wire form: `{origin: hlc text}`. */
export const toRecord = (clock: VectorClock): Record<string, string> =>
  Object.fromEntries(Array.from(HashMap.entries(clock), ([node, timestamp]) => [node, Hlc.format(timestamp, node)]))

/**
 * Reads the wire form. An entry must name its own origin after the second colon, or nothing (`0:0:`, "seen nothing").
 * Fails with the offending key.
 */
export const fromRecord = (
  record: { readonly [node: string]: string },
  isNodeId: (node: string) => node is NodeId
): Result.Result<VectorClock, string> => {
  const entries: Array<[NodeId, Hlc.Timestamp]> = []
  for (const [node, text] of Object.entries(record)) {
    const parsed = Hlc.parseTimestamp(text)
    if (!isNodeId(node) || Option.isNone(parsed)) return Result.fail(node)
    if (parsed.value.node !== node && parsed.value.node !== "") return Result.fail(node)
    entries.push([node, parsed.value.timestamp])
  }
  return Result.succeed(fromEntries(entries))
}

const raise = (clock: VectorClock, node: NodeId, timestamp: Hlc.Timestamp): VectorClock =>
  Hlc.isAfter(timestamp, get(clock, node)) ? HashMap.set(clock, node, timestamp) : clock
