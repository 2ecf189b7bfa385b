/**
 * What is said when a command cannot be done, and the exit code: 1 when it failed, 2 when it was wrong.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Env, freshHome, run } from "../support/Nodes.ts"
import { main } from "../support/Program.ts"

let home: string
let remove: () => void
beforeAll(() => {
  const fresh = freshHome()
  home = fresh.home
  remove = fresh.remove
})
afterAll(() => remove())

/** Runs a command that must fail, and reads its error. */
const failure = async (code: number, args: ReadonlyArray<string>, env: Env = {}) => {
  const ended = await run(["--json", ...args], { FERAL_HOME: home, ...env })
  assert.deepInclude(ended, { code, stdout: "" })
  const { nextStep = "", ...error } = JSON.parse(ended.stderr) as {
    readonly _tag: string
    readonly message: string
    readonly nextStep?: string
  }
  assert.deepStrictEqual(Object.keys(error), ["_tag", "message"])
  assert.isTrue(error.message.endsWith(nextStep))
  assert.strictEqual(ended.stderr.trimEnd().split("\n").length, 1)
  return error
}

/** The same for people. */
const words = async (code: number, args: ReadonlyArray<string>, env: Env = {}) => {
  const ended = await run(args, { FERAL_HOME: home, ...env })
  assert.deepInclude(ended, { code, stdout: "" })
  return ended.stderr
}

