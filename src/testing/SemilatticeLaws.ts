/**
 * The laws of a join-semilattice: of whatever is merged by a least upper bound, such as vector clocks and sets that
 * grow.
 */
import { Arbitrary } from "effect"
import * as Law from "./Law.ts"
import { type Options, stateLaws } from "./Suite.ts"

/** A join-semilattice: its values, and what joins two of them. */
export interface Semilattice<A> {
  readonly arbitrary: Arbitrary.Arbitrary<A>
  readonly join: (a: A, b: A) => A
  readonly equals: (a: A, b: A) => boolean
  /** The least value, where there is one. */
  readonly least?: A | undefined
  /** Whether the first value is at or above the second, where that can be told without a join. */
  readonly includes?: ((a: A, b: A) => boolean) | undefined
  /** A value in a story; JSON where nothing is said. */
  readonly show?: ((value: A) => string) | undefined
}

/** The laws, as values. */
export const laws = <A>(semilattice: Semilattice<A>): ReadonlyArray<Law.Law> => {
  const { arbitrary, join, equals, least, includes, show = (value) => JSON.stringify(value) } = semilattice
  const three = Arbitrary.all([arbitrary, arbitrary, arbitrary])
  const told = ([a, b, c]: readonly [A, A, A], ...results: ReadonlyArray<readonly [string, A | boolean]>) => [
    ...[a, b, c].map((value, index) => `${"abc"[index]} is ${show(value)}`),
    ...results.map(([what, value]) => `${what} is ${typeof value === "boolean" ? value : show(value)}`)
  ]
  const law = (name: string, broken: (value: readonly [A, A, A]) => Law.Story) =>
    Law.make(name, three, broken, "semilatticeLaws(name, semilattice")
  const same = (values: readonly [A, A, A], [left, one]: readonly [string, A], [right, other]: readonly [string, A]) =>
    equals(one, other) ? undefined : told(values, [left, one], [right, other])

  const isAssociative = law("the join is associative", (values) => {
    const [a, b, c] = values
    return same(values, ["(a ∨ b) ∨ c", join(join(a, b), c)], ["a ∨ (b ∨ c)", join(a, join(b, c))])
  })
  const isCommutative = law("the join is commutative", (values) => {
    const [a, b] = values
    return same(values, ["a ∨ b", join(a, b)], ["b ∨ a", join(b, a)])
  })
  const isIdempotent = law("the join is idempotent", (values) => {
    const [a, b] = values
    const both = join(a, b)
    return (
      same(values, ["a ∨ a", join(a, a)], ["a", a]) ?? same(values, ["a ∨ (a ∨ b)", join(a, both)], ["a ∨ b", both])
    )
  })
  const ofLeast = (bottom: A) =>
    law("the least value changes nothing", (values) => {
      const [a] = values
      return same(values, ["a ∨ ⊥", join(a, bottom)], ["a", a]) ?? same(values, ["⊥ ∨ a", join(bottom, a)], ["a", a])
    })
  const ofOrder = (isAtLeast: (a: A, b: A) => boolean) =>
    law("the join is the least upper bound", (values) => {
      const [a, b, c] = values
      const both = join(a, b)
      if (!isAtLeast(both, a) || !isAtLeast(both, b)) return told(values, ["a ∨ b", both])
      const isAbove = isAtLeast(c, a) && isAtLeast(c, b)
      if (isAtLeast(c, both) !== isAbove) return told(values, ["c ≥ a ∨ b", isAtLeast(c, both)], ["c ≥ a, b", isAbove])
      const isIncluded = equals(both, a)
      return isAtLeast(a, b) === isIncluded
        ? undefined
        : told(values, ["a ≥ b", isAtLeast(a, b)], ["a ∨ b = a", isIncluded])
    })
  return [
    isAssociative,
    isCommutative,
    isIdempotent,
    ...(least === undefined ? [] : [ofLeast(least)]),
    ...(includes === undefined ? [] : [ofOrder(includes)])
  ]
}

/** States the laws as tests of the runner that runs this file. */
export const semilatticeLaws = <A>(name: string, semilattice: Semilattice<A>, options?: Options): void =>
  stateLaws(`semilattice laws of ${name}`, laws(semilattice), options)
