/** Commands for a data directory that is not there: a mistyped one is named, and nothing is made of it. */
import { assert, beforeAll, afterAll, describe, it } from "@effect/vitest"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { run } from "../support/Nodes.ts"

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "feral-sync-"))
  writeFileSync(join(directory, "notes.txt"), "no export\n")
})
afterAll(() => rmSync(directory, { recursive: true }))

const home = () => join(directory, "a", "typo")
const words = (line: string) => line.split(" ").map((word) => word.replace("FILE", join(directory, "out")))

/** All that read, and all that change what is there. */
const commands = [
  "status",
  "peers",
  "note list",
  "fact list",
  "episode list",
  "log list",
  "search x",
  "export FILE",
  "backup FILE",
  "verify",
  "identity new",
  "note edit ID text",
  "note delete ID",
  "fact delete ID"
]

describe("a data directory that is not there", () => {
  it.each(commands)("%s says so, with exit code 1, and makes nothing", async (line) => {
    const { code, stdout, stderr } = await run(["--json", ...words(line), "--home", home()])
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: "" }, stderr)
    const { _tag, message } = JSON.parse(stderr)
    assert.strictEqual(_tag, "HomeNotFound")
    assert.match(
      message,
      /^no data directory at .*typo: check --home and FERAL_HOME, or start a node there with ".* start/
    )
    assert.include(message, `--home ${home()}"`)
    assert.deepStrictEqual(readdirSync(directory), ["notes.txt"])
  })

  it("one that no node has used yet is told from it, and stays empty", async () => {
    const empty = join(directory, "empty")
    mkdirSync(empty)
    const { code, stderr } = await run(["note", "list", "--home", empty])
    assert.strictEqual(code, 1)
    assert.match(stderr, /no node has used the data directory .*empty yet: check --home/)
    assert.deepStrictEqual(readdirSync(empty), [])
    rmSync(empty, { recursive: true })
  })

  it.each([
    ["import notes.txt", "FileUnusable"],
    ["import missing.jsonl", "FileUnusable"],
    ["restore missing.db", "StoreUnavailable"]
  ])("%s, of what cannot be taken, makes none", async (line, tag) => {
    const [command = "", file = ""] = line.split(" ")
    const { code, stderr } = await run(["--json", command, join(directory, file), "--home", home()])
    assert.strictEqual(code, 1)
    assert.strictEqual(JSON.parse(stderr)._tag, tag)
    assert.isFalse(existsSync(home()))
  })

  it("tls show has nothing to show, and makes none", async () => {
    const { code, stdout } = await run(["tls", "show", "--home", home()])
    assert.strictEqual(code, 0)
    assert.match(stdout, /No certificates are configured/)
    assert.isFalse(existsSync(home()))
  })

  it("doctor says that the first start makes it, and makes none", async () => {
    const { stdout } = await run(["doctor", "--json", "--home", home()], { FERAL_SYNC_MDNS: "off" })
    const finding = JSON.parse(stdout).find(({ check }: { readonly check: string }) => check === "data directory")
    assert.deepInclude(finding, {
      status: "skipped",
      message: `${home()} does not exist: it is created at the first start`
    })
    assert.isFalse(existsSync(home()))
  })

  it.runIf(process.platform === "linux").each(["/proc/foo", "/proc/foo/bar", "/sys/foo", "/proc", "/sys"])(
    "%s can be none: doctor, start and a write say the same",
    async (home) => {
      const doctor = await run(["doctor", "--json", "--home", home], { FERAL_SYNC_MDNS: "off" })
      assert.strictEqual(doctor.code, 1)
      const finding = JSON.parse(doctor.stdout).find(
        ({ check }: { readonly check: string }) => check === "data directory"
      )
      assert.deepInclude(finding, { status: "failed", next_step: "use a directory: --home DIR, or FERAL_HOME" })
      assert.match(finding.message, /cannot be created.*kernel file system/)
      for (const words of [
        ["start", "--port", "0", "--api-port", "0"],
        ["note", "add", "x"]
      ]) {
        const { code, stderr } = await run(["--json", ...words, "--home", home], { FERAL_SYNC_MDNS: "off" })
        assert.strictEqual(code, 1)
        assert.include(JSON.parse(stderr).message, finding.message)
      }
    }
  )
})
