/**
 * What an examination says about one thing. The field names are a contract.
 */
import { Schema } from "effect"
import { inTwo } from "../../node/NodeFailure.ts"

export const Finding = Schema.Struct({
  /** What was looked at, like `database` or `peer`. */
  check: Schema.String,
  status: Schema.Literals(["ok", "warning", "failed", "skipped"]),
  message: Schema.String,
  next_step: Schema.NullOr(Schema.String),
  facts: Schema.Record(Schema.String, Schema.Json)
})
export interface Finding extends Schema.Schema.Type<typeof Finding> {}

type Facts = Finding["facts"]

export const ok = (check: string, message: string, facts: Facts = {}): Finding => ({
  check,
  status: "ok",
  message,
  next_step: null,
  facts
})

/** Not wrong yet, or not for certain. */
export const warning = (check: string, message: string, nextStep: string, facts: Facts = {}): Finding => ({
  check,
  status: "warning",
  message,
  next_step: nextStep,
  facts
})

export const failed = (check: string, message: string, nextStep: string | null, facts: Facts = {}): Finding => ({
  check,
  status: "failed",
  message,
  next_step: nextStep,
  facts
})

/** Not looked at, and why. */
export const skipped = (check: string, message: string, facts: Facts = {}): Finding => ({
  check,
  status: "skipped",
  message,
  next_step: null,
  facts
})

/** A failure in the words that the log and `peers` have for it. `about` says of whom they speak. */
export const fromFailure = (
  check: string,
  { _tag, message, nextStep: known }: { readonly _tag: string; readonly message: string; readonly nextStep?: string },
  facts: Facts = {},
  about = ""
): Finding => {
  const { problem, nextStep } = inTwo(message, known)
  return failed(check, about === "" ? problem : `${about}: ${problem}`, nextStep ?? null, { ...facts, error: _tag })
}
