/**
 * What each word of the command line is: a flag, the value of one, or text. The parser of the library takes every word
 * that begins with a dash for flags, so a Markdown list item would be lost. It gets a line in which nothing is left to
 * guess.
 *
 * The rule:
 * - `--` ends the flags: all words after it are text.
 * - A word that is exactly a flag of the command (`--tag`, `--tag=x`, `-h`) is that flag, wherever it stands.
 * - Another word that begins with a dash is text, unless it has the form of a flag and resembles one: then it is
 *   refused, for it is most likely misspelt. The same for one that the command has no place for.
 * - `--help` and `--completions` stand alone or after the name of a command, `--version` alone or after one that takes
 *   no text. With text or other flags beside them they are refused. What looks like help and was text is thus never
 *   lost in silence: the help of a command that takes text says that nothing else was done, and how such a text is
 *   written.
 */
import type { Completions } from "effect/cli"
import { isUtf8 } from "node:buffer"
import { readFileSync } from "node:fs"

type Descriptor = Completions.CommandDescriptor

/** Flags that every command has. Those of `actions` are answered instead of running the command. */
export interface Grammar {
  readonly command: Descriptor
  readonly globals: ReadonlyArray<Flag>
  readonly actions: ReadonlyArray<Flag>
}

export interface Flag {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  /** Whether the next word is its value. */
  readonly takesValue: boolean
}

/** The words for the parser, or what is wrong with them. */
export type Read =
  | { readonly _tag: "Words"; readonly words: ReadonlyArray<string> }
  | { readonly _tag: "Wrong"; readonly problem: string; readonly path: ReadonlyArray<string> }

export const read = ({ command: root, globals, actions }: Grammar, args: ReadonlyArray<string>): Read => {
  let command = root
  const path = [root.name]
  const flags: Array<string> = []
  /** A flag whose value is missing. */
  let bare: string | undefined
  const operands: Array<string> = []
  let action: string | undefined
  /** Whether a flag is there that stands beside no action: one of the command, or another action. */
  let hasOwnFlags = false
  /** A word with a dash among the operands. */
  let dashed: string | undefined
  const wrong = (problem: string): Read => ({ _tag: "Wrong", problem, path })
  const known = (): ReadonlyArray<Flag> => [...command.flags.map(flagOf), ...globals, ...actions]

  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ""
    if (word === "--") {
      operands.push(...args.slice(index + 1))
      break
    }
    const flag = named(known(), word)
    if (flag !== undefined) {
      if (actions.some(({ name }) => name === flag.name)) {
        hasOwnFlags ||= action !== undefined
        action = word
      } else if (!globals.some(({ name }) => name === flag.name)) hasOwnFlags = true
      const next = args[index + 1]
      if (!flag.takesValue || word.includes("=")) flags.push(word)
      else if (next === undefined || next === "--" || named(known(), next) !== undefined) bare ??= word
      else {
        const slip = misspelt(known(), root, next)
        if (slip !== undefined) return wrong(notAFlag(next, path, slip))
        flags.push(`--${flag.name}=${next}`)
        index++
      }
      continue
    }
    if (isDashed(word)) {
      const slip = misspelt(known(), root, word)
      if (slip !== undefined) return wrong(notAFlag(word, path, slip))
    }
    if (command.subcommands.length > 0) {
      const next = command.subcommands.find(({ name }) => name === word)
      if (next === undefined) {
        // The parser knows which command was meant, most likely.
        return isDashed(word)
          ? wrong(`${shown(word)} is not a command`)
          : { _tag: "Words", words: [...path.slice(1), word] }
      }
      command = next
      path.push(next.name)
      continue
    }
    if (isDashed(word)) dashed ??= word
    operands.push(word)
  }
  if (action !== undefined && (operands.length > 0 || hasOwnFlags)) {
    return wrong(
      `${action} cannot be combined with other arguments: use it alone or after the name of a command; if it is text, put -- before it`
    )
  }
  if (action !== undefined && /^(-v|--version)\b/.test(action) && command.arguments.length > 0) {
    return wrong(`${action} is for ${root.name} alone; if it is text, put -- before it`)
  }
  if (command.subcommands.length > 0 && operands.length > 0) {
    return wrong(`${path.join(" ")} needs a command before --`)
  }
  const isOver = operands.length > command.arguments.length && !command.arguments.some(({ variadic }) => variadic)
  if (isOver && dashed !== undefined) return wrong(notAFlag(dashed, path))
  if (bare !== undefined) return wrong(`${bare} has no value: give one, or leave the flag out`)
  return {
    _tag: "Words",
    words: [...path.slice(1), ...flags, ...(operands.length > 0 ? ["--", ...operands] : [])]
  }
}

/**
 * The first word that is no flag, nor the value of one of these: it names the command. None where the rest depends on
 * what all commands are.
 */
export const commandIn = (globals: ReadonlyArray<Flag>, args: ReadonlyArray<string>): string | undefined => {
  // These are of all commands, also after the name of one.
  if (args.some((word) => /^(--)?completions\b/.test(word))) return undefined
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ""
    if (word === "--") return undefined
    if (!isDashed(word)) return word
    const flag = named(globals, word)
    if (flag?.takesValue === true && !word.includes("=")) index++
  }
  return undefined
}

