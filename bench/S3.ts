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

/** How long each of `writes` takes to each of the other nodes of a mesh of `count` (ms). */
const live = async (directory: string, count: number, writes: number): Promise<ReadonlyArray<number>> => {
  const children: Array<ChildProcess> = []
  const peers: Array<string> = []
  const took: Array<number> = []
  try {
    for (let n = 0; n < count; n++) {
      const child = fork(script("LiveNode"), [join(directory, `${count}-${n}-${performance.now()}`), peers.join()], {
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
      children.push(child)
      peers.push(`127.0.0.1:${await told(child, "port")}`)
    }
    for (const child of children) {
      for (;;) {
        const count = told(child, "live")
        child.send("live")
        if ((await count) === children.length - 1) break
        await sleep(100)
      }
    }
    for (const child of children.slice(1)) {
      child.on("message", (message) => {
        const value = (message as Told).took
        if (value !== undefined) took.push(value)
      })
    }
    // The first ones warm up what is compiled as it runs.
    const warm = Math.ceil(writes / 4)
    for (let n = 0; n < writes + warm; n++) {
      if (n === warm) {
        await sleep(200)
        took.length = 0
      }
      children[0]?.send("write")
      await sleep(every)
    }
    const end = performance.now() + 10_000
    while (took.length < writes * (count - 1) && performance.now() < end) await sleep(50)
    if (took.length < writes * (count - 1)) throw new Error(`${took.length} of ${writes * (count - 1)} came`)
    return took
  } finally {
    for (const child of children) child.kill("SIGKILL")
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
    const { stdout } = await run(process.execPath, [script("Bare"), "client", port, place, `${writes}`, `${every}`])
    return (JSON.parse(stdout) as ReadonlyArray<number>).slice(Math.ceil(writes / 5))
  } finally {
    server.kill()
  }
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const directory = mkdtempSync(join(tmpdir(), "feral-sync-bench-"))
  const writes = quick ? 150 : 500
  const rounds = quick ? 2 : 5
  const all: Record<"bare" | "two" | "eight", Array<ReadonlyArray<number>>> = { bare: [], two: [], eight: [] }
  try {
    for (let round = 0; round < rounds; round++) {
      all.bare.push(await bare(directory, writes))
      all.two.push(await live(directory, 2, writes))
      if (!quick) all.eight.push(await live(directory, 8, writes))
      tell(
        `round ${round + 1} of ${rounds}: bare ${median(all.bare.at(-1) ?? []).toFixed(2)} ms, live ${median(all.two.at(-1) ?? []).toFixed(2)} ms`
      )
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  const parts = (values: ReadonlyArray<ReadonlyArray<number>>, part: number) => values.map((round) => at(round, part))
  const ratio = (of: "two" | "eight", part: number) => median(parts(all[of], part)) / median(parts(all.bare, part))
  return report(
    {
      id: "S3",
      title: "live",
      what: `A note every ${every} ms on one node, ${writes} in a round: from before the write to the commit on each other node, as its application sees it; the baseline is a round trip over bare ws and TLS, with a commit of one row at each end`,
      quick
    },
    (["bare", "two", "eight"] as const)
      .filter((of) => all[of].length > 0)
      .flatMap((of) => {
        const name = { bare: "bare round trip and two commits", two: "2 nodes", eight: "8 nodes" }[of]
        return [
          { name: `${name}, p50`, unit: "ms", values: parts(all[of], 0.5) },
          { name: `${name}, p99`, unit: "ms", values: parts(all[of], 0.99) }
        ]
      }),
    [
      { name: "p50 of 2 nodes", value: ratio("two", 0.5), atMost: 3 },
      { name: "p99 of 2 nodes", value: ratio("two", 0.99), atMost: 6 },
      ...(quick
        ? []
        : [
            { name: "p50 of 8 nodes", value: ratio("eight", 0.5), atMost: 3 },
            { name: "p99 of 8 nodes", value: ratio("eight", 0.99), atMost: 6 }
          ])
    ]
  )
}
