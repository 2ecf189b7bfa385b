/**
 * The program with standard streams that a test chooses.
 */
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import type { Env } from "./Nodes.ts"
import { main } from "./Program.ts"

const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("FERAL_")))

interface Options {
  readonly output?: string
  readonly error?: string
  /** Whether standard input is a pipe; it is empty without it. */
  readonly hasInput?: boolean
  readonly env?: Env
}

/** Starts the program; `output` and `error` are files, or pipes when they are left out. */
export const open = (
  args: ReadonlyArray<string>,
  { output, error, hasInput = false, env = {} }: Options = {}
): ChildProcess => {
  const files = [output, error].map((file) => (file === undefined ? "pipe" : openSync(file, "a")))
  const stdio: StdioOptions = [hasInput ? "pipe" : "ignore", ...files]
  const child = spawn(process.execPath, [main, ...args], { env: { ...clean, ...env }, stdio })
  for (const file of files) if (typeof file === "number") closeSync(file)
  return child
}

/** Runs it to its end. What went to a file is not in the answer. */
export const runInto = (
  output: string,
  args: ReadonlyArray<string>,
  env: Env = {}
): Promise<{ readonly code: number | null; readonly stderr: string }> =>
  new Promise((resolve) => {
    const child = open(args, { output, env })
    let stderr = ""
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.once("close", (code) => resolve({ code, stderr }))
  })
