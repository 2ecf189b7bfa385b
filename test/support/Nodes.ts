/**
 * Real nodes: processes of the main program in fresh directories, and what a test wants to know of them.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Option } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { canonical } from "../../src/core/replica/Json.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { Kind, type Operation, OpId, RowId } from "../../src/core/replica/Operation.ts"
import type { Batch } from "../../src/core/replica/Replica.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { type Draft, Store } from "../../src/services/store/Store.ts"
import type { NodeStatus } from "../../src/services/node/Status.ts"
import { main } from "./Program.ts"
import * as SqliteStore from "../../src/services/store/SqliteStore.ts"

/** Every variable that a node reads, so that nothing of the caller's environment gets in. */
export const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("FERAL_")))

const quiet = {
  FERAL_SYNC_HOST: "127.0.0.1",
  FERAL_SYNC_PORT: "0",
  FERAL_SYNC_API_PORT: "0",
  FERAL_SYNC_MDNS: "off",
  FERAL_SYNC_PASSPHRASE: "correct horse battery staple"
}

/** A variable that is `undefined` is unset, whatever is set otherwise. */
export type Env = Readonly<Record<string, string | undefined>>

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs one command of the CLI to its end, with `input` on its stdin. `enter` goes before the command, and becomes it. */
export const run = (
  args: ReadonlyArray<string>,
  env: Env = {},
  input = "",
  enter: ReadonlyArray<string> = []
): Promise<Finished> =>
  new Promise((resolve) => {
    const [file = process.execPath, ...before] = [...enter, process.execPath, main, ...args]
    const child = execFile(
      file,
      before,
      { env: { ...clean, ...env }, maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr })
    )
    if (input !== "") child.stdin?.end(input)
  })

/** A directory of its own, removed by `remove`. */
export const freshHome = (): { readonly home: string; readonly remove: () => void } => {
  const root = mkdtempSync(join(tmpdir(), "feral-sync-"))
  return { home: join(root, "home"), remove: () => rmSync(root, { recursive: true, force: true }) }
}

/** A node: its directory, which outlives its process, and the process while it runs. */
export class Node {
  readonly home: string
  readonly env: Env
  /** What the process wrote to stderr, over all its lives. */
  log = ""
  /** What it wrote to stdout. */
  out = ""
  port = 0
  id = ""
  private readonly enter: ReadonlyArray<string>
  private readonly program: string
  private process: ChildProcess | undefined
  private exited: Promise<number | null> = Promise.resolve(0)

  /** `enter` goes before the command, and becomes it. `program` is the file that runs. */
  constructor(home: string, env: Env, enter: ReadonlyArray<string> = [], program = main) {
    this.home = home
    this.env = env
    this.enter = enter
    this.program = program
  }

