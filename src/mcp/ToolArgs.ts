/**
 * Arguments that several tools take, and what is said of them. What a field may hold is what the memory takes.
 */
import { DateTime, Option, Schema } from "effect"
import * as Kind from "../core/replica/Kind.ts"
import { limits } from "./Bounds.ts"

/** The most rows that may be asked for at once. */
const mostRows = 100

export const limit = Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: mostRows })))

export const kindsOf = (names: ReadonlyArray<string>) => Schema.optionalKey(Schema.Array(Schema.Literals(names)))

/** The same, or the name of a kind of an application. */
export const kindsOfAny = (names: ReadonlyArray<string>) =>
  Schema.optionalKey(Schema.Array(Schema.Union([Schema.Literals(names), Schema.String.check(Schema.isMaxLength(64))])))

const isTime = Schema.makeFilter(
  (text: string) =>
    secondsOf(text) !== undefined || "is not a date or time in ISO 8601, like 2026-07-28 or 2026-07-28T09:00:00Z"
)

/** A time: ISO 8601, or Unix seconds. */
export const since = Schema.optionalKey(Schema.Union([Schema.String.check(isTime), Schema.Finite]))

/** The time in Unix seconds. */
export const secondsOf = (time: string | number): number | undefined => {
  if (typeof time === "number") return time
  const parsed = Option.getOrUndefined(DateTime.make(time))
  return parsed === undefined ? undefined : DateTime.toEpochMillis(parsed) / 1000
}

/** The filter of a read, from the argument. */
export const sinceOf = (time: string | number | undefined): { readonly since?: number } => {
  const seconds = time === undefined ? undefined : secondsOf(time)
  return seconds === undefined ? {} : { since: seconds }
}

/** What the arguments are that mean the same everywhere. */
export const args = {
  id: "The id of the row, from an earlier answer",
  limit: `The most rows to get; ${limits.rows} when left out`,
  cursor: "next_cursor of the previous answer, to get the next rows",
  kinds: "Only rows of these kinds; of all kinds when left out",
  tags: "Only notes that have all these tags",
  since: "Only rows written since then: a date or time in ISO 8601, or Unix seconds",
  session: "What the entry belongs to: the id or name of a conversation or task",
  confidence: `How certain it is, from 0 to 1; ${Kind.table.facts.columns.confidence.byDefault} when left out`
} as const
