/** Earlier versions of notes and facts, and the way back to them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as History from "../../../src/core/replica/History.ts"
import { Memory } from "../../../src/services/memory/Memory.ts"
import * as MemoryLive from "../../../src/services/memory/MemoryLive.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import { QueryInvalid, VersionNotFound } from "../../../src/services/node/NodeFailure.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import { Store } from "../../../src/services/store/Store.ts"
import { node, write } from "../../support/Network.ts"
import { at, batch } from "../../support/Stores.ts"

const memory = MemoryLive.layer.pipe(
  Layer.provideMerge(MemoryStore.layer({ nodeId: node("here"), history: History.limits })),
  Layer.provide(HlcClock.layer)
)

describe("Memory.history", () => {
  it.effect("shows what a note was, and brings it back whole, also after it was deleted", () =>
    Effect.gen(function* () {
      const { notes, history, restoreVersion } = yield* Memory
      const first = yield* notes.put({ content: "one", tags: ["a"], importance: "high" })
      const { id } = first
      const second = yield* notes.edit(id, "two")
      const deletion = yield* notes.delete(id)
      const versions = yield* history("notes", id)
      assert.deepStrictEqual(
        versions.map(({ hlc, superseded_by, is_conflict, row }) => [hlc, superseded_by, is_conflict, row?.["content"]]),
        [
          [second.hlc, deletion.hlc, false, "two"],
          [first.hlc, second.hlc, false, "one"]
        ]
      )
      yield* restoreVersion("notes", id, versions[1]?.version ?? 0)
      const [note] = yield* notes.list()
      assert.deepInclude(note, { id, content: "one", tags: ["a"], importance: "high" })
      // The deletion is a version now, and can be seen but not restored.
      const [gone] = yield* history("notes", id)
      assert.deepInclude(gone, { op_type: "delete", row: null, hlc: deletion.hlc })
      for (const [kind, version] of [
        ["notes", gone?.version ?? 0],
        ["notes", 999],
        ["knowledge", versions[1]?.version ?? 0],
        ["episodes", 1],
        ["unknown", 1]
      ] as const) {
        assert.instanceOf(yield* Effect.flip(restoreVersion(kind, id, version)), VersionNotFound)
      }
    }).pipe(Effect.provide(memory))
  )

  it.effect("shows the deleted rows, and a restored one no more", () =>
    Effect.gen(function* () {
      const { notes, facts, deleted, restoreVersion } = yield* Memory
      const note = yield* notes.put({ content: "one", tags: ["a"] })
      const fact = yield* facts.set({ subject: "sky", predicate: "is", object: "blue" })
      assert.deepStrictEqual(yield* deleted(), { rows: [] })
      yield* notes.delete(note.id)
      yield* notes.delete((yield* notes.put({ content: "two" })).id)
      const deletion = yield* facts.delete(fact.id)
      const { rows } = yield* deleted()
      assert.deepStrictEqual(
        rows.map(({ kind, row }) => [kind, row["content"] ?? row["object"]]),
        [
          ["knowledge", "blue"],
          ["notes", "two"],
          ["notes", "one"]
        ]
      )
      assert.deepInclude(rows[0], { hlc: deletion.hlc, deleted_by: "here", id: fact.id })
      const page = yield* deleted({ kind: "notes", limit: 1 })
      assert.deepStrictEqual(page.rows, rows.slice(1, 2))
      assert.deepStrictEqual(yield* deleted({ kind: "notes", limit: 1, ...(page.next && { cursor: page.next }) }), {
        rows: rows.slice(2)
      })
      for (const wrong of [{ kind: "episodes" }, { kind: "bogus" }, { cursor: "bogus" }, { limit: 0 }]) {
        assert.instanceOf(yield* Effect.flip(deleted(wrong)), QueryInvalid)
      }
      yield* restoreVersion("notes", note.id, rows[2]?.version ?? 0)
      assert.deepStrictEqual((yield* deleted()).rows, rows.slice(0, 2))
      assert.deepInclude((yield* notes.list())[0], { id: note.id, content: "one", tags: ["a"] })
    }).pipe(Effect.provide(memory))
  )

  it.effect("shows conflicts page by page, and erases the versions of a row", () =>
    Effect.gen(function* () {
      const { notes, conflicts, history, eraseHistory } = yield* Memory
      const store = yield* Store
      const ids: Array<string> = []
      for (const content of ["x", "y", "z"]) {
        const { id, hlc } = yield* notes.put({ content })
        ids.unshift(id)
        yield* store.apply(batch([write(node("a"), at(Number(hlc.split(":")[0]) + 1), id)]))
      }
      const all = yield* conflicts()
      assert.deepStrictEqual(
        all.rows.map(({ id, is_conflict }) => [id, is_conflict]),
        ids.map((id) => [id, true])
      )
      assert.notProperty(all, "next")
      const page = yield* conflicts({ limit: 2 })
      assert.deepStrictEqual(page.rows, all.rows.slice(0, 2))
      assert.deepStrictEqual(yield* conflicts({ limit: 2, ...(page.next && { cursor: page.next }) }), {
        rows: all.rows.slice(2)
      })
      yield* eraseHistory("notes", ids[0] ?? "")
      assert.deepStrictEqual(yield* history("notes", ids[0] ?? ""), [])
      assert.deepStrictEqual((yield* conflicts()).rows, all.rows.slice(1))
    }).pipe(Effect.provide(memory))
  )
})
