/**
 * Lists, searches and single rows on the command line, against one memory in this process.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import * as Access from "../../src/cli/Access.ts"
import { run as runCli } from "../support/Cli.ts"
import { CanonicalJson } from "../../src/core/replica/Json.ts"
import { Memory } from "../../src/services/memory/Memory.ts"
import * as MemoryLive from "../../src/services/memory/MemoryLive.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"
import { Store } from "../../src/services/store/Store.ts"
import { node, write } from "../support/Network.ts"
import { at, batch } from "../support/Stores.ts"

interface Row {
  readonly id: string
  readonly content: string
  readonly tags: ReadonlyArray<string>
  readonly object: string
  readonly kind: string
}

const opened = Effect.gen(function* () {
  const context = yield* Layer.build(
    MemoryLive.layer.pipe(Layer.provideMerge(MemoryStore.layer()), Layer.provide(HlcClock.layer))
  )
  const memory = Context.get(context, Memory)
  const unused = Effect.die(new Error("not a part of this test"))
  const access: Effect.Success<ReturnType<typeof Access.open>> = {
    home: "/nowhere",
    isRunning: true,
    memory,
    archive: unused,
    verification: { damage: unused, audit: unused, compare: unused },
    purging: { purge: () => unused },
    origins: { list: unused, forget: () => unused },
    status: unused,
    peers: unused
  }
  /** Runs a line: the exit code, and what was printed. */
  const run = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
    let stdout = ""
    let stderr = ""
    const code = yield* runCli(args).pipe(
      Effect.provideService(Access.Opener, { open: () => Effect.succeed(access) }),
      Effect.provideService(StandardStreams, {
        output: (text) => Effect.sync(() => void (stdout += text)),
        error: (text) => Effect.sync(() => void (stderr += text)),
        input: Stream.empty
      })
    )
    return { code, stdout, stderr }
  })
  const json = Effect.fnUntraced(function* <A = ReadonlyArray<Row>>(...args: ReadonlyArray<string>) {
    const { code, stdout, stderr } = yield* run(...args, "--json")
    assert.strictEqual(code, 0, stderr)
    return JSON.parse(stdout) as A
  })
  return { memory, store: Context.get(context, Store), run, json }
})

const contentsOf = (rows: ReadonlyArray<Row>) => rows.map(({ content }) => content)

