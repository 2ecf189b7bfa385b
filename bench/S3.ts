/** S3: from a write on one node to its commit on the others, while writes come steadily. */
import { type ChildProcess, execFile, fork, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { sleep } from "./Processes.ts"
import { at, median, type Options, type Report, report } from "./Report.ts"

const every = 20

const script = (name: string) => new URL(`nodes/${name}.ts`, import.meta.url).pathname

interface Told {
  readonly port?: number
  readonly took?: number
  readonly live?: number
}

const told = <Key extends keyof Told>(child: ChildProcess, key: Key): Promise<number> =>
  new Promise((resolve, reject) => {
    const listener = (message: unknown) => {
      const value = (message as Told)[key]
      if (value === undefined) return
      child.off("message", listener)
      resolve(value)
    }
    child.on("message", listener)
    child.once("exit", () => reject(new Error("a node ended")))
  })

/** Nodes in a full mesh, in processes of their own; the first of them writes. */
class Mesh {
  private readonly children: Array<ChildProcess> = []
  private took: Array<number> = []

  async start(directory: string, count: number): Promise<this> {
    const peers: Array<string> = []
    for (let n = 0; n < count; n++) {
      const child = fork(script("LiveNode"), [mkdtempSync(join(directory, `${count}-`)), peers.join()], {
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
      this.children.push(child)
      peers.push(`127.0.0.1:${await told(child, "port")}`)
    }
    for (const child of this.children) {
      for (;;) {
        const live = told(child, "live")
        child.send("live")
        if ((await live) === count - 1) break
        await sleep(100)
      }
      child.on("message", (message) => {
        const value = (message as Told).took
        if (value !== undefined) this.took.push(value)
      })
    }
    return this
  }

  /** How long each of `writes` takes to each of the other nodes (ms). */
  async write(writes: number): Promise<ReadonlyArray<number>> {
    const due = writes * (this.children.length - 1)
    this.took = []
    for (let n = 0; n < writes; n++) {
      this.children[0]?.send("write")
      await sleep(every)
    }
    for (const end = performance.now() + 10_000; this.took.length < due;) {
      if (performance.now() > end) throw new Error(`${this.took.length} of ${due} came`)
      await sleep(50)
    }
    return this.took
  }

  stop(): void {
    for (const child of this.children) child.kill("SIGKILL")
  }
}

/** How long bare round trips with a commit at each end take (ms). */
const bare = async (directory: string, writes: number): Promise<ReadonlyArray<number>> => {
  const place = mkdtempSync(join(directory, "bare-"))
  const [cert, key] = [join(place, "cert.pem"), join(place, "key.pem")]
  const run = promisify(execFile)
  const subject = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=bench"]
  await run("openssl", ["req", ...subject, "-keyout", key, "-out", cert])
  const server = spawn(process.execPath, [script("Bare"), "server", cert, key, place], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  try {
    const port = await new Promise<string>((resolve) =>
      server.stdout.once("data", (data: Buffer) => resolve(data.toString().trim()))
    )
    const { stdout } = await run(process.execPath, [script("Bare"), "client", port, place, `${2 * writes}`, `${every}`])
    return (JSON.parse(stdout) as ReadonlyArray<number>).slice(writes)
  } finally {
    server.kill()
  }
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const directory = mkdtempSync(join(tmpdir(), "feral-sync-bench-"))
  const writes = quick ? 150 : 500
  const rounds = quick ? 2 : 5
  // A node runs for days. What is compiled as it runs is compiled by then.
  const warm = quick ? 150 : 3_000
  const sizes = { two: 2, eight: 8 } as const
  const names = quick ? (["two"] as const) : (["two", "eight"] as const)
  const fresh: Partial<Record<keyof typeof sizes, ReadonlyArray<number>>> = {}
  const all: Record<"bare" | keyof typeof sizes, Array<ReadonlyArray<number>>> = { bare: [], two: [], eight: [] }
  const meshes = new Map<keyof typeof sizes, Mesh>()
  try {
    for (const name of names) {
      const mesh = new Mesh()
      meshes.set(name, mesh)
      await mesh.start(directory, sizes[name])
      fresh[name] = await mesh.write(writes)
      await mesh.write(warm)
      tell(`${sizes[name]} nodes run; the first ${writes} writes took ${median(fresh[name]).toFixed(2)} ms`)
    }
    for (let round = 0; round < rounds; round++) {
      all.bare.push(await bare(directory, writes))
      for (const [name, mesh] of meshes) all[name].push(await mesh.write(writes))
      tell(
        `round ${round + 1} of ${rounds}: bare ${median(all.bare.at(-1) ?? []).toFixed(2)} ms, live ${median(all.two.at(-1) ?? []).toFixed(2)} ms`
      )
    }
  } finally {
    for (const mesh of meshes.values()) mesh.stop()
    rmSync(directory, { recursive: true })
  }
  const parts = (values: ReadonlyArray<ReadonlyArray<number>>, part: number) => values.map((round) => at(round, part))
  const figures = (name: string, values: ReadonlyArray<ReadonlyArray<number>>) =>
    [0.5, 0.99].map((part) => ({ name: `${name}, p${100 * part}`, unit: "ms", values: parts(values, part) }))
  const ratio = (of: "two" | "eight", part: number) => median(parts(all[of], part)) / median(parts(all.bare, part))
  return report(
    {
      id: "S3",
      title: "live",
      what: `A note every ${every} ms on one node, ${writes} in a round: from before the write to the commit on each other node, as its application sees it, after ${warm} writes; the baseline is a round trip over bare ws and TLS, with a commit of one row at each end`,
      quick
    },
    [
      ...figures("bare round trip and two commits", all.bare),
      ...names.flatMap((of) => [
        ...figures(`${sizes[of]} nodes`, all[of]),
        ...figures(`${sizes[of]} nodes, just started`, [fresh[of] ?? []])
      ])
    ],
    [
      { name: "p50 of 2 nodes", value: ratio("two", 0.5), atMost: 2 },
      { name: "p99 of 2 nodes", value: ratio("two", 0.99), atMost: 4 },
      ...(quick
        ? []
        : [
            { name: "p50 of 8 nodes", value: ratio("eight", 0.5), atMost: 4 },
            { name: "p99 of 8 nodes", value: ratio("eight", 0.99), atMost: 5 },
            { name: "p99 of 8 nodes, just started (ms)", value: at(fresh.eight ?? [], 0.99), atMost: 40 }
          ])
    ]
  )
}
