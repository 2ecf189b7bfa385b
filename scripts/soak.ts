/**
 * Eight real nodes for as long as one likes, under random writes, restarts, kills and stalls: what they use must stay flat, and
 * at the end all of them must hold the same rows.
 *
 *   npm run soak -- --minutes 20 [--nodes 8] [--seed 1] [--out soak.svg]
 *
 * Exits 0 when memory, handles and file size were stable after the warm-up, and all nodes converged.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { converged, type Node, Nodes } from "../test/support/Nodes.ts"
import { ask } from "../test/support/Request.ts"
import { seeded } from "../test/support/Seeded.ts"
import { options, refuse } from "./Options.ts"
import { svg } from "./soak/Chart.ts"

const usage = "npm run soak -- --minutes M [--nodes 2..32] [--seed S] [--out FILE]"
const values = options(usage, {
  minutes: { type: "string", default: "20" },
  nodes: { type: "string", default: "8" },
  seed: { type: "string", default: "1" },
  out: { type: "string", default: "soak.svg" }
})
const minutes = Number(values.minutes)
const count = Number(values.nodes)
if (!(minutes > 0)) refuse("--minutes takes a number above 0", usage)
if (!(count >= 2 && count <= 32)) refuse("--nodes takes a number from 2 to 32", usage)

/** What one node uses at one moment. */
interface Sample {
  readonly minute: number
  readonly residentMib: number
  readonly handles: number
  readonly fileMib: number
}

/** Rows are written over and over, so that what is stored has a bound of its own. */
const slots = 400
const sampleEvery = 5_000

const random = seeded(Number(values.seed))
const pick = <A>(items: ReadonlyArray<A>): A | undefined => items[Math.floor(random() * items.length)]
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const began = Date.now()
const elapsed = () => (Date.now() - began) / 60_000
const tally = { writes: 0, refused: 0, kills: 0, restarts: 0, stalls: 0 }

const write = async (node: Node): Promise<void> => {
  const slot = Math.floor(random() * slots)
  const text = "x".repeat(Math.floor(random() * 600))
  const kind = random()
  const answer =
    kind < 0.95
      ? await ask(node.home, "PUT", "/facts", { subject: `s${slot}`, predicate: "is", object: text })
      : kind < 0.97
        ? await ask(node.home, "POST", "/episodes", { session_id: "soak", event_type: "t", summary: text })
        : await ask(node.home, "POST", "/log", {
            session_id: "soak",
            skill_id: "k",
            endpoint_id: "e",
            result_status: "ok"
          })
  if (answer?.status === 200) tally.writes++
  else tally.refused++
}

const disturb = async (node: Node): Promise<void> => {
  const what = random()
  if (what < 0.4) {
    tally.stalls++
    process.kill(node.pid, "SIGSTOP")
    await sleep(random() * 8_000)
    process.kill(node.pid, "SIGCONT")
    return
  }
  if (what < 0.7) tally.kills++
  else tally.restarts++
  await node.stop(what < 0.7 ? "SIGKILL" : "SIGTERM")
  await sleep(random() * 5_000)
  await node.start({ FERAL_SYNC_PORT: String(node.port) })
}

const sample = (node: Node): Sample | undefined => {
  try {
    const size = (name: string) => statSync(join(node.home, name), { throwIfNoEntry: false })?.size ?? 0
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${node.pid}/status`, "utf8"))?.[1]
    return {
      minute: elapsed(),
      residentMib: Number(resident) / 1024,
      handles: readdirSync(`/proc/${node.pid}/fd`).length,
      fileMib: (size("sync.db") + size("sync.db-wal")) / 1024 ** 2
    }
  } catch {
    // It is just being restarted.
    return undefined
  }
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

/** Compares the last quarter with the second one: the first is the warm-up. */
const growth = (samples: ReadonlyArray<Sample>, measure: "residentMib" | "handles" | "fileMib") => {
  const within = (from: number, to: number) =>
    samples.filter(({ minute }) => minute >= from * minutes && minute < to * minutes).map((one) => one[measure])
  return { before: median(within(0.25, 0.5)), after: median(within(0.75, 1.01)) }
}

/** What may be added by chance: caches that fill up, a log that was just cut back or not. */
const allowed = { residentMib: 40, handles: 12, fileMib: 12 } as const

const main = async (): Promise<boolean> => {
  const nodes = new Nodes()
  try {
    const all: Array<Node> = []
    for (let n = 0; n < count; n++) {
      const env = { FERAL_SYNC_PEERS: all.map(({ address }) => address).join(","), FERAL_SYNC_LOG_LEVEL: "warn" }
      all.push(await nodes.make(env).start())
    }
    console.log(`${count} nodes, ${minutes} minutes, seed ${values.seed}`)
    const samples = new Map(all.map((node) => [node, new Array<Sample>()]))
    const end = began + minutes * 60_000
    const until = async (pause: () => number, act: () => Promise<unknown>) => {
      while (Date.now() < end) {
        await act()
        await sleep(pause())
      }
    }
    await Promise.all([
      ...all.map((node) =>
        until(
          () => random() * 100,
          () => write(node)
        )
      ),
      until(
        () => random() * 15_000,
        async () => {
          const node = pick(all)
          if (node !== undefined) await disturb(node)
        }
      ),
      until(
        () => sampleEvery,
        async () => {
          for (const [node, taken] of samples) {
            const one = sample(node)
            if (one !== undefined) taken.push(one)
          }
          const { writes, refused, kills, restarts, stalls } = tally
          const left = Math.max(0, minutes - elapsed()).toFixed(1)
          process.stderr.write(
            `\r${writes} writes, ${refused} refused, ${kills} kills, ${restarts} restarts, ${stalls} stalls; ${left} min left  `
          )
        }
      )
    ])
    process.stderr.write("\n")
    await converged(all, 120_000)
    console.log("all nodes hold the same rows")

    const lines = (measure: "residentMib" | "handles" | "fileMib") =>
      [...samples.values()].map((taken) => taken.map((one) => [one.minute, one[measure]] as const))
    writeFileSync(
      values.out,
      svg([
        { title: "resident memory (MiB)", lines: lines("residentMib") },
        { title: "open handles", lines: lines("handles") },
        { title: "database and its log (MiB)", lines: lines("fileMib") }
      ])
    )
    console.log(`drawn in ${values.out}`)

    let isStable = true
    for (const measure of ["residentMib", "handles", "fileMib"] as const) {
      const grown = [...samples.values()].map((taken) => growth(taken, measure))
      const worst = Math.max(...grown.map(({ before, after }) => after - before))
      const isFlat = worst <= allowed[measure]
      isStable &&= isFlat
      const typical = median(grown.map(({ after }) => after)).toFixed(1)
      console.log(
        `${isFlat ? "✓" : "✗"} ${measure}: ${typical} at the end, largest growth after the warm-up ${worst.toFixed(1)} (allowed ${allowed[measure]})`
      )
    }
    for (const node of all) {
      if (/ERROR/.test(node.log)) {
        isStable = false
        console.log(`✗ a node logged an error:\n${node.log.slice(-2_000)}`)
      }
    }
    return isStable
  } finally {
    await nodes.dispose()
  }
}

process.exitCode = (await main()) ? 0 : 1