describe("usage", () => {
  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]> = [
    [["nonsense"], /nonsense/],
    [["note", "ad", "x"], /Did you mean this\? add/],
    [["stauts"], /Did you mean this\? status/],
    [["wait"], /^Unknown command "wait"; see "[^"]*main\.[jt]s --help"$/],
    [["export", "x", "--format", "xml"], /^--format must be ndjson, csv or markdown, not "xml"; see/],
    [["mcp", "--tools", "all"], /^--tools must be memory, reference or files, not "all"; see/],
    [["note", "add"], /^Missing required argument: text; see/],
    [["search"], /^Missing required argument: [a-z]+; see/],
    [["note", "add", "a", "--tag"], /^--tag has no value: give one, or leave the flag out; see/],
    [["note", "list", "--since", "--limit", "1"], /^--since has no value/],
    [["note", "add", ""], /empty/],
    [["note", "add", "a", "b"], /Unexpected .*"b": put the text in quotes, as in .* note add 'a b'/],
    [["note", "add", "a", "b", "--tag", "t"], /Unexpected .*"b": put a text of several words in quotes/],
    [["search", "x", "--limit", "1", "--limit", "2"], /--limit is given more than once/],
    [["note", "list", "a"], /Unexpected .*"a": this command takes none/],
    [["fact", "add", "a"], /Missing required arguments: predicate, object/],
    [["episode", "add", "--type=t"], /Missing required flags: --session, --summary;/],
    [["log", "append"], /--session, --skill, --endpoint, --status/],
    [["search", "x", "--limit", "many"], /--limit must be a whole number from 1 to 1000, not "many"/],
    [["note", "add", "a", "--tga", "x"], /--tga.*note add --help/],
    [["note", "add", "a", "--tgas", "x"], /--tgas is not a flag .*Did you mean --tag\?.*put -- before it/],
    [["note", "list", "-json"], /Did you mean --json\?/],
    [["note", "list", "--colour"], /--colour is not a flag of feral-sync note list/],
    [["note", "add", "a", "--confidence", "1"], /--confidence is not a flag/],
    [["note", "add", "a", "--help"], /--help cannot be combined/],
    [["note", "add", "a", "--tag", "--importance", "high"], /--tag/],
    [["note", "- h"], /"- h" is not a command/],
    [["episode", "add", "--session", "s", "--type", "t", "--summary", "-", "--detail", "-"], /only one of/],
    [["fact", "set", "s", "p"], /object/],
    [["fact", "set", "s", "p", "o", "--confidence", "1.01"], /from 0 to 1/],
    [["fact", "add", "s", "p", "o", "--confidence", "-0.5"], /from 0 to 1/],
    [["fact", "set", "s", "p", "o", "--confidence", "sure"], /--confidence must be a number from 0 to 1, not "sure"/],
    [["episode", "add", "--session", "s", "--type", "t"], /--summary/],
    [["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "o", "--args", "{x"], /JSON/],
    [
      ["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "o", "--latency-ms", "-1"],
      /0 or/
    ]
  ]
  for (const [args, says] of wrong) {
    it(`feral-sync ${args.join(" ")}`, async () => {
      const error = await failure(2, args)
      assert.strictEqual(error._tag, "Usage")
      assert.match(error.message, says)
    })
  }

  it("no command at all shows the help, as an error", async () => {
    assert.strictEqual((await failure(2, ["note"]))._tag, "Usage")
    assert.include(await words(2, ["note"]), "SUBCOMMANDS")
  })

  it("help is a result, with examples", async () => {
    const { code, stdout, stderr } = await run(["note", "add", "--help"], {})
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.include(stdout, "EXAMPLES")
    assert.include(stdout, "--home")
    const [, description = ""] = /^DESCRIPTION\n(.*?)\n\nUSAGE/s.exec((await run(["purge", "--help"], {})).stdout) ?? []
    assert.match(description, /^( {2}\S.*\n\n){2} {2}\S.*$/)
    const version = await run(["--version"], {})
    assert.match(version.stdout, /^feral-sync v\d+\.\d+\.\d+\n$/)
  })
})

describe("failures", () => {
  it("a row that is not there", async () => {
    assert.strictEqual((await run(["note", "add", "x", "--home", home])).code, 0)
    const error = await failure(1, ["note", "edit", "nothing", "x"])
    assert.strictEqual(error._tag, "RowNotFound")
    assert.strictEqual(await words(1, ["note", "edit", "nothing", "x"]), `feral-sync: ${error.message}\n`)
    for (const command of ["note", "fact"]) {
      const error = await failure(1, [command, "history", "nothing"])
      assert.strictEqual(error._tag, "RowNotFound")
      assert.strictEqual((await failure(1, [command, "history", "nothing", "--erase"]))._tag, "RowNotFound")
    }
  })

  it("a data directory that cannot be", async () => {
    writeFileSync(join(dirname(home), "file"), "")
    const error = await failure(1, ["note", "list", "--home", join(dirname(home), "file", "below")])
    assert.strictEqual(error._tag, "StoreUnavailable")
    assert.include(error.message, join(dirname(home), "file", "below"))
  })

  it("a configuration that is wrong, with all problems at once", async () => {
    const env = { FERAL_SYNC_PEERS: "a:b", FERAL_SYNC_PASSPHRASE: "", FERAL_SYNC_TLS_KEY: "/key.pem" }
    const error = await failure(2, ["start", "--port", "x"], env)
    assert.strictEqual(error._tag, "ConfigInvalid")
    for (const name of ["--port", "FERAL_SYNC_PEERS", "FERAL_SYNC_PASSPHRASE", "FERAL_SYNC_TLS_CERT"]) {
      assert.include(error.message, name)
    }
    assert.match(await words(2, ["start", "--port", "x"], env), /^feral-sync: .*\n  --port: .*\n  FERAL_SYNC_P/)
    assert.include((await failure(2, ["status", "--home", ""])).message, "--home")
  })

  it("a wrong variable of the node does not stop a write", async () => {
    const { code } = await run(["note", "add", "x"], {
      FERAL_HOME: home,
      FERAL_SYNC_PORT: "x",
      FERAL_SYNC_PASSPHRASE: ""
    })
    assert.strictEqual(code, 0)
  })

  it("a passphrase file that is missing or empty", async () => {
    const missing = await failure(2, ["start", "--passphrase-file", join(home, "missing")])
    assert.strictEqual(missing._tag, "PassphraseInvalid")
    const empty = join(dirname(home), "empty")
    writeFileSync(empty, "\n")
    const error = await failure(2, ["start", "--passphrase-file", empty])
    assert.include(error.message, empty)
  })

  it("a reader that goes away early is no failure", async () => {
    const text = "x".repeat(100_000)
    for (let count = 0; count < 3; count++) await run(["note", "add", text], { FERAL_HOME: home })
    const child = spawn(process.execPath, [main, "note", "list", "--home", home], { stdio: ["ignore", "pipe", "pipe"] })
    let stderr = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.stdout.once("data", () => child.stdout.destroy())
    const code = await new Promise((resolve) => child.once("exit", resolve))
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  })
})
