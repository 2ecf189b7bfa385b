/**
 * Breaks a copy of the program in one place at a time, by mutants that are made from its syntax, and runs the tests of that module:
 * first those that import it, then those that import what imports it, then all of its room, then simulated networks.
 *
 *   npm run mutate -- [--files core] [--count 200] [--seed 1] [--workers 1] [--json]
 *
 * `--count` draws that many at random; 0 takes all. A mutant is caught when a test fails, or does not end. What survives and is not
 * explained in `mutants/Explained.ts` is shown; exits 0 while that is at most 2 %.
 */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, normalize } from "node:path"
import { seeded } from "../test/support/Seeded.ts"
import { explained } from "./mutants/Explained.ts"
import { type Generated, generate } from "./mutants/Generate.ts"
import type { Question } from "./mutants/Judge.ts"
import { copied, root } from "./mutants/Tree.ts"
import { options, refuse, wholeNumber } from "./Options.ts"

const usage = "npm run mutate -- [--files TEXT] [--count N] [--seed S] [--workers N] [--json]"
const values = options(usage, {
  files: { type: "string", default: "" },
  count: { type: "string", default: "200" },
  seed: { type: "string", default: "1" },
  workers: { type: "string", default: "1" },
  json: { type: "boolean", default: false }
})
const count = wholeNumber(usage, "count", values.count)
const workers = wholeNumber(usage, "workers", values.workers, { least: 1 })

/** Longer than the tests of a module take, for a mutant that runs in circles (ms). */
const patience = 180_000
/** Networks that are simulated for what no test of a module catches. */
const seeds = 40

const read = (file: string): string => readFileSync(join(root, file), "utf8")

const sources = globSync("src/{core,services/store}/**/*.ts", { cwd: root })
  .filter((file) => file.includes(values.files))
  .sort()
const all = sources.flatMap((file) => generate(file, read(file)))
if (all.length === 0) refuse(`no file of src/core and src/services/store has ${values.files} in its name`, usage)
const random = seeded(wholeNumber(usage, "seed", values.seed))
const drawn = all
  .map((mutant) => [random(), mutant] as const)
  .sort(([a], [b]) => a - b)
  .map(([, mutant]) => mutant)
  .slice(0, count === 0 ? all.length : count)

/** The unit tests, with the modules of `src` that each imports. */
const tests = globSync("test/{core,services}/**/*.test.ts", { cwd: root }).map((file) => {
  const imports = [...read(file).matchAll(/from "(\.[^"]+)"/g)].map(([, path]) =>
    normalize(join(dirname(file), path ?? ""))
  )
  return { file, imports }
})

/** The modules that import a module. */
const importers = new Map<string, Set<string>>()
for (const file of globSync("src/**/*.ts", { cwd: root }))
  for (const [, path] of read(file).matchAll(/from "(\.[^"]+)"/g)) {
    const imported = normalize(join(dirname(file), path ?? ""))
    importers.set(imported, (importers.get(imported) ?? new Set()).add(file))
  }

/**
 * The tests that are named like a module, those that import it, those that import what imports it, and the others of its room, which
 * may use it by way of `test/support`.
 */
const testsOf = (file: string): ReadonlyArray<ReadonlyArray<string>> => {
  const name = basename(file, ".ts")
  const own = tests.filter(
    (test) => basename(test.file).startsWith(name) || test.file.includes(`/${name.toLowerCase()}/`)
  )
  const near = tests.filter((test) => test.imports.includes(file))
  const above = importers.get(file) ?? new Set()
  const wide = tests.filter((test) => test.imports.some((path) => above.has(path)))
  const room = tests.filter((test) => dirname(test.file) === dirname(file).replace("src/", "test/"))
  const asked = new Set<string>()
  return [own, near, wide, room].map((some) => {
    const files = some.map((test) => test.file).filter((one) => !asked.has(one))
    for (const one of files) asked.add(one)
    return files
  })
}

type Verdict = "caught" | "survived"

