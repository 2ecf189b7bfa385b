/** The memory of existing FERAL nodes as operations: what is taken, what is left out, and that two imports of it are one. */
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Found } from "../../../../src/core/foreign/Found.ts"
import * as Digest from "../../../../src/core/replica/Digest.ts"
import * as Archive from "../../../../src/services/admin/Archive.ts"
import * as FeralDirectory from "../../../../src/services/admin/foreign/FeralDirectory.ts"
import * as MemoryLive from "../../../../src/services/memory/MemoryLive.ts"
import { Memory } from "../../../../src/services/memory/Memory.ts"
import { HlcClock } from "../../../../src/services/node/HlcClock.ts"
import * as MemoryStore from "../../../../src/services/store/MemoryStore.ts"
import { Store } from "../../../../src/services/store/Store.ts"
import * as FeralMemories from "../../../support/FeralMemories.ts"

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "feral-sync-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

const options = { includePrivate: false, includeNoteFacts: false }

const read = (path: string, given = options) =>
  Effect.map(FeralDirectory.open(path, given), ({ found }) => [...found]).pipe(
    Effect.scoped,
    Effect.provide(NodeFileSystem.layer)
  )

const linesOf = (found: ReadonlyArray<Found>) => found.flatMap((one) => (one._tag === "Operation" ? [one.line] : []))
const leftOutOf = (found: ReadonlyArray<Found>) =>
  found.flatMap((one) => (one._tag === "LeftOut" ? [`${one.count} ${one.kind}: ${one.reason}`] : []))

/** A replica that takes all of it. */
const replica = Effect.fnUntraced(function* (found: ReadonlyArray<Found>) {
  const context = yield* Layer.build(
    MemoryLive.layer.pipe(Layer.provideMerge(MemoryStore.layer({})), Layer.provide(HlcClock.layer))
  )
  const store = Context.get(context, Store)
  const archive = yield* Archive.make({ maxClockDriftMs: 1, maxRecvBytes: 1024 * 1024 }).pipe(
    Effect.provideService(Store, store)
  )
  const take = (lines: ReadonlyArray<string>) => archive.take(lines)
  const taken = yield* take(linesOf(found))
  return { store, memory: Context.get(context, Memory), take, taken }
})

describe("an early node", () => {
  it.live("gives its operations, and its rows where it has none", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const feral = FeralMemories.early(directory)
      yield* Effect.addFinalizer(() => Effect.sync(feral.close))
      const found = yield* read(directory)
      const { memory, taken } = yield* replica(found)
      assert.deepStrictEqual(taken.refused, [])
      const notes = new Map(
        (yield* memory.notes.list({ limit: 100 })).map((note) => [
          note.id,
          { ...note, origin_node: String(note.origin_node) }
        ])
      )
      assert.sameMembers([...notes.keys()], ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"])
      assert.deepInclude(notes.get("aaaaaaaa"), { content: "newer", tags: ["x"], origin_node: "host-41" })
      assert.deepStrictEqual(notes.get("bbbbbbbb")?.tags, [])
      assert.deepStrictEqual(notes.get("cccccccc")?.tags, ["garden"])
      assert.deepInclude(notes.get("bbbbbbbb"), { origin_node: "feral-import", updated_at: 1_700_000_005 })
      assert.strictEqual(notes.get("dddddddd")?.updated_at, 1_700_000_000)
      assert.deepStrictEqual(
        (yield* memory.facts.list({ limit: 100 })).map(({ id, confidence }) => ({ id, confidence })),
        [{ id: "factfactfact", confidence: 1 }]
      )
      const [episode] = yield* memory.episodes.list({ limit: 100 })
      assert.deepInclude(episode, { id: "episodeabcde", emotions: '["joy"]', created_at: 1_700_000_001 })
      const [execution] = yield* memory.executionLog.list({ limit: 100 })
      assert.deepInclude(execution, { id: "execexecexec", args: { value: '{"text": "aaaa' } })
      assert.sameMembers(leftOutOf(found), [
        "1 knowledge: a copy of a note: --include-note-facts imports them",
        "1 wiki_pages: not a replicated kind",
        "1 wiki_pages: not a replicated kind"
      ])
      assert.deepStrictEqual(
        found.flatMap((one) => (one._tag === "Refused" ? [one.where] : [])),
        ["notes ", "operation op-knowledge-brokenbroken-1700000000004"]
      )
      const all = yield* read(directory, { ...options, includeNoteFacts: true })
      assert.lengthOf(linesOf(all), linesOf(found).length + 1)
    }).pipe(Effect.scoped)
  )
})

