/**
 * What becomes of each word of the command line: texts that begin with dashes above all. Thousands of lines run against a
 * memory in this process, and a few as real processes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Context, Effect, Layer, Stream } from "effect"
import * as Access from "../../src/cli/Access.ts"
import { run as runCli } from "../support/Cli.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Memory } from "../../src/services/memory/Memory.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import { anyText, element, oneOf, runs } from "../support/Generators.ts"
import * as MemoryLive from "../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"

const fromInput = "from standard input"

/** Runs a line against a new memory: the exit code, what was printed, and all rows. */
const attempt = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    let stdout = ""
    let stderr = ""
    const queries: Array<string> = []
    const context = yield* Layer.build(
      MemoryLive.layer.pipe(Layer.provide(MemoryStore.layer()), Layer.provide(HlcClock.layer))
    )
    const memory = Context.get(context, Memory)
    const note = yield* memory.notes.put({ content: "before" })
    const unused = Effect.die(new Error("not a part of this test"))
    const opened: Effect.Success<ReturnType<typeof Access.open>> = {
      home: "/nowhere",
      isRunning: true,
      memory: {
        ...memory,
        search: (input) => {
          queries.push(input.query)
          return memory.search(input)
        }
      },
      archive: unused,
      verification: { damage: unused, audit: unused, compare: unused },
      purging: { purge: () => unused },
      origins: { list: unused, forget: () => unused },
      status: unused,
      peers: unused
    }
    const code = yield* runCli(args.map((arg) => (arg === "ID" ? note.id : arg))).pipe(
      Effect.provideService(Access.Opener, { open: () => Effect.succeed(opened) }),
      Effect.provideService(StandardStreams, {
        output: (text) => Effect.sync(() => void (stdout += text)),
        error: (text) => Effect.sync(() => void (stderr += text)),
        input: Stream.make(new TextEncoder().encode(`${fromInput}\n`))
      })
    )
    const rows = {
      notes: (yield* memory.notes.list()).filter(({ content }) => content !== "before"),
      facts: yield* memory.facts.list(),
      episodes: yield* memory.episodes.list(),
      log: yield* memory.executionLog.list()
    }
    return { code, stdout, stderr, rows, queries }
  }).pipe(Effect.scoped, Effect.runSync)

type Attempt = ReturnType<typeof attempt>
type Texts = readonly [string, string, string]

/** Each command that takes text: its line, and whether all of it is stored. */
const commands: ReadonlyArray<{
  readonly line: (texts: Texts) => ReadonlyArray<string>
  readonly isStored: (attempt: Attempt, texts: Texts) => boolean
}> = [
  {
    line: ([a]) => ["note", "add", a],
    isStored: ({ rows }, [a]) => rows.notes.length === 1 && rows.notes[0]?.content === read(a)
  },
  {
    line: ([a, b, c]) => ["note", "add", "--tag", b, a, "--tag", c],
    isStored: ({ rows }, [a, b, c]) =>
      rows.notes[0]?.content === read(a) && JSON.stringify(rows.notes[0].tags) === JSON.stringify([b, c])
  },
  {
    line: ([a, b]) => ["note", "add", "--importance", b, "--", a],
    isStored: ({ rows }, [a, b]) => rows.notes[0]?.content === read(a) && rows.notes[0].importance === b
  },
  {
    line: ([a]) => ["note", "edit", "ID", a],
    // It has the flag: the text stays, and the tag comes.
    isStored: ({ rows }, [a]) => rows.notes[0]?.content === read(a) || a.startsWith("--tag=")
  },
  {
    line: ([a, b, c]) => ["fact", "set", a, b, c],
    isStored: ({ rows }, [a, b, c]) => isFact(rows, [a, b, read(c)])
  },
  {
    line: ([a, b, c]) => ["fact", "add", a, b, c, "--confidence", "0.5"],
    isStored: ({ rows }, [a, b, c]) => isFact(rows, [a, b, read(c)])
  },
  {
    line: ([a, b, c]) => ["episode", "add", "--session", a, "--type", "t", "--summary", b, "--detail", c],
    isStored: ({ rows: { episodes } }, [a, b, c]) =>
      episodes[0]?.session_id === a && episodes[0].summary === read(b) && episodes[0].detail === read(c)
  },
  {
    line: ([a, b, c]) => ["log", "append", "--session", a, "--skill", b, "--endpoint", c, "--status", a],
    isStored: ({ rows: { log } }, [a, b, c]) =>
      log[0]?.session_id === a && log[0].skill_id === b && log[0].endpoint_id === c && log[0].result_status === a
  },
  {
    line: ([a]) => ["log", "append", "--session=s", "--skill=k", "--endpoint=e", `--status=${a}`],
    isStored: ({ rows: { log } }, [a]) => log[0]?.result_status === a
  },
  { line: ([a]) => ["search", a], isStored: ({ queries }, [a]) => queries[0] === a }
]

