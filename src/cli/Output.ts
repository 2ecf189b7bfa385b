/**
 * The output of a command. On stdout, only its result: one JSON value, or text for people. On stderr, what went
 * wrong.
 */
import { Effect, Schema } from "effect"
import { CliOutput } from "effect/cli"
import { duration } from "../core/text/Duration.ts"
import { messageOf } from "../core/text/Explained.ts"
import { escapeControls } from "../core/text/Printable.ts"
import { StandardStreams } from "../services/node/StandardStreams.ts"

/** Standard output takes nothing more: the result is not complete. */
export class OutputFailed extends Schema.TaggedError<OutputFailed>()("OutputFailed", { detail: Schema.String }) {
  readonly problem = `writing to standard output failed (${this.detail}), so the output is incomplete. Changes that the command made are kept`
  readonly nextStep = "send the output elsewhere"
  override readonly message = messageOf(this)
}

export { oneLine } from "../core/text/Printable.ts"
export { quoted } from "../services/node/Invocation.ts"

/** Whether the last line of the terminal, on stderr, is one that is written anew. A process has one terminal. */
export const lastLine = { isRedrawn: false }

/** Erases the line where the cursor is. */
export const eraseLine = "\r\u001b[2K"

/** Erases the line that is written anew, before something else is written to the same terminal. */
const erased = (error: StandardStreams["error"], streamOf: () => { readonly isTTY?: boolean }): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!lastLine.isRedrawn || streamOf().isTTY !== true) return Effect.void
    lastLine.isRedrawn = false
    return Effect.ignore(error(eraseLine))
  })

/**
 * Writes to stdout, and waits until it has left. When the reader has gone (`| head`), the command ends with success.
 */
export const write = (text: string): Effect.Effect<void, OutputFailed> =>
  Effect.flatMap(StandardStreams, ({ output, error }) =>
    Effect.catch(
      Effect.andThen(
        erased(error, () => process.stdout),
        output(text)
      ),
      (failure) => {
        if (!failure.isReaderGone) return Effect.fail(new OutputFailed({ detail: failure.detail }))
        process.exitCode = 0
        return Effect.interrupt
      }
    )
  )

export const writeLine = (text: string): Effect.Effect<void, OutputFailed> => write(`${text}\n`)

/** Writes to stderr. There is no place to say that this failed. */
export const writeError = (text: string): Effect.Effect<void> =>
  Effect.flatMap(StandardStreams, ({ error }) =>
    Effect.andThen(
      erased(error, () => process.stderr),
      Effect.ignore(error(`${text}\n`))
    )
  )

/** One JSON value on one line. */
export const writeJson = (value: unknown): Effect.Effect<void, OutputFailed> => writeLine(json(value))

/**
 * The text of a JSON value on one line. Control characters are escaped, so that it cannot steer a terminal; the value
 * is the same.
 */
export const json = (value: unknown): string => escapeControls(JSON.stringify(value))

/**
 * How wide a line may be: as wide as the terminal; as wide as it gets where there is none. Some terminals do not say
 * it.
 */
export const lineWidth = (): number => (process.stdout.isTTY ? process.stdout.columns || 80 : Infinity)

/** Whether a stream shows a line that is written again over the last one. */
export const canRedraw = ({ isTTY }: { readonly isTTY?: boolean }): boolean =>
  isTTY === true && process.env["TERM"] !== "dumb"

/** Made when a text is cut: that takes a tenth of a short command. */
let segmenter: Intl.Segmenter | undefined
const graphemes = (text: string): Intl.Segments =>
  (segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" })).segment(text)

/** How many cells of a terminal a text takes. Most texts are plain, and need no look at each character. */
export const cellsOf = (text: string): number =>
  /^[\x20-\x7e]*$/.test(text) ? text.length : CliOutput.displayWidth(text)

/** The beginning of a text, at most `width` cells wide. */
export const truncate = (text: string, width: number): string => {
  if (text.length <= width / 2 || cellsOf(text) <= width) return text
  let kept = ""
  let used = 1
  for (const { segment } of graphemes(text)) {
    used += cellsOf(segment)
    if (used > width) break
    kept += segment
  }
  return `${kept}…`
}

/** Text with spaces to its right, `width` cells wide. */
export const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - cellsOf(text)))

/**
 * `3 min ago`; a date when it is long ago. Both in milliseconds since the epoch. A time in the future comes from
 * another clock, or from ours before it was set. Within a minute it counts as now, otherwise it is printed unchanged.
 */
export const ago = (then: number, now: number): string => {
  const seconds = Math.round((now - then) / 1000)
  if (seconds < -60) return `${new Date(then).toISOString().slice(0, 16).replace("T", " ")} UTC`
  if (seconds < 5) return "just now"
  return seconds < 30 * day ? `${duration(seconds)} ago` : new Date(then).toISOString().slice(0, 10)
}

const day = 86_400

export { duration }
export { counted } from "../core/text/Explained.ts"
