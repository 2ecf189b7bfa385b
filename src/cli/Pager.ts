/**
 * Shows output that is longer than the terminal through a pager, as `git` and `man` do. Output that is shorter, or not
 * for a terminal, goes its usual way. The database is closed before the pager is started.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { StandardStreams } from "../services/node/StandardStreams.ts"
import { pagerVariable } from "../services/node/Variables.ts"
import * as Globals from "./Globals.ts"
import { canRedraw, write } from "./Output.ts"

/**
 * What `less` does unless LESS says otherwise: end at once if all fits, show what is coloured, leave the text there.
 */
const lessOptions = "FRX"

/** The program that pages: a line for the shell, or a file. */
interface Program {
  readonly file: string
  readonly isLine: boolean
}

/** The pager that the environment names, else `less`. None where there is to be none. */
export const chosen = (
  env: Readonly<Record<string, string | undefined>>,
  platform: string = process.platform
): Program | undefined => {
  const named = env[pagerVariable] ?? (env["PAGER"] || undefined)
  if (named === undefined) return platform === "win32" ? undefined : { file: "less", isLine: false }
  const line = named.trim()
  return line === "" || line === "cat" ? undefined : { file: line, isLine: true }
}

/** Exit codes of a shell that could not run a program. */
const notRun = [126, 127]

/** Shows a text through a pager, until the user closes it. `false` if the pager could not be started. */
const show = ({ file, isLine }: Program, text: string): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    const env = { ...process.env, LESS: process.env["LESS"] ?? lessOptions }
    const child = spawn(file, [], { stdio: ["pipe", "inherit", "inherit"], shell: isLine, env })
    // Ctrl-C is for the pager while it runs: it stops a search there.
    const listeners = process.listeners("SIGINT")
    process.removeAllListeners("SIGINT").on("SIGINT", () => undefined)
    // A pager that is closed early leaves the rest: that is what the user wanted.
    child.stdin.on("error", () => undefined)
    child.stdin.end(text)
    const isShown = await new Promise<boolean>((resolve) => {
      child.on("error", () => resolve(false))
      child.on("exit", (code) => resolve(code === null || !notRun.includes(code)))
    })
    process.removeAllListeners("SIGINT")
    for (const listener of listeners) process.on("SIGINT", listener)
    return isShown
  })

/** Runs a command in a scope of its own, and shows its output: through a pager if it is longer than the terminal. */
export const paged = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const command = Effect.scoped(work)
    const pager = chosen(process.env)
    if (pager === undefined || !canRedraw(process.stdout) || (yield* Globals.Json)) return yield* command
    const streams = yield* StandardStreams
    let text = ""
    const result = yield* command.pipe(
      Effect.provideService(StandardStreams, {
        ...streams,
        output: (more) => Effect.sync(() => void (text += more))
      }),
      Effect.exit
    )
    // The last line is left for the prompt.
    const isLong = text.split("\n").length > (process.stdout.rows || 24)
    if (!isLong || !(yield* show(pager, text))) yield* write(text)
    return yield* result
  })
