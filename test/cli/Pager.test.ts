/** Long lists on a terminal go through a pager, and nothing else does. In a pseudo-terminal. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { chosen } from "../../src/cli/Pager.ts"
import { clean, type Env, freshHome } from "../support/Nodes.ts"
import { needs } from "../support/Needs.ts"
import { main } from "../support/Program.ts"
import { root } from "../support/RepositoryText.ts"

const { home, remove } = freshHome()
const directory = mkdtempSync(join(tmpdir(), "feral-sync-pager-"))
afterAll(() => {
  remove()
  rmSync(directory, { recursive: true, force: true })
})

/** The rows of the terminal are 24. */
const rows = 60

beforeAll(async () => {
  const lines = Array.from({ length: rows }, (_, index) =>
    JSON.stringify({
      kind: "notes",
      id: `note-${index}`,
      content: index === 0 ? "red \u001b[31m bell \u0007" : `note ${index} ${"x".repeat(2_000)}`
    })
  )
  const child = promisify(execFile)(process.execPath, [main, "import", "-", "--home", home])
  child.child.stdin?.end(`${lines.join("\n")}\n`)
  await child
})

/** What a command shows in a terminal of 80 columns, and its exit code. */
const shown = async (args: ReadonlyArray<string>, env: Env = {}, columns = "80"): Promise<[string, number]> =>
  promisify(execFile)(
    "/usr/bin/python3",
    [join(root, "test/support/terminal.py"), columns, process.execPath, main, ...args],
    { env: { ...clean, FERAL_HOME: home, TERM: "xterm-256color", ...env }, encoding: "utf8" }
  ).then(
    ({ stdout }): [string, number] => [stdout, 0],
    (error: { stdout: string; code: number }): [string, number] => [error.stdout, error.code]
  )

const marking = "sed s/^/paged:/"
const linesOf = (text: string) => text.trimEnd().split(/\r?\n/)

describe("the pager that is chosen", () => {
  it("is that of feral-sync, of the user, or less", () => {
    const less = { file: "less", isLine: false }
    assert.deepStrictEqual(chosen({}, "linux"), less)
    assert.deepStrictEqual(chosen({ PAGER: "" }, "linux"), less)
    assert.deepStrictEqual(chosen({ PAGER: "most -s" }, "linux"), { file: "most -s", isLine: true })
    assert.deepStrictEqual(chosen({ PAGER: "most", FERAL_SYNC_PAGER: "more" }, "linux"), { file: "more", isLine: true })
  })

  it("is none where it is turned off, and where a system has none", () => {
    for (const off of ["", " ", "cat"]) {
      assert.isUndefined(chosen({ PAGER: "most", FERAL_SYNC_PAGER: off }, "linux"), off)
    }
    assert.isUndefined(chosen({ PAGER: "cat" }, "linux"))
    assert.isUndefined(chosen({}, "win32"))
  })
})

describe.skipIf(needs("python3"))("on a terminal", () => {
  it("a list that is longer than it is paged, and a member steers nothing", async () => {
    const [text, code] = await shown(["note", "list", "--limit", `${rows}`], { FERAL_SYNC_PAGER: marking })
    const lines = linesOf(text)
    assert.strictEqual(code, 0)
    assert.strictEqual(lines.length, rows + 1)
    for (const line of lines) {
      assert.match(line, /^paged:/)
      // eslint-disable-next-line no-control-regex
      assert.notMatch(line, /[\u0000-\u001f\u007f-\u009f]/)
    }
  })

  it("one that fits is not, and neither is JSON, or what a dumb terminal gets", async () => {
    const long = ["note", "list", "--limit", `${rows}`]
    const cases: ReadonlyArray<readonly [ReadonlyArray<string>, Env]> = [
      [["note", "list", "--limit", "5"], {}],
      [["note", "list", "--json"], {}],
      [long, { TERM: "dumb" }],
      [long, { FERAL_SYNC_PAGER: "" }]
    ]
    for (const [args, env] of cases) {
      const [text, code] = await shown(args, { FERAL_SYNC_PAGER: marking, ...env })
      assert.strictEqual(code, 0)
      assert.notInclude(text, "paged:", args.join(" "))
      assert.isAtLeast(linesOf(text).length, 6)
    }
  })

  it("a search and a long note are paged too", async () => {
    for (const args of [
      ["search", "note", "--limit", `${rows}`],
      ["list", "--limit", "1"]
    ]) {
      const [text] = await shown(args, { FERAL_SYNC_PAGER: marking }, "40")
      assert.strictEqual(text.includes("paged:"), args[0] === "search", args.join(" "))
    }
  })

  it("a pager that is closed ends the command quietly", async () => {
    const [text, code] = await shown(["note", "list", "--limit", `${rows}`], { FERAL_SYNC_PAGER: "head -n 2" })
    assert.strictEqual(code, 0)
    assert.strictEqual(linesOf(text).length, 2)
  })

  it.skipIf(needs("less"))("less shows the first rows, and q closes it", async () => {
    const [text, code] = await shown(["note", "list", "--limit", `${rows}`], { PAGER: "", TYPED: "q" })
    assert.strictEqual(code, 0)
    assert.include(text, "CHANGED")
    assert.isBelow(linesOf(text).length, rows)
  })

  it("a pager that cannot be started leaves the list to the terminal", async () => {
    const empty = mkdtempSync(join(directory, "path-"))
    for (const env of [{ PAGER: "there-is-no-such-pager" }, { PATH: empty, PAGER: "" }]) {
      const [text, code] = await shown(["note", "list", "--limit", `${rows}`], env)
      assert.strictEqual(code, 0)
      assert.include(text, "CHANGED")
      assert.isAtLeast(linesOf(text).length, rows + 1)
    }
  })

  it("a failure is said after what there is, with its exit code", async () => {
    const [text, code] = await shown(["note", "show", "no-such-id"], { FERAL_SYNC_PAGER: marking })
    assert.strictEqual(code, 1)
    assert.notInclude(text, "paged:")
  })

  it("the database is closed while the pager is open", async () => {
    const file = join(directory, "written")
    // Another command writes meanwhile: it would fail on a locked database.
    const write = `"${process.execPath}" "${main}" note add meanwhile >"${file}" 2>&1; cat >/dev/null`
    const [, code] = await shown(["note", "list", "--limit", `${rows}`], { FERAL_SYNC_PAGER: write })
    assert.strictEqual(code, 0)
    assert.isTrue(existsSync(file))
    assert.match(readFileSync(file, "utf8"), /^Added note/)
  })
})