describe("a node of the newest generation", () => {
  it.live("gives rows by their HLC, tombstones and relations, and what is private only when asked", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      FeralMemories.newest(directory).close()
      const found = yield* read(directory)
      const { memory, store, taken } = yield* replica(found)
      assert.deepStrictEqual(taken.refused, [])
      const notes = yield* memory.notes.list({ limit: 100 })
      assert.deepStrictEqual(
        notes.map(({ id, hlc }) => [id, hlc.endsWith("node-a")]),
        [
          ["11111111", true],
          ["22222222", false]
        ]
      )
      assert.strictEqual((yield* store.counts).tombstones, 1)
      const facts = yield* memory.facts.list({ limit: 100 })
      assert.sameMembers(
        facts.map(({ id, subject, object }) => `${id} ${subject} ${object}`),
        ["oldoldoldold sky blue", `${FeralMemories.factId("sea", "is")} sea deep`, "rel3 sea blue"]
      )
      assert.sameMembers(leftOutOf(found), [
        "1 notes: private to that machine: --include-private imports them",
        "1 knowledge: the same fact already exists",
        "1 knowledge: a relation whose entity is missing"
      ])
      const all = yield* read(directory, { ...options, includePrivate: true })
      assert.isTrue(linesOf(all).some((line) => line.includes('"33333333"')))
      assert.isFalse(linesOf(found).some((line) => line.includes("33333333")))
    }).pipe(Effect.scoped)
  )
})

describe("an import", () => {
  it.live.each(["early", "newest"] as const)(
    "of an %s memory on two machines, in any order and twice, is one",
    (name) =>
      Effect.gen(function* () {
        const [here, there] = [yield* scratch, yield* scratch]
        FeralMemories[name](here).close()
        FeralMemories[name](there).close()
        const found = yield* read(here)
        const lines = linesOf(yield* read(there))
        assert.deepStrictEqual(linesOf(found), lines)
        const one = yield* replica(found)
        const digest = yield* one.store.digest
        assert.strictEqual((yield* one.take(lines)).applied, 0)
        const two = yield* replica([])
        yield* two.take(lines.toReversed())
        assert.strictEqual(Digest.toText(yield* two.store.digest), Digest.toText(digest))
      }).pipe(Effect.scoped)
  )

  it.live("touches nothing, beside a FERAL that writes, after a crash, and when it is stopped", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const state = () =>
        readdirSync(directory)
          .filter((name) => !name.endsWith("-shm"))
          .map((name) => [name, statSync(join(directory, name)).mtimeMs, statSync(join(directory, name)).size])
      const feral = FeralMemories.early(directory)
      // Rows that are only in the log of the database.
      feral.memory.exec("INSERT INTO notes (id, content, created_at) VALUES ('justnow1', 'just now', 1)")
      const running = state()
      const found = yield* read(directory)
      assert.deepStrictEqual(state(), running)
      assert.isTrue(linesOf(found).some((line) => line.includes("justnow1")))
      feral.memory.exec("INSERT INTO notes (id, content, created_at) VALUES ('justnow2', 'later', 1)")
      feral.close()
      const stopped = readdirSync(directory)
      assert.lengthOf(linesOf(yield* read(directory)), linesOf(found).length + 1)
      assert.deepStrictEqual(readdirSync(directory), stopped)
    }).pipe(Effect.scoped)
  )

  it.live("says what is encrypted, missing, or something else", () =>
    Effect.gen(function* () {
      const directory = yield* scratch
      const problem = (path: string) => Effect.map(Effect.flip(read(path)), ({ message }) => message)
      assert.include(yield* problem(directory), "there is no memory.db in it")
      writeFileSync(join(directory, "memory.db.enc"), "")
      assert.include(yield* problem(directory), "start that node, and import while it runs")
      const file = join(directory, "x.json")
      writeFileSync(file, "{}")
      assert.include(yield* problem(file), "neither a data directory of a FERAL node nor a bundle")
      writeFileSync(join(directory, "memory.db"), "not a database, but long enough to be looked at".repeat(100))
      assert.include(yield* problem(directory), "check that it is the database of a FERAL node")
    }).pipe(Effect.scoped)
  )
})

describe("a bundle", () => {
  it.live("gives its operations, as Python writes them", () =>
    Effect.gen(function* () {
      const file = join(yield* scratch, "bundle.json")
      const operation = {
        op_id: "1",
        table: "notes",
        op_type: "insert",
        row_id: "aaaaaaaa",
        data: { id: "aaaaaaaa", content: "from a bundle" },
        hlc: "1700000000000:0:host-1",
        origin_node: "host-1",
        timestamp: 1_700_000_000
      }
      const text = JSON.stringify({
        node_id: "host-1",
        vector_clock: {},
        operations: [operation, { ...operation, scope: "private" }, { ...operation, table: "wiki_pages" }, 7, {}],
        exported_at: 0
      })
      writeFileSync(file, text.replace('"content"', '"score": NaN, "content"'))
      const found = yield* read(file)
      assert.deepStrictEqual(
        found.map(({ _tag }) => _tag),
        ["Operation", "LeftOut", "LeftOut", "Refused", "LeftOut"]
      )
      assert.include(linesOf(found)[0], '"score":null')
    }).pipe(Effect.scoped)
  )
})
