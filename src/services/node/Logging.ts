/**
 * Where logs go: to stderr, from the configured level on, one event a line, for people or for machines. Secrets are
 * redacted values, which print as such; control characters in received text cannot steer a terminal.
 */
import { Cause, Effect, Formatter, Layer, Logger, type LogLevel, References } from "effect"
import { fstatSync } from "node:fs"
import { escapeControls } from "../../core/text/Printable.ts"
import type { Settings } from "./Config.ts"
import { inThisForm } from "./Invocation.ts"
import { type Lost, LogSink } from "./LogSink.ts"

/** The logger of the settings, in place of Effect's own. */
export const layer = ({ log, logLevel }: Pick<Settings, "log" | "logLevel">): Layer.Layer<never> => {
  const [format, notice] =
    log === "json"
      ? [Logger.map(Logger.formatJson, escapeControls), lostAsJson]
      : isJournal()
        ? [journal, lostInJournal]
        : [pretty, lostAsText]
  return Layer.mergeAll(
    Logger.layer([toSink(format, notice)]),
    Layer.succeed(References.MinimumLogLevel, levels[logLevel]),
    // Lost lines are reported at the end at the latest.
    Layer.effectDiscard(
      Effect.flatMap(LogSink, (sink) => Effect.addFinalizer(() => Effect.sync(() => sink.flush(notice))))
    )
  )
}

const toSink = (format: Logger.Logger<unknown, string>, notice: (lost: Lost) => string) =>
  Logger.make<unknown, void>((event) => event.fiber.getRef(LogSink).push(format.log(event), notice))

const lostLines = "some log lines could not be written"

const lostAsJson = ({ lines, cause }: Lost): string =>
  JSON.stringify({
    message: lostLines,
    level: "WARN",
    timestamp: new Date().toISOString(),
    annotations: { lines, cause },
    spans: {}
  })

const lostAsText = ({ lines, cause }: Lost): string =>
  `${new Date().toTimeString().slice(0, 8)} WARN  ${lostLines}  lines=${lines} cause=${quoted(escapeControls(cause))}`

const lostInJournal = ({ lines, cause }: Lost): string =>
  `<4>${lostLines}  lines=${lines} cause=${quoted(escapeControls(cause))}`

/** Whether standard error is the journal of systemd, which has the time of each line itself. */
const isJournal = (): boolean => {
  const stream = process.env["JOURNAL_STREAM"]
  if (stream === undefined) return false
  try {
    const { dev, ino } = fstatSync(2, { bigint: true })
    return stream === `${dev}:${ino}`
  } catch {
    return false
  }
}

/** The priorities of syslog, as the journal takes them before a line. */
const priorities: Partial<Record<LogLevel.LogLevel, number>> = { Fatal: 2, Error: 3, Warn: 4, Info: 6 }

const levels: Record<Settings["logLevel"], LogLevel.LogLevel> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

/** The lines of an event: what happened, with its facts, and its cause. */
const linesOf = ({ cause, fiber, message }: Logger.Options<unknown>): readonly [string, ...Array<string>] => {
  const words = inThisForm((Array.isArray(message) ? message : [message]).map(text).join(" "))
  const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
  const facts = annotations.map(([key, value]) => `${key}=${quoted(text(value))}`).join(" ")
  const event = escapeControls(facts === "" ? words : `${words}  ${facts}`)
  return cause.reasons.length === 0 ? [event] : [event, ...Cause.pretty(cause).split("\n").map(escapeControls)]
}

/** `12:34:56 INFO  peer connected  peer=… address=…` */
const pretty = Logger.make<unknown, string>((event) => {
  const [first, ...rest] = linesOf(event)
  const head = `${event.date.toTimeString().slice(0, 8)} ${event.logLevel.toUpperCase().padEnd(5)}`
  return [`${head} ${first}`, ...rest].join("\n")
})

/** `<6>peer connected  peer=… address=…` */
const journal = Logger.make<unknown, string>((event) =>
  linesOf(event)
    .map((line) => `<${priorities[event.logLevel] ?? 7}>${line}`)
    .join("\n")
)

const text = (value: unknown): string => (typeof value === "string" ? value : Formatter.format(value))

const quoted = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value))

/** What every command but `start` logs beside its result: only what the operator has to act on. */
export const layerQuiet = (isJson: boolean): Layer.Layer<never> =>
  layer({ log: isJson ? "json" : "pretty", logLevel: "warn" })
