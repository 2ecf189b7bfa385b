/**
 * Shows, with two real nodes on this machine, what feral-sync does: they find each other, replicate, are cut off from each
 * other, disagree, and agree again. Exits 0 only if all of that was observed.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
const root = mkdtempSync(join(tmpdir(), "feral-sync-demo-"))
const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("FERAL_")))
const passphrase = "a passphrase for the demo only"
const processes: Array<ChildProcess> = []

interface Node {
  readonly name: string
  readonly home: string
  id: string
  process: ChildProcess | undefined
}
interface Note {
  readonly id: string
  readonly content: string
  readonly origin_node: string
}
interface Status {
  readonly digest: string
  readonly counts: { readonly notes: number; readonly episodes: number }
  readonly peers: ReadonlyArray<{ readonly node_id: string | null; readonly state: string; readonly source: string }>
}

const say = (text: string): void => console.log(text)
const step = (text: string): void => console.log(`\n${text}`)

/** Starts a node; with `mdns` off it neither finds anybody nor is found: the link is cut. */
const start = (node: Node, mdns: "on" | "off"): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, "start", "--json", "--home", node.home], {
      env: {
        ...outside,
        FERAL_SYNC_HOST: "127.0.0.1",
        FERAL_SYNC_PORT: "0",
        FERAL_SYNC_API_PORT: "0",
        FERAL_SYNC_MDNS: mdns,
        FERAL_SYNC_MDNS_INTERFACE: "127.0.0.1",
        FERAL_SYNC_PASSPHRASE: passphrase,
        FERAL_SYNC_LOG_LEVEL: "warn"
      },
      stdio: ["ignore", "pipe", "inherit"]
    })
    processes.push(child)
    node.process = child
    let out = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text
      if (!out.includes("\n")) return
      node.id = (JSON.parse(out) as { node_id: string }).node_id
      resolve()
    })
    child.once("exit", (code) => reject(new Error(`${node.name} ended with ${code}`)))
  })

const stop = (node: Node): Promise<void> =>
  new Promise((resolve) => {
    node.process?.removeAllListeners("exit").once("exit", () => resolve())
    node.process?.kill("SIGTERM")
  })

/** Runs a command of the CLI on a node. */
const cli = <A>(node: Node, ...args: ReadonlyArray<string>): Promise<A> =>
  new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [main, ...args, "--json", "--home", node.home],
      { env: outside },
      (error, stdout, stderr) =>
        error === null ? resolve(JSON.parse(stdout) as A) : reject(new Error(`${args.join(" ")}: ${stderr}`))
    )
  })

const status = (node: Node): Promise<Status> =>
  new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(node.home, "feral-sync.sock"), path: "/status" }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text))
      response.on("end", () => resolve(JSON.parse(body) as Status))
    })
    asked.on("error", reject).end()
  })

const observe = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
  const started = Date.now()
  while (!(await condition())) {
    if (Date.now() - started > 20_000) throw new Error(`not observed within 20 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  say(`   ✓ ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
}

const [anna, bert]: [Node, Node] = [
  { name: "Anna", home: join(root, "anna"), id: "", process: undefined },
  { name: "Bert", home: join(root, "bert"), id: "", process: undefined }
]
const both = async <A>(ask: (node: Node) => Promise<A>): Promise<readonly [A, A]> => Promise.all([ask(anna), ask(bert)])
const areConnected = async (): Promise<boolean> =>
  (await status(anna)).peers.some(({ node_id, state }) => node_id === bert.id && state === "live")
const areEqual = async (): Promise<boolean> => {
  const [a, b] = await both(status)
  return a.digest === b.digest
}
const contents = (node: Node): Promise<ReadonlyArray<Note>> => cli<ReadonlyArray<Note>>(node, "note", "list")

const demo = async (): Promise<void> => {
  step("1. Two nodes start in fresh directories, with nothing but the same passphrase.")
  await both((node) => start(node, "on"))
  say(`   Anna is ${anna.id}, Bert is ${bert.id}`)
  await observe("they found each other by mDNS and are connected over TLS", areConnected)

  step("2. Each writes something.")
  const { id } = await cli<{ id: string }>(anna, "note", "add", "Water the plants on Friday", "--tag", "home")
  await cli(bert, "episode", "add", "--session", "demo", "--type", "chat", "--summary", "Talked about the garden")
  await observe("both have Anna's note and Bert's episode", async () =>
    (await both(status)).every(({ counts }) => counts.notes === 1 && counts.episodes === 1)
  )

  step("3. The link is cut: both are restarted without discovery. They edit the same note, not knowing of each other.")
  await both(stop)
  await both((node) => start(node, "off"))
  await cli(anna, "note", "edit", id, "Water the plants on Saturday")
  await cli(bert, "note", "edit", id, "Water the plants on Sunday")
  const [atAnna, atBert] = await both(contents)
  say(`   Anna says: ${atAnna[0]?.content}`)
  say(`   Bert says: ${atBert[0]?.content}`)
  if (atAnna[0]?.content === atBert[0]?.content) throw new Error("there is no conflict to resolve")

  step("4. The link heals.")
  await both(stop)
  await both((node) => start(node, "on"))
  await observe("they are connected again", areConnected)
  await observe("both hold the same rows", areEqual)
  const winners = await both(contents)
  for (const [index, node] of [anna, bert].entries()) say(`   ${node.name} says: ${winners[index]?.[0]?.content}`)
  if (winners.some(([note]) => note?.content !== "Water the plants on Sunday" || note.origin_node !== bert.id)) {
    throw new Error("the last writer did not win on both sides")
  }
  say("   ✓ the last writer won, on both sides alike")
  await both(stop)
}

try {
  await demo()
  say("\nAll of it was observed.")
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  for (const child of processes) child.kill("SIGKILL")
  rmSync(root, { recursive: true, force: true })
}
