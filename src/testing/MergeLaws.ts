/**
 * The laws of merging, for a kind or a conflict rule. A rule is right when its order is total: then every node ends
 * with the same rows, whatever came in which order. Each law is a property, and a broken one tells which writes were
 * told in which order.
 *
 * Source: Shapiro, Preguiça, Baquero, Zawirski, "Conflict-free Replicated Data Types" (2011).
 */
import { Arbitrary } from "effect"
import * as Digest from "../core/replica/Digest.ts"
import * as Hlc from "../core/replica/Hlc.ts"
import type { State } from "../core/replica/Merge.ts"
import type { Operation } from "../core/replica/Operation.ts"
import * as Arbitraries from "./Arbitraries.ts"
import * as Law from "./Law.ts"
import { contentOf, said, writes } from "./Story.ts"
import { merge, operationsOf, ruleOf, shown, type Subject } from "./Subject.ts"

import { type Options, stateLaws } from "./Suite.ts"

type Operations = ReadonlyArray<Operation>

const empty: State = new Map()

/** The laws, as values. */
export const laws = (subject: Subject): ReadonlyArray<Law.Law> => {
  const { order, slotOf, ignores = () => false } = ruleOf(subject)
  const operations = operationsOf(subject)
  const law = <A>(name: string, arbitrary: Arbitrary.Arbitrary<A>, broken: (value: A) => Law.Story) =>
    Law.make(name, arbitrary, broken, "mergeLaws(kind")
  const merged = (...parts: ReadonlyArray<Operations>) =>
    parts.reduce((state, part) => merge(subject, state, part), empty)
  const reached = (...told: ReadonlyArray<Operations>): Reached => ({ told, state: merged(...told) })

  /** Operations of one slot that count, of the greatest slot among them. */
  const rivals = (all: Operations): Operations => {
    const counted = all.filter((operation) => !ignores(operation))
    const slots = Object.groupBy(counted, (operation) => `${operation.row_id}\0${slotOf(operation)}`)
    return Object.values(slots).reduce<Operations>((most, some = []) => (some.length > most.length ? some : most), [])
  }

  const isTotal = law("the order is total", operations, (all) => {
    const some = rivals(all)
    for (const a of some)
      for (const b of some) {
        const [forth, back] = [Math.sign(order(a, b)), Math.sign(order(b, a))]
        if (forth !== -back)
          return [...writes([a, b]), `Each order of the two says something else: ${word(forth)} and ${word(back)}.`]
        if (forth === 0 && !isSame(a, b))
          return [
            ...writes([a, b]),
            "The order calls these two equal, and they write different contents: neither wins."
          ]
        for (const c of some)
          if (forth > 0 && Math.sign(order(b, c)) > 0 && Math.sign(order(a, c)) <= 0)
            return [...writes([a, b, c]), "1 wins over 2, and 2 over 3, but 1 does not win over 3."]
      }
    return undefined
  })

  const two = Arbitrary.map(operations, halves)
  const isCommutative = law("merging is commutative", two, ([a, b]) =>
    compared(subject, [...a, ...b], reached(a, b), reached(b, a))
  )
  const isAssociative = law("merging is associative", Arbitrary.map(operations, thirds), ([a, b, c]) => {
    const right = merge(subject, merged(a), merged(b, c).values())
    return compared(subject, [...a, ...b, ...c], reached(a, b, c), { told: [a, [...b, ...c]], state: right })
  })
  const isIdempotent = law("merging is idempotent", operations, (all) =>
    compared(subject, all, reached(all), reached(all, all))
  )
  const deliveries = Arbitrary.all([operations, Arbitraries.order, Arbitraries.order])
  const converges = law("nodes converge over any split, order and repetition", deliveries, ([all, one, other]) => {
    const [first, second] = [delivery(all, one), delivery(all, other)]
    return compared(subject, all, reached(...first), reached(...second))
  })
  const isRead = law(
    "a row shows what the set of its writes says, in whatever order they are held",
    Arbitrary.all([operations, Arbitraries.order]),
    ([all, keys]) => {
      const held = [...merged(all).values()]
      const [one, other] = [held, Arbitraries.arrange(held, keys)].map((each) => shown(subject, each))
      for (const [row, value] of one ?? []) {
        const [left, right] = [value, other?.get(row)].map((shown) => JSON.stringify(shown))
        if (left !== right)
          return [...writes(all), `The row ${row} shows ${left}, and with its operations in another order ${right}.`]
      }
      return undefined
    }
  )
  return [isTotal, isCommutative, isAssociative, isIdempotent, converges, isRead]
}

/** States the laws as tests of the runner that runs this file. */
export const mergeLaws = (subject: Subject, options?: Options): void =>
  stateLaws(`merge laws of ${subject.name}`, laws(subject), options)

const word = (order: number): string =>
  order > 0 ? "the first wins" : order < 0 ? "the second wins" : "they are equal"

const isSame = (a: Operation, b: Operation): boolean =>
  Hlc.HlcOrder(a.hlc, b.hlc) === 0 && Digest.content(a) === Digest.content(b)

const halves = (all: Operations): readonly [Operations, Operations] => {
  const middle = all.length >>> 1
  return [all.slice(0, middle), all.slice(middle)]
}

const thirds = (all: Operations): readonly [Operations, Operations, Operations] => {
  const third = Math.ceil(all.length / 3)
  return [all.slice(0, third), all.slice(third, 2 * third), all.slice(2 * third)]
}

/** A delivery of all operations: in an order, some of them again, in batches. */
const delivery = (all: Operations, keys: ReadonlyArray<number>): ReadonlyArray<Operations> => {
  const again = keys.slice(1, 4).flatMap((key) => all[key % Math.max(1, all.length)] ?? [])
  const told = Arbitraries.arrange([...all, ...again], keys)
  const middle = (keys[0] ?? 0) % (told.length + 1)
  return [told.slice(0, middle), told.slice(middle)].filter(({ length }) => length > 0)
}

/** What a node was told, and the state that it came to. */
interface Reached {
  readonly told: ReadonlyArray<Operations>
  readonly state: State
}

/** The story of two deliveries of the same operations after which two nodes differ; none when they do not. */
const compared = (subject: Subject, all: Operations, one: Reached, other: Reached): Law.Story => {
  const [left, right] = [one, other].map(({ state }) => [...state.values()].map(said).sort().join("\n"))
  if (left === right) return undefined
  const unique = [...new Set(all)]
  const numbers = (batches: ReadonlyArray<Operations>) =>
    batches.map((batch) => batch.map((operation) => unique.indexOf(operation) + 1).join(", ")).join(", then ")
  const rows = (state: State) =>
    Array.from(shown(subject, state.values()), ([row, value]) => `${row} ${contentOf(value)}`)
  return [
    ...writes(unique),
    `One node is told ${numbers(one.told)} and holds: ${rows(one.state).join("; ")}`,
    `Another is told ${numbers(other.told)} and holds: ${rows(other.state).join("; ")}`
  ]
}
