/**
 * Shows two agents on two machines that share a memory: two real nodes, and an MCP client at each. One agent remembers, and the
 * other finds it. Exits 0 only if all of that was observed.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
const root = mkdtempSync(join(tmpdir(), "feral-sync-agents-"))
const outside: Record<string, string> = {}
for (const [name, value] of Object.entries(process.env)) {
  if (value !== undefined && !name.startsWith("FERAL_")) outside[name] = value
}
const processes: Array<ChildProcess> = []
const clients: Array<Client> = []

interface Machine {
  readonly name: string
  readonly home: string
  readonly node: string
  readonly address: string
}

interface Found {
  readonly rows: ReadonlyArray<{
    readonly kind: string
    readonly content?: string
    readonly object?: string
    readonly origin_node: string
  }>
  readonly found: number
  readonly in_sync: boolean
}

const say = (text: string): void => console.log(text)
const step = (text: string): void => console.log(`\n${text}`)

/** Starts a node. It looks for the node at the address, if there is one, and for no other. */
const start = (name: string, peer?: string): Promise<Machine> =>
  new Promise((resolve, reject) => {
    const home = join(root, name)
    const child = spawn(process.execPath, [main, "start", "--json", "--home", home], {
      env: {
        ...outside,
        FERAL_SYNC_HOST: "127.0.0.1",
        FERAL_SYNC_PORT: "0",
        FERAL_SYNC_API_PORT: "0",
        FERAL_SYNC_MDNS: "off",
        FERAL_SYNC_PASSPHRASE: "a passphrase for the demo only",
        FERAL_SYNC_LOG_LEVEL: "warn",
        ...(peer === undefined ? {} : { FERAL_SYNC_PEERS: peer })
      },
      stdio: ["ignore", "pipe", "inherit"]
    })
    processes.push(child)
    let out = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text
      if (!out.includes("\n")) return
      const { node_id, port } = JSON.parse(out) as { node_id: string; port: number }
      resolve({ name, home, node: node_id, address: `127.0.0.1:${port}` })
    })
    child.once("exit", (code) => reject(new Error(`the node of ${name} ended with ${code}`)))
  })

/** What an agent does: its client starts `feral-sync mcp`. */
const connect = async ({ home, name }: Machine): Promise<Client> => {
  const client = new Client({ name: `agent on ${name}`, version: "1" })
  const args = [main, "mcp", "--home", home]
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env: outside }))
  clients.push(client)
  return client
}

const call = async <A>(agent: Client, name: string, args: Record<string, unknown>): Promise<A> => {
  const { content, isError, structuredContent } = await agent.callTool({ name, arguments: args })
  if (isError === true) throw new Error(`${name}: ${JSON.stringify(content)}`)
  return structuredContent as A
}

const told = (name: string, args: object): void => say(`  > ${name} ${JSON.stringify(args)}`)

/** Calls a tool, and shows the call. */
const shown = <A>(agent: Client, name: string, args: Record<string, unknown>): Promise<A> => {
  told(name, args)
  return call<A>(agent, name, args)
}

/** Looks until it is there, for ten seconds. */
const look = async (agent: Client, name: string, args: Record<string, unknown>, wanted: string): Promise<Found> => {
  told(name, args)
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    const found = await call<Found>(agent, name, args)
    if (JSON.stringify(found.rows).includes(wanted)) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${JSON.stringify(wanted)} was not found within 10 seconds`)
}

const show = ({ in_sync, rows }: Found): void => {
  for (const { content, kind, object, origin_node } of rows) {
    say(`  < ${kind} by node ${origin_node}: ${content ?? object ?? ""}`)
  }
  say(`  < in sync: ${in_sync}`)
}

try {
  step("1. Two machines, with a node each. An agent on each of them starts feral-sync mcp.")
  const laptop = await start("laptop")
  const desktop = await start("desktop", laptop.address)
  say(`  laptop is node ${laptop.node}, desktop is node ${desktop.node}`)
  const [first, second] = await Promise.all([connect(laptop), connect(desktop)])
  const { tools } = await first.listTools()
  say(`  each agent has ${tools.length} tools: ${tools.map(({ name }) => name).join(", ")}`)

  step("2. The agent on the laptop remembers a decision and a fact.")
  const decision = "Deploys are on Tuesdays, because the support team is complete then"
  await shown(first, "remember", { text: decision, tags: ["ops"] })
  const written = performance.now()
  await shown(first, "set_fact", { subject: "release 2.0", predicate: "deadline", object: "2026-12-15" })

  step("3. The agent on the desktop searches.")
  const found = await look(second, "search_memory", { query: "deploys tuesdays" }, decision)
  say(`  found ${Math.round(performance.now() - written)} ms after it was written`)
  show(found)
  show(await look(second, "facts_about", { subject: "release 2.0" }, "2026-12-15"))

  step("4. It corrects the fact, and the agent on the laptop sees it.")
  await shown(second, "set_fact", { subject: "release 2.0", predicate: "deadline", object: "2027-01-12" })
  const corrected = await look(first, "facts_about", { subject: "release 2.0" }, "2027-01-12")
  show(corrected)
  if (corrected.found !== 1 || corrected.rows[0]?.origin_node !== desktop.node)
    throw new Error("there are two deadlines")

  say("\nTwo agents share one memory.")
} finally {
  for (const client of clients) await client.close()
  for (const child of processes) child.removeAllListeners("exit").kill("SIGKILL")
  rmSync(root, { recursive: true, force: true })
}
