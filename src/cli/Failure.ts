/**
 * How a command fails: its message and its exit code. 1: the operation failed. 2: wrong usage or configuration.
 */
import { Cause, Console, Effect, Predicate, Schema } from "effect"
import { CliOutput } from "effect/cli"
import { commandLine, helpOf, inThisForm } from "../services/node/Invocation.ts"
import { messageOf } from "../core/text/Explained.ts"
import { escapeControls } from "../core/text/Printable.ts"
import { json, oneLine, writeError, writeJson } from "./Output.ts"
import * as Usage from "./Usage.ts"

/** A command needs a running node, and there is none. */
export class NodeNotRunning extends Schema.TaggedError<NodeNotRunning>()("NodeNotRunning", { home: Schema.String }) {
  readonly problem = `no node is running in ${this.home}`
  readonly nextStep = `start one with "${commandLine("start")}"`
  override readonly message = messageOf(this, ": ")
}

/** There is no data directory to read. */
export class HomeNotFound extends Schema.TaggedError<HomeNotFound>()("HomeNotFound", {
  home: Schema.String,
  /** Whether the directory is there, and no node has used it. */
  isEmpty: Schema.Boolean
}) {
  readonly problem = this.isEmpty
    ? `no node has used the data directory ${this.home} yet`
    : `no data directory at ${this.home}`
  readonly nextStep = `check --home and FERAL_HOME, or start a node there with "${commandLine("start")}"`
  override readonly message = messageOf(this, ": ")
}

/** Wrong usage of a command. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("Usage", {
  problem: Schema.String,
  /** Where the problem does not say it already. */
  nextStep: Schema.optionalKey(Schema.String),
  joint: Schema.optionalKey(Schema.Literals(["; ", ": "]))
}) {
  /** A command line that cannot be read: the help of the command says how it is written. */
  static readonly unread = (problem: string, commandPath: ReadonlyArray<string>): WrongUsage =>
    new WrongUsage({ problem, nextStep: `see "${helpOf(commandPath)}"`, joint: "; " })

  override readonly message = messageOf({ problem: this.problem, nextStep: this.nextStep }, this.joint ?? ": ")
}

const wrongConfiguration = new Set([
  "ConfigInvalid",
  "PassphraseInvalid",
  "TlsMaterialInvalid",
  "InputInvalid",
  "QueryInvalid",
  "InputUnusable",
  "Usage"
])

/** Says what went wrong, and gives the exit code. */
export const report = Effect.fnUntraced(function* (error: unknown, isJson: boolean) {
  const { _tag, message, nextStep } = described(error)
  // One line for machines whatever it says; for people the lines of a list stay lines.
  const text = isJson
    ? json({ _tag, message, ...(nextStep === undefined ? {} : { nextStep }) })
    : `feral-sync: ${message
        .split("\n")
        .map((line) => inThisForm(oneLine(line)))
        .join("\n")}`
  yield* writeError(text)
  return wrongConfiguration.has(_tag) ? 2 : 1
})

/** A bug, reported with all that is known about it. */
export const reportDefect = Effect.fnUntraced(function* (cause: Cause.Cause<never>, isJson: boolean) {
  const detail = Cause.pretty(cause)
  yield* writeError(
    isJson
      ? json({ _tag: "Defect", message: `internal error, please report it: ${detail}` })
      : `feral-sync: internal error, please report it:\n${detail.split("\n").map(escapeControls).join("\n")}`
  )
  return 1
})

interface Described {
  readonly _tag: string
  readonly message: string
  readonly nextStep: string | undefined
}

const described = (error: unknown): Described => {
  const tag = Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) ? error._tag : "Error"
  const message = Predicate.hasProperty(error, "message") ? String(error.message) : String(error)
  const step =
    Predicate.hasProperty(error, "nextStep") && Predicate.isString(error.nextStep) ? error.nextStep : undefined
  return { _tag: tag, message, nextStep: step }
}

const plain = CliOutput.defaultFormatter({ colors: false })

/** The problems found by the parser of the command line, in our words. */
export const presenter = (isJson: boolean, args: ReadonlyArray<string>): CliOutput.Presenter => ({
  present: (event) => {
    switch (event._tag) {
      case "InvalidInvocation": {
        const wrong = WrongUsage.unread(Usage.problems(event, args).join("; "), event.commandPath)
        return Effect.asVoid(report(wrong, isJson))
      }
      case "Help": {
        const shown = Usage.inThisForm(event)
        if (event.reason === "Requested") {
          const remark = Usage.remark(event, args)
          if (isJson) {
            const help = plain.formatHelpDoc(shown.helpDoc)
            return Effect.orDie(writeJson({ help: remark === "" ? help : `${help}\n\n${remark}` }))
          }
          const present = CliOutput.defaultPresenter.present(shown)
          return remark === "" ? present : Effect.andThen(present, Console.log(`\n${remark}`))
        }
        return isJson
          ? Effect.asVoid(report(new WrongUsage({ problem: `${event.commandPath.join(" ")} needs a command` }), true))
          : Effect.flatMap(CliOutput.Formatter, ({ formatHelpDoc }) => writeError(formatHelpDoc(shown.helpDoc)))
      }
      case "Version":
        return isJson
          ? Effect.orDie(writeJson({ name: event.name, version: event.version }))
          : CliOutput.defaultPresenter.present(event)
    }
  }
})
