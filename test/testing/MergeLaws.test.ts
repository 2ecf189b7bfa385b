/** The laws of merging tell right rules from wrong ones, in words that a person can follow. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Order, Schema } from "effect"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import * as Kind from "../../src/core/replica/Kind.ts"
import type { Operation } from "../../src/core/replica/Operation.ts"
import * as Rule from "../../src/core/replica/Rule.ts"
import { LawBroken } from "../../src/testing/Law.ts"
import * as MergeLaws from "../../src/testing/MergeLaws.ts"
import type { OwnRule, Subject } from "../../src/testing/Subject.ts"

/** How the laws of a rule fare: the names of those that are broken, and their stories. */
const brokenOf = (subject: Subject) =>
  Effect.gen(function* () {
    const stories = new Map<string, LawBroken>()
    for (const law of MergeLaws.laws(subject)) {
      yield* law
        .check({ seed: 1, runs: 300 })
        .pipe(Effect.catch((error) => Effect.sync(() => void stories.set(law.name, error))))
    }
    return stories
  })

const wholeRow = () => ""
const byWall = Order.mapInput(Order.Number, ({ hlc }: Operation) => hlc.wall)
const byText = Order.mapInput(Order.String, ({ data }: Operation) => data)

/** Rules that are wrong, and the laws that each of them breaks. */
const wrong: Readonly<Record<string, { readonly rule: OwnRule; readonly broken: ReadonlyArray<string> }>> = {
  "an order by wall time alone, under which the first to come stays": {
    rule: { slotOf: wholeRow, order: byWall },
    broken: ["the order is total", "merging is commutative", "nodes converge over any split, order and repetition"]
  },
  "an order in which everything wins, so that the last to come stays": {
    rule: { slotOf: wholeRow, order: () => 1 },
    broken: ["the order is total", "merging is commutative", "nodes converge over any split, order and repetition"]
  },
  "an order that goes round in a circle": {
    rule: {
      slotOf: wholeRow,
      order: Order.make((a, b) => (a.hlc.wall === b.hlc.wall ? 0 : (a.hlc.wall - b.hlc.wall + 4) % 4 < 2 ? 1 : -1))
    },
    broken: ["the order is total", "merging is commutative"]
  },
  "a view that shows the operation that it finds first": {
    rule: {
      slotOf: ({ hlc }) => Hlc.toText(hlc),
      order: Order.combine(byText, Rule.rules.lww.order),
      read: ([first]) => first?.data
    },
    broken: ["a row shows what the set of its writes says, in whatever order they are held"]
  }
}

for (const kind of Kind.all) MergeLaws.mergeLaws(kind, { runs: 300 })

const row = Schema.Struct({ title: Schema.String, done: Schema.Boolean })
for (const rule of ["lww", "log", "fields", "counter", "set"] as const)
  MergeLaws.mergeLaws({ name: `own ${rule}`, rule, row }, { runs: 300 })

describe("merge laws", () => {
  for (const [name, { rule, broken }] of Object.entries(wrong)) {
    it.effect(`catch ${name}`, () =>
      Effect.gen(function* () {
        const stories = yield* brokenOf({ name: "mine", rule })
        assert.includeMembers([...stories.keys()], [...broken])
      })
    )
  }

  it.effect("hold for a rule of one's own whose order is total", () =>
    Effect.gen(function* () {
      const greatest: OwnRule = { slotOf: wholeRow, order: Order.combine(byText, Rule.rules.lww.order) }
      assert.deepStrictEqual([...(yield* brokenOf({ name: "greatest", rule: greatest })).keys()], [])
    })
  )

  it.effect("tell the smallest story, and replay it", () =>
    Effect.gen(function* () {
      const subject = { name: "mine", rule: { slotOf: wholeRow, order: byWall } }
      const story = (yield* brokenOf(subject)).get("merging is commutative")
      assert.match(
        story?.message ?? "",
        /^Broken after \d+ of the drawn values: merging is commutative\n\n {2}1\. node "\w" at \d:\d writes to r\d \{"content":"."\}\n {2}2\. node [^\n]*\n {2}One node is told 1, then 2 and holds: r\d [^\n]*\n {2}Another is told 2, then 1 and holds: r\d [^\n]*\n\nReplay it: mergeLaws\(kind, \{ law: "merging is commutative", replay: "/
      )
      const [, replay = ""] = /replay: (".*") \}/.exec(story?.nextStep ?? "") ?? []
      const law = MergeLaws.laws(subject).find(({ name }) => name === "merging is commutative")
      const again = yield* Effect.flip(law?.check({ replay: JSON.parse(replay) }) ?? Effect.die("no such law"))
      assert.strictEqual(again.problem, story?.problem)
    })
  )
})
