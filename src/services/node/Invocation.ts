/**
 * How this program was started, so that every command that a message names can be pasted as it stands: a clone has no
 * `feral-sync` on its path.
 */
import { basename, relative, resolve } from "node:path"
import { userHome } from "./UserHome.ts"

export interface Start {
  /** The file that Node runs, as it was given to it. */
  readonly script: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly directory: string
}

/** The words that start this program. A program that embeds a node names the installed command. */
export const programOf = ({ script, environment, directory }: Start): string => {
  if (script === undefined || !/^main\.[jt]s$/.test(basename(script))) {
    const isLocal = environment["npm_command"] === "exec" && script !== undefined && basename(script) === "feral-sync"
    return isLocal ? "npx feral-sync" : "feral-sync"
  }
  if (/[/\\]node_modules[/\\]/.test(script)) return "feral-sync"
  const npmScript = environment["npm_lifecycle_event"]
  if (npmScript === "feral-sync" || npmScript === "start") return "npm run -s feral-sync --"
  const near = relative(directory, script)
  return `node ${quoted(near.startsWith("..") || near === "" ? script : near)}`
}

/** The words that start this program here. */
const program = (): string => {
  const { argv, env } = process
  return programOf({ script: argv[1], environment: env, directory: process.cwd() })
}

/** The same for another program, which may start it in any directory and without a shell: with absolute paths. */
export const absoluteCommandLine = (
  words: string,
  { argv, env, execPath }: Pick<NodeJS.Process, "argv" | "env" | "execPath"> = process
): string => {
  const program = programOf({ script: argv[1], environment: env, directory: process.cwd() })
  return program === "feral-sync"
    ? `/usr/local/bin/feral-sync ${words}`
    : `${quoted(execPath)} ${quoted(resolve(argv[1] ?? ""))} ${words}`
}

/** The data directory that commands have to name to mean that of this process. */
let home: string | undefined

/**
 * The data directory of this invocation: what was given with `--home`, if anything was. Commands that are shown name
 * it, unless they find it without.
 */
export const within = (given: string | undefined): void => {
  const directory = given === undefined ? undefined : absolute(given)
  home = directory === absolute(process.env["FERAL_HOME"]?.trim() || usual) ? undefined : directory
}

/** The data directory of a node or a server: what it shows is read where its environment is not. */
export const serves = (directory: string): void => {
  home = directory === absolute(usual) ? undefined : directory
}

const usual = "~/.feral"

const absolute = (path: string): string => resolve(path.trim().replace(/^~(?=$|\/)/, userHome() ?? "~"))

/** The command line of a command on the data directory of this process: `commandLine("start --port 0")`. */
export const commandLine = (words: string): string => {
  if (home === undefined || /(^| )--home[ =]/.test(words)) return elsewhere(words)
  // What follows `--` is text.
  const [flags = "", ...texts] = words.split(/(?= -- )/)
  return elsewhere(`${flags} --home ${quoted(home)}${texts.join("")}`)
}

/** The command line of a command on another machine, or on any data directory. */
export const elsewhere = (words: string): string => `${program()} ${words}`

/** Where the help of a command is: `path` begins with the name of the program. */
export const helpOf = (path: ReadonlyArray<string>): string => elsewhere([...path.slice(1), "--help"].join(" "))

/**
 * The same for a text that names commands as they are once installed. Whatever is shown to people passes through here.
 * What the text says to do on another node, or with a copy, names no data directory.
 */
export const inThisForm = (text: string, form: (words: string) => string = commandLine): string =>
  text.replace(named, (_, words: string, at: number) => {
    const rest = text.slice(at + "feral-sync ".length + words.length)
    return form === commandLine && notHere.test(rest) ? elsewhere(words) : form(words)
  })

const named =
  /(?<![\w./-])feral-sync ((?:start|status|peers|doctor|tls|passphrase|note|fact|episode|log|list|search|show|export|import|backup|restore|rejoin|compact|origins|purge|verify|identity|service|completions|mcp|open|token|changes)\b(?: (?:add|append|set|edit|delete|list|history|restore|remove|readmit|pause|resume|init|issue|revoke|show|rotate|drop|install|uninstall|status|forget|new)\b)?)/g

/** What comes after a command that is not for this node here, or that names its data directory already. */
const notHere = /^( (there|on (that|its|the|them)|for (it|one))\b|((?! feral-sync )[^;,\n])*? --home\b)/

/** A path as a shell takes it. */
export const quoted = (path: string): string =>
  /^[\w./:@%+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