const kill = ({ pid }: ChildProcess): void => {
  if (pid !== undefined) process.kill(-pid, "SIGKILL")
}

/** Runs the unit tests of a tree. What runs in circles is ended, and the next question starts another server. */
class Judge {
  private child: ChildProcess | undefined
  private readonly tree: string

  constructor(tree: string) {
    this.tree = tree
  }

  /** Whether all tests pass, within the time. */
  async pass(question: Question): Promise<boolean> {
    const child = (this.child ??= fork(join(this.tree, "scripts/mutants/Judge.ts"), {
      cwd: this.tree,
      stdio: "ignore",
      detached: true
    }))
    const answer = await new Promise<boolean | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), patience)
      const end = (passed?: boolean) => {
        clearTimeout(timer)
        child.removeAllListeners()
        resolve(passed)
      }
      child.once("message", (passed) => end(passed === true))
      child.once("exit", () => end())
      child.send(question)
    })
    if (answer === undefined) this.stop()
    return answer ?? false
  }

  stop(): void {
    if (this.child?.exitCode === null) kill(this.child)
    this.child = undefined
  }
}

/** Whether no promise is broken in simulated networks, within the time. */
const isSimulated = (tree: string): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["scripts/mutants/Hunt.ts", `${seeds}`], {
      cwd: tree,
      stdio: ["ignore", "pipe", "ignore"],
      detached: true
    })
    const timer = setTimeout(() => kill(child), patience)
    let out = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
    child.once("close", (code) => {
      clearTimeout(timer)
      resolve(code === 0 && /"found":null,"crashes":0/.test(out))
    })
  })

const hunt = async (tree: string, judge: Judge, { file, start, end, to }: Generated): Promise<Verdict> => {
  const text = read(file)
  writeFileSync(join(tree, file), text.slice(0, start) + to + text.slice(end))
  try {
    const isCaught = !(await judge.pass({ changed: file, tests: testsOf(file) })) || !(await isSimulated(tree))
    return isCaught ? "caught" : "survived"
  } finally {
    writeFileSync(join(tree, file), text)
  }
}

/** The line as it stands, and what it becomes. */
const shown = ({ file, line, from, to }: Generated): string => `${file}:${line}: ${from} → ${to}`
const isExplained = ({ file, line, from, to }: Generated): boolean => {
  const context = read(file).split("\n")[line - 1]?.trim() ?? ""
  return explained.some((one) => one.file === file && context.includes(one.line) && one.from === from && one.to === to)
}

const waiting = [...drawn]
const hunted: Array<Generated & { readonly verdict: Verdict | "explained" }> = []
const say = (text: string): void => {
  if (!values.json) console.log(text)
}
const worker = async () => {
  const tree = copied()
  const judge = new Judge(tree)
  try {
    const [first] = drawn
    if (first !== undefined && !(await judge.pass({ changed: first.file, tests: testsOf(first.file) })))
      throw new Error(`tests of ${first.file} fail without a mutant`)
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const verdict = isExplained(mutant) ? "explained" : await hunt(tree, judge, mutant)
      hunted.push({ ...mutant, verdict })
      say(`${verdict === "survived" ? "✗" : "✓"} ${hunted.length}/${drawn.length} ${verdict} ${shown(mutant)}`)
    }
  } finally {
    judge.stop()
    rmSync(tree, { recursive: true, force: true })
  }
}
say(`${drawn.length} of ${all.length} mutants of ${sources.length} files`)
await Promise.all(Array.from({ length: workers }, worker))

const survivors = hunted.filter(({ verdict }) => verdict === "survived")
if (values.json) console.log(JSON.stringify(hunted))
else {
  const explainedCount = hunted.filter(({ verdict }) => verdict === "explained").length
  const caught = hunted.length - survivors.length - explainedCount
  console.log(`\n${caught} caught, ${explainedCount} explained, ${survivors.length} survived of ${hunted.length}`)
  for (const survivor of survivors) console.log(`  ${shown(survivor)}`)
}
process.exitCode = survivors.length <= hunted.length * 0.02 ? 0 : 1
