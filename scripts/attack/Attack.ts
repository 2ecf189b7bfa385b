/** An attack that measures what it causes, and the bounds that a node promises. */
import type { Requirement } from "../../test/support/Needs.ts"

/** What a figure must be. `timesBaseline`: at most so many times the same figure without the attack. */
export type Bound = { readonly atMost: number } | { readonly atLeast: number } | { readonly timesBaseline: number }

/** One thing that was measured. */
export interface Figure {
  readonly what: string
  readonly unit: string
  readonly now: number
  /** The same without the attack, measured in the same run. */
  readonly baseline?: number
  /** What it was before the program had its defence, where that was measured. */
  readonly before?: number | string
  /** A figure without a bound is there to be read. */
  readonly must?: Bound
}

export type Figures = ReadonlyArray<Figure>

/**
 * Everything that an attack starts, opens or makes ends with its `run`. It sends traffic only to loopback, or to network
 * namespaces of its own.
 */
export interface Attack {
  /** The name on the command line. */
  readonly name: string
  /** One sentence: what the attacker does. */
  readonly about: string
  /** What it needs of the machine beyond Node. */
  readonly needs?: ReadonlyArray<Requirement>
  /** The short form takes seconds, and runs as a test. */
  readonly run: (options: { readonly short: boolean }) => Promise<Figures>
}

/** Whether a figure is within its bound. A figure that is no number is not. */
export const holds = ({ now, baseline = Number.NaN, must }: Figure): boolean => {
  if (must === undefined) return true
  if ("atLeast" in must) return now >= must.atLeast
  return now <= ("atMost" in must ? must.atMost : must.timesBaseline * baseline)
}

/** The middle one. */
export const median = (numbers: ReadonlyArray<number>): number => quantile(numbers, 0.5)

/** The number below which a share of the others lies. */
export const quantile = (numbers: ReadonlyArray<number>, share: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
