import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { Kind, OpId, type Operation, RowId } from "../../../src/core/replica/Operation.ts"
import * as Row from "../../../src/core/replica/Row.ts"
import { anyText, oneOf, runs, textOf, tree, wideOperation } from "../../support/Generators.ts"

const holding = (data: string): Operation => ({
  op_id: OpId.make("o"),
  table: Kind.make("notes"),
  op_type: "insert",
  row_id: RowId.make("r"),
  data: CanonicalJson.make(data),
  hlc: { wall: 1_700_000_000_123, counter: 4, node: NodeId.make("a:b") },
  timestamp: 1_600_000_000.5
})

const origin = { updated_at: 1_700_000_000.123, origin_node: "a:b", hlc: "1700000000123:4:a:b" }

const kinds = [
  {
    name: "Note",
    schema: Row.Note,
    read: Row.noteFromOperation,
    defaults: { content: "", tags: [], importance: "normal", source: "user" },
    full: { content: "c", tags: ["t"], importance: "high", source: "agent" }
  },
  {
    name: "Fact",
    schema: Row.Fact,
    read: Row.factFromOperation,
    defaults: { subject: "", predicate: "", object: "", confidence: 1, source: "user" },
    full: { subject: "s", predicate: "p", object: "o", confidence: 0.25, source: "agent" }
  },
  {
    name: "Episode",
    schema: Row.Episode,
    read: Row.episodeFromOperation,
    defaults: { session_id: "", event_type: "", summary: "", detail: "", importance: 0.5 },
    full: {
      session_id: "s",
      event_type: "t",
      summary: "u",
      detail: "d",
      importance: 0,
      emotions: ["joy"],
      location: "here",
      participants: null
    }
  },
  {
    name: "Execution",
    schema: Row.Execution,
    read: Row.executionFromOperation,
    defaults: {
      session_id: "",
      skill_id: "",
      endpoint_id: "",
      args: {},
      result_status: "",
      result_summary: "",
      latency_ms: 0
    },
    full: {
      session_id: "s",
      skill_id: "k",
      endpoint_id: "e",
      args: [1],
      result_status: "ok",
      result_summary: "fine",
      latency_ms: 12
    }
  }
]

for (const { name, schema, read, defaults, full } of kinds) {
  describe(name, () => {
    const isRow = Schema.is(schema)

    it("reads what is there", () => {
      const data = JSON.stringify({ ...full, id: "r", created_at: 7.5, unknown: 1 })
      assert.deepStrictEqual<unknown>(read(holding(data)), { id: "r", ...full, created_at: 7.5, ...origin })
    })

    it("a row has defaults for what is missing, of another type, or no object at all", () => {
      const row = { id: "r", ...defaults, created_at: 1_600_000_000.5, ...origin }
      const wrong = Object.fromEntries(
        Object.entries({ ...defaults, created_at: 0 }).map(([key, value]) => [key, typeof value === "number" ? "1" : 1])
      )
      for (const data of [
        "{}",
        JSON.stringify(wrong),
        "[]",
        "null",
        "7",
        '"text"',
        "",
        "{",
        '{"__proto__":{"content":"x"}}'
      ]) {
        assert.deepStrictEqual<unknown>(read(holding(data)), row)
      }
    })

    it.prop(
      "any data can be read as a row",
      [
        oneOf(
          wideOperation,
          Arbitrary.map(anyText, holding),
          Arbitrary.map(tree, (each) => holding(textOf(each)))
        )
      ],
      ([operation]) => {
        const row = read(operation)
        assert.isTrue(isRow(row))
        assert.strictEqual(row.id, operation.row_id)
      },
      runs(1_000)
    )
  })
}

describe("texts that hold JSON", () => {
  it("may be written as the JSON itself", () => {
    assert.deepStrictEqual(Row.noteFromOperation(holding('{"tags":["a",{"b":1}]}')).tags, ["a", '{"b":1}'])
    assert.deepStrictEqual(Row.executionFromOperation(holding('{"args":{"a":[1]}}')).args, { a: [1] })
  })

  const tags: ReadonlyArray<readonly [stored: unknown, shown: ReadonlyArray<string>]> = [
    ['["a","b c","\\"q\\""]', ["a", "b c", '"q"']],
    ["[]", []],
    ["", []],
    ["home, garden", ["home, garden"]],
    ['["unfinished', ['["unfinished']],
    ["5", ["5"]],
    ['{"a":1}', ['{"a":1}']],
    ['[1,null,"x"]', ["1", "null", "x"]],
    ['["half \\ud83d"]', ["half \ufffd"]],
    [7, []]
  ]
  for (const [stored, shown] of tags) {
    it(`tags ${JSON.stringify(stored)}`, () => {
      assert.deepStrictEqual(Row.noteFromOperation(holding(JSON.stringify({ tags: stored }))).tags, shown)
    })
  }

  const args: ReadonlyArray<readonly [stored: unknown, shown: object]> = [
    ['{"a":[1]}', { a: [1] }],
    ["[1]", [1]],
    ["{}", {}],
    ["", {}],
    ["5", { value: 5 }],
    ["tea", { value: "tea" }],
    ["null", { value: null }],
    ['{"half":"\\ud83d"}', { half: "\ufffd" }],
    [7, {}]
  ]
  for (const [stored, shown] of args) {
    it(`args ${JSON.stringify(stored)}`, () => {
      assert.deepStrictEqual<unknown>(Row.executionFromOperation(holding(JSON.stringify({ args: stored }))).args, shown)
    })
  }
})
