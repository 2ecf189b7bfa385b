/** What a conflict rule is (`core/replica/Rule.ts`). */
import type { Order } from "effect"
import type { Hlc } from "../Hlc.ts"
import type { Content, Operation } from "../Operation.ts"

/** What a row shows: its columns, and the HLC of the last write that counts. */
export interface Reading {
  readonly value: Content
  readonly latest: Hlc
}

/** An operation to be written. */
export type Writing = { readonly op_type: Operation["op_type"]; readonly data: Content }

/**
 * The operations of one write of an application, in their order, on a row whose slots hold `current`. `epoch` is drawn
 * once for each opening of a store.
 */
export type Verb = (current: ReadonlyArray<Operation>, input: Content, epoch: string) => ReadonlyArray<Writing>

export interface Rule {
  /** Where in its row an operation competes. Empty where the whole row is one slot. */
  readonly slotOf: (operation: Operation) => string
  /** A total order. The greatest operation of a slot stays. */
  readonly order: Order.Order<Operation>
  /** Whether an operation has no effect, whatever its slot holds. */
  readonly ignores: (operation: Operation) => boolean
  /** What a row shows whose slots hold these operations, in any order; none where the row is not there. */
  readonly read: (current: ReadonlyArray<Operation>) => Reading | undefined
  /** What applications do with rows. */
  readonly verbs: { readonly [verb: string]: Verb }
}
