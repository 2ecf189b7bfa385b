/**
 * The documents name what is there: variables, commands and flags, npm scripts, paths, exports, errors, fields and
 * messages of the wire. What a name is follows from its form.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Completions } from "effect/cli"
import { existsSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { grammar } from "../support/Cli.ts"
import { known } from "../../src/services/node/Variables.ts"
import { blocksOf, documents, read, spansOf } from "../support/Markdown.ts"
import { program, root, sources, textOf } from "../support/RepositoryText.ts"

const files = sources(["{src,test,scripts,bench,examples,docs,patches,.ci}/**/*", "*", ".*"])
const names = new Set(files.map((file) => basename(file)))
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

/** The commands that the pages of the dashboard name, in any of their texts. */
const wrongInPages = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\bferal-sync ([a-z][^`"'<>.;,()\n]*)/g)].flatMap(([, words = ""]) => wrongInCommand(words.trim()))

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

  it("the commands that the dashboard names are there", () => {
    assert.deepStrictEqual(wrongInPages(textOf(sources("src/dashboard/*.{js,html}"))), [])
    assert.isNotEmpty(wrongInPages("<pre><code>feral-sync passphrase show</code></pre>"))
  })

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
