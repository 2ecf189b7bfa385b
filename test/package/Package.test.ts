/**
 * The package as people get it: packed, and installed from the registry's copies of all else, with two versions of npm,
 * globally and in projects that have no Effect, Effect 3 or another Effect 4.
 */
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { publint } from "publint"
import { blocksOf } from "../support/DocBlocks.ts"
import { needs } from "../support/Needs.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** The package with nothing but the Node of this platform. */
const oldNode = `node-${process.platform}-${process.arch}`
const registry = process.env["npm_config_registry"] ?? "https://registry.npmjs.org/"

/** An older npm, and the one of this machine. */
const versions = ["10.9.9", "of this machine"]

let work: string
let tarball: string

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with the Node of this test first on its path, and nothing of the npm that may run this test. */
const run = (file: string, args: ReadonlyArray<string>, cwd: string, bin = dirname(process.execPath)): Promise<Ended> =>
  new Promise((resolve) => {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|VITEST|FERAL_)/i.test(name))
    const env = {
      ...Object.fromEntries(inherited),
      PATH: `${bin}${delimiter}${process.env["PATH"]}`,
      npm_config_cache: join(work, "cache"),
      npm_config_registry: registry,
      npm_config_prefer_offline: "true",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_update_notifier: "false"
    }
    const child = execFile(file, args, { cwd, env, timeout: 240_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr })
    })
    child.stdin?.end()
  })

const must = async (ended: Promise<Ended>): Promise<Ended> => {
  const { code, stdout, stderr } = await ended
  assert.strictEqual(code, 0, `${stdout}\n${stderr}`)
  return { code, stdout, stderr }
}

const npm = (version: string, cwd: string, ...args: ReadonlyArray<string>) =>
  version === versions[1]
    ? run("npm", args, cwd)
    : run(process.execPath, [join(work, "npm/node_modules/npm/bin/npm-cli.js"), ...args], cwd)

const project = (name: string, dependencies: Record<string, string> = {}): string => {
  const directory = join(work, name)
  mkdirSync(directory)
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name, private: true, type: "module", dependencies }))
  return directory
}

/** A program of ten lines, which writes and reads a note. `effect` is where it takes Effect from. */
const program = (effect: string, passphrase = "") => `
import { Effect, Option, Redacted } from ${JSON.stringify(effect)}
import { Discovery, FeralSync, Memory } from "feral-sync"
const program = Effect.gen(function* () {
  const { notes } = yield* Memory
  yield* notes.put({ content: "from a program" })
  return (yield* notes.list()).map(({ content }) => content)
})
const settings = { home: process.argv[2], host: "127.0.0.1", port: 0 ${passphrase} }
const node = FeralSync.layer(settings, { discovery: Discovery.layerNone })
console.log(JSON.stringify(await Effect.runPromise(Effect.provide(program, node))))
`

/** The node logs to standard output as Effect does by default: the last line is the program's own. */
const runs = async (directory: string, code: string, name: string, type = "mjs") => {
  writeFileSync(join(directory, `${name}.${type}`), code)
  const { stdout } = await must(run(process.execPath, [`${name}.${type}`, join(directory, name)], directory))
  assert.strictEqual(stdout.trim().split("\n").at(-1), '["from a program"]')
}

/** The command line works, on a database of its own. */
const commands = async (bin: string, home: string) => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  assert.strictEqual((await must(run(bin, ["--version"], work))).stdout.trim(), `feral-sync v${version}`)
  await must(run(bin, ["--home", home, "note", "add", "from the command line"], work))
  const { stdout } = await must(run(bin, ["--home", home, "--json", "note", "list"], work))
  assert.deepStrictEqual(
    JSON.parse(stdout).map(({ content }: { readonly content: string }) => content),
    ["from the command line"]
  )
}

/** A conflict rule that is wrong: with nothing installed but the package. */
const wrongRule = `
import assert from "node:assert"
import { Effect, Order } from "effect"
import { MergeLaws } from "feral-sync/testing"
const wrong = { name: "mine", rule: { slotOf: () => "", order: Order.mapInput(Order.Number, ({ hlc }) => hlc.wall) } }
const laws = Effect.forEach(MergeLaws.laws(wrong), (law) => Effect.result(law.check({ seed: 1 })))
assert((await Effect.runPromise(laws)).some(({ _tag }) => _tag === "Failure"))
console.log(JSON.stringify(["from a program"]))
`

/** A file of `examples/empty-project`, as it is: with at most so many lines of code. */
const example = (name: string, most: number): string => {
  const code = readFileSync(join(root, "examples/empty-project", name), "utf8")
  assert.isBelow(code.split("\n").filter((line) => line !== "").length, most, name)
  return code
}

const empty = new Map<string, Promise<string>>()

/** The project that has nothing but the package: installed by each npm once, and not changed after that. */
const emptyProject = (version: string): Promise<string> => {
  const installed = empty.get(version) ?? installEmpty(version)
  empty.set(version, installed)
  return installed
}

const installEmpty = async (version: string): Promise<string> => {
  const directory = project(`empty ${version}`)
  const { stderr } = await must(npm(version, directory, "install", tarball))
  assert.notMatch(stderr, /install-scripts|allow-scripts/)
  return directory
}

const binOf = (directory: string) => join(directory, "node_modules/.bin/feral-sync")

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "feral-sync-package-"))
  await Promise.all([
    must(run("npm", ["pack", "--silent", "--pack-destination", work], root)),
    must(run("npm", ["install", "--silent", `npm@${versions[0]}`], project("npm")))
  ])
  tarball = join(work, readdirSync(work).find((file) => file.endsWith(".tgz")) ?? "no tarball")
}, 300_000)

