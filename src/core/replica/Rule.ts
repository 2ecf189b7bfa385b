/**
 * Conflict rules: which operations on a row compete for one slot, which of them stays, and what a row shows of them.
 *
 * Merging keeps, for each slot, the greatest of all operations seen under the order of the rule. Whatever slots and
 * order are, as long as the order is total, a merge is commutative, associative and idempotent, in any split, order and
 * repetition: the laws come by construction (`Merge.ts`). A rule is one entry of the table.
 *
 * Source: Shapiro, Preguiça, Baquero, Zawirski, "Conflict-free Replicated Data Types" (2011).
 */
import * as Hlc from "./Hlc.ts"
import { counter } from "./rules/Counter.ts"
import { fields } from "./rules/Fields.ts"
import { PrecedenceOrder } from "./rules/Precedence.ts"
import { set } from "./rules/Set.ts"
import type { Rule } from "./rules/Shape.ts"
import { log, lww } from "./rules/Whole.ts"

export type { Reading, Rule, Verb, Writing } from "./rules/Shape.ts"

/** The rules, by their names. */
export const rules = {
  lww,
  log,
  fields,
  counter,
  set,
  /** A rule that this version does not know: all operations are kept side by side, for a version that knows it. */
  opaque: {
    slotOf: ({ hlc }) => Hlc.toText(hlc),
    order: PrecedenceOrder,
    ignores: () => false,
    read: () => undefined,
    verbs: {}
  }
} satisfies Record<string, Rule>

/** The names of the rules. */
export type Name = keyof typeof rules

/** A rule that this version knows. */
export type Known = Exclude<Name, "opaque">

/** Whether a text names a rule that this version knows. */
export const isKnown = (name: string): name is Known => name !== "opaque" && Object.hasOwn(rules, name)
