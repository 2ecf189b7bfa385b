/**
 * A side as its parent sees it: the process, and its calls with a limit of time. What fails or takes too long ends the
 * process, and says why.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Answer, Calls } from "./Side.ts"

const program = fileURLToPath(new URL("Side.ts", import.meta.url))

/** Why there is no figure. */
export class Stopped extends Error {}

/** How much of what a side prints is kept, to be shown when it ends unasked. */
const kept = 4096

export class SideProcess {
  private readonly child: ChildProcess
  private readonly exited: Promise<void>
  private readonly waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  private sequence = 0
  private printed = ""
  private ended: string | undefined

  constructor(adapter: URL, directory: string) {
    this.child = fork(program, [adapter.href, directory], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: ["--max-old-space-size=4096"]
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.printed = (this.printed + text).slice(-kept)))
    }
    this.child.on("message", (answer: Answer) => {
      const call = this.waiting.get(answer.sequence)
      this.waiting.delete(answer.sequence)
      if ("error" in answer) call?.reject(new Stopped(answer.error))
      else call?.resolve(answer.value as never)
    })
    this.exited = new Promise((resolve) => {
      this.child.once("exit", (code, signal) => {
        this.ended = `the process ended (${signal ?? code}): ${this.printed.trim()}`
        for (const { reject } of this.waiting.values()) reject(new Stopped(this.ended))
        this.waiting.clear()
        resolve()
      })
    })
  }

  /** Asks for something, and waits for `limit` ms at most. */
  async call<Name extends keyof Calls>(
    name: Name,
    argument: Parameters<Calls[Name]>[0],
    limit: number
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    if (this.ended !== undefined) throw new Stopped(this.ended)
    const sequence = ++this.sequence
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<Awaited<ReturnType<Calls[Name]>>>((resolve, reject) => {
        this.waiting.set(sequence, { resolve, reject })
        timer = setTimeout(() => reject(new Stopped(`${name}: stopped after ${limit / 1000} s`)), limit)
        this.child.send({ sequence, name, argument })
      })
    } finally {
      clearTimeout(timer)
      this.waiting.delete(sequence)
    }
  }

  /** Ends the process as a power cut would, files aside. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL")
    await this.exited
  }
}