afterAll(() => must(run("rm", ["-rf", work], tmpdir())))

describe.skipIf(needs("registry")).each(versions)(
  "the package, installed by npm %s",
  { concurrent: true },
  (version) => {
    it("globally", async () => {
      const prefix = join(work, `global ${version}`)
      const { stderr } = await must(npm(version, work, "install", "--global", "--prefix", prefix, tarball))
      assert.notMatch(stderr, /install-scripts|allow-scripts/)
      await commands(join(prefix, "bin/feral-sync"), join(work, `home ${version}`))
    })

    it("in an empty project, where a program shares its Effect", async () => {
      const directory = await emptyProject(version)
      await commands(binOf(directory), join(directory, "home"))
      assert.isFalse(existsSync(join(directory, "node_modules/feral-sync/node_modules/effect")))
      await runs(directory, program("effect", `, passphrase: Option.some(Redacted.make("a passphrase"))`), "program")
      await runs(directory, wrongRule, "wrong")
      await runs(directory, example("replicated.ts", 20), "replicated", "ts")
      writeFileSync(join(directory, "partition.test.ts"), example("partition.test.ts", 25))
      const { stdout } = await must(run(process.execPath, ["--test", "partition.test.ts"], directory))
      assert.match(stdout, /edits of different fields both stay/)
    })

    it("beside Effect 3, with Effect 4 under another name for the program", async () => {
      const directory = project(`effect3 ${version}`, { effect: "^3.0.0" })
      await must(npm(version, directory, "install", tarball, "effect4@npm:effect@~4.1"))
      await commands(binOf(directory), join(directory, "home"))
      await runs(directory, program("effect4"), "program")
    })

    it("beside another Effect 4, which cannot read each other's secrets and says so", async () => {
      const directory = project(`effect4 ${version}`, { effect: "4.0.6" })
      await must(npm(version, directory, "install", tarball))
      await commands(binOf(directory), join(directory, "home"))
      await runs(directory, program("effect"), "program")
      writeFileSync(
        join(directory, "secret.mjs"),
        program("effect", `, passphrase: Option.some(Redacted.make("a passphrase"))`)
      )
      const { code, stderr } = await run(process.execPath, ["secret.mjs", join(directory, "secret")], directory)
      assert.notStrictEqual(code, 0)
      assert.include(stderr, "install only one version of effect (npm ls effect)")
    })
  }
)

describe.skipIf(needs("registry"))("the package", { concurrent: true }, () => {
  it("brings no script that npm runs at an install", async () => {
    const manifest = join(await emptyProject(versions[0] ?? ""), "node_modules/feral-sync/package.json")
    const { scripts } = JSON.parse(readFileSync(manifest, "utf8"))
    for (const name of ["preinstall", "install", "postinstall", "prepare"]) assert.notProperty(scripts, name)
  })

  it("has types that hold without the types of Node, also for a library that exports what it makes", async () => {
    const types = join(await emptyProject(versions[0] ?? ""), "types")
    mkdirSync(types)
    const entries = ["feral-sync", "feral-sync/core", "feral-sync/client", "feral-sync/testing"]
    const all = entries.map((entry, index) => `export * as entry${index} from "${entry}"\n`)
    writeFileSync(join(types, "all.ts"), all.join(""))
    for (const [index, code] of blocksOf("docs/embedding.md").entries()) {
      // These need nothing but the two packages.
      if (!code.includes("@effect/platform-node")) writeFileSync(join(types, `block${index}.ts`), code)
    }
    const options = { module: "nodenext", target: "esnext", strict: true, declaration: true, outDir: "out" }
    writeFileSync(
      join(types, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...options, types: [], skipLibCheck: false }, include: ["*.ts"] })
    )
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const { code, stdout } = await run(process.execPath, [tsc, "-p", types], types)
    assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "" })
  })

  it("has a comment at every function that it exports", async () => {
    const dist = join(await emptyProject(versions[0] ?? ""), "node_modules/feral-sync/dist")
    const { code, stdout } = await run(process.execPath, [join(root, "scripts/reference.ts"), "--check", dist], root)
    assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "" })
  })

  it("has entries whose types and modules every resolver of ES modules finds", async () => {
    const checked = await checkPackage(createPackageFromTarballData(readFileSync(tarball)))
    assert.isTrue(checked.types !== false)
    // It has ES modules alone: resolvers that know neither `exports` nor `import` do not count.
    const problems = "problems" in checked ? checked.problems : []
    const ours = problems.filter(
      (problem) => !("resolutionKind" in problem && /^node10$|^node16-cjs$/.test(problem.resolutionKind))
    )
    assert.deepStrictEqual(ours, [])
    const buffer = readFileSync(tarball)
    const data = buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength)
    const { messages } = await publint({ strict: true, pack: { tarball: data } })
    assert.deepStrictEqual(messages, [])
  })

  it("the program says on an old Node which version it needs", async () => {
    const old = project("old")
    await must(npm(versions[0] ?? "", old, "install", `${oldNode}@20`))
    const main = join(await emptyProject(versions[0] ?? ""), "node_modules/feral-sync/dist/main.js")
    const node = join(old, "node_modules", oldNode, "bin/node")
    const { code, stdout, stderr } = await run(node, [main, "note", "list"], old)
    assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
    assert.match(stderr, /^feral-sync needs Node 22\.19 or later; this is 20\.\d+\.\d+: install a newer Node\n$/)
  })
})