const read = (text: string) => (text === "-" ? fromInput : text)

const isFact = ({ facts: [fact] }: Attempt["rows"], [subject, predicate, object]: Texts) =>
  fact?.subject === subject && fact.predicate === predicate && fact.object === object

const dashed = oneOf(
  element("- buy bread", "-5 degrees tonight", "-v", "-h", "-hv", "-5", "-", "--", "---", "-=", "--=x", "--5", "-- x"),
  element(
    "--help",
    "--help me",
    "--version",
    "--json",
    "--json yes",
    "--tag",
    "--tag=x",
    "--home",
    "--home=/nowhere/else"
  ),
  element("-tag", "--tgas", "--tags=a b", "--summary=x", "--détail", "-t", "--no-json", "--completions", "--a\n--b")
)
const text = oneOf(
  dashed,
  anyText,
  Arbitrary.map(Arbitrary.all([element("-", "--", "- ", "-- ", "-h", "--json"), anyText]), ([a, b]) => a + b)
)

describe("text on the command line", () => {
  for (const [name, flags] of [
    ["is stored exactly, or the exit code is not 0", []],
    ["with --json, so too, and stdout is one JSON value or empty", ["--json"]]
  ] as const) {
    it.prop(
      name,
      [element(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), Arbitrary.all([text, text, text])],
      ([index, texts]) => {
        const command = commands[index]
        if (command === undefined) return assert.fail()
        const args = [...flags, ...command.line(texts)]
        const done = attempt(args)
        if (done.code === 0 && !isAction(args) && !isAnotherLine(texts))
          assert.isTrue(command.isStored(done, texts), JSON.stringify(args))
        if (done.code !== 0) {
          assert.strictEqual(Object.values(done.rows).flat().length + done.queries.length, 0)
          assert.notStrictEqual(done.stderr, "")
        }
        if (flags.length > 0 && done.stdout !== "") assert.doesNotThrow(() => void JSON.parse(done.stdout))
      },
      runs(1_200)
    )
  }

  /**
   * Whether the texts are words of the command line themselves: a flag, and the end of flags, after which more words
   * are text.
   */
  const isAnotherLine = (texts: Texts): boolean =>
    texts.includes("--") && texts.some((text) => /^--(json|home|tag)(=.*)?$/s.test(text))

  /** Whether a line asks for help or the version and for nothing else. */
  const isAction = (args: ReadonlyArray<string>): boolean => {
    const rest = args.filter(
      (arg, index) => !/^--(json|home(=.*)?)$/s.test(arg) && !(args[index - 1] === "--home" && arg !== "--")
    )
    return (
      (rest.length === 3 && /^(-h|-v|--help|--version)(=.*)?$/s.test(rest[2] ?? "")) ||
      (rest.length === 2 && rest[0] === "search" && /^(-h|-v|--help|--version)/.test(rest[1] ?? ""))
    )
  }

  const stored: ReadonlyArray<readonly [args: ReadonlyArray<string>, content: string]> = [
    [["note", "add", "- buy bread with Anna"], "- buy bread with Anna"],
    [["note", "add", "-5 degrees tonight"], "-5 degrees tonight"],
    [["note", "add", "-v8 is fast"], "-v8 is fast"],
    [["note", "add", "--urgent"], "--urgent"],
    [["note", "add", "--tag is a flag"], "--tag is a flag"],
    [["note", "add", "--", "--tag"], "--tag"],
    [["note", "add", "--", "--help"], "--help"],
    [["note", "add", "--", "-h"], "-h"],
    [["note", "add", "--", "-v"], "-v"],
    [["note", "add", "-x"], "-x"],
    [["note", "add", "- a", "--tag", "- b", "--json"], "- a"],
    [["--json", "note", "--home", "/nowhere", "add", "-"], fromInput],
    [["note", "edit", "ID", "-1"], "-1"]
  ]
  for (const [args, content] of stored) {
    it(`${args.join(" ")} is stored`, () => {
      const { code, rows } = attempt(args)
      assert.deepStrictEqual([code, rows.notes.map((note) => note.content)], [0, [content]])
    })
  }

  const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]> = [
    [["note", "add", "a", "--tgas", "x"], /--tgas is not a flag of feral-sync note add\. Did you mean --tag\?/],
    [["note", "add", "a", "--tga", "x"], /--tga is not a flag of feral-sync note add\. Did you mean --tag\?/],
    [["note", "add", "--imp", "high", "a"], /Did you mean --importance\?/],
    [["note", "add", "--tags=a b", "x"], /Did you mean --tag\?/],
    [["note", "add", "x", "--JSON"], /Did you mean --json\?/],
    [["note", "add", "-json", "x"], /Did you mean --json\?/],
    [["note", "add", "a", "--confidence", "1"], /--confidence is not a flag/],
    [["note", "add", "a", "--force"], /--force is not a flag/],
    [["note", "add", "a", "--help"], /--help cannot be combined/],
    [["note", "add", "a", "-h"], /-h cannot be combined/],
    [["note", "add", "--tag", "a", "--version"], /--version cannot be combined/],
    [["note", "add", "-v"], /-v is for feral-sync alone; if it is text, put -- before it/],
    [["note", "add", "--version"], /--version is for feral-sync alone; if it is text, put -- before it/],
    [["fact", "set", "a", "b", "-h"], /-h cannot be combined .*; if it is text, put -- before it/],
    [["--completions", "bash", "-v"], /-v cannot be combined/],
    [["note", "- h"], /"- h" is not a command/],
    [["-hv"], /-hv is not a command/],
    [["--", "note", "list"], /needs a command before --/],
    [["--completions", "bash", "--json"], /leave out --json/],
    [
      ["episode", "add", "--session=s", "--type=t", "--summary", "-", "--detail", "-"],
      /only one of --summary and --detail/
    ]
  ]
  for (const [args, says] of refused) {
    it(`${args.join(" ")} is refused`, () => {
      const { code, stdout, stderr, rows } = attempt(args)
      assert.deepStrictEqual([code, stdout, Object.values(rows).flat().length], [2, "", 0])
      assert.match(stderr, says)
    })
  }

  const answered: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]> = [
    [["--help"], /SUBCOMMANDS/],
    [["-h"], /SUBCOMMANDS/],
    [["note", "--help"], /SUBCOMMANDS/],
    [["note", "add", "--help"], /EXAMPLES/],
    [["--json", "note", "add", "-h"], /^\{"help":".*EXAMPLES/],
    [["--version"], /^feral-sync v\d/],
    [["-v", "--json"], /^\{"name":"feral-sync","version":"\d/],
    [["note", "--version"], /^feral-sync v\d/],
    [["status", "-v"], /^feral-sync v\d/],
    [["note", "add", "-h"], /nothing else was done\. If -h is text, put -- before it, as in \S.* note add -- -h\n$/],
    [["search", "--help"], /nothing else was done\. If --help is text, .* search -- --help\n$/],
    [["--json", "note", "add", "-h"], /nothing else was done/],
    [["--completions", "bash"], /complete/]
  ]
  for (const [args, says] of answered) {
    it(`${args.join(" ")} is answered`, () => {
      const { code, stdout, stderr } = attempt(args)
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(stdout, says)
      if (args.includes("--json")) assert.isObject(JSON.parse(stdout))
    })
  }
})
