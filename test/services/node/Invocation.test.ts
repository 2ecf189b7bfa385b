import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { nextSteps } from "../../../src/core/sync/SyncNextSteps.ts"
import { storeNextSteps, tlsNextSteps } from "../../../src/services/node/NodeFailure.ts"
import { grammar } from "../../support/Cli.ts"
import {
  absoluteCommandLine,
  commandLine,
  inThisForm,
  programOf,
  quoted,
  serves,
  within
} from "../../../src/services/node/Invocation.ts"

const source = fileURLToPath(new URL("../../../src/cli", import.meta.url))

describe("Invocation", () => {
  const starts: ReadonlyArray<readonly [how: string, start: Parameters<typeof programOf>[0], program: string]> = [
    ["installed", { script: "/usr/bin/feral-sync", environment: {}, directory: "/" }, "feral-sync"],
    [
      "installed, by the path of its file",
      { script: "/usr/lib/node_modules/feral-sync/dist/main.js", environment: {}, directory: "/" },
      "feral-sync"
    ],
    [
      "npx",
      { script: "/p/node_modules/.bin/feral-sync", environment: { npm_command: "exec" }, directory: "/p" },
      "npx feral-sync"
    ],
    [
      "npm run feral-sync in a clone",
      { script: "/p/src/main.ts", environment: { npm_lifecycle_event: "feral-sync" }, directory: "/p" },
      "npm run -s feral-sync --"
    ],
    [
      "npm start in a clone",
      { script: "/p/src/main.ts", environment: { npm_lifecycle_event: "start" }, directory: "/p" },
      "npm run -s feral-sync --"
    ],
    ["node in a clone", { script: "/p/src/main.ts", environment: {}, directory: "/p" }, "node src/main.ts"],
    [
      "node in a clone, from elsewhere",
      { script: "/a b/src/main.ts", environment: { npm_lifecycle_event: "test" }, directory: "/q" },
      "node '/a b/src/main.ts'"
    ],
    ["another program", { script: "/p/agent.ts", environment: { npm_command: "exec" }, directory: "/p" }, "feral-sync"],
    ["no file at all", { script: undefined, environment: {}, directory: "/p" }, "feral-sync"]
  ]
  for (const [how, start, program] of starts) {
    it(`${how}: ${program}`, () => assert.strictEqual(programOf(start), program))
  }

  it("names the data directory of this invocation, unless commands find it without", () => {
    assert.match(commandLine("status"), / status$/)
    try {
      within("/a b")
      assert.match(commandLine("status"), / status --home '\/a b'$/)
      assert.match(commandLine("note add -- -h"), / note add --home '\/a b' -- -h$/)
      assert.match(commandLine("start --home other --port 0"), / start --home other --port 0$/)
      within("n1")
      assert.match(commandLine("status"), new RegExp(` status --home ${join(process.cwd(), "n1")}$`))
      for (const usual of [undefined, "~/.feral", join(homedir(), ".feral")]) {
        within(usual)
        assert.match(commandLine("status"), / status$/)
      }
      serves("/srv/feral")
      assert.match(commandLine("status"), / status --home \/srv\/feral$/)
      serves(join(homedir(), ".feral"))
      assert.match(commandLine("status"), / status$/)
    } finally {
      within(undefined)
    }
  })

  it("a directory of FERAL_HOME is found here, and not where the environment is another", () => {
    const before = process.env["FERAL_HOME"]
    process.env["FERAL_HOME"] = "/srv/feral"
    try {
      within("/srv/feral")
      assert.match(commandLine("status"), / status$/)
      serves("/srv/feral")
      assert.match(commandLine("status"), / status --home \/srv\/feral$/)
      within("~/.feral")
      assert.match(commandLine("status"), / status --home .*\/\.feral$/)
    } finally {
      if (before === undefined) delete process.env["FERAL_HOME"]
      else process.env["FERAL_HOME"] = before
      within(undefined)
    }
  })

  it("texts name the data directory in what is done here, and not in what is done elsewhere", () => {
    const here = { ...nextSteps, ...storeNextSteps, ...tlsNextSteps }
    const elsewhereToo = new Set([
      "TooLongAwayThere",
      "OverQuotaThere",
      "RowsPurgedHere",
      "DuplicateNodeId",
      "PeerPausedThere",
      "UnprovedRefusal"
    ])
    for (const copies of ["TimestampReused", "OwnOperationsForeign", "ApartTooLong"]) elsewhereToo.add(copies)
    for (const peers of ["wrong purpose", "invalid certificate"]) elsewhereToo.add(peers)
    within("/n1")
    try {
      for (const [name, text] of Object.entries(here)) {
        const plain = text
          .match(/feral-sync (?!node|does|on that node)[a-z]+/g)
          ?.filter((found) => inThisForm(found) !== found)
        if (plain === undefined || plain.length === 0) continue
        const carried = inThisForm(text).match(/ --home \/n1/g)?.length ?? 0
        const expected = name === "wrong purpose" ? 1 : elsewhereToo.has(name) ? 0 : plain.length
        assert.strictEqual(carried, expected, `${name}: ${inThisForm(text)}`)
        // What is in this form already, or was told by a node in its form, stays as it is.
        for (const words of ["purge --origin NODE-ID", "peers remove 0123 --kind x"]) {
          const line = `see it with ${commandLine(words)}; then go on`
          assert.strictEqual(inThisForm(line), line)
        }
        assert.strictEqual(inThisForm(inThisForm(text)), inThisForm(text))
      }
    } finally {
      within(undefined)
    }
  })

  it("knows every command there is", () => {
    const { subcommands } = grammar.command
    assert.isAbove(subcommands.length, 15)
    for (const { name } of subcommands)
      assert.strictEqual(
        inThisForm(`feral-sync ${name}`, (words) => `<${words}>`),
        `<${name}>`
      )
  })

  it("puts every command of a text in this form, and nothing else", () => {
    const text = "feral-sync export - | gzip; feral-sync 1.0 is running, a feral-sync node"
    assert.strictEqual(inThisForm(text), text.replace("feral-sync export", commandLine("export")))
  })

  it("a path that ends with the name of the program stays as it is", () => {
    assert.strictEqual(inThisForm("/usr/local/bin/feral-sync mcp"), "/usr/local/bin/feral-sync mcp")
  })

  it("the command line for another program has absolute paths only", () => {
    const from = (script: string, env = {}) =>
      absoluteCommandLine("mcp", { argv: ["node", script], env, execPath: "/opt/node/bin/node" })
    assert.strictEqual(from("/usr/lib/node_modules/feral-sync/dist/main.js"), "/usr/local/bin/feral-sync mcp")
    for (const env of [{}, { npm_lifecycle_event: "feral-sync" }]) {
      assert.strictEqual(from("/a b/src/main.ts", env), "/opt/node/bin/node '/a b/src/main.ts' mcp")
    }
  })

  it("quotes what a shell would take apart", () => {
    for (const [path, expected] of [
      ["/a/b.c", "/a/b.c"],
      ["[fe80::1%eth0]:9090", "'[fe80::1%eth0]:9090'"],
      ["it's", "'it'\\''s'"],
      ["a b", "'a b'"],
      ["$HOME", "'$HOME'"]
    ] as const) {
      assert.strictEqual(quoted(path), expected)
    }
  })

  it("no command prints another one in a form of its own", () => {
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
    assert.isAbove(files.length, 20)
    const found = files.flatMap((file) =>
      readFileSync(join(source, file), "utf8")
        // Comments are for people who read the code.
        .replace(/\/\*[\s\S]*?\*\//g, "")
        // What the help says is put in this form where it is shown.
        .replace(/with(Short)?Description\(\s*("[^"]*"\s*\+?\s*)+\)/g, "")
        .split("\n")
        // So are its examples. What is typed on another machine has the form that it has there.
        .filter((line) => inThisForm(line, () => "") !== line && !/\{ command: |^\s*(command: |\/\/)|\bssh /.test(line))
        .map((line) => `${file}: ${line.trim()}`)
    )
    assert.deepStrictEqual(found, [])
  })
})
