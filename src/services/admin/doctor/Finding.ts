/**
 * The result of one check. The field names are a contract.
 */
import { Schema } from "effect"
import type { Explained } from "../../../core/text/Explained.ts"
import { type LastError, report } from "../../node/Status.ts"

export const Finding = Schema.Struct({
  /** The subject of the check, like `database` or `peer`. */
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

/** A failure. `about` names what it is about. */
export const fromFailure = (
  check: string,
  failure: { readonly _tag: string } & Explained,
  facts: Facts = {},
  about = ""
): Finding => fromReport(check, report(failure, about), facts)

/** A failure, as it is reported. */
export const fromReport = (
  check: string,
  { _tag, message, problem, next_step }: LastError,
  facts: Facts = {}
): Finding => failed(check, problem ?? message, next_step ?? null, { ...facts, error: _tag })
