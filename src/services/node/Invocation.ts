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

/** The command line of a command: `commandLine("start --port 0")`. With a data directory, when it is not the usual one. */
export const commandLine = (words: string, home?: string): string => {
  const { argv, env } = process
  const program = programOf({ script: argv[1], environment: env, directory: process.cwd() })
  return `${program} ${words}${home === undefined || home === usualHome() ? "" : ` --home ${quoted(home)}`}`
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

/**
 * The same for a text that names commands as they are once installed: what failures say, and examples. Whatever is shown to
 * people passes through here.
 */
export const inThisForm = (text: string, form: (words: string) => string = commandLine): string =>
  text.replace(named, (_, words: string) => form(words))

const named =
  /(?<![\w./-])feral-sync (start|status|peers|doctor|tls|passphrase|note|fact|episode|log|list|search|show|export|import|backup|restore|rejoin|compact|origins|purge|verify|identity|service|completions|mcp|open|token|changes)\b/g

/** A path as a shell takes it. */
export const quoted = (path: string): string =>
  /^[\w./:@%+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`

/** The data directory of a command that names none. */
const usualHome = (): string =>
  resolve((process.env["FERAL_HOME"]?.trim() || "~/.feral").replace(/^~(?=$|\/)/, userHome() ?? "~"))
