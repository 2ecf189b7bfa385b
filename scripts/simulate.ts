/**
 * Plays simulated networks, one for each seed, and checks in each that every promise is kept.
 *
 *   npm run simulate -- [--seeds N] [--seed S] [--nodes N] [--hostile] [--collecting] [--workers N] [--trace] [--json]
 *
 * The seeds are S, S + 1 and so on. Some have a hostile member; with "--hostile" all have one. In some, deletions are collected; with "--collecting" in all. Ends with 1 when a promise is broken, and shows the smallest scenario found that breaks one.
 */
import { Effect, Result } from "effect"
import { availableParallelism } from "node:os"
import { type Scenario, scenarioOf } from "../test/simulation/Scenario.ts"
import { shrink } from "../test/simulation/Shrink.ts"
import { type Outcome, simulate } from "../test/simulation/Simulation.ts"
import { options, wholeNumber } from "./Options.ts"
import { play } from "./simulate/Players.ts"

const usage =
  "npm run simulate -- [--seeds N] [--seed S] [--nodes N] [--hostile] [--collecting] [--workers N] [--trace] [--json]"
const values = options(usage, {
  seeds: { type: "string", default: "1000" },
  seed: { type: "string", default: "1" },
  nodes: { type: "string" },
  workers: { type: "string", default: String(Math.min(64, availableParallelism())) },
  hostile: { type: "boolean", default: false },
  collecting: { type: "boolean", default: false },
  trace: { type: "boolean", default: false },
  json: { type: "boolean", default: false }
})

const number = (name: string, text: string, least: number, most: number): number =>
  wholeNumber(usage, name, text, { least, most })
const from = number("seed", values.seed, 0, 2 ** 32 - 1)
const count = number("seeds", values.seeds, 1, 2 ** 32 - from)
const nodes = values.nodes === undefined ? undefined : number("nodes", values.nodes, 2, 24)
const workers = number("workers", values.workers, 1, 64)
const wanted = { nodes, hostile: values.hostile || undefined, collecting: values.collecting || undefined }
const drawn = (seed: number): Scenario => scenarioOf(seed, wanted)
const replay = (seed: number): string =>
  `npm run simulate -- --seed ${seed} --seeds 1${nodes === undefined ? "" : ` --nodes ${nodes}`}${values.hostile ? " --hostile" : ""}${values.collecting ? " --collecting" : ""}`

const say = (text: string): void => {
  if (!values.json) console.log(text)
}
const grouped = (value: number): string => value.toLocaleString("en")

const began = performance.now()
const seconds = (): number => (performance.now() - began) / 1_000
// On a terminal one line that changes; elsewhere a line now and then.
const every = process.stderr.isTTY ? 0.2 : 10
let toldAt = 0
const progress = (text: () => string): void => {
  if (seconds() - toldAt < every) return
  toldAt = seconds()
  process.stderr.write(process.stderr.isTTY ? `\r${text()}\u001b[K` : `${text()}\n`)
}
const progressEnds = (): void => {
  toldAt = -Infinity
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
}

const total = { seeds: 0, virtualMs: 0, operations: 0, steps: 0, fingerprint: 0 }
const happenings: Record<string, number> = {}

const take = (seed: number, { trace, fingerprint, virtualMs, operations, steps }: Outcome): void => {
  total.seeds++
  total.virtualMs += virtualMs
  total.operations += operations
  total.steps += steps
  total.fingerprint = (total.fingerprint + Number.parseInt(fingerprint, 16)) % 2 ** 32
  for (const { happening } of drawn(seed).happenings) happenings[happening._tag] = (happenings[happening._tag] ?? 0) + 1
  if (values.trace) say([`seed ${seed}, fingerprint ${fingerprint}`, ...trace, ""].join("\n"))
  progress(() => {
    const rate = total.seeds / seconds()
    const left = Math.ceil((count - total.seeds) / rate)
    return `${grouped(total.seeds)} of ${grouped(count)} seeds, ${rate.toFixed(1)}/s, ${grouped(left)} s left`
  })
}

/** What a failing seed breaks, and the smallest scenario found that breaks something. */
const failureOf = (seed: number) => {
  const maxRuns = 300
  let run = 0
  const fails = (candidate: Scenario): boolean => {
    run++
    progress(() => `seed ${seed} fails; making it smaller: ${run} of at most ${maxRuns} runs`)
    return simulate(candidate).broken !== undefined
  }
  const { scenario, runs } = shrink(drawn(seed), fails, maxRuns)
  progressEnds()
  const { broken, trace } = simulate(scenario)
  return { seed, broken: simulate(drawn(seed)).broken, replay: replay(seed), shrunk: { broken, runs, scenario, trace } }
}

const tell = ({ seed, broken, shrunk }: ReturnType<typeof failureOf>): void => {
  const { nodes, old, latency, dials } = shrunk.scenario
  const names = [...Array.from({ length: nodes }, (_, n) => `n${n}`), ...old.map((_, n) => `old${n}`)]
  const joined = dials.map(([one, other]) => `${names[one]} dials ${names[other]}`).join(", ")
  say(`seed ${seed} is broken: ${broken ?? "but not a second time: the same seed does not give the same run"}\n`)
  say(
    `The smallest found in ${shrunk.runs} runs: ${names.join(", ")}; ${joined || "no node dials"}; latency ${latency} ms`
  )
  for (const line of shrunk.trace) say(line)
  say(`broken: ${shrunk.broken}\n\nThe whole of it again, with --trace for all that happens:\n${replay(seed)}\n`)
}

say(`${grouped(count)} seeds from ${from} on, ${workers} workers`)
const played = await Effect.runPromise(Effect.result(play({ from, count, wanted, workers }, take)))
progressEnds()
const took = seconds()
const summary = {
  from,
  count,
  played: total.seeds,
  virtualHours: Math.round(total.virtualMs / 360_000) / 10,
  operations: total.operations,
  steps: total.steps,
  happenings,
  fingerprint: total.fingerprint.toString(16).padStart(8, "0"),
  seconds: Math.round(took * 10) / 10
}

let failure: { readonly seed: number; readonly broken: string | undefined; readonly replay: string } | undefined
if (Result.isFailure(played)) {
  const { seed, why } = played.failure
  failure = { seed, broken: why, replay: replay(seed) }
  say(`seed ${seed} gives no answer: ${why}\n${failure.replay}\n`)
} else if (played.success !== undefined) {
  const found = failureOf(played.success)
  failure = found
  tell(found)
}

if (values.json) console.log(JSON.stringify({ ...summary, failure: failure ?? null }))
say(
  `${grouped(summary.played)} of ${grouped(count)} seeds played in ${took.toFixed(1)} s, fingerprint ${summary.fingerprint}`
)
say(
  `${grouped(summary.virtualHours)} virtual hours, ${grouped(summary.operations)} operations, ${grouped(summary.steps)} steps`
)
const counts = Object.entries(happenings).sort((a, b) => b[1] - a[1])
say(counts.map(([tag, times]) => `${tag} ${grouped(times)}`).join(", "))
say(failure === undefined ? "every promise was kept" : "a promise was broken")
process.exitCode = failure === undefined ? 0 : 1