/** The value of a flag among words that were read; the last one, where it is given twice. */
export const valueOf = (name: string, words: ReadonlyArray<string>): string | undefined => {
  const end = words.indexOf("--")
  const given = (end === -1 ? words : words.slice(0, end)).findLast((word) => word.startsWith(`--${name}=`))
  return given?.slice(name.length + 3)
}

/**
 * Whether each word that has the form of a flag is a flag here. Another one may be that of a command that is not here.
 */
export const hasOnlyFlagsOf = ({ command, globals, actions }: Grammar, args: ReadonlyArray<string>): boolean => {
  const end = args.indexOf("--")
  const flags = [...globals, ...actions, ...flagsIn(command)]
  return (end === -1 ? args : args.slice(0, end)).every(
    (word) => !flagForm.test(word) || named(flags, word) !== undefined
  )
}

const flagsIn = ({ flags, subcommands }: Descriptor): ReadonlyArray<Flag> => [
  ...flags.map(flagOf),
  ...subcommands.flatMap(flagsIn)
]

/** A name and nothing else, or a name with a value. */
const flagForm = /^(--?)([a-z][a-z0-9-]*)(=.*)?$/is

/** Whether a word may be a flag. One dash alone stands for standard input. */
const isDashed = (word: string): boolean => word.length > 1 && word.startsWith("-")

const flagOf = ({ name, aliases, type, optionalValue }: Completions.FlagDescriptor): Flag => ({
  name,
  aliases,
  takesValue: type._tag !== "Boolean" && optionalValue !== true
})

/** The flag that a word is: `--name`, `--name=value`, or the one letter of it. */
const named = (flags: ReadonlyArray<Flag>, word: string): Flag | undefined => {
  const name = /^--([^=]+)/s.exec(word)?.[1]
  if (name !== undefined) return flags.find((flag) => flag.name === name)
  return flags.find(({ aliases }) => aliases.some((alias) => word === `-${alias}`))
}

/** The flag that a word resembles, if it has the form of one. */
const misspelt = (flags: ReadonlyArray<Flag>, root: Descriptor, word: string): string | undefined => {
  const [, dashes, given = ""] = flagForm.exec(word) ?? []
  if (dashes === undefined) return undefined
  const name = given.toLowerCase()
  const names = flags.map((flag) => flag.name)
  const same = names.find((candidate) => candidate === name)
  if (same !== undefined || dashes === "-") return same === undefined || name.length < 2 ? undefined : same
  const [nearest] = names
    .map((candidate) => ({ candidate, distance: distanceOf(name, candidate) }))
    .filter(
      ({ candidate, distance }) =>
        distance <= Math.min(2, Math.floor(Math.max(name.length, candidate.length) / 2)) ||
        (name.length > 1 && candidate.startsWith(name))
    )
    .toSorted((a, b) => a.distance - b.distance)
  if (nearest !== undefined) return nearest.candidate
  return hasFlag(root, name) ? "" : undefined
}

const hasFlag = ({ flags, subcommands }: Descriptor, name: string): boolean =>
  flags.some((flag) => flag.name === name) || subcommands.some((command) => hasFlag(command, name))

const notAFlag = (word: string, path: ReadonlyArray<string>, meant = ""): string => {
  const flag = shown(/^[^=\s]*/.exec(word)?.[0] ?? word)
  const next = meant === "" ? ": if" : `. Did you mean --${meant}? If`
  return `${flag} is not a flag of ${path.join(" ")}${next} it is text, put -- before it`
}

const shown = (word: string): string => (/^[\w-]+$/.test(word) ? word : JSON.stringify(word))

/** Changes that make one text of the other: a character more, less or another, or two neighbours that change places. */
export const distanceOf = (a: string, b: string): number => {
  let beforeLast: ReadonlyArray<number> = []
  let last: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1]
      const isSwapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (beforeLast[column - 2] ?? 0) + 1 : Infinity
      )
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}

/**
 * Whether a word of the command line is not UTF-8, and has lost something in what Node made of it: U+FFFD. The system
 * has the bytes, on Linux; elsewhere this is not known.
 */
export const hasForeignBytes = (args: ReadonlyArray<string>): boolean => {
  if (!args.some((word) => word.includes("\ufffd"))) return false
  const words = ownCommandLine().slice(-args.length)
  const isOurs = words.length === args.length && words.every((bytes, index) => bytes.toString("utf8") === args[index])
  return isOurs && words.some((bytes) => !isUtf8(bytes))
}

const ownCommandLine = (): ReadonlyArray<Buffer> => {
  try {
    const bytes = readFileSync("/proc/self/cmdline")
    const words: Array<Buffer> = []
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(0, start)
      words.push(bytes.subarray(start, end === -1 ? bytes.length : end))
      start = end === -1 ? bytes.length : end + 1
    }
    return words
  } catch {
    return []
  }
}
