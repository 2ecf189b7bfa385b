import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Option } from "effect"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import { canonical } from "../../../src/core/replica/Json.ts"
import { Kind, type Operation } from "../../../src/core/replica/Operation.ts"
import * as Row from "../../../src/core/replica/Row.ts"
import { needs } from "../../support/Needs.ts"
import { element, integer, oneOf, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"
import { beforeCut, beside, open } from "../../support/SqliteFiles.ts"
import { at, batch, onDisk } from "../../support/Stores.ts"

const a = node("a")

describe("views", () => {
  const readers = {
    notes: Row.noteFromOperation,
    knowledge: Row.factFromOperation,
    episodes: Row.episodeFromOperation,
    execution_log: Row.executionFromOperation
  }
  const names = [...new Set(Object.values(readers).flatMap((read) => Object.keys(read(write(a, at(1), "r")))))]
  const texts = element("", "x", "it's", '"', "\u{1f600}", "[1]", "7", "half \ud83d", "\udc00")
  const Value = oneOf<unknown>(
    texts,
    element(0, 1.5, -3),
    element(true, false),
    Arbitrary.map(texts, (text) => [text, { text }]),
    Arbitrary.map(texts, (text) => ({ [text]: [] })),
    Arbitrary.map(integer(0, 0), () => null)
  )
  const Data = Arbitrary.map(
    Arbitrary.array(Arbitrary.all([element("emotions", "location", "participants", ...names), Value]), {
      maxLength: 12
    }),
    (entries) => Option.getOrThrow(canonical(Object.fromEntries(entries), 9))
  )
  const Operations = Arbitrary.map(
    Arbitrary.array(Arbitrary.all([element("notes", "knowledge", "episodes", "execution_log"), Data]), {
      maxLength: 8
    }),
    (all) => all.map(([kind, data], index): Operation => ({ ...write(a, at(index + 1_500), `r${index}`, kind), data }))
  )

  it.effect.prop(
    "show what the readers of rows show",
    [Operations],
    ([operations]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const { home } = yield* onDisk
          const store = yield* open({ home })
          yield* store.apply(batch([...operations, write(a, at(9_000), "gone", "notes", "delete")]))
          for (const kind of ["notes", "knowledge", "episodes", "execution_log"] as const) {
            const rows = yield* store.list(Kind.make(kind), { limit: 100 })
            const shown = beside(home, (db) => db.prepare(`SELECT * FROM ${kind} ORDER BY id`).all())
            assert.deepStrictEqual(
              shown.map((row) => ({ ...row, ...inSql("", parsed(row)) })),
              rows.map((row) => ({ ...inSql(kind), ...inSql(kind, readers[kind](row)) }))
            )
          }
        })
      ),
    runs(150)
  )

  /** The columns that a view shows as text of JSON, as readers of rows show them. */
  const parsed = ({ tags, args }: Record<string, unknown>) => {
    const of = (columns: object) => ({
      ...write(a, at(1), "r"),
      data: Option.getOrThrow(canonical(columns, 9))
    })
    if (tags !== undefined) return { tags: Row.noteFromOperation(of({ tags })).tags }
    return args === undefined ? {} : { args: Row.executionFromOperation(of({ args })).args }
  }

  /** Rows with halves of surrogate pairs, which peers may send. */
  const data = (columns: object) => Option.getOrThrow(canonical(columns, 9))
  const halves = [
    { ...write(a, at(1), "n", "notes"), data: data({ content: "half \ud83d", tags: "[]" }) },
    { ...write(a, at(2), "w", "notes"), data: data({ content: "whole \u{1f600} \\ud83d", tags: "[]" }) },
    { ...write(a, at(3), "k", "knowledge"), data: data({ subject: "\udc00", predicate: "p", object: "o" }) },
    { ...write(a, at(4), "e", "episodes"), data: data({ summary: "s", emotions: ["\ud800"] }) },
    { ...write(a, at(5), "l", "execution_log"), data: data({ args: { "\udfff": "x" } }) }
  ]
  const views =
    "SELECT content FROM notes UNION ALL SELECT subject FROM knowledge " +
    "UNION ALL SELECT emotions FROM episodes UNION ALL SELECT args FROM execution_log"
  const expected = ["half \ufffd", "whole \u{1f600} \\ud83d", "\ufffd", '["\ufffd"]', '{"\ufffd":"x"}']

  it.effect("hold half a surrogate pair as U+FFFD, in an older file too, and the operation keeps its bytes", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      const texts = (db: DatabaseSync) =>
        db
          .prepare(views)
          .all()
          .map((row) => Object.values(row)[0])
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.apply(batch(halves))))
      assert.deepStrictEqual(beside(home, texts), expected)
      // As the version before made it.
      beside(home, (db) => {
        for (const kind of ["notes", "knowledge", "episodes", "execution_log"]) {
          db.exec(`DROP VIEW ${kind}; CREATE VIEW ${kind} AS SELECT 1 AS one`)
        }
        db.exec(
          "ALTER TABLE operations DROP COLUMN shown; ALTER TABLE clock DROP COLUMN opaque_bytes; DROP TABLE purged"
        )
        beforeCut(db, 2)
      })
      const kept = yield* Effect.scoped(
        Effect.flatMap(open({ home }), (store) => store.list(Kind.make("notes"), { limit: 9 }))
      )
      assert.deepStrictEqual(beside(home, texts), expected)
      assert.strictEqual(kept[0]?.data, halves[0]?.data)
    })
  )

  it.effect.skipIf(needs("python3"))("can be read by Python, also where a row holds half a surrogate pair", () =>
    Effect.gen(function* () {
      const { home } = yield* onDisk
      yield* Effect.scoped(Effect.flatMap(open({ home }), (store) => store.apply(batch(halves))))
      const script = `import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(ascii(row[0]))`
      const read = execFileSync("/usr/bin/python3", ["-c", script, join(home, "sync.db"), views], { encoding: "utf8" })
      assert.deepStrictEqual(read.trimEnd().split("\n"), [
        "'half \\ufffd'",
        "'whole \\U0001f600 \\\\ud83d'",
        "'\\ufffd'",
        "'[\"\\ufffd\"]'",
        '\'{"\\ufffd":"x"}\''
      ])
    })
  )

  /** A row as SQL shows it: no column is ever missing, JSON is text, truth is a number. */
  const inSql = (kind: string, row: object = {}): Record<string, unknown> => {
    const extra = kind === "episodes" ? { emotions: null, location: null, participants: null } : {}
    return Object.fromEntries(
      Object.entries({ ...extra, ...row }).map(([key, value]) => [
        key,
        typeof value === "object" && value !== null
          ? JSON.stringify(value)
          : typeof value === "boolean"
            ? +value
            : value
      ])
    )
  }
})
