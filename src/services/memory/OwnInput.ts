/**
 * What is written to rows of kinds of applications: what the verbs of a rule take, and what has to fit the schema of a
 * kind.
 */
import { Effect, Predicate, Schema } from "effect"
import { canonical, isWellFormed } from "../../core/replica/Json.ts"
import { isPlainText } from "../../core/replica/NodeId.ts"
import { type Content, maxDataDepth } from "../../core/replica/Operation.ts"
import { maxName } from "../../core/replica/rules/Fields.ts"
import { slotOfMember } from "../../core/replica/rules/Set.ts"
import { InputInvalid } from "../node/NodeFailure.ts"
import * as Inputs from "./Inputs.ts"
import { type Any, reserved } from "./OwnKind.ts"

export const invalid = (field: string, problem: string) => new InputInvalid({ problems: [{ field, problem }] })

/** What a verb is given, as it can be written. */
export const contentOf = Effect.fnUntraced(function* (verb: string, input: unknown) {
  if (verb === "delete") return {}
  if (verb === "increment") {
    const by = Predicate.hasProperty(input, "by") ? input.by : 1
    return Number.isSafeInteger(by) ? { by } : yield* invalid("by", "is not a whole number")
  }
  if (!isWellFormed(input))
    return yield* invalid("", "contains half of a surrogate pair: cut text between characters, or use toWellFormed")
  if (canonical(input, maxDataDepth)._tag === "None")
    return yield* invalid("", `is not JSON, or nested more than ${maxDataDepth} deep`)
  if (!Predicate.isObject(input) || Array.isArray(input)) return yield* invalid("", "is not an object")
  const content: Content = { ...input }
  if (verb === "add" || verb === "remove") {
    const { member } = content
    return slotOfMember(member) === undefined
      ? yield* invalid("member", "is missing, more than 256 bytes of JSON, or not printable")
      : { member }
  }
  for (const column of Object.keys(content)) {
    if (reserved.includes(column)) return yield* invalid(column, "is the name of what every row has")
    if (!isPlainText(column, maxName)) return yield* invalid(column, `is not 1 to ${maxName} bytes of printable text`)
  }
  return content
})

/** Fails where an input does not fit the schema of a kind. */
export const checked = (kind: Any, verb: string, input: unknown): Effect.Effect<unknown, InputInvalid> => {
  const { row } = kind
  if (verb === "put") return Inputs.decoder(row)(input)
  if (verb === "add" || verb === "remove") {
    return Inputs.decoder(Schema.Struct({ member: row }))(input)
  }
  if (verb !== "patch" || !Predicate.isObject(input)) return Effect.void
  const fields = fieldsOf(kind)
  const some = Object.keys(input).filter((column) => Object.hasOwn(fields, column))
  return Inputs.decoder(
    Schema.Struct(Object.fromEntries(some.map((column) => [column, fields[column] ?? Schema.Unknown])))
  )(input)
}

/** The schemas of the columns of a kind. */
export const fieldsOf = ({ row }: Any): Readonly<Record<string, Schema.Codec<unknown, unknown>>> =>
  "fields" in row
    ? Object.fromEntries(
        Object.entries({ ...Object(row.fields) }).filter((entry): entry is [string, Schema.Codec<unknown>] =>
          isCodec(entry[1])
        )
      )
    : {}

/** The fields of a struct that is a codec are codecs. */
const isCodec = (field: unknown): field is Schema.Codec<unknown> => Schema.isSchema(field)
