/**
 * A tool as a value: what an agent is told of it, what it takes, and what it does. Profiles are lists of tools.
 *
 * A call never fails: its outcome is an answer, or what went wrong in words that say what to do. A call that only reads
 * is made again by itself when the node goes away in the middle. A call that writes is sent once: the agent is told
 * what may be repeated.
 */
import { Effect, Predicate, Record, Result, Schema } from "effect"
import { decoded } from "../services/memory/Inputs.ts"
import { ArgumentsInvalid, type CallFailure, isLost, told, type Told, toldLost } from "./CallFailure.ts"
import type { Opened, Purpose, Reach } from "./Reach.ts"

/**
 * What a call does to the memory. `reads`: nothing. `adds`: each call adds something. `ensures`: it adds what is not
 * there. `changes`: what it does depends on what is there. `sets`: something is as the call says afterwards, however
 * often it is made. `removes`: something is not there afterwards.
 */
export type Effects = "reads" | "adds" | "ensures" | "changes" | "sets" | "removes"

export interface Definition<Fields extends Args> {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: Fields
  /** What each argument is. */
  readonly args: { readonly [Name in keyof Fields]: string }
  readonly output: Schema.Struct.Fields
  readonly does: Effects
  readonly purpose: Purpose
  /** The answer as a text; JSON when left out. */
  readonly text?: (content: object) => string
  readonly run: (input: Schema.Struct.Type<Fields>, opened: Opened) => Effect.Effect<object, CallFailure>
}

/** Schemas that need no services. */
export interface Args extends Schema.Struct.Fields {
  readonly [name: PropertyKey]: Schema.ConstraintCodec<unknown>
}

/** An answer, as structured content; or a failure. */
export type Outcome = Result.Result<object, Told>

export interface Tool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly inputSchema: JsonObject
  readonly outputSchema: JsonObject
  readonly does: Effects
  readonly text: (content: object) => string
  readonly call: (args: unknown, reach: Reach["Service"]) => Effect.Effect<Outcome>
}

export interface JsonObject {
  readonly [key: string]: unknown
  readonly type: "object"
}

export const make = <const Fields extends Args>(definition: Definition<Fields>): Tool => {
  const { name, title, description, does, purpose, run } = definition
  const input = Schema.Struct(definition.input)
  const decode = decoded(input)
  const call = Effect.fn(`Mcp.${name}`)(function* (args: unknown, reach: Reach["Service"]) {
    const extra = unknownTo(definition.input, args)
    if (extra.length > 0) return yield* Effect.fail(told(new ArgumentsInvalid({ tool: name, problems: extra })))
    const given = yield* Effect.mapError(decode(args), (problems) =>
      told(new ArgumentsInvalid({ tool: name, problems }))
    )
    const once = Effect.scoped(
      Effect.flatMap(Effect.mapError(reach.open(purpose), told), (opened) =>
        Effect.mapError(run(given, opened), (failure) =>
          isLost(failure) ? toldLost(failure, isRepeatable(does)) : told(failure)
        )
      )
    )
    return yield* does === "reads"
      ? Effect.retry(once, { times: 1, while: (failure) => failure._tag === "StoreUnavailable" })
      : once
  })
  return {
    name,
    title,
    description,
    inputSchema: described(jsonSchemaOf(input, "error"), definition.args),
    outputSchema: jsonSchemaOf(Schema.Struct(definition.output), "ignore"),
    does,
    text: definition.text ?? JSON.stringify,
    call: (args, reach) => Effect.result(call(args, reach))
  }
}

/** Arguments of a tool that takes none: a schema of no fields takes every value. */
const unknownTo = (input: Args, args: unknown) =>
  Object.keys(input).length === 0 && Predicate.isObject(args)
    ? Object.keys(args).map((field) => ({ field, problem: "is not a known field" }))
    : []

/** The JSON Schema of an object. What a tool takes is closed, and what it answers may have more. */
const jsonSchemaOf = (schema: Schema.Constraint, onExcessProperty: "error" | "ignore"): JsonObject => {
  const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema, { onExcessProperty })
  return {
    ...root,
    type: "object",
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}

const described = ({ properties, required }: JsonObject, args: { readonly [name: string]: string }): JsonObject => ({
  type: "object",
  properties: Record.map(Predicate.isObject(properties) ? { ...properties } : {}, (property, name) => ({
    ...(Predicate.isObject(property) ? property : {}),
    description: args[name]
  })),
  ...(required === undefined ? {} : { required }),
  additionalProperties: false
})

/** Whether to call a tool twice with the same arguments is to call it once. */
export const isRepeatable = (does: Effects): boolean => does !== "adds" && does !== "changes"
