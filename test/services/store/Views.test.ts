import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Option } from "effect"
import { canonical } from "../../../src/core/Json.ts"
import { Kind, type Operation } from "../../../src/core/Operation.ts"
import * as Row from "../../../src/core/Row.ts"
import { element, integer, oneOf, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"
import { beside, open } from "../../support/SqliteFiles.ts"
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
  const texts = element("", "x", "it's", '"', "\u{1f600}", "[1]", "7")
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
              shown.map((row) => ({ ...row })),
              rows.map((row) => ({ ...inSql(kind), ...inSql(kind, readers[kind](row)) }))
            )
          }
        })
      ),
    runs(150)
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
