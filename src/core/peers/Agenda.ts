/**
 * When each candidate is due, in order of time. Candidates of different standing wait in different lanes, so that many
 * of one lane never stand before the few of another.
 *
 * Each candidate has at most one valid entry. An entry that was replaced stays in its heap and is skipped when it comes
 * up; the heaps are built anew when most of what they hold is of that kind. So an event costs O(log n), whatever it is.
 */
import { HashMap, Option } from "effect"

/**
 * - `static`: an entry of the static list.
 * - `known`: a node that has proved itself before.
 * - `near`: a node that announces its own address.
 * - `far`: a node that another host announces, as a reflector between subnets does.
 */
export const lanes = ["static", "known", "near", "far"] as const
export type Lane = (typeof lanes)[number]

export interface Entry {
  readonly key: string
  readonly lane: Lane
  /** When it is due (ms). */
  readonly at: number
}

/** A leftist heap: the least time on top, merged in O(log n) without changing what it is made of. */
type Heap = { readonly rank: number; readonly entry: Entry; readonly left: Heap; readonly right: Heap } | undefined

export interface Agenda {
  readonly entries: HashMap.HashMap<string, Entry>
  readonly heaps: Readonly<Record<Lane, Heap>>
  /** Entries in all heaps, valid or not. */
  readonly size: number
}

export const empty: Agenda = {
  entries: HashMap.empty(),
  heaps: { static: undefined, known: undefined, near: undefined, far: undefined },
  size: 0
}

/** Puts a candidate down for a time, instead of the time that it had. Infinity stands for never. */
export const schedule = (agenda: Agenda, entry: Entry): Agenda => {
  if (entry.at === Infinity) return remove(agenda, entry.key)
  const heap = merge(agenda.heaps[entry.lane], single(entry))
  return compact({
    entries: HashMap.set(agenda.entries, entry.key, entry),
    heaps: { ...agenda.heaps, [entry.lane]: heap },
    size: agenda.size + 1
  })
}

/** Takes a candidate out. */
export const remove = (agenda: Agenda, key: string): Agenda =>
  HashMap.has(agenda.entries, key) ? { ...agenda, entries: HashMap.remove(agenda.entries, key) } : agenda

/** When a candidate is due. */
export const timeOf = (agenda: Agenda, key: string): number | undefined =>
  Option.getOrUndefined(HashMap.get(agenda.entries, key))?.at

/** The earliest entry of a lane, and the agenda without those above it that were replaced. */
export const earliest = (agenda: Agenda, lane: Lane): readonly [Agenda, Entry | undefined] => {
  let heap = agenda.heaps[lane]
  let size = agenda.size
  while (heap !== undefined && !isValid(agenda, heap.entry)) {
    heap = merge(heap.left, heap.right)
    size--
  }
  const next = size === agenda.size ? agenda : { ...agenda, size, heaps: { ...agenda.heaps, [lane]: heap } }
  return [next, heap?.entry]
}

const isValid = ({ entries }: Agenda, entry: Entry): boolean =>
  Option.getOrUndefined(HashMap.get(entries, entry.key)) === entry

const single = (entry: Entry): Heap => ({ rank: 1, entry, left: undefined, right: undefined })

const merge = (a: Heap, b: Heap): Heap => {
  if (a === undefined) return b
  if (b === undefined) return a
  if (b.entry.at < a.entry.at) return merge(b, a)
  const right = merge(a.right, b)
  const [high, low] = (a.left?.rank ?? 0) >= (right?.rank ?? 0) ? [a.left, right] : [right, a.left]
  return { rank: (low?.rank ?? 0) + 1, entry: a.entry, left: high, right: low }
}

/** Builds the heaps anew when three in four entries are of no use: so each entry is moved a bounded number of times. */
const compact = (agenda: Agenda): Agenda => {
  if (agenda.size <= 64 + 4 * HashMap.size(agenda.entries)) return agenda
  const heaps: Record<Lane, Heap> = { static: undefined, known: undefined, near: undefined, far: undefined }
  for (const entry of HashMap.values(agenda.entries)) heaps[entry.lane] = merge(heaps[entry.lane], single(entry))
  return { entries: agenda.entries, heaps, size: HashMap.size(agenda.entries) }
}
