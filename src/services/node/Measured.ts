/**
 * What a node measures, as values. Each metric is defined once, for the text of `/metrics` and for a collector.
 */
import { Context, Effect, type Scope } from "effect"
import type { Histogram } from "./Counters.ts"
import type { StoreUnavailable } from "./NodeFailure.ts"

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric with its samples. The unit is one of UCUM, such as `s`, `By` or `{row}`; for the text it is in the name. */
export type Family = { readonly name: string; readonly help: string; readonly unit: string } & (
  | { readonly type: "counter" | "gauge"; readonly samples: ReadonlyArray<Sample> }
  | { readonly type: "histogram"; readonly histogram: Histogram }
)

/** Asks the services of the node at this moment. */
export type Read = Effect.Effect<ReadonlyArray<Family>, StoreUnavailable>

/** Where a node sends what it measures, besides answering at `/metrics`. It ends with the scope. */
export type Send = (read: Read) => Effect.Effect<void, never, Scope.Scope>

/** It sends nowhere, if no collector is given. */
export const Collector: Context.Reference<Send> = Context.Reference<Send>(
  "feral-sync/services/node/Measured/Collector",
  { defaultValue: () => () => Effect.void }
)
