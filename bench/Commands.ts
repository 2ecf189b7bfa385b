/**
 * How long a short command takes as it is in the package, against a Node that does nothing: in turns, so that both meet the same
 * machine. What it waits for depends on what else runs there, so that the ratios are of processor time.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../scripts/bundle/Bundle.ts"
import { Nodes } from "../test/support/Nodes.ts"
import { type Goal, type Measure, median } from "./Report.ts"

/** Each is run on the database; those with a node through one that runs. */
const commands: ReadonlyArray<{
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly isThroughNode?: true
}> = [
  { name: "--version", args: ["--version"] },
  { name: "note add", args: ["note", "add", "tea"] },
  { name: "note list", args: ["note", "list"] },
  { name: "search", args: ["search", "tea"] },
  { name: "status", args: ["status"] },
  { name: "--help", args: ["--help"] },
  { name: "tls show", args: ["tls", "show"] },
  { name: "token rotate", args: ["token", "rotate"] },
  { name: "export", args: ["export", "-"] },
  { name: "note add, with a node", args: ["note", "add", "tea"], isThroughNode: true },
  { name: "note list, with a node", args: ["note", "list"], isThroughNode: true },
  { name: "status, with a node", args: ["status"], isThroughNode: true }
]

/** Runs before a command is warm: the first ones write what they compiled. */
const warmUps = 4

/** How long a process took, and how much of the processor (ms). */
interface Taken {
  readonly elapsed: number
  readonly processor: number
}

/** Cold: nothing of it is compiled yet. Warm: it has run before. */
export const run = async (
  rounds: number
): Promise<{ measures: ReadonlyArray<Measure>; goals: ReadonlyArray<Goal> }> => {
  const directory = mkdtempSync(join(tmpdir(), "feral-sync-commands-"))
  const nodes = new Nodes()
  try {
    cpSync(new URL("../package.json", import.meta.url), join(directory, "package.json"))
    await bundle(join(directory, "dist"), { main: "main.ts" }, "all")
    const main = join(directory, "dist", "main.js")
    const timed = (args: ReadonlyArray<string>, cache: string, home = join(directory, "home")): Taken => {
      const env = { ...process.env, FERAL_HOME: home, XDG_CACHE_HOME: cache }
      const script = `TIMEFORMAT="%R %U %S"; time "$@" >/dev/null 2>&1`
      const { status, stderr } = spawnSync("bash", ["-c", script, "bash", process.execPath, ...args], {
        env,
        encoding: "utf8"
      })
      if (status !== 0) throw new Error(`${args.join(" ")} failed`)
      const [elapsed = 0, user = 0, system = 0] = stderr
        .trim()
        .split(" ")
        .map((seconds) => Number(seconds) * 1000)
      return { elapsed, processor: user + system }
    }
    const warm = mkdtempSync(join(directory, "warm-"))
    const nothing: Array<Taken> = []
    const node = nodes.make()
    await node.start()
    const times = commands.map(({ name, args, isThroughNode }) => {
      const home = isThroughNode ? node.home : undefined
      for (let time = 0; time < warmUps; time++) timed([main, ...args], warm, home)
      return { name, args, home, cold: [] as Array<Taken>, warm: [] as Array<Taken> }
    })
    for (let round = 0; round < rounds; round++) {
      for (const { args, home, cold, warm: again } of times) {
        nothing.push(timed(["-e", "0"], warm))
        again.push(timed([main, ...args], warm, home))
        cold.push(timed([main, ...args], mkdtempSync(join(directory, "cold-")), home))
      }
    }
    const processor = (all: ReadonlyArray<Taken>) => all.map((one) => one.processor)
    const slowest = (
      of: (times: { readonly cold: ReadonlyArray<Taken>; readonly warm: ReadonlyArray<Taken> }) => ReadonlyArray<number>
    ) => Math.max(...times.map((one) => median(of(one))))
    const floor = median(processor(nothing))
    const measure = (name: string, all: ReadonlyArray<Taken>): ReadonlyArray<Measure> => [
      { name, unit: "ms", values: all.map(({ elapsed }) => elapsed) },
      { name: `${name}: processor`, unit: "ms", values: processor(all) }
    ]
    return {
      measures: [
        ...measure("node -e 0", nothing),
        ...times.flatMap(({ name, cold, warm }) => [
          ...measure(`${name}, warm`, warm),
          ...measure(`${name}, cold`, cold)
        ])
      ],
      goals: [
        {
          name: "processor time, warm (ms)",
          value: slowest(({ warm }) => processor(warm)),
          atMost: 250
        },
        {
          name: "processor time, warm, against node -e 0",
          value: slowest(({ warm }) => processor(warm)) / floor,
          atMost: 6
        },
        {
          name: "processor time, cold, against node -e 0",
          value: slowest(({ cold }) => processor(cold)) / floor,
          atMost: 8
        }
      ]
    }
  } finally {
    await nodes.dispose()
    rmSync(directory, { recursive: true, force: true })
  }
}
