/**
 * What single documents promise: all commands, the words of symptoms, the close codes, and a map
 * whose names are those of the code.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Completions } from "effect/cli"
import { basename } from "node:path"
import { grammar } from "../support/Cli.ts"
import { closeCodes } from "../../src/core/sync/Wire.ts"
import { blocksOf, read, rowsOf, spansOf } from "../support/Markdown.ts"
import { program, sources, textOf } from "../support/RepositoryText.ts"

type Command = Completions.CommandDescriptor

describe("docs/commands.md", () => {
  it("has every command", () => {
    const leaves = (command: Command, path: ReadonlyArray<string>): ReadonlyArray<string> =>
      command.subcommands.length === 0
        ? [path.join(" ")]
        : command.subcommands.flatMap((sub) => leaves(sub, [...path, sub.name]))
    const spans = spansOf(read("docs/commands.md"))
    const missing = leaves(grammar.command, []).filter(
      (command) => !spans.some((span) => span === command || span.startsWith(`${command} `))
    )
    assert.deepStrictEqual(missing, [])
  })
})

describe("docs/operations.md", () => {
  it("shows symptoms in the words of the program", () => {
    const rows = rowsOf(read("docs/operations.md"))
    const from = rows.findIndex(([symptom]) => symptom === "symptom")
    const symptoms = rows.slice(from + 1).map(([symptom = ""]) => symptom)
    const table = symptoms.slice(0, symptoms.indexOf("alarm"))
    assert.isAtLeast(table.length, 12)
    const parts = table.flatMap((symptom) => symptom.replaceAll("`", "").split(/…|: /))
    const wrong = parts.map((part) => part.trim()).filter((part) => !program.includes(part))
    assert.deepStrictEqual(wrong, [])
  })
})

describe("messages that the documents quote", () => {
  const quoted: ReadonlyArray<readonly [string, string]> = [
    ["README.md", "peer connected"],
    ["docs/operations.md", "mDNS is unavailable"],
    ["docs/operations.md", "mDNS is available again"],
    ["docs/operations.md", "another node uses the id"],
    ["docs/operations.md", "not seen for"],
    ["docs/operations.md", "clock ahead"]
  ]
  for (const [document, message] of quoted) {
    it(`are those of the program: ${message}`, () => {
      assert.include(read(document).replace(/\s+/g, " "), message)
      assert.include(program, message)
    })
  }
})

describe("docs/protocol.md", () => {
  it("has every reason of a refusal with its close code", () => {
    const codes = rowsOf(read("docs/protocol.md"))
      .filter(([, code = ""]) => /^[14]\d{3}$/.test(code))
      .map(([reason = "", code]) => [reason.replaceAll("`", ""), Number(code)] as const)
    assert.deepStrictEqual(Object.fromEntries(codes), { ...closeCodes })
  })
})

describe("docs/architecture.md", () => {
  const changes = rowsOf(read("docs/architecture.md")).slice(1)

  it("says where to change what by names that are there", () => {
    assert.isAtLeast(changes.length, 12)
    for (const [what = "", file = "", name = ""] of changes) {
      const source = textOf([file.replaceAll("`", "")])
      for (const one of name.split(", ").map((text) => text.replaceAll("`", ""))) {
        assert.match(source, new RegExp(`\\b(?:const|class|function) ${one}\\b`), what)
      }
    }
  })

  it("draws the way of a write with modules and members that are there", () => {
    const drawing = blocksOf(read("docs/architecture.md")).find(({ code }) => code.includes("Store.append"))?.code ?? ""
    const modules = new Map(sources("src/{core,services}/**/*.ts").map((file) => [basename(file, ".ts"), file]))
    const named = [...drawing.matchAll(/\b([A-Z]\w+)((?:\.[a-z]\w*)+)/g)].filter(([, name = ""]) => modules.has(name))
    assert.isAtLeast(named.length, 10)
    for (const [whole, name = "", members = ""] of named) {
      const file = modules.get(name) ?? ""
      for (const member of members
        .slice(1)
        .split(".")
        .filter((member) => member !== "ts")) {
        assert.match(textOf([file, "src/core/replica/Kind.ts"]), new RegExp(`\\b${member}\\b`), whole)
      }
    }
    for (const [file] of drawing.matchAll(/\b\w+\.ts\b/g))
      assert.include(
        [...modules.values()].map((path) => basename(path)),
        file
      )
    for (const [, event = ""] of drawing.matchAll(/step\((\w+)\)|asks: (\w+)/g)) {
      if (event !== "") assert.include(textOf(["src/core/sync/SessionEvents.ts"]), `"${event}"`)
    }
  })

  it("draws every state of a session", () => {
    const [, phases = ""] = /readonly phase: ([^\n]+)/.exec(textOf(["src/core/sync/SessionState.ts"])) ?? []
    const states = [...phases.matchAll(/"(\w+)"/g)].map(([, state = ""]) => state)
    const drawing = blocksOf(read("docs/architecture.md")).find(({ code }) => code.includes("connection ─"))?.code ?? ""
    const drawn = [...drawing.matchAll(/│ +(\w+) +│/g)].map(([, state = ""]) => state)
    assert.isAtLeast(states.length, 4)
    assert.sameMembers([...new Set(drawn)], states)
  })
})
