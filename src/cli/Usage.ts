/**
 * The problems of a command line, in our words: all missing parts at once, and a guess at the intended command.
 */
import type { CliOutput } from "effect/cli"
import { alternatives } from "../core/text/SchemaWords.ts"
import * as Invocation from "../services/node/Invocation.ts"
import { distanceOf } from "./Arguments.ts"

type Invalid = CliOutput.Presenter.InvalidInvocation
type Problem = Invalid["errors"][number]

/** The problems of an invocation, each once. */
export const problems = (event: Invalid, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(event.errors.map((error) => problem(error, event, args)))
]

const problem = (error: Problem, { commandPath, helpDoc }: Invalid, args: ReadonlyArray<string>): string => {
  switch (error._tag) {
    case "MissingOption":
    case "MissingArgument":
      return missing(error, helpDoc, args)
    case "InvalidValue":
      if (/^\d+ occurrences$/.test(error.value)) return `--${error.option} is given more than once: give it once`
      return `${error.kind === "flag" ? `--${error.option}` : error.option} must be ${expected(error.expected)}, not ${JSON.stringify(error.value)}`
    case "UnexpectedArgument":
      return unexpected(error.arguments, commandPath, helpDoc.args?.length ?? 0, args)
    case "UnrecognizedOption":
      return `Unknown flag ${error.option}${meant(error.option, error.suggestions)}`
    case "UnknownSubcommand":
      return `Unknown command ${JSON.stringify(error.subcommand)}${meant(error.subcommand, error.suggestions)}`
    default:
      return error.message.trim().replace(/\s*\n\s*/g, " ")
  }
}

const expected = (text: string): string => alternatives(text) ?? text.replace(/ \(default.*\)$/, "")

/** The word that was meant, most likely: of four letters, two others make another word. */
const meant = (given: string, suggestions: ReadonlyArray<string>): string => {
  const most = (word: string) => Math.max(1, Math.floor(Math.max(given.length, word.length) / 3))
  const [near] = suggestions
    .map((word) => ({ word, distance: word.startsWith(given) ? 0 : distanceOf(given, word) }))
    .filter(({ word, distance }) => distance <= most(word))
    .toSorted((a, b) => a.distance - b.distance)
  return near === undefined ? "" : `. Did you mean this? ${near.word}`
}

/**
 * The parser stops at the first that is missing. Arguments come in order: all that follow one that is missing are, too.
 */
const missing = (
  error: Extract<Problem, { readonly _tag: "MissingOption" | "MissingArgument" }>,
  { flags, args: positional = [] }: Invalid["helpDoc"],
  args: ReadonlyArray<string>
): string => {
  const isGiven = (name: string) => args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`))
  const absent = flags.filter(({ name, required }) => required && !isGiven(name)).map(({ name }) => `--${name}`)
  const from = error._tag === "MissingArgument" ? positional.findIndex(({ name }) => name === error.argument) : -1
  const texts =
    from === -1
      ? []
      : positional
          .slice(from)
          .filter(({ required }) => required)
          .map(({ name }) => name)
  const listed = [listOf("argument", texts), listOf("flag", absent)].filter((part) => part !== "")
  return listed.length === 0 ? error.message : listed.join("; ")
}

const listOf = (what: string, names: ReadonlyArray<string>): string =>
  names.length === 0 ? "" : `Missing required ${what}${names.length === 1 ? "" : "s"}: ${names.join(", ")}`

/**
 * Words too many are a text without quotes, most likely. The command as it was meant is shown where no flag is in
 * between.
 */
const unexpected = (
  words: ReadonlyArray<string>,
  commandPath: ReadonlyArray<string>,
  taken: number,
  args: ReadonlyArray<string>
): string => {
  const what = `Unexpected ${words.length === 1 ? "argument" : "arguments"} ${words.map((word) => JSON.stringify(word)).join(", ")}`
  if (taken === 0) return `${what}: this command takes none`
  const names = commandPath.slice(1)
  const typed = args.filter((arg) => arg !== "--json")
  const given = typed.slice(names.length)
  const isPlain = names.every((name, index) => typed[index] === name) && !given.some((arg) => arg.startsWith("-"))
  if (!isPlain) return `${what}: put a text of several words in quotes`
  const text = given.slice(taken - 1).join(" ")
  const before = [...names, ...given.slice(0, taken - 1).map(Invocation.quoted)].join(" ")
  return `${what}: put the text in quotes, as in ${Invocation.commandLine(`${before} ${Invocation.quoted(text)}`)}`
}

/**
 * What the help says of a command that takes text: the word that asked for help could have been that text. Nothing was
 * written then, and the exit code does not show it.
 */
export const remark = ({ commandPath, helpDoc }: CliOutput.Presenter.Help, args: ReadonlyArray<string>): string => {
  if ((helpDoc.args?.length ?? 0) === 0) return ""
  const word = args.findLast((arg) => /^(-h|--help)\b/.test(arg)) ?? "--help"
  const line = Invocation.commandLine([...commandPath.slice(1), "--", word].join(" "))
  return `This is the help: nothing else was done. If ${word} is text, put -- before it, as in ${line}`
}

/** Help, with everything it names in the form in which this program was started, and its paragraphs indented alike. */
export const inThisForm = <E extends CliOutput.Presenter.Help>(event: E): E => {
  const { helpDoc } = event
  const named = (text: string) => Invocation.inThisForm(text, Invocation.elsewhere)
  const examples = helpDoc.examples?.map((example) => ({ ...example, command: named(example.command) }))
  const description = named(helpDoc.description).replaceAll("\n", "\n  ").replace(/ +$/gm, "")
  const usage = named(helpDoc.usage)
  return { ...event, helpDoc: { ...helpDoc, description, usage, ...(examples === undefined ? {} : { examples }) } }
}
