/**
 * What names a row or a version in a call. A program without types may give anything: what cannot be a name fails as
 * the input of a write or as a question does, and a name that no row has is not found.
 */
import { Effect, Schema } from "effect"
import { type InputInvalid, QueryInvalid } from "../node/NodeFailure.ts"
import * as Inputs from "./Inputs.ts"

const Row = Schema.Struct({ kind: Schema.String, id: Schema.String })
const Id = Schema.Struct({ id: Schema.String })
const Version = Schema.Struct({
  ...Row.fields,
  version: Schema.Finite.check(
    Schema.makeFilter((version) => (Number.isSafeInteger(version) && version >= 0) || "is not the number of a version")
  )
})

/** The id of a row that is written. */
export const id: (given: unknown) => Effect.Effect<typeof Id.Type, InputInvalid> = Inputs.decoder(Id)

/** A row of which something is erased. */
export const row: (given: unknown) => Effect.Effect<typeof Row.Type, InputInvalid> = Inputs.decoder(Row)

/** A version that is written again. */
export const version: (given: unknown) => Effect.Effect<typeof Version.Type, InputInvalid> = Inputs.decoder(Version)

/** A row that is asked for. */
export const question = (given: unknown): Effect.Effect<typeof Row.Type, QueryInvalid> =>
  Effect.mapError(Inputs.decoded(Row)(given), (problems) => new QueryInvalid({ problems }))
