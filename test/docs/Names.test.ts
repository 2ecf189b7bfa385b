/**
 * The documents name what is there: variables, commands and flags, npm scripts, paths, exports, errors, fields and
 * messages of the wire. What a name is follows from its form.
 */
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import type { Completions } from "effect/cli"
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { grammar } from "../../src/cli/Cli.ts"
import { closeCodes } from "../../src/core/sync/Wire.ts"
import {
  flagOf,
  type Input,
  parse,
  passphraseVariable,
  previousVariable,
  variables
} from "../../src/services/node/Variables.ts"
import { blocksOf, documents, read, rowsOf, spansOf } from "../support/Markdown.ts"

const root = join(import.meta.dirname, "../..")
const sources = (pattern: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  globSync(pattern, { cwd: root, exclude: (path) => path.includes("node_modules") })
const textOf = (files: ReadonlyArray<string>): string =>
  files.map((file) => readFileSync(join(root, file), "utf8")).join("\n")

const files = sources(["{src,test,scripts,bench,examples,docs,patches,.ci}/**/*", "*", ".*"])
const names = new Set(files.map((file) => basename(file)))
/** Without comments: what only a comment names is not there. */
const program = textOf(sources("src/**/*.ts")).replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "")
const programWords = new Set(program.match(/\w+/g))
/** What the program declares, and its modules. */
const declared = new Set([
  ...sources("src/**/*.ts").map((file) => basename(file, ".ts")),
  ...[...program.matchAll(/\b(?:class|const|function|interface|type|as) (\w+)|_tag: "(\w+)"/g)].map(
    ([, name, tag]) => name ?? tag
  )
])
const simulationWords = new Set(textOf(sources("test/simulation/*.ts")).match(/\w+/g))
const messages = textOf(sources("src/core/sync/**/*.ts"))
const scripts: Readonly<Record<string, string>> = JSON.parse(textOf(["package.json"])).scripts

/** All variables of the configuration, with the two that have no flag. */
const known: ReadonlyArray<string> = [...variables, passphraseVariable, previousVariable]

/** What has the form of one of our names and is none, and why. */
const exceptions: Readonly<Record<string, string>> = {
  FERAL_SYNC_: "the beginning of all names",
  FERAL_: "the same",
  "--disable-sigusr1": "a flag of Node",
  "--tgas": "a misspelt flag, as an example",
  "--tags": "the same",
  "sync.db": "a file of the data directory",
  "sync.db-wal": "the same",
  "sync.db-shm": "the same",
  NaN: "a value of Python",
  Infinity: "the same",
  Host: "a header of HTTP",
  digitalSignature: "a usage of a key in a certificate",
  keyAgreement: "the same"
}
const isException = (name: string): boolean => Object.hasOwn(exceptions, name)

/** Names that are no variable. `_KEY` after `FERAL_SYNC_TLS_CERT` stands for the whole name. */
const wrongVariables = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\bFERAL_[A-Z_]*/g)].flatMap(([name]) => (known.includes(name) || isException(name) ? [] : [name]))

const wrongEndings = (spans: ReadonlyArray<string>): ReadonlyArray<string> =>
  spans.filter((span) => /^_[A-Z]+$/.test(span) && !known.some((name) => name.endsWith(span)))

type Command = Completions.CommandDescriptor
const everyCommand = (command: Command): ReadonlyArray<Command> => [
  command,
  ...command.subcommands.flatMap(everyCommand)
]
const namesOf = ({ name, aliases }: { readonly name: string; readonly aliases: ReadonlyArray<string> }) => [
  `--${name}`,
  ...aliases.map((alias) => (alias.length === 1 ? `-${alias}` : `--${alias}`))
]
const globalFlags = [...grammar.globals, ...grammar.actions].flatMap(namesOf)
const everyFlag = new Set([
  ...globalFlags,
  ...everyCommand(grammar.command).flatMap(({ flags }) => flags.flatMap(namesOf))
])
const flagsIn = (words: string): ReadonlyArray<string> =>
  [...words.matchAll(/(?<![\w-])--?[a-z][a-z0-9-]*/g)].map(([flag]) => flag)

