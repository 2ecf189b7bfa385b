/**
 * A cut (`core/replica/Cut.ts`) as a text, and back.
 */
import { Effect, HashSet, Option, Result, Schema } from "effect"
import * as Cut from "../../core/replica/Cut.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import * as ClockText from "./ClockText.ts"

const Text = Schema.fromJsonString(
  Schema.Struct({
    confirmed: ClockText.Entries,
    collected: ClockText.Entries,
    since: Schema.optionalKey(Schema.Finite),
    filling: Schema.optionalKey(Schema.Literal(true)),
    away: Schema.optionalKey(Schema.Literal(true)),
    rejoined: Schema.optionalKey(Schema.Literal(true)),
    left_out: Schema.Array(NodeId),
    count: Schema.Natural
  })
)
const decode = Schema.decodeUnknownOption(Text)

/** The cut as a text. */
export const toText = ({
  confirmed,
  collected,
  since,
  isFilling,
  leftOut,
  count,
  isRejoined,
  isAway
}: Cut.Cut): string =>
  JSON.stringify({
    confirmed: VectorClock.toRecord(confirmed),
    collected: VectorClock.toRecord(collected),
    ...(since === undefined ? {} : { since }),
    ...(isFilling ? { filling: true } : {}),
    ...(isAway === true ? { away: true } : {}),
    ...(isRejoined === true ? { rejoined: true } : {}),
    left_out: [...leftOut],
    count
  })

/** The cut that `toText` wrote; none where the text is empty. */
export const fromText = (text: string): Effect.Effect<Cut.Cut, StoreUnavailable> => {
  if (text === "") return Effect.succeed(Cut.none)
  const read = Option.getOrUndefined(decode(text))
  const confirmed = clockOf(read?.confirmed)
  const collected = clockOf(read?.collected)
  return read === undefined || confirmed === undefined || collected === undefined
    ? Effect.fail(new StoreUnavailable({ reason: "corrupt", detail: "the cut in the table meta cannot be read" }))
    : Effect.succeed({
        confirmed,
        collected,
        since: read.since,
        isFilling: read.filling === true,
        leftOut: HashSet.fromIterable(read.left_out),
        count: read.count,
        ...(read.away && { isAway: true }),
        ...(read.rejoined && { isRejoined: true })
      })
}

const clockOf = (entries: typeof ClockText.Entries.Type | undefined): VectorClock.VectorClock | undefined =>
  entries && Option.getOrUndefined(Result.getSuccess(ClockText.fromEntries(entries)))
