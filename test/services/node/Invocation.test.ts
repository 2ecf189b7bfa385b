import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { grammar } from "../../support/Cli.ts"
import {
  absoluteCommandLine,
  commandLine,
  inThisForm,
  programOf,
  quoted
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

  it("names the data directory when it is not the usual one", () => {
    assert.match(commandLine("start", "/a b"), / start --home '\/a b'$/)
    assert.match(commandLine("start"), / start$/)
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
