/**
 * Where logs go: to stderr, from the configured level on, one event a line, for people or for machines. Secrets are
 * redacted values, which print as such; control characters in what others sent cannot steer a terminal.
 */
import { Cause, Formatter, Layer, Logger, type LogLevel, References } from "effect"
import type { Settings } from "./Config.ts"

/** The logger of the settings, in place of Effect's own. */
export const layer = ({ log, logLevel }: Pick<Settings, "log" | "logLevel">): Layer.Layer<never> =>
  Layer.mergeAll(
    Logger.layer([Logger.withConsoleError(log === "json" ? Logger.formatJson : pretty)]),
    Layer.succeed(References.MinimumLogLevel, levels[logLevel])
  )

const levels: Record<Settings["logLevel"], LogLevel.LogLevel> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

/** `12:34:56.789 INFO  peer connected  peer=… address=…` */
const pretty = Logger.make<unknown, string>(({ cause, date, fiber, logLevel, message }) => {
  const words = (Array.isArray(message) ? message : [message]).map(text).join(" ")
  const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
  const facts = annotations.map(([key, value]) => `${key}=${quoted(text(value))}`).join(" ")
  const line = `${date.toTimeString().slice(0, 8)} ${logLevel.toUpperCase().padEnd(5)} ${words}`
  const event = printable(facts === "" ? line : `${line}  ${facts}`)
  if (cause.reasons.length === 0) return event
  return [event, ...Cause.pretty(cause).split("\n").map(printable)].join("\n")
})

const text = (value: unknown): string => (typeof value === "string" ? value : Formatter.format(value))

const quoted = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value))

/** Characters that steer a terminal are shown as what they are. */
const printable = (line: string): string =>
  line.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\u${code.toString(16).padStart(4, "0")}`
  })

/** What every command but `start` says beside its result: only what someone has to do something about. */
export const layerQuiet = (isJson: boolean): Layer.Layer<never> =>
  layer({ log: isJson ? "json" : "pretty", logLevel: "warn" })
