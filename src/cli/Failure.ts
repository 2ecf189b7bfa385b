/**
 * How a command fails: what is said, and the exit code. 1: the operation failed. 2: wrong usage or configuration.
 */
import { Cause, Effect, Predicate, Schema } from "effect"
import { CliOutput } from "effect/cli"
import { commandLine, inThisForm } from "../services/Invocation.ts"
import { oneLine, writeError } from "./Output.ts"
import * as Usage from "./Usage.ts"

/** A command needs a running node, and there is none. */
export class NodeNotRunning extends Schema.TaggedError<NodeNotRunning>()("NodeNotRunning", { home: Schema.String }) {
  override get message(): string {
    return `no node is running for ${this.home}: start one with "${commandLine("start", this.home)}"`
  }
}

/** What was typed is not what the command takes. */
export interface Wrong {
  readonly _tag: "Usage"
  readonly message: string
}

const wrongConfiguration = new Set(["ConfigInvalid", "PassphraseInvalid", "TlsMaterialInvalid", "Usage"])

/** Says what went wrong, and gives the exit code. */
export const report = Effect.fnUntraced(function* (error: unknown, isJson: boolean) {
  const { _tag, message } = described(error)
  // One line for machines whatever it says; for people the lines of a list stay lines.
  const text = isJson
    ? JSON.stringify({ _tag, message })
    : `feral-sync: ${message
        .split("\n")
        .map((line) => inThisForm(oneLine(line)))
        .join("\n")}`
  yield* writeError(text)
  return wrongConfiguration.has(_tag) ? 2 : 1
})

/** A bug: said with all that is known, for whoever mends it. */
export const reportDefect = Effect.fnUntraced(function* (cause: Cause.Cause<never>, isJson: boolean) {
  const detail = Cause.pretty(cause)
  yield* writeError(
    isJson
      ? JSON.stringify({ _tag: "Defect", message: `this should not happen: ${detail}` })
      : `feral-sync: this should not happen:\n${detail}`
  )
  return 1
})

const described = (error: unknown): { readonly _tag: string; readonly message: string } => {
  const tag = Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) ? error._tag : "Error"
  const message = Predicate.hasProperty(error, "message") ? String(error.message) : String(error)
  return { _tag: tag, message }
}

/** The argument that was meant as text, most likely: it starts with a dash, and no flag looks like it. */
const dashedText = (args: ReadonlyArray<string>): string | undefined => {
  const end = args.indexOf("--")
  return args
    .slice(0, end === -1 ? args.length : end)
    .find((arg) => arg.startsWith("-") && !/^--?[a-z][a-z-]*(=|$)/i.test(arg))
}

/** What the parser of the command line has to say, in our words. */
export const presenter = (isJson: boolean, args: ReadonlyArray<string>): CliOutput.Presenter => ({
  present: (event) => {
    switch (event._tag) {
      case "InvalidInvocation": {
        const text = event.errors.some(({ _tag }) => _tag === "UnrecognizedOption") ? dashedText(args) : undefined
        const said =
          text === undefined
            ? Usage.problems(event, args).join("; ")
            : `${JSON.stringify(text)} starts with a dash: write it after "--" (note add -- "-5 degrees") or after "=" (--summary="-5 degrees")`
        const message = `${said}; see "${inThisForm(event.commandPath.join(" "))} --help"`
        return Effect.asVoid(report({ _tag: "Usage", message } satisfies Wrong, isJson))
      }
      case "Help":
        if (event.reason === "Requested") return CliOutput.defaultPresenter.present(Usage.inThisForm(event))
        return isJson
          ? Effect.asVoid(report({ _tag: "Usage", message: `${event.commandPath.join(" ")} needs a command` }, true))
          : Effect.flatMap(CliOutput.Formatter, ({ formatHelpDoc }) =>
              writeError(formatHelpDoc(Usage.inThisForm(event).helpDoc))
            )
      case "Version":
        return CliOutput.defaultPresenter.present(event)
    }
  }
})
