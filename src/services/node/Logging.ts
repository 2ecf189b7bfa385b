/**
 * Where logs go: to stderr, from the configured level on, one event a line, for people or for machines. Secrets are
 * redacted values, which print as such; control characters in received text cannot steer a terminal.
 */
import { Cause, Effect, Formatter, Layer, Logger, type LogLevel, References } from "effect"
import { escapeControls } from "../../core/text/Printable.ts"
import type { Settings } from "./Config.ts"
import { inThisForm } from "./Invocation.ts"
import { type Lost, LogSink } from "./LogSink.ts"

/** The logger of the settings, in place of Effect's own. */
export const layer = ({ log, logLevel }: Pick<Settings, "log" | "logLevel">): Layer.Layer<never> => {
  const [format, notice] =
    log === "json" ? [Logger.map(Logger.formatJson, escapeControls), lostAsJson] : [pretty, lostAsText]
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

const levels: Record<Settings["logLevel"], LogLevel.LogLevel> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

/** `12:34:56.789 INFO  peer connected  peer=… address=…` */
const pretty = Logger.make<unknown, string>(({ cause, date, fiber, logLevel, message }) => {
  const words = inThisForm((Array.isArray(message) ? message : [message]).map(text).join(" "))
  const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
  const facts = annotations.map(([key, value]) => `${key}=${quoted(text(value))}`).join(" ")
  const line = `${date.toTimeString().slice(0, 8)} ${logLevel.toUpperCase().padEnd(5)} ${words}`
  const event = escapeControls(facts === "" ? line : `${line}  ${facts}`)
  if (cause.reasons.length === 0) return event
  return [event, ...Cause.pretty(cause).split("\n").map(escapeControls)].join("\n")
})

const text = (value: unknown): string => (typeof value === "string" ? value : Formatter.format(value))

const quoted = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value))

/** What every command but `start` logs beside its result: only what the operator has to act on. */
export const layerQuiet = (isJson: boolean): Layer.Layer<never> =>
  layer({ log: isJson ? "json" : "pretty", logLevel: "warn" })
