/**
 * Breaks a copy of the program in each way of `mutants/Mutants.ts`, and lets the simulation, or the test that is named there, find out.
 * What counts is an oracle that says what is broken, or an assertion that fails. A crash does not.
 *
 *   npm run mutants -- [--seeds 400] [--only TEXT] [--sample] [--json]
 *
 * `--sample` takes a few that are found at once. Exits 0 when every mutant was caught.
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Mutant, mutants } from "./mutants/Mutants.ts"
import { copied } from "./mutants/Tree.ts"
import { options, refuse, wholeNumber } from "./Options.ts"

const usage = "npm run mutants -- [--seeds N] [--only TEXT] [--sample] [--json]"
const values = options(usage, {
  seeds: { type: "string", default: "400" },
  only: { type: "string", default: "" },
  sample: { type: "boolean", default: false },
  json: { type: "boolean", default: false }
})
const seeds = wholeNumber(usage, "seeds", values.seeds, { least: 1 })

/** Longer than the seeds take, for a mutant that runs in circles. */
const patience = 900_000

interface Found {
  /** The seed, or the test. */
  readonly where: string
  /** The oracle, or the assertion. */
  readonly by: string
  readonly what: string
}

interface Hunted {
  readonly name: string
  readonly breaks: string
  /** None when it survived. */
  readonly found: Found | null
  /** What else came of it, which does not count. */
  readonly note: string
  readonly seconds: number
}

/** A tree of its own with the replacement made. */
const treeOf = ({ name, file, from, to }: Mutant): string => {
  const tree = copied()
  const text = readFileSync(join(tree, file), "utf8")
  if (text.split(from).length !== 2) throw new Error(`${name}: its text does not stand in ${file} exactly once`)
  writeFileSync(
    join(tree, file),
    text.replace(from, () => to)
  )
  return tree
}

type Result = Pick<Hunted, "found" | "note">

/** What a run of the simulation says. */
const readHunt = (out: string): Result => {
  const { found, crashes } = JSON.parse(out) as {
    readonly found: { readonly seed: number; readonly oracle: string; readonly broken: string } | null
    readonly crashes: number
  }
  const note = crashes > 0 ? `${crashes} seeds ended with a crash` : ""
  return found === null
    ? { found, note }
    : { found: { where: `seed ${found.seed}`, by: found.oracle, what: found.broken }, note }
}

/** What a run of a test says. */
const readTest = (out: string): Result => {
  const { testResults } = JSON.parse(out) as {
    readonly testResults: ReadonlyArray<{
      readonly assertionResults: ReadonlyArray<{
        readonly fullName: string
        readonly status: string
        readonly failureMessages: ReadonlyArray<string> | null
      }>
    }>
  }
  const failed = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "failed")
  )
  for (const { fullName, failureMessages } of failed) {
    const what = failureMessages?.find((message) => /AssertionError|Property failed|Counterexample/i.test(message))
    if (what !== undefined) return { found: { where: fullName, by: "assertion", what }, note: "" }
  }
  return { found: null, note: failed.length > 0 ? `${failed.length} tests ended with a crash` : "" }
}

const hunt = (mutant: Mutant): Promise<Hunted> =>
  new Promise((resolve) => {
    const tree = treeOf(mutant)
    const began = performance.now()
    const { name, breaks, test } = mutant
    const report = join(tree, "report.json")
    const args =
      test === undefined
        ? [join(tree, "scripts/mutants/Hunt.ts"), `${seeds}`]
        : [
            join(tree, "node_modules/vitest/vitest.mjs"),
            "run",
            "--project=unit",
            "--reporter=json",
            `--outputFile=${report}`,
            test
          ]
    const child = spawn(process.execPath, args, {
      cwd: tree,
      env: { ...process.env, PROPERTY_RUNS: "all" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: patience
    })
    let out = ""
    let errors = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text))
    child.once("close", (code, signal) => {
      const isRead = signal === null && (test === undefined ? code === 0 : existsSync(report))
      const result = isRead
        ? test === undefined
          ? readHunt(out)
          : readTest(readFileSync(report, "utf8"))
        : { found: null, note: signal === null ? errors.trim().slice(-200) : "it does not end" }
      rmSync(tree, { recursive: true, force: true })
      resolve({ name, breaks, ...result, seconds: Math.round((performance.now() - began) / 100) / 10 })
    })
  })

const chosen = mutants.filter(({ name, isQuick }) => name.includes(values.only) && (!values.sample || isQuick === true))
if (chosen.length === 0) refuse(`no mutant is called ${values.only}`, usage)
const waiting = [...chosen]
const hunted: Array<Hunted> = []
const line = (text: string): string => text.split("\n", 1)[0]?.slice(0, 120) ?? ""
const hunter = async () => {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const { found, ...one } = await hunt(mutant)
    hunted.push({ ...one, found })
    if (values.json) continue
    console.log(
      found === null
        ? `✗ ${one.name}: it survived ${mutant.test ?? `${seeds} seeds`} (${one.seconds} s) ${one.note}`
        : `✓ ${one.name}: ${found.where}, by ${found.by}, ${one.seconds} s: ${line(found.what)}`
    )
  }
}
await Promise.all([hunter(), hunter()])
const survivors = hunted.filter(({ found }) => found === null)
if (values.json) console.log(JSON.stringify(hunted))
else console.log(`\n${hunted.length - survivors.length} of ${hunted.length} mutants were caught`)
process.exitCode = survivors.length === 0 ? 0 : 1
