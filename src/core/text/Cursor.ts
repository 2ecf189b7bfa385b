/** Places in an answer as texts, which applications hand back as they are. */
import { Schema } from "effect"

/** How values of a schema are written as texts and read from them; none from a text that is not of this form. */
export const make = <A, I>(schema: Schema.Codec<A, I>) => {
  const text = Schema.StringFromBase64Url.pipe(Schema.decodeTo(Schema.fromJsonString(schema)))
  return { toText: Schema.encodeSync(text), fromText: Schema.decodeUnknownOption(text) }
}