/** What is wrong with a command of ours: a subcommand or a flag that it does not have. */
const wrongInCommand = (line: string): ReadonlyArray<string> => {
  let command = grammar.command
  const [plain = ""] = line.split(/ #| \| | -- /)
  const words = plain.split(" ").filter((word) => word !== "")
  while (command.subcommands.length > 0 && words.length > 0) {
    const [word = ""] = words
    const next = command.subcommands.find(({ name }) => name === word)
    if (next === undefined) {
      if (!/^[a-z]/.test(word)) break
      return [`${line}: there is no ${word}`]
    }
    command = next
    words.shift()
  }
  const own = [...globalFlags, ...command.flags.flatMap(namesOf)]
  const text = words.join(" ").replace(/"[^"]*"/g, "TEXT")
  return flagsIn(text)
    .filter((flag) => flag.startsWith("--") && !own.includes(flag) && !isException(flag))
    .map((flag) => `${line}: ${command.name} has no ${flag}`)
}

const commands = grammar.command.subcommands.map(({ name }) => name)

/** The commands of the program in a line, in any form in which it is started. */
const commandsIn = (line: string): ReadonlyArray<string> =>
  [
    ...line.matchAll(
      /(?:^|\| |\$ |[A-Z]=\S* )(?:npm run -s feral-sync --|feral-sync|node src\/main\.ts)(?= )([^()<>;&]*)/g
    )
  ].flatMap(([, words = ""]) => {
    const text = words.trim()
    return /^[a-z]/.test(text) ? [text] : []
  })

const wrongCommands = (text: string): ReadonlyArray<string> => {
  const shell = blocksOf(text).filter(({ language }) => language === "sh" || language === "")
  const lines = shell.flatMap(({ code }) => code.replaceAll("\\\n", " ").split("\n"))
  const spans = spansOf(text)
  const short = spans.filter((span) => commands.includes(span.split(" ")[0] ?? "") && span.includes(" "))
  return [...[...lines.map((line) => line.replace(/^\$ /, "")), ...spans].flatMap(commandsIn), ...short].flatMap(
    wrongInCommand
  )
}

/** Flags that stand alone between backticks: of some command of ours, or of a script of this repository. */
const scriptText = textOf(sources(["scripts/*.ts", "bench/*.ts"]))
const wrongFlags = (spans: ReadonlyArray<string>): ReadonlyArray<string> =>
  spans
    .filter((span) => /^--[a-z]/.test(span))
    .flatMap(flagsIn)
    .filter((flag) => !everyFlag.has(flag) && !isException(flag) && !scriptText.includes(flag))

/** What is run with npm, and its flags. */
const wrongScripts = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\bnpm (?:run )?(?:-s )?([a-z][a-z:-]*)(?: -- ([^\n`]*))?/g)].flatMap(
    ([whole, name = "", rest = ""]) => {
      const isRun = whole.startsWith("npm run ")
      if (!isRun && name !== "test" && name !== "start") return []
      const script = scripts[name]
      if (script === undefined) return [`${whole}: there is no script ${name}`]
      if (name === "feral-sync") return []
      const file = /(?:scripts|bench)\/\S+\.ts/.exec(script)?.[0]
      const source = file === undefined ? script : textOf([file])
      return flagsIn(rest.split(" #")[0] ?? "")
        .filter((flag) => !new RegExp(`\\b${flag.slice(2)}\\b`).test(source))
        .map((flag) => `${whole}: ${script} has no ${flag}`)
    }
  )

/** Paths from the root, and names of files. */
const wrongPaths = (document: string, spans: ReadonlyArray<string>): ReadonlyArray<string> =>
  spans
    .filter((span) =>
      /^(?:src|test|scripts|bench|docs|examples|patches|\.ci)(?:\/[\w./-]*)?$|^[\w./-]+\.(?:ts|md|json|mjs|py|svg)$/.test(
        span
      )
    )
    .filter((span) => !isException(span))
    .filter(
      (span) =>
        !existsSync(join(root, span)) &&
        !existsSync(join(root, dirname(document), span)) &&
        !(basename(span) === span && names.has(span))
    )

/** Exports, services and errors are written like this, and fields of the JSON of commands and of the wire like that. */
const isPascal = (span: string): boolean => /^[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*(\.[a-z]\w*)*(\(.*\))?$/.test(span)
const isCamel = (span: string): boolean => /^[a-z]+([A-Z][a-z0-9]*)+$/.test(span)
const isSnake = (span: string): boolean => /^[a-z]+(_[a-z0-9]+)+$/.test(span)
const wrongIdentifiers = (spans: ReadonlyArray<string>): ReadonlyArray<string> =>
  spans
    .filter((span) => (isPascal(span) || isSnake(span) || isCamel(span)) && !span.endsWith(".ts"))
    .flatMap((span) => {
      const [name = "", ...members] = span.replace(/\(.*$/, "").split(".")
      const isThere = isPascal(name) ? declared.has(name) : programWords.has(name) || simulationWords.has(name)
      return [...(isThere || isException(name) ? [] : [name]), ...members.filter((member) => !programWords.has(member))]
    })

/** Kinds of messages: each is a text of the protocol's modules. */
const wrongMessages = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\bsync_[a-z]+\b/g)].flatMap(([name]) => (messages.includes(`"${name}"`) ? [] : [name]))

const wrongNames = (document: string, text: string): ReadonlyArray<string> => {
  const spans = spansOf(text)
  return [
    ...wrongVariables(text),
    ...wrongEndings(spans),
    ...wrongCommands(text),
    ...wrongFlags(spans),
    ...wrongScripts(text),
    ...wrongPaths(document, spans),
    ...wrongIdentifiers(spans),
    ...wrongMessages(text)
  ]
}

describe("names in the documents", () => {
  for (const document of documents) {
    it(`${document} names what is there`, () => {
      assert.deepStrictEqual([...new Set(wrongNames(document, read(document)))], [])
    })
  }

  it("that are not there are found", () => {
    const wrong: ReadonlyArray<readonly [string, string]> = [
      ["a variable", "`FERAL_SYNC_NOTHING`"],
      ["the end of one", "`FERAL_SYNC_TLS_CERT`, `_KEYS`"],
      ["a command", "`feral-sync notes list`"],
      ["a subcommand", "`note put TEXT`"],
      ["a flag of another command", "`note add TEXT --confidence C`"],
      ["a flag in a block", "```sh\nnpm run -s feral-sync -- search hello --most 3\n```"],
      ["a flag alone", "`--nothing`"],
      ["a script", "`npm run nothing`"],
      ["a flag of a script", "`npm run simulate -- --nothing 3`"],
      ["a path", "`src/core/Nothing.ts`"],
      ["a file", "`Nothing.ts`"],
      ["a folder", "`test/nothing`"],
      ["an export", "`NothingInput`"],
      ["a member", "`Store.nothingAtAll`"],
      ["an error", "`NothingFailed`"],
      ["a function", "`nothingAtAll`"],
      ["a field", "`nothing_at_all`"],
      ["a message", "a `sync_nothing`"]
    ]
    for (const [what, text] of wrong) assert.isNotEmpty(wrongNames("README.md", text), what)
  })

  it("every exception is needed", () => {
    const all = documents.map(read).join("\n")
    for (const name of Object.keys(exceptions)) assert.include(all, name)
  })
})

describe("docs/configuration.md", () => {
  const rows = new Map(rowsOf(read("docs/configuration.md")).map(([name = "", standard = ""]) => [name, standard]))

  it("has every variable once, and no other", () => {
    const listed = [...rows.keys()].filter((name) => name.startsWith("`"))
    assert.sameMembers(
      listed,
      known.map((name) => `\`${name}\``)
    )
  })

  it("says the default of each as it is", () => {
    const settingsOf = (values: Input["values"]) => Result.getOrThrow(parse({ values, passphrase: Option.none() }))
    const byDefault = settingsOf({})
    const written = variables.flatMap((name) => {
      const text = (rows.get(`\`${name}\``) ?? "").replaceAll("`", "")
      return /^(none|all interfaces|for ever)$/.test(text) ? [] : [{ name, text }]
    })
    assert.isAtLeast(written.length, 18)
    for (const { name, text } of written) {
      assert.deepStrictEqual(settingsOf({ [name]: { name, text } }), byDefault, `${name}: ${text}`)
    }
  })

  it("says the flag of each as it is", () => {
    const flags = variables.filter((name) => name !== "FERAL_HOME").map((name) => [name, flagOf(name)])
    for (const [name = "", flag = ""] of flags) {
      assert.strictEqual(
        name
          .replace(/^FERAL_(SYNC_)?/, "")
          .toLowerCase()
          .replaceAll("_", "-"),
        flag
      )
    }
  })
})

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
    for (const [file] of drawing.matchAll(/\b\w+\.ts\b/g)) assert.isTrue(names.has(file), file)
    for (const [, event = ""] of drawing.matchAll(/step\((\w+)\)|asks: (\w+)/g)) {
      if (event !== "") assert.include(textOf(["src/core/sync/SessionState.ts"]), `"${event}"`)
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
