/**
 * Clients of the MCP server: those of the official SDK, and raw lines. Each has a process of the program.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { type ChildProcess, spawn } from "node:child_process"
import { clean, type Env } from "./Nodes.ts"
import { main } from "./Program.ts"

export interface Agent {
  readonly client: Client
  readonly pid: number
  /** The structured content of an answer. Fails when the call does. */
  call<A>(name: string, args?: Record<string, unknown>): Promise<A>
  /** The failure that the agent is told of. */
  fail(name: string, args?: Record<string, unknown>): Promise<Told>
  close(): Promise<void>
}

export interface Told {
  readonly _tag: string
  readonly message: string
  readonly nextStep: string
  readonly may_repeat: boolean
}

/** An agent at a data directory: `feral-sync mcp`, and the client of the official SDK. */
export const connect = async (home: string, args: ReadonlyArray<string> = [], env: Env = {}): Promise<Agent> => {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [main, "mcp", "--home", home, ...args],
    env: defined({ ...clean, ...env }),
    stderr: "ignore"
  })
  const client = new Client({ name: "test", version: "1" })
  await client.connect(transport)
  const text = async (name: string, args: Record<string, unknown>, isError: boolean) => {
    const result = await client.callTool({ name, arguments: args })
    const [content] = Array.isArray(result.content) ? (result.content as ReadonlyArray<{ text: string }>) : []
    if ((result.isError === true) !== isError) throw new Error(`${name}: ${content?.text}`)
    return { structured: result.structuredContent, text: content?.text ?? "" }
  }
  return {
    client,
    pid: transport.pid ?? 0,
    call: async <A>(name: string, args: Record<string, unknown> = {}) =>
      (await text(name, args, false)).structured as A,
    fail: async (name, args = {}) => JSON.parse((await text(name, args, true)).text) as Told,
    close: () => client.close()
  }
}

const defined = (env: Env): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))

/** A server whose lines a test writes and reads itself. */
export class RawServer {
  readonly child: ChildProcess
  out = ""
  error = ""
  private readonly ended: Promise<number | null>

  constructor(args: ReadonlyArray<string>, env: Env = {}) {
    this.child = spawn(process.execPath, [main, "mcp", ...args], { env: { ...clean, ...env } })
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.out += text))
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.error += text))
    this.ended = new Promise((resolve) => this.child.once("close", (code) => resolve(code)))
  }

  send(...lines: ReadonlyArray<unknown>): void {
    for (const line of lines) {
      this.child.stdin?.write(
        Buffer.isBuffer(line) ? line : `${typeof line === "string" ? line : JSON.stringify(line)}\n`
      )
    }
  }

  /** Ends the input, and waits for the end. Gives the exit code. */
  end(): Promise<number | null> {
    this.child.stdin?.end()
    return this.ended
  }

  /** Every line of the output. Each one has to be JSON. */
  messages(): ReadonlyArray<Message> {
    return this.out
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Message)
  }

  /** The answer to a request, once it is there. */
  async answer(id: number | string): Promise<Message> {
    for (;;) {
      const found = this.out
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Message)
        .find((message) => message.id === id)
      if (found !== undefined) return found
      await new Promise((resolve) => this.child.stdout?.once("data", resolve))
    }
  }
}

export interface Message {
  readonly id?: number | string | null
  readonly method?: string
  readonly result?: Record<string, unknown>
  readonly error?: { readonly code: number; readonly message: string }
}

/** The request with which most clients begin. */
export const initialize = (protocolVersion: string) => ({
  jsonrpc: "2.0",
  id: "initialize",
  method: "initialize",
  params: { protocolVersion, capabilities: {}, clientInfo: { name: "test", version: "1" } }
})

export const call = (id: number, name: string, args: object) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args }
})
