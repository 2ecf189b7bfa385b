/**
 * Histories: what nodes write. Schedules: in which order a network tells of it. Arbitraries of both, for kinds of any
 * rule.
 */
import { Arbitrary } from "effect"
import type { Operation } from "../core/replica/Operation.ts"
import * as Arbitraries from "./Arbitraries.ts"
import { historyOf, type Subject } from "./Subject.ts"

/**
 * Operations in the order in which they are written, each by the node of its HLC. The timestamps of one node increase.
 */
export type History = ReadonlyArray<Operation>

/** One step of a schedule. Nodes are counted; numbers beyond the last one begin at the first again. */
export type Step =
  /** The next operation of the history is written. */
  | { readonly _tag: "Write" }
  /** Two nodes are connected. */
  | { readonly _tag: "Connect"; readonly one: number; readonly other: number }
  /** Their connection is lost, with all that is on its way. */
  | { readonly _tag: "Cut"; readonly one: number; readonly other: number }
  /** So many steps of the protocol happen, in an order that follows from `seed`. */
  | { readonly _tag: "Run"; readonly steps: number; readonly seed: number }
  /** Time passes. */
  | { readonly _tag: "Wait"; readonly ms: number }

export type Schedule = ReadonlyArray<Step>

/** Histories of a kind or of a rule: three nodes write to two rows, without hearing of each other. */
export const history = (subject: Subject, most = 12): Arbitrary.Arbitrary<History> => historyOf(subject, most)

const pair = { one: Arbitraries.integer(0, 2), other: Arbitraries.integer(0, 2) }

const step: Arbitrary.Arbitrary<Step> = Arbitraries.oneOf<Step>(
  Arbitrary.Constant({ _tag: "Write" }),
  Arbitrary.all({ _tag: Arbitrary.Constant("Connect"), ...pair }),
  Arbitrary.all({
    _tag: Arbitrary.Constant("Run"),
    steps: Arbitraries.integer(1, 20),
    seed: Arbitraries.integer(0, 1_000)
  }),
  Arbitrary.all({ _tag: Arbitrary.Constant("Cut"), ...pair }),
  Arbitrary.all({ _tag: Arbitrary.Constant("Wait"), ms: Arbitraries.integer(1, 60_000) })
)

/** Schedules of at most `most` steps. */
export const schedule = (most = 24): Arbitrary.Arbitrary<Schedule> => Arbitrary.array(step, { maxLength: most })
