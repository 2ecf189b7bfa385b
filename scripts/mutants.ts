/**
 * Breaks a copy of the program in each way of `mutants/Mutants.ts`, and lets the simulation find out.
 *
 *   npm run mutants -- [--seeds 400] [--only TEXT] [--json]
 *
 * Exits 0 when every mutant was caught.
 */
import { spawn } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Mutant, mutants } from "./mutants/Mutants.ts"
import { options, refuse } from "./Options.ts"

const usage = "npm run mutants -- [--seeds N] [--only TEXT] [--json]"
const values = options(usage, {
  seeds: { type: "string", default: "400" },
  only: { type: "string", default: "" },
  json: { type: "boolean", default: false }
})
const seeds = Number(values.seeds)
if (!(seeds >= 1)) refuse("--seeds takes a number", usage)

/** Longer than the seeds take, for a mutant that runs in circles. */
const patience = 300_000

interface Caught {
  readonly name: string
  readonly breaks: string
  readonly seed: number | null
  /** What the simulation said; none when it found nothing. */
  readonly broken: string | null
  readonly seconds: number
}

const root = new URL("../", import.meta.url).pathname

/** A tree of its own with the replacement made. */
const treeOf = ({ name, file, from, to }: Mutant): string => {
  const tree = mkdtempSync(join(tmpdir(), "feral-sync-mutant-"))
  for (const part of ["src", "test", "scripts", "package.json"])
    cpSync(join(root, part), join(tree, part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"))
  const text = readFileSync(join(tree, file), "utf8")
  if (text.split(from).length !== 2) throw new Error(`${name}: its text does not stand in ${file} exactly once`)
  writeFileSync(
    join(tree, file),
    text.replace(from, () => to)
  )
  return tree
}

const hunt = (mutant: Mutant): Promise<Caught> =>
  new Promise((resolve) => {
    const tree = treeOf(mutant)
    const began = performance.now()
    const child = spawn(process.execPath, [join(tree, "scripts/mutants/Hunt.ts"), `${seeds}`], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: patience
    })
    let out = ""
    let errors = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text))
    child.once("close", (code, signal) => {
      rmSync(tree, { recursive: true, force: true })
      const found =
        code === 0
          ? (JSON.parse(out) as { readonly seed: number; readonly broken: string } | null)
          : { seed: null, broken: signal === null ? errors.trim().slice(-200) : "it does not end" }
      const { name, breaks } = mutant
      const seconds = Math.round((performance.now() - began) / 100) / 10
      resolve({ name, breaks, seed: found?.seed ?? null, broken: found?.broken ?? null, seconds })
    })
  })

const chosen = mutants.filter(({ name }) => name.includes(values.only))
if (chosen.length === 0) refuse(`no mutant is called ${values.only}`, usage)
const waiting = [...chosen]
const caught: Array<Caught> = []
const hunter = async () => {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const one = await hunt(mutant)
    caught.push(one)
    if (!values.json) {
      console.log(
        one.broken === null
          ? `✗ ${one.name}: it survived ${seeds} seeds (${one.seconds} s)`
          : `✓ ${one.name}: seed ${one.seed ?? "-"}, ${one.seconds} s: ${one.broken.split("\n", 1)[0]?.slice(0, 120)}`
      )
    }
  }
}
await Promise.all([hunter(), hunter()])
const survivors = caught.filter(({ broken }) => broken === null)
if (values.json) console.log(JSON.stringify(caught))
else console.log(`\n${caught.length - survivors.length} of ${caught.length} mutants were caught`)
process.exitCode = survivors.length === 0 ? 0 : 1