describe("reads on the command line", () => {
  it.live("lists are short and newest first for people, and complete as JSON", () =>
    Effect.gen(function* () {
      const { memory, run, json } = yield* opened
      for (let n = 0; n < 25; n++) yield* memory.notes.put({ content: `note ${n}.`, tags: n % 2 === 0 ? ["even"] : [] })
      const { stdout } = yield* run("note", "list")
      const lines = stdout.trimEnd().split("\n")
      assert.include(lines[1], "note 24.")
      assert.lengthOf(lines, 22)
      assert.include(lines.at(-1), "… 5 more")
      assert.lengthOf((yield* run("note", "list", "--limit", "30")).stdout.trimEnd().split("\n"), 26)
      assert.lengthOf(yield* json("note", "list"), 25)
      assert.deepStrictEqual(contentsOf(yield* json("note", "list", "--limit", "2")), ["note 24.", "note 23."])
      const even = yield* json("note", "list", "--tag", "even", "--since", "1h")
      assert.deepStrictEqual(contentsOf(even).slice(0, 2), ["note 24.", "note 22."])
      assert.lengthOf(even, 13)
      assert.notProperty(even[0], "kind")
      assert.deepStrictEqual(yield* json("note", "list", "--until", "2020-01-01"), [])
      assert.include((yield* run("note", "list", "--tag", "odd")).stdout, "No notes match")
      assert.include((yield* run("note", "list", "--since", "soon")).stderr, "2h or 3d")
      assert.strictEqual((yield* run("note", "list", "--since", "1h", "--until", "2h")).code, 2)
    })
  )

  it.live("one row is shown by the beginning of its id", () =>
    Effect.gen(function* () {
      const { memory, run, json } = yield* opened
      const { id } = yield* memory.notes.put({ content: "one\ntwo \u001b[31m" })
      const fact = yield* memory.facts.set({ subject: "kitchen", predicate: "temperature", object: "21" })
      const shown = yield* run("note", "show", id.slice(0, 30))
      assert.match(shown.stdout, /content: +one\n +two/)
      assert.notInclude(shown.stdout, "\u001b")
      assert.strictEqual((yield* json<Row>("show", fact.id.slice(0, 12))).object, "21")
      assert.include((yield* run("note", "show", fact.id)).stderr, "no note has the id")
      yield* memory.notes.put({ content: "another" })
      assert.include((yield* run("show", id.slice(0, 2))).stderr, "type more characters of the id")
    })
  )

  it.live("facts by their subject and predicate", () =>
    Effect.gen(function* () {
      const { memory, run, json } = yield* opened
      yield* memory.facts.set({ subject: "kitchen", predicate: "temperature", object: "21" })
      yield* memory.facts.add({ subject: "kitchen", predicate: "colour", object: "green" })
      yield* memory.facts.add({ subject: "kitchen", predicate: "colour", object: "white" })
      assert.strictEqual((yield* run("fact", "get", "kitchen", "temperature")).stdout, "21\n")
      assert.lengthOf(yield* json("fact", "get", "kitchen"), 3)
      assert.lengthOf(yield* json("fact", "list", "--subject", "kitchen", "--predicate", "colour"), 2)
      assert.strictEqual((yield* run("fact", "get", "cellar", "temperature")).code, 1)
      assert.include((yield* run("fact", "delete", "kitchen", "colour")).stderr, "begins with")
      yield* json("fact", "delete", "kitchen", "temperature")
      assert.deepStrictEqual(yield* json("fact", "get", "kitchen", "temperature"), [])
    })
  )

  it.live("tags of a note come and go", () =>
    Effect.gen(function* () {
      const { memory, run, json } = yield* opened
      const { id } = yield* memory.notes.put({ content: "water", tags: ["home", "old"] })
      yield* json("note", "edit", id, "--tag", "garden", "--tag", "home", "--untag", "old")
      const [note] = yield* json("note", "list")
      assert.deepStrictEqual([note?.content, note?.tags], ["water", ["home", "garden"]])
      yield* json("note", "edit", id, "plants", "--untag", "home")
      assert.deepInclude((yield* json("note", "list"))[0], { content: "plants", tags: ["garden"] })
      assert.strictEqual((yield* run("note", "edit", id)).code, 2)
    })
  )

  it.live("searches take several words, filters, and cursors", () =>
    Effect.gen(function* () {
      const { memory, run, json } = yield* opened
      yield* memory.notes.put({ content: "roadmap of the meeting", tags: ["work"] })
      yield* memory.notes.put({ content: "meeting roadmap" })
      yield* memory.episodes.record({ session_id: "s", event_type: "talk", summary: "项目会议的记录: meeting roadmap" })
      const found = yield* json("search", "meeting", "roadmap")
      assert.deepStrictEqual(
        found.map(({ kind }) => kind),
        ["episodes", "notes", "notes"]
      )
      assert.strictEqual(found[2]?.content, "roadmap of the meeting")
      assert.lengthOf(yield* json("search", "meeting", "--kind", "note", "--tag", "work"), 1)
      assert.lengthOf(yield* json("search", "会议", "--session", "s"), 1)
      interface Page {
        readonly rows: ReadonlyArray<Row>
        readonly next: string
      }
      const first = yield* json<Page>("search", "meeting", "--limit", "2", "--cursor", "start")
      const second = yield* json<Page>("search", "meeting", "--limit", "2", "--cursor", first.next)
      assert.deepStrictEqual([first.rows.length, second.rows.length, second.next], [2, 1, undefined])
      assert.include((yield* run("search", "meeting", "--kind", "log")).stderr, "note, fact, episode")
      assert.strictEqual((yield* run("search", "meeting", "--cursor", "wrong")).code, 2)
    })
  )

  it.live("rows of a kind of an application are shown as JSON, without its declaration", () =>
    Effect.gen(function* () {
      const { store, run, json } = yield* opened
      const field = (wall: number, row: string, data: object) => ({
        ...write(node("far"), at(wall), row, "todos!fields", "update"),
        data: CanonicalJson.make(JSON.stringify(data))
      })
      const more = Array.from({ length: 30 }, (_, index) => field(10 + index, `z${index + 10}`, { title: "milk" }))
      yield* store.apply(batch([field(1, "a", { title: "green tea" }), field(2, "a", { done: true }), ...more]))
      const row = { id: "a", title: "green tea", done: true, updated_at: 0.002, origin_node: "far" }
      assert.deepInclude(yield* json<object>("show", "a", "--kind", "todos"), row)
      assert.lengthOf(yield* json("list", "todos"), 31)
      assert.deepInclude((yield* json("list", "todos!fields", "--limit", "2"))[0], row)
      const { stdout } = yield* run("list", "todos", "--limit", "3")
      const lines = stdout.trimEnd().split("\n")
      assert.deepStrictEqual(
        lines.slice(0, 3).map((line) => (JSON.parse(line) as { readonly id: string }).id),
        ["z39", "z38", "z37"]
      )
      const ids = (rows: ReadonlyArray<object>) => rows.map((one) => "id" in one && one.id)
      assert.deepStrictEqual(ids(yield* json("list", "todos", "--until", "0.012")), ["z11", "z10", "a"])
      assert.deepStrictEqual(ids(yield* json("list", "todos", "--origin", "far", "--limit", "1")), ["z39"])
      assert.deepStrictEqual(ids(yield* json("search", "milk", "--kind", "todos", "--until", "0.012")), ["z10", "z11"])
      assert.include((yield* run("list", "--since", "2h")).stderr, "need a kind")
      assert.deepStrictEqual([lines.length, lines[3]], [4, "… more: use --limit N, or --json for all"])
      assert.deepStrictEqual(yield* json<unknown>("list"), [{ kind: "todos!fields", name: "todos", rule: "fields" }])
      assert.deepInclude((yield* json("search", "TEA", "--kind", "todos"))[0], row)
      assert.lengthOf((yield* json<{ operations: [] }>("changes", "--kind", "todos!fields")).operations, 32)
      assert.include((yield* run("list", "tasks")).stderr, "was not declared on this node")
      assert.include((yield* run("show", "b", "--kind", "todos")).stderr, "no row has the id")
      assert.strictEqual((yield* run("search", "tea", "--kind", "todos", "--tag", "x")).code, 2)
      const note = yield* run("search", "tea", "--kind", "tasks")
      assert.deepStrictEqual(note.code, 2)
    })
  )
})
