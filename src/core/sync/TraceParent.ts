/**
 * The trace that a frame belongs to, in the form of W3C Trace Context (`traceparent`). It stands in a frame of
 * operations and is optional: nothing of the protocol depends on it, and what is not of this form is as if it were not
 * there.
 */
import { Option, Schema } from "effect"

/** A span of another node. */
export interface TraceParent {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

/** Later versions may be longer; the first four parts stay. Ids of nothing but zeros are none. */
const Text = Schema.String.check(
  Schema.isPattern(/^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-|$)/),
  Schema.isMaxLength(256)
)
const decode = Schema.decodeUnknownOption(Text)

export const fromText = (text: string | undefined): TraceParent | undefined =>
  Option.getOrUndefined(
    Option.map(decode(text), (text) => {
      const [, traceId = "", spanId = "", flags = ""] = text.split("-")
      return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
    })
  )

export const toText = ({ traceId, spanId, sampled }: TraceParent): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`

/** A frame that is a text already, with its trace. */
export const attach = (frame: string, parent: TraceParent): string =>
  `{"traceparent":${JSON.stringify(toText(parent))},${frame.slice(1)}`
