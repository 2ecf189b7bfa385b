/**
 * Where the lines of the log go: standard error, when nothing else is provided.
 *
 * A log that cannot be written never stops a node: a full disk or a closed pipe is the problem of the log alone. Lines
 * that are lost are counted. The first line that can be written again says how many there were.
 */
import { Context } from "effect"
import { send, type Sent } from "./StandardStreams.ts"

/** Lines that could not be written, and the last cause. */
export interface Lost {
  readonly lines: number
  readonly cause: string
}

export interface LogSink {
  /** Writes one event. `notice` reports the lines that were lost before it, as an event of the same form. */
  readonly push: (event: string, notice: (lost: Lost) => string) => void
  /** Reports lost lines that were not reported yet. */
  readonly flush: (notice: (lost: Lost) => string) => void
  /** All that was lost since the start of the process. */
  readonly lost: () => Lost
}

/** A sink over `send`, which calls back once with the result of each text. */
export const make = (send: (text: string, done: (sent: Sent) => void) => void): LogSink => {
  let total = 0
  let untold = 0
  let cause = ""
  let isCut = false
  const write = (events: ReadonlyArray<string>, notice: (lost: Lost) => string) => {
    const telling = untold
    const lines = telling === 0 ? events : [notice({ lines: telling, cause }), ...events]
    if (lines.length === 0) return
    untold = 0
    // A line that was cut short is ended first.
    send(`${isCut ? "\n" : ""}${lines.join("\n")}\n`, (sent) => {
      if (sent.failure === undefined) {
        isCut = false
        return
      }
      cause = sent.failure.detail
      isCut ||= sent.isCut
      untold += telling + events.length
      total += events.length
    })
  }
  return {
    push: (event, notice) => write([event], notice),
    flush: (notice) => write([], notice),
    lost: () => ({ lines: total, cause })
  }
}

export const LogSink: Context.Reference<LogSink> = Context.Reference("feral-sync/services/node/LogSink", {
  defaultValue: (): LogSink => make((text, done) => send(2, text, done))
})