  /** Starts the process, with `input` on its stdin, and waits until it says that it is ready. */
  async start(env: Env = {}, args: ReadonlyArray<string> = [], input = ""): Promise<this> {
    const [file, ...before] = [...this.enter, process.execPath, this.program, "start", "--json", "--home", this.home]
    const child = spawn(file ?? process.execPath, [...before, ...args], {
      env: { ...clean, ...quiet, ...this.env, ...env },
      stdio: ["pipe", "pipe", "pipe"]
    })
    child.stdin.end(input)
    this.process = child
    this.exited = new Promise((resolve) => child.once("exit", (code) => resolve(code)))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.log += text))
    const ready = await new Promise<string>((resolve, reject) => {
      let out = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        out += text
        this.out += text
        if (out.includes("\n")) resolve(out)
      })
      child.once("exit", (code) => reject(new Error(`the node ended with ${code}: ${this.log}`)))
    })
    const { node_id, port } = JSON.parse(ready) as { node_id: string; port: number }
    this.id = node_id
    this.port = port
    return this
  }

  /** Sends a signal and waits for the end. Returns the exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.process?.kill(signal)
    const code = await this.exited
    this.process = undefined
    return code
  }

  get pid(): number {
    return this.process?.pid ?? 0
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Runs a command on this node, and reads the JSON that it prints. */
  async cli<A>(...args: ReadonlyArray<string>): Promise<A> {
    const { code, stdout, stderr } = await run([...args, "--json", "--home", this.home], this.env)
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`)
    return JSON.parse(stdout) as A
  }

  /** Writes notes into the database of a node that does not run, of `least` characters or more; each batch has ids of its own. */
  async seed(count: number, width = 300, batch = 0, least = 0): Promise<void> {
    const drafts = Array.from({ length: count }, (_, n): Draft => {
      const id = `${basename(dirname(this.home))}-${batch}-${n}`
      const data = { id, content: `note ${n} ${"x".repeat(least + (n % width))}`, tags: "[]", created_at: n }
      return {
        op_id: OpId.make(`op-${id}`),
        table: Kind.make("notes"),
        op_type: "insert",
        row_id: RowId.make(id),
        data: Option.getOrThrow(canonical(data, 8))
      }
    })
    await this.offline((store) => store.append(drafts))
  }

  /** Puts something that a peer sent and that cannot be read into the quarantine of a node that does not run. */
  quarantine(peer: string, reason: string, text: string): Promise<void> {
    return this.takes([], [{ peer: NodeId.make(peer), reason, text }])
  }

  /** Gives a node that does not run what its peers could have sent. */
  takes(operations: ReadonlyArray<Operation>, quarantined: Batch["quarantined"] = []): Promise<void> {
    const coverage = VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))
    return this.offline((store) => store.apply({ operations, coverage, quarantined }))
  }

  private async offline<A, E>(use: (store: Store["Service"]) => Effect.Effect<A, E>): Promise<void> {
    const store = SqliteStore.layer({ home: this.home }).pipe(
      Layer.provideMerge(HlcClock.layer),
      Layer.provide(NodeFileSystem.layer)
    )
    await Effect.runPromise(Effect.flatMap(Store, use).pipe(Effect.provide(store)))
  }

  /** The status, asked over the socket: quicker than a process. */
  status(): Promise<NodeStatus> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.home, "feral-sync.sock")
      const asked = request({ socketPath, path: "/status" }, (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => (body += text))
        response.on("end", () => resolve(JSON.parse(body) as NodeStatus))
      })
      asked.on("error", reject).end()
    })
  }
}

/** Asks again and again until the answer is good; fails with the last answer when it takes too long. */
export const until = async <A>(
  what: string,
  ask: () => Promise<A>,
  isGood: (answer: A) => boolean,
  timeoutMs = 15_000
): Promise<A> => {
  const end = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (isGood(answer)) return answer
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms; last: ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Waits until all nodes claim the same history and hold the same rows. */
export const converged = (nodes: ReadonlyArray<Node>, timeoutMs = 15_000): Promise<ReadonlyArray<NodeStatus>> =>
  until(
    "the nodes converge",
    () => Promise.all(nodes.map((node) => node.status())),
    (statuses) =>
      statuses.every(
        ({ digest, vector_clock }) =>
          digest === statuses[0]?.digest &&
          JSON.stringify(Object.entries(vector_clock).sort()) ===
            JSON.stringify(Object.entries(statuses[0]?.vector_clock ?? {}).sort())
      ),
    timeoutMs
  )

/** Makes nodes, and sees to it that nothing of them is left. */
export class Nodes {
  private readonly nodes: Array<Node> = []
  private readonly removals: Array<() => void> = []

  make(env: Env = {}, enter: ReadonlyArray<string> = [], program?: string): Node {
    const { home, remove } = freshHome()
    this.removals.push(remove)
    const node = new Node(home, env, enter, program)
    this.nodes.push(node)
    return node
  }

  async dispose(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop("SIGKILL")))
    for (const remove of this.removals) remove()
  }
}
