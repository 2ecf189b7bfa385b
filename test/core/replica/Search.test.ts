import { assert, describe, it } from "@effect/vitest"
import * as Search from "../../../src/core/replica/Search.ts"
import { operation, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"

describe("Search", () => {
  it("what is searched of each kind, and nothing of what is deleted", () => {
    const of = (kind: string, data: object, op_type: "insert" | "delete" = "insert") =>
      Search.textOf({
        ...write(node("a"), { wall: 1, counter: 0 }, "r", kind, op_type),
        data: JSON.stringify(data) as never
      })
    assert.strictEqual(of("notes", { content: "a\0b", tags: '["t"]', source: "no" }), "a b\nt")
    assert.strictEqual(of("knowledge", { subject: "s", predicate: "p", object: "o" }), "s\np\no")
    assert.strictEqual(of("episodes", { summary: "s", detail: "d", event_type: "no" }), "s\nd")
    assert.isUndefined(of("execution_log", { args: "x" }))
    assert.isUndefined(of("plans", { content: "x" }))
    assert.isUndefined(of("notes", { content: "x" }, "delete"))
  })

  it.prop(
    "no row is a wrong one",
    [operation],
    ([row]) => {
      assert.notInclude(Search.textOf(row) ?? "", "\0")
    },
    runs(1_000)
  )
})
