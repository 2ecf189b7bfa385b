/**
 * Text from standard input, for what no argument can hold: `-` stands for it wherever a text is given.
 *
 * The text is taken as it is, without its last newline. It is bounded before it is read, and it must be UTF-8: a byte
 * that would be replaced in silence is refused.
 */
import { Effect, Schema, Stream } from "effect"
import { messageOf } from "../core/text/Explained.ts"
import { FileUnusable } from "../services/node/NodeFailure.ts"
import { StandardStreams } from "../services/node/StandardStreams.ts"
import { WrongUsage } from "./Failure.ts"

/** What standard input holds cannot be used as a text. */
export class InputUnusable extends Schema.TaggedError<InputUnusable>()("InputUnusable", {
  problem: Schema.String,
  nextStep: Schema.String
}) {
  override readonly message = `standard input ${messageOf(this, ": ")}`
}

/** Standard input is longer than any entry may be. Sizes in bytes. */
export class InputTooLarge extends Schema.TaggedError<InputTooLarge>()("InputTooLarge", { limit: Schema.Natural }) {
  readonly problem = `standard input is over the limit of ${this.limit} bytes (8 MiB) for one entry`
  readonly nextStep = "split it into smaller ones"
  override readonly message = messageOf(this, ": ")
}

/** The largest operation, its other columns included: a text of that length is too large in any case. */
const limit = 8 * 1024 * 1024

/** The word that stands for standard input. */
export const mark = "-"

/** The texts, with that of standard input in the place of `-`. The names are for the message: as they are typed. */
export const resolve = Effect.fnUntraced(function* <Texts extends Readonly<Record<string, string | undefined>>>(
  texts: Texts
) {
  const names = Object.entries(texts).flatMap(([name, text]) => (text === mark ? [name] : []))
  if (names.length > 1) {
    return yield* new WrongUsage({ problem: `only one of ${names.join(" and ")} can be read from standard input` })
  }
  const [name] = names
  return name === undefined ? texts : { ...texts, [name]: yield* read }
})

const read = Effect.gen(function* () {
  const { input } = yield* StandardStreams
  const parts: Array<Uint8Array> = []
  let length = 0
  yield* Stream.runForEach(input, (bytes) => {
    length += bytes.length
    parts.push(bytes)
    return length > limit ? Effect.fail(new InputTooLarge({ limit })) : Effect.void
  }).pipe(
    Effect.catchTag("StreamFailed", ({ detail }) =>
      Effect.fail(
        new FileUnusable({
          file: "standard input",
          problem: `it cannot be read (${detail})`,
          nextStep: "check the command that writes to it"
        })
      )
    )
  )
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts)),
    catch: () => new InputUnusable({ problem: "is not UTF-8", nextStep: "convert it first, with iconv -t UTF-8" })
  })
  const trimmed = text.replace(/\r?\n$/, "")
  if (trimmed === "")
    return yield* new InputUnusable({ problem: "is empty", nextStep: "pipe some text into the command" })
  return trimmed
})
