/** What a terminal shows: nothing is wider than it, and nothing that members wrote steers it. In a pseudo-terminal. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { CliOutput } from "effect/cli"
import { execFile, execFileSync } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { clean, type Env, freshHome } from "../support/Nodes.ts"
import { needs } from "../support/Needs.ts"
import { main } from "../support/Program.ts"
import { root } from "../support/RepositoryText.ts"

const { home, remove } = freshHome()
afterAll(remove)

const texts = [
  "water the plants",
  "\u7528\u6237\u559c\u6b22\u7eff\u8336\uff0c\u4e0d\u559c\u6b22\u5496\u5561\u3002".repeat(6),
  "\u{1f468}\u200d\u{1f469}\u200d\u{1f467} family ".repeat(12),
  "\u05e9\u05dc\u05d5\u05dd \u202e reversed \u202c",
  "red \u001b[31m bell \u0007 title \u001b]0;owned\u0007 back \r over",
  "two\nlines \u009b31m"
]

beforeAll(() => {
  for (const text of texts) {
    execFileSync(process.execPath, [main, "note", "add", "--home", home, "--tag", "a tag", "--", text], {
      stdio: "ignore"
    })
  }
})

/** What a command shows in a terminal of so many columns, without a pager. */
const shown = async (columns: number, args: ReadonlyArray<string>, env: Env = {}): Promise<string> => {
  const command = [process.execPath, main, ...args]
  const { stdout } = await promisify(execFile)(
    "/usr/bin/python3",
    [join(root, "test/support/terminal.py"), String(columns), ...command],
    { env: { ...clean, FERAL_HOME: home, TERM: "xterm-256color", FERAL_SYNC_PAGER: "", ...env }, encoding: "utf8" }
  )
  return stdout
}

const linesOf = (text: string) => text.replaceAll("\r\n", "\n").split("\n")
// eslint-disable-next-line no-control-regex
const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

describe.skipIf(needs("python3"))("a terminal", () => {
  it.each([80, 40])("of %d columns has no line that is wider, and is not steered", async (columns) => {
    for (const args of [
      ["note", "list"],
      ["search", "a"]
    ]) {
      const lines = linesOf(await shown(columns, args))
      assert.isAtLeast(lines.length, 2)
      for (const line of lines) {
        assert.isAtMost(CliOutput.displayWidth(line), columns, `${args.join(" ")}: ${JSON.stringify(line)}`)
        assert.notMatch(line, steering)
      }
    }
  })

  it("gets no colours with NO_COLOR, and none where it is dumb", async () => {
    for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
      for (const args of [["--help"], ["note", "list"], ["status"], ["doctor", "--help"]]) {
        assert.notInclude(await shown(80, args, env), "\u001b", `${JSON.stringify(env)} ${args.join(" ")}`)
      }
    }
  })
})
