/**
 * How a tool fails. The agent reads it, so it says what to do, and whether the same call may be made again.
 */
import { Schema } from "effect"
import { messageOf } from "../core/text/Explained.ts"
import { inThisForm } from "../services/node/Invocation.ts"

/** The arguments of a call are not what the tool takes. Every problem is listed. */
export class ArgumentsInvalid extends Schema.TaggedError<ArgumentsInvalid>()("ArgumentsInvalid", {
  tool: Schema.String,
  problems: Schema.Array(Schema.Struct({ field: Schema.String, problem: Schema.String }))
}) {
  readonly problem = `the arguments of ${this.tool} are not valid (${this.problems.map(({ field, problem }) => `${field === "" ? "they" : field} ${problem}`).join("; ")})`
  readonly nextStep = "correct them to match the input schema of the tool, and call it again"
  override readonly message = messageOf(this)
}

/** What a tool was told to change is not as the call expects it. Nothing was changed. */
export class CallRefused extends Schema.TaggedError<CallRefused>()("CallRefused", {
  problem: Schema.String,
  nextStep: Schema.String
}) {
  override readonly message = messageOf(this)
}

/** Any failure of a call. */
export interface CallFailure {
  readonly _tag: string
  readonly message: string
  readonly nextStep?: string | undefined
  /** Of a database or a node that cannot be used. */
  readonly reason?: string | undefined
}

/** A failure as the agent reads it. `may_repeat`: the same call may succeed later, and does nothing twice. */
export interface Told {
  readonly _tag: string
  readonly message: string
  readonly nextStep: string
  readonly may_repeat: boolean
}

/** Whether the node went away while it answered: what was to be written may be there. */
export const isLost = ({ _tag, reason }: CallFailure): boolean => _tag === "StoreUnavailable" && reason === "other"

/** Nothing was done. */
export const told = (failure: CallFailure): Told => ({
  _tag: failure._tag,
  message: inThisForm(failure.message),
  nextStep: inThisForm(failure.nextStep ?? "correct this, and call the tool again"),
  may_repeat: failure._tag === "StoreUnavailable"
})

/** The node went away during a call. `isRepeatable`: to do it twice is to do it once. */
export const toldLost = (failure: CallFailure, isRepeatable: boolean): Told =>
  isRepeatable
    ? { ...told(failure), nextStep: "call the tool again: the next call finds the node once it has restarted" }
    : {
        ...told(failure),
        nextStep: "check with recent or search_memory whether it was saved; if not, call the tool again",
        may_repeat: false
      }
