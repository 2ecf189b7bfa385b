/**
 * Failures as the local interface answers them: the fields of each, and `message`, `problem` and `nextStep` for
 * programs that have nothing but the JSON. A client gets the failure itself back.
 */
import { Effect, Schema, SchemaGetter, Struct } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { inThisForm } from "../../node/Invocation.ts"
import * as NodeFailure from "../../node/NodeFailure.ts"

/** What every failure says of itself. */
const said = { message: Schema.String, problem: Schema.String, nextStep: Schema.String } as const

/** A failure of any kind, as far as all are alike. */
export const Failure = Schema.Struct({ _tag: Schema.String, ...said }).annotate({ identifier: "Failure" })
export interface Failure extends Schema.Schema.Type<typeof Failure> {}

/** What to do when a request does not fit the contract. */
export const reference = "see /openapi.json for what this API accepts"

/** There is no such collection, or it does not take this method. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {
  readonly problem = "there is nothing at this path"
  readonly nextStep = reference
  override readonly message = `${this.problem}; ${this.nextStep}`
}

interface Explained {
  readonly message: string
  readonly problem: string
  readonly nextStep: string | undefined
}

/** A failure as an answer with this status. */
export function withStatus<Type extends Explained, Encoded extends object>(
  failure: Schema.Codec<Type, Encoded> & { readonly identifier: string; readonly fields: Schema.Struct.Fields },
  status: number
): Schema.Codec<Type, Encoded & Omit<Failure, "_tag">>
export function withStatus(
  failure: Schema.Codec<Explained, object> & { readonly identifier: string; readonly fields: Schema.Struct.Fields },
  status: number
): Schema.Top {
  const decode = Schema.decodeUnknownEffect(failure)
  return Schema.Struct({ ...Struct.map(failure.fields, Schema.toEncoded), ...said })
    .annotate({ identifier: failure.identifier })
    .pipe(
      Schema.decodeTo(failure, {
        decode: SchemaGetter.transform((fields) => fields),
        encode: SchemaGetter.transformEffect((fields: object) =>
          decode(fields).pipe(
            Effect.map(({ message, problem, nextStep = reference }) => ({
              ...fields,
              message: inThisForm(message),
              problem: inThisForm(problem),
              nextStep: inThisForm(nextStep)
            })),
            Effect.mapError(({ issue }) => issue)
          )
        )
      }),
      HttpApiSchema.status(status)
    )
}

/** The failures that many paths have. */
export const Unavailable = withStatus(NodeFailure.StoreUnavailable, 503)
export const TooLarge = withStatus(NodeFailure.OperationTooLarge, 413)
export const NoRow = withStatus(NodeFailure.RowNotFound, 404)
export const NoKind = withStatus(NodeFailure.KindUndeclared, 404)
export const Invalid = withStatus(NodeFailure.InputInvalid, 400)
export const WrongQuery = withStatus(NodeFailure.QueryInvalid, 400)
