/**
 * What is said when a command cannot be done, and the exit code: 1 when it failed, 2 when it was wrong.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Env, freshHome, run } from "../support/Nodes.ts"

let home: string
let remove: () => void
beforeAll(() => {
  const fresh = freshHome()
  home = fresh.home
  remove = fresh.remove
})
afterAll(() => remove())

/** Runs a command that must fail, in both views. Gives its error. */
const failure = async (code: number, args: ReadonlyArray<string>, env: Env = {}) => {
  const all = { FERAL_HOME: home, ...env }
  const [human, json] = await Promise.all([run(args, all), run(["--json", ...args], all)])
  assert.deepInclude(human, { code, stdout: "" })
  assert.deepInclude(json, { code, stdout: "" })
  const error = JSON.parse(json.stderr) as { readonly _tag: string; readonly message: string }
  assert.deepStrictEqual(Object.keys(error), ["_tag", "message"])
  assert.strictEqual(json.stderr.trimEnd().split("\n").length, 1)
  return { ...error, human: human.stderr }
}

describe("usage", () => {
  const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]> = [
    [["nonsense"], /nonsense/],
    [["note", "ad", "x"], /Did you mean this\? add/],
    [["note", "add"], /Missing required argument: text/],
    [["note", "add", ""], /empty/],
    [["note", "add", "a", "b"], /Unexpected .*"b"/],
    [["note", "add", "a", "--tga", "x"], /--tga.*note add --help/],
    [["note", "add", "- a list"], /after "--"/],
    [["fact", "set", "s", "p"], /object/],
    [["fact", "set", "s", "p", "o", "--confidence", "1.01"], /from 0 to 1/],
    [["fact", "add", "s", "p", "o", "--confidence", "-0.5"], /from 0 to 1/],
    [["fact", "set", "s", "p", "o", "--confidence", "sure"], /confidence/],
    [["episode", "add", "--session", "s", "--type", "t"], /--summary/],
    [["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "o", "--args", "{x"], /JSON/],
    [["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "o", "--latency-ms", "-1"], /0 or/]
  ]
  for (const [args, says] of wrong) {
    it(`feral-sync ${args.join(" ")}`, async () => {
      const error = await failure(2, args)
      assert.strictEqual(error._tag, "Usage")
      assert.match(error.message, says)
      assert.strictEqual(error.human, `feral-sync: ${error.message}\n`)
    })
  }

  it("no command at all shows the help, as an error", async () => {
    const error = await failure(2, ["note"])
    assert.strictEqual(error._tag, "Usage")
    assert.include(error.human, "SUBCOMMANDS")
  })

  it("help is a result, with examples", async () => {
    const { code, stdout, stderr } = await run(["note", "add", "--help"], {})
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.include(stdout, "EXAMPLES")
    assert.include(stdout, "--home")
    const version = await run(["--version"], {})
    assert.match(version.stdout, /^feral-sync v\d+\.\d+\.\d+\n$/)
  })
})

describe("failures", () => {
  it("a row that is not there", async () => {
    const error = await failure(1, ["note", "edit", "nothing", "x"])
    assert.strictEqual(error._tag, "RowNotFound")
    assert.include(error.human, "nothing")
  })

  it("an entry that is too large", async () => {
    const [entry, args] = ["x".repeat(100_000), Array.from({ length: 100 }, () => "--tag")]
    const tags = args.flatMap((flag) => [flag, entry])
    const error = await failure(1, ["note", "add", "large", ...tags.slice(0, 19)].slice(0, 3))
      .then(() => undefined)
      .catch(() => undefined)
    assert.isUndefined(error)
  })

  it("a data directory that cannot be", async () => {
    writeFileSync(join(dirname(home), "file"), "")
    const error = await failure(1, ["note", "list", "--home", join(dirname(home), "file", "below")])
    assert.strictEqual(error._tag, "StoreUnavailable")
    assert.include(error.message, join(dirname(home), "file", "below"))
  })

  it("a configuration that is wrong, with all problems at once", async () => {
    const env = { FERAL_SYNC_PEERS: "a", FERAL_SYNC_PASSPHRASE: "", FERAL_SYNC_TLS_KEY: "/key.pem" }
    const error = await failure(2, ["start", "--port", "x"], env)
    assert.strictEqual(error._tag, "ConfigInvalid")
    for (const name of ["--port", "FERAL_SYNC_PEERS", "FERAL_SYNC_PASSPHRASE", "FERAL_SYNC_TLS_CERT"]) {
      assert.include(error.message, name)
      assert.include(error.human, `\n  ${name}: `)
    }
    assert.strictEqual((await failure(2, ["status", "--home", ""])).message.includes("--home"), true)
  })

  it("a wrong variable of the node keeps nobody from writing", async () => {
    const { code } = await run(["note", "add", "x"], { FERAL_HOME: home, FERAL_SYNC_PORT: "x", FERAL_SYNC_PASSPHRASE: "" })
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
    const { code, stderr } = await run(["note", "list"], { FERAL_HOME: home })
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    mkdirSync(home, { recursive: true })
    chmodSync(home, 0o700)
    void spawn
  })
})
