/** What a command does not need, it does not load; and what it prints is the same as if all commands were loaded. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { Completions } from "effect/cli"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Cli from "../support/Cli.ts"
import { needed } from "../../src/cli/Process.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import * as Program from "../support/Program.ts"
import { root } from "../support/RepositoryText.ts"

const directory = mkdtempSync(join(tmpdir(), "feral-sync-loading-"))
const listed = join(directory, "listed")
const hook = join(directory, "hook.mjs")
writeFileSync(
  hook,
  `import { registerHooks } from "node:module"
   import { writeFileSync } from "node:fs"
   const urls = []
   registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) })
   process.on("exit", () => writeFileSync(${JSON.stringify(listed)}, urls.join("\\n")))`
)

/** What a process of `main` loads for a command, as addresses. */
const loadedBy = (main: string, args: ReadonlyArray<string>): ReadonlyArray<string> => {
  rmSync(listed, { force: true })
  const env = { ...process.env, FERAL_HOME: join(directory, "home") }
  execFileSync(process.execPath, ["--import", pathToFileURL(hook).href, main, ...args], {
    env,
    input: "",
    stdio: "pipe"
  })
  return readFileSync(listed, "utf8").split("\n")
}

/** The files of the package that a command loads: its first run keeps what is compiled of each. */
const scriptsOf = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const cache = mkdtempSync(join(directory, "cache-"))
  const env = { ...process.env, FERAL_HOME: join(directory, "home"), XDG_CACHE_HOME: cache }
  execFileSync(process.execPath, [Program.main, ...args], { env, input: "", stdio: "pipe" })
  return readdirSync(cache, { recursive: true, encoding: "utf8" }).flatMap(
    (path) => /([^/]*\.cjs)-[0-9a-f]{8}$/.exec(path)?.[1] ?? []
  )
}

/** What no light command needs: the node, other programs' formats, agents, HTTP servers, and packages besides Effect. */
const heavy =
  /\/src\/(mcp|testing|core\/foreign|services\/(discovery|admin\/(doctor|foreign|service)))\/|\/src\/(FeralSync|Services|index)\.ts|\/services\/transport\/(?!tls\/(Expiry|Changes)\.ts)|\/cli\/Running\.ts|\/effect\/[^/]+\/(ai|rpc|http-api|observability)\/|\/node_modules\/(?!effect\/|@effect\/)/
const database = /\/services\/store\/Sqlite|\/sql-sqlite-node\//
const commands = /\/src\/cli\/(Note|Fact|Episode|Log|Search|Status|Start|Import|Export|Tls|Doctor|Service|Mcp)\.ts$/

/** The lines of light commands, what each has of the commands, and whether it opens the database. */
const light: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<string>, boolean]> = [
  [["--version"], [], false],
  [["note", "add", "tea"], ["Note"], true],
  [["status"], ["Status"], true],
  [["note", "list"], ["Note"], true],
  [["search", "tea"], ["Search"], true],
  [["note", "--help"], ["Note"], false]
]

describe("what a command loads", { timeout: 60_000 }, () => {
  it("is its own module and what that needs", () => {
    for (const [args, own, isOpened] of light) {
      const loaded = loadedBy(join(root, "src/main.ts"), args)
      assert.deepStrictEqual(
        loaded.filter((url) => heavy.test(url)),
        [],
        args.join(" ")
      )
      assert.deepStrictEqual(
        loaded.flatMap((url) => commands.exec(url)?.[1] ?? []),
        own,
        args.join(" ")
      )
      assert.strictEqual(
        loaded.some((url) => database.test(url)),
        isOpened,
        args.join(" ")
      )
    }
  })

  it("is the server alone for an agent: the database comes with the first call", () => {
    const loaded = loadedBy(join(root, "src/main.ts"), ["mcp"])
    assert.isTrue(loaded.some((url) => url.includes("/src/mcp/")))
    assert.deepStrictEqual(
      loaded.filter((url) => database.test(url) || /\/services\/(transport|peers|discovery)\//.test(url)),
      []
    )
  })

  it.skipIf(process.env[Program.variable] === undefined)("is few files in the package", () => {
    for (const [args, , isOpened] of light) {
      const scripts = scriptsOf(args)
      assert.include(scripts, "command.cjs")
      assert.isAtMost(scripts.length, 50, scripts.join("\n"))
      assert.deepStrictEqual(
        scripts.filter((name) => /^(Running|Stdio|McpServer|Client|Otlp|x509|Material)/.test(name)),
        []
      )
      assert.strictEqual(
        scripts.some((name) => name.startsWith("Sqlite")),
        isOpened,
        args.join(" ")
      )
    }
  })
})

type Descriptor = Completions.CommandDescriptor

const pathsOf = (
  { name, subcommands }: Descriptor,
  before: ReadonlyArray<string>
): ReadonlyArray<ReadonlyArray<string>> => [
  [...before, name],
  ...subcommands.flatMap((command) => pathsOf(command, [...before, name]))
]

/** What a command line prints for words that run no command. */
const printed = (run: typeof Cli.run, args: ReadonlyArray<string>) =>
  Effect.suspend(() => {
    const texts: Array<string> = []
    const keep = (text: string) => Effect.sync(() => void texts.push(text))
    return run(args).pipe(
      Effect.provideService(StandardStreams, { output: keep, error: keep, input: Stream.empty }),
      Effect.map((code) => [code, ...texts])
    )
  })

describe("the command line of one command", () => {
  it.effect("says the same as that of all", () =>
    Effect.gen(function* () {
      const paths = Cli.grammar.command.subcommands.flatMap((command) => pathsOf(command, []))
      assert.isAbove(paths.length, 50)
      for (const path of paths) {
        for (const words of [["--help"], ["--latency", "1"], ["--hom", "x"], ["--version", "-h"], ["-x=1", "--help"]]) {
          const args = [...path, ...words]
          const { run } = yield* Effect.promise(() => needed(args))
          assert.deepStrictEqual(yield* printed(run, args), yield* printed(Cli.run, args), args.join(" "))
        }
      }
    })
  )

  it.effect("is that of all where the command is not clear", () =>
    Effect.gen(function* () {
      for (const args of [
        [],
        ["--help"],
        ["lst"],
        ["--", "note"],
        ["--completions", "bash"],
        ["note", "--completions", "sh"]
      ]) {
        const { grammar } = yield* Effect.promise(() => needed(args))
        assert.deepStrictEqual(
          grammar.command.subcommands.map(({ name }) => name),
          Cli.grammar.command.subcommands.map(({ name }) => name),
          args.join(" ")
        )
      }
      for (const args of [
        ["note", "list"],
        ["--home", "x", "note"],
        ["--json", "note", "list", "--tag", "x"],
        ["-h", "note"]
      ]) {
        const { grammar } = yield* Effect.promise(() => needed(args))
        assert.deepStrictEqual(
          grammar.command.subcommands.map(({ name }) => name),
          ["note"],
          args.join(" ")
        )
      }
    })
  )
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))
