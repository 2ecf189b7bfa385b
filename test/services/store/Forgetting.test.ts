/** What was deleted is in no file of a store any more: neither rows, nor the log of writes, nor the index of words. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { CanonicalJson } from "../../../src/core/replica/Json.ts"
import { times } from "../../../src/services/store/SqliteUpkeep.ts"
import { quarantineLimits } from "../../../src/services/store/StoreState.ts"
import { draft } from "../../support/Drafts.ts"
import { node, write } from "../../support/Network.ts"
import { filesWith, open } from "../../support/SqliteFiles.ts"
import { at, batch, onDisk, type StoreService } from "../../support/Stores.ts"
import { searchFor } from "../../support/Searches.ts"

const secret = "xylophonezanzibar"
const [a, b] = [node("a"), node("b")]
const ofPeer = (origin: typeof a, wall: number, data: string, op_type: "insert" | "delete" = "insert") => ({
  ...write(origin, at(wall), "peer", "notes", op_type),
  data: data as CanonicalJson
})

interface Case {
  readonly name: string
  readonly keep: (store: StoreService) => Effect.Effect<unknown, unknown>
  readonly forget: (store: StoreService) => Effect.Effect<unknown, unknown>
}

const many = Array.from({ length: 300 }, (_, n) => `r${n}`)
const removal = (row: string, table = "notes") => draft(row, "", table, "delete")

const cases: ReadonlyArray<Case> = [
  {
    name: "a note that is deleted",
    keep: (store) => store.append([draft("n", secret)]),
    forget: (store) => store.append([removal("n")])
  },
  {
    name: "a note that is edited",
    keep: (store) => store.append([draft("n", secret)]),
    forget: (store) => store.append([draft("n", "other")])
  },
  {
    name: "a note larger than a page",
    keep: (store) => store.append([draft("n", `${"many words ".repeat(5_000)} ${secret}`)]),
    forget: (store) => store.append([removal("n")])
  },
  {
    name: "300 notes between others, deleted at once",
    keep: (store) => store.append(many.flatMap((row) => [draft(row, `${secret}${row}`), draft(`kept-${row}`, "kept")])),
    forget: (store) => store.append(many.map((row) => removal(row)))
  },
  {
    name: "a fact that is deleted",
    keep: (store) =>
      store.append([{ ...draft("f", "", "knowledge"), data: `{"subject":"${secret}"}` as CanonicalJson }]),
    forget: (store) => store.append([removal("f", "knowledge")])
  },
  {
    name: "a note that a peer deletes",
    keep: (store) => store.apply(batch([ofPeer(a, 1, `{"content":"${secret}"}`)], { a: at(1) })),
    forget: (store) => store.apply(batch([ofPeer(b, 2, "{}", "delete")], { b: at(2) }))
  },
  {
    name: "text that is shown otherwise",
    keep: (store) => store.append([{ ...draft("n"), data: `{"content":"${secret}\\ud800"}` as CanonicalJson }]),
    forget: (store) => store.append([removal("n")])
  },
  {
    name: "an entry that leaves the quarantine",
    keep: (store) => store.apply({ ...batch([]), quarantined: [{ peer: a, reason: "wrong", text: secret }] }),
    forget: (store) =>
      store.apply({
        ...batch([]),
        quarantined: Array(quarantineLimits.rows).fill({ peer: a, reason: "wrong", text: "{}" })
      })
  }
]

/** Enough for the steps of the upkeep. */
const pass = Effect.replicateEffect(TestClock.adjust(times.quiet), 40, { discard: true })

describe("what was deleted", () => {
  for (const isSearched of [false, true]) {
    for (const { name, keep, forget } of cases) {
      it.effect(`${name}${isSearched ? ", after a search" : ""}: its text is in no file, open or closed`, () =>
        Effect.gen(function* () {
          const { home } = yield* onDisk
          yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* open({ home })
              yield* keep(store)
              if (isSearched) yield* searchFor(store, secret, 10)
              assert.isNotEmpty(filesWith(home, secret))
              yield* forget(store)
              yield* pass
              assert.deepStrictEqual(filesWith(home, secret), [])
              assert.deepStrictEqual(yield* searchFor(store, secret, 10), [])
              assert.deepStrictEqual(yield* store.damage, [])
            })
          )
          assert.deepStrictEqual(filesWith(home, secret), [])
        })
      )
    }
  }

  it.effect("by a command, without a node that goes on: its text is in no file when it ends", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const once = <A>(use: (store: StoreService) => Effect.Effect<A, unknown>) =>
        Effect.scoped(Effect.flatMap(open({ home }), use))
      yield* once((store) => store.append([draft("n", secret)]))
      yield* once((store) => searchFor(store, secret, 10))
      assert.isNotEmpty(filesWith(home, secret))
      yield* once((store) => store.append([removal("n")]))
      assert.deepStrictEqual(filesWith(home, secret), [])
    })
  )

  it.effect("the words of so many rows that the index is better made anew are gone as well, and search goes on", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const store = yield* open({ home })
      const rows = Array.from({ length: 5_200 }, (_, n) => `r${n}`)
      yield* store.append([...rows.map((row) => draft(row, `${secret}${row}`)), draft("kept", "kept")])
      yield* searchFor(store, secret, 1)
      yield* store.append(rows.map((row) => removal(row)))
      yield* pass
      assert.deepStrictEqual(filesWith(home, secret), [])
      assert.lengthOf(yield* searchFor(store, "kept", 10), 1)
    })
  )

  it.effect("an index of an earlier form, which kept such words, is dropped when the file is opened", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.append([draft("n", "kept")])))
      const file = new DatabaseSync(join(home, "sync.db"))
      file.exec(`CREATE VIRTUAL TABLE search USING fts5(words, content = '', contentless_delete = 1);
        CREATE TABLE search_rows (kind, row_id, seq); CREATE TABLE search_mark (id, seq);
        INSERT INTO search (rowid, words) VALUES (1, '${secret}'); DELETE FROM search WHERE rowid = 1`)
      file.close()
      assert.isNotEmpty(filesWith(home, secret))
      const store = yield* open({ home })
      assert.lengthOf(yield* searchFor(store, "kept", 10), 1)
      yield* pass
      assert.deepStrictEqual(filesWith(home, secret), [])
    })
  )
})
