import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option, Schema, SchemaAST } from "effect"
import { canonical } from "../../../src/core/replica/Json.ts"
import * as Kind from "../../../src/core/replica/Kind.ts"
import * as Row from "../../../src/core/replica/Row.ts"
import * as Rule from "../../../src/core/replica/Rule.ts"
import { integer, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"

describe("the table of kinds", () => {
  it("names each kind once, and a rule that there is", () => {
    for (const key of ["name", "path", "command", "one", "many"] as const) {
      const names = Kind.all.map(({ words, ...kind }) => ({ ...kind, ...words })[key])
      assert.lengthOf(new Set(names), Kind.all.length, key)
    }
    for (const { name, rule } of Kind.all) {
      assert.property(Rule.rules, rule)
      assert.strictEqual(Kind.ruleOf(name), rule)
    }
    for (const name of ["plans", "constructor", "__proto__", ""]) assert.strictEqual(Kind.ruleOf(name), "opaque")
  })

  it("searches columns that there are", () => {
    for (const { columns, search } of Kind.all) for (const name of search) assert.property(columns, name)
  })

  const defaults = {
    notes: { tags: [], importance: "normal", source: "user" },
    knowledge: { confidence: 1, source: "user" },
    episodes: { detail: "", importance: 0.5 },
    execution_log: { args: {}, result_summary: "", latency_ms: 0 }
  }

  const values: ReadonlyArray<unknown> = ["x", "it's é", "low", "high", "", 0, 1, 0.25, 12, [], ["t", "u"], { a: [1] }]
  const picks = Arbitrary.array(integer(0, values.length), { minLength: 12, maxLength: 12 })

  /** An input of a kind: in each column the value that was picked where it fits, and the first that does where one has to be. */
  const inputOf = (kind: Kind.Definition, picks: ReadonlyArray<number>) =>
    Object.fromEntries(
      Object.entries(Kind.written(kind)).flatMap(([name, { input }], index): Array<[string, unknown]> => {
        const fits = Schema.is(input)
        const picked = values[picks[index] ?? 0]
        if (picked !== undefined && fits(picked)) return [[name, picked]]
        return SchemaAST.isOptional(input.ast) ? [] : [[name, values.find(fits)]]
      })
    )

  it.prop(
    "a row shows what was written, and the defaults of what was not",
    [picks],
    ([picks]) => {
      for (const kind of Kind.all) {
        const input = inputOf(kind, picks)
        assert.isTrue(Schema.is(kind.input)(input))
        const data = Option.getOrThrow(canonical({ ...Row.columnsFromInput(kind, input), created_at: 7 }, 32))
        const row = Row.reader(kind)({ ...write(node("a"), { wall: 9_000, counter: 0 }, "r", kind.name), data })
        assert.deepStrictEqual<unknown>(row, {
          id: "r",
          ...defaults[kind.name],
          ...input,
          created_at: 7,
          updated_at: 9,
          origin_node: "a",
          hlc: "9000:0:a"
        })
        assert.isTrue(Schema.is(kind.row)(row))
      }
    },
    runs(1_000)
  )
})
