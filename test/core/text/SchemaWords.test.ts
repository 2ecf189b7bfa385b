import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as SchemaWords from "../../../src/core/text/SchemaWords.ts"
import * as Inputs from "../../../src/services/memory/Inputs.ts"
import { ConflictsInput, WaitInput } from "../../../src/services/memory/Memory.ts"
import { FindInput } from "../../../src/services/memory/OwnQuestion.ts"
import * as Reads from "../../../src/services/memory/Reads.ts"

describe("SchemaWords", () => {
  it("choices are words with commas", () => {
    for (const [expected, words] of [
      ['"ndjson" | "csv" | "markdown"', "ndjson, csv or markdown"],
      ["object | array", "an object or a list"],
      ["string", "text"],
      ["a whole number from 1 to 1000", undefined],
      ["TAG", undefined]
    ] as const) {
      assert.strictEqual(SchemaWords.alternatives(expected), words)
    }
  })

  const values: ReadonlyArray<unknown> = [
    7,
    -1,
    0,
    1.5,
    1_001,
    5_000,
    NaN,
    Infinity,
    "",
    "many",
    "x".repeat(5_000),
    null,
    undefined,
    true,
    {},
    { a: 1 },
    [],
    [7],
    ["x"],
    [{}]
  ]
  const schemas: ReadonlyArray<Schema.Codec<unknown> & { readonly fields: object }> = [
    Inputs.NoteInput,
    Inputs.FactInput,
    Inputs.EpisodeInput,
    Inputs.ExecutionInput,
    Reads.RecentInput,
    Reads.SearchPageInput,
    Reads.AboutInput,
    ConflictsInput,
    WaitInput,
    FindInput
  ]

  it.effect("no problem of an input or a question is told in the words of a schema", () =>
    Effect.gen(function* () {
      for (const schema of schemas) {
        const decode = Inputs.decoded(schema)
        for (const field of [...Object.keys(schema.fields), "more"]) {
          for (const value of values) {
            const input = field === "more" ? value : { [field]: value }
            const problems = yield* Effect.match(decode(input), { onFailure: (all) => all, onSuccess: () => [] })
            for (const { problem } of problems) {
              assert.notMatch(problem, /Expected|Missing|Unexpected|Invalid|\||RegExp|\n/, `${field}: ${problem}`)
            }
          }
        }
      }
    })
  )

  it.effect("says what a limit is, and what is missing", () =>
    Effect.gen(function* () {
      const limit = yield* Effect.flip(Inputs.decoded(Reads.RecentInput)({ limit: 1_001 }))
      assert.deepStrictEqual(limit, [{ field: "limit", problem: "is not a number from 1 to 1000" }])
      const missing = yield* Effect.flip(Inputs.decoded(WaitInput)({}))
      assert.deepStrictEqual(missing, [{ field: "nodes", problem: "is missing" }])
      const args = { session_id: "s", skill_id: "k", endpoint_id: "e", result_status: "ok", args: 7 }
      const wrong = yield* Effect.flip(Inputs.decoded(Inputs.ExecutionInput)(args))
      assert.deepStrictEqual(wrong, [{ field: "args", problem: "is not an object or a list" }])
    })
  )
})
