/**
 * Runs benchmarks, prints a table of each, and keeps the results.
 *
 *   npm run bench -- [S1 … S13] [--quick] [--only NAME,NAME] [--rounds N] [--out DIR]
 *   npm run bench -- --gate
 *
 * Without names, all of them. `--gate` runs the quick form of those that baseline.json names, and exits 1 when one is worse
 * than its baseline by more than its margin. Results go to bench/results, those of quick runs nowhere unless `--out` says where.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { called, refuse } from "../scripts/Options.ts"
import { type Options, type Report, save, shown, table } from "./Report.ts"

const all = ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13"]

const usage = `npm run bench -- [${all.join(" ")}] [--quick] [--only NAME,NAME] [--rounds N] [--out DIR] | --gate`

const { values, positionals } = called(usage, {
  quick: { type: "boolean", default: false },
  gate: { type: "boolean", default: false },
  only: { type: "string" },
  rounds: { type: "string" },
  out: { type: "string" }
})
const unknown = positionals.find((id) => !all.includes(id.toUpperCase()))
if (unknown !== undefined) refuse(`there is no ${unknown}`, usage)

const here = new URL("./", import.meta.url)
const tell = (line: string) => console.error(`  ${line}`)

const measure = async (id: string, options: Options): Promise<Report> => {
  if (id === "S2" && !existsSync(new URL("node_modules", here))) {
    console.error("S2 needs the packages of the other projects: installing them in bench/")
    execFileSync("npm", ["ci"], { cwd: here, stdio: "inherit" })
  }
  console.error(`${id} …`)
  const { run } = (await import(`./${id}.ts`)) as { run: (options: Options) => Promise<Report> }
  return run(options)
}

/** What a figure was when the baseline was taken, and how much worse it may be. */
interface Baseline {
  readonly [id: string]: { readonly [goal: string]: { readonly value: number; readonly margin: number } }
}

if (values.gate) {
  const baseline = JSON.parse(readFileSync(new URL("baseline.json", here), "utf8")) as Baseline
  let worse = 0
  for (const [id, figures] of Object.entries(baseline)) {
    const { goals } = await measure(id, { quick: true, tell })
    for (const [name, { value, margin }] of Object.entries(figures)) {
      const goal = goals.find((goal) => goal.name === name)
      const now = goal?.value ?? Number.NaN
      const [least, most] = goal?.atLeast === undefined ? [-Infinity, value * margin] : [value / margin, Infinity]
      const isFine = now >= least && now <= most
      if (!isFine) worse++
      const bound = most === Infinity ? `at least ${shown(least)}` : `at most ${shown(most)}`
      console.log(`${isFine ? "✓" : "✗"} ${id} ${name}: ${shown(now)} (baseline ${shown(value)}, ${bound})`)
    }
  }
  process.exit(worse === 0 ? 0 : 1)
}

const out = values.out ?? (values.quick ? undefined : new URL("results/", here).pathname)
if (out !== undefined) mkdirSync(out, { recursive: true })
const chosen = positionals.length === 0 ? all : positionals.map((id) => id.toUpperCase())
let unmet = 0
for (const id of chosen) {
  const report = await measure(id, {
    quick: values.quick,
    only: values.only,
    rounds: values.rounds === undefined ? undefined : Number(values.rounds),
    tell
  })
  console.log(`\n${table(report)}`)
  unmet += report.goals.filter(({ met }) => !met).length
  if (out !== undefined) save(report, pathToFileURL(`${out}/`))
}
console.error(unmet === 0 ? "every goal is met" : `${unmet} goals are not met`)
