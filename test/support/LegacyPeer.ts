/**
 * An existing FERAL node as a process: the Python peer in `legacy/`, driven over its standard input and output.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const script = fileURLToPath(new URL("./legacy/peer.py", import.meta.url))

export interface Operation {
  readonly op_id: string
  readonly table: string
  readonly row_id: string
  readonly hlc: string
}
export interface Dump {
  readonly log: ReadonlyArray<Operation>
  readonly rows: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** The data of each row as the peer writes it. */
  readonly texts: Readonly<Record<string, Readonly<Record<string, string>>>>
}
export interface Exchanged {
  readonly event: "exchange"
  readonly role: "server" | "dialler"
  readonly sent_ops: number
  readonly received_ops: number
  readonly frames_in: number
  readonly largest_frame_in: number
  /** Of all messages of the exchange, in both directions. */
  readonly bytes: number
  readonly ok: boolean
  readonly error: string | null
}
type Event = { readonly event: string } & Readonly<Record<string, unknown>>

export class LegacyPeer {
  readonly directory = mkdtempSync(join(tmpdir(), "feral-legacy-"))
  readonly exchanges: Array<Exchanged> = []
  port = 0
  id = ""
  errors = ""
  private readonly args: ReadonlyArray<string>
  private process: ChildProcess | undefined
  private exited: Promise<unknown> = Promise.resolve()
  private readonly waiting: Array<{ readonly event: string; readonly resolve: (event: Event) => void }> = []

  constructor(generation: "early" | "newest", args: ReadonlyArray<string> = []) {
    this.args = ["--generation", generation, "--state", join(this.directory, "log.json"), ...args]
  }

  async start(more: ReadonlyArray<string> = []): Promise<this> {
    const port = this.port === 0 ? [] : ["--port", String(this.port)]
    const child = spawn("/usr/bin/python3", [script, ...this.args, ...port, ...more], {
      stdio: ["pipe", "pipe", "pipe"]
    })
    this.process = child
    this.exited = new Promise((resolve) => child.once("exit", resolve))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.errors += text))
    let rest = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) this.take(JSON.parse(line) as Event)
    })
    const ready = await this.next("ready")
    this.port = Number(ready["port"])
    this.id = String(ready["node_id"])
    return this
  }

  private take(event: Event): void {
    if (event.event === "exchange") this.exchanges.push(event as unknown as Exchanged)
    const index = this.waiting.findIndex((waiter) => waiter.event === event.event)
    if (index >= 0) this.waiting.splice(index, 1)[0]?.resolve(event)
  }

  private next(event: string): Promise<Event> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ event, resolve })
      void this.exited.then(() => reject(new Error(`the peer ended: ${this.errors}`)))
    })
  }

  private ask(command: object, answer: string): Promise<Event> {
    const answered = this.next(answer)
    this.process?.stdin?.write(`${JSON.stringify(command)}\n`)
    return answered
  }

  write(table: string, row_id: string, data: object, op_type = "insert"): Promise<Event> {
    return this.ask({ cmd: op_type === "delete" ? "delete" : "write", table, row_id, data, op_type }, "written")
  }

  /** Writes a row in a scope of its own (newest), or with something in it that Python writes and JSON does not know. */
  writeOdd(row_id: string, data: object, more: { readonly scope?: string; readonly odd?: string }): Promise<Event> {
    return this.ask({ cmd: "write", table: "notes", row_id, data, ...more }, "written")
  }

  grant(scope: string): Promise<Event> {
    return this.ask({ cmd: "grant", scope }, "granted")
  }

  bulk(count: number, table = "notes", size = 0): Promise<Event> {
    return this.ask({ cmd: "bulk", count, table, size }, "written")
  }

  inject(op: object): void {
    this.process?.stdin?.write(`${JSON.stringify({ cmd: "inject", op })}\n`)
  }

  async dump(): Promise<Dump> {
    return (await this.ask({ cmd: "dump" }, "dump")) as unknown as Dump
  }

  async stop(): Promise<void> {
    this.process?.kill("SIGTERM")
    await this.exited
  }

  async dispose(): Promise<void> {
    this.process?.kill("SIGKILL")
    await this.exited
    rmSync(this.directory, { recursive: true, force: true })
  }
}
