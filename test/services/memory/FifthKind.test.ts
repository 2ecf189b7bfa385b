import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { rmSync } from "node:fs"
import { fifthKind, output } from "../../support/FifthKind.ts"
import { freshHome } from "../../support/Nodes.ts"
import { beside, open } from "../../support/SqliteFiles.ts"

const Row = Schema.Struct({ id: Schema.String, goal: Schema.String, steps: Schema.Unknown, effort: Schema.Number })
const Used = Schema.Struct({
  id: Schema.String,
  refused: Schema.Unknown,
  rows: Schema.Array(Schema.Struct({ ...Row.fields, open: Schema.Unknown })),
  goals: Schema.Unknown,
  efforts: Schema.Unknown
})
const decode = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ here: Used, there: Used, counts: Schema.Unknown }))
)

describe("a fifth kind", () => {
  let tree: string
  let home: string
  let remove: () => void
  beforeAll(() => {
    tree = fifthKind()
    ;({ home, remove } = freshHome())
  })
  afterAll(() => {
    rmSync(tree, { recursive: true })
    remove()
  })

  it("has its rows, inputs, list, search, counts, view and local interface, in a file of the version before too", async () => {
    await Effect.runPromise(Effect.scoped(open({ home })))
    const { here, there, counts } = decode(await output(tree, ["application.ts", home]))
    assert.deepStrictEqual(counts, {
      notes: 0,
      knowledge: 0,
      episodes: 0,
      execution_log: 0,
      plans: 2,
      tombstones: 2,
      quarantine: 0
    })
    const plan = { steps: ["can", "tap"], effort: 1, open: {} }
    assert.deepStrictEqual<unknown>(here.rows, [{ id: here.id, goal: "water", ...plan }])
    assert.sameDeepMembers([...there.rows], [...here.rows, { id: there.id, goal: "watch", ...plan }])
    assert.deepStrictEqual([here.goals, here.efforts, there.efforts], [["water"], [1], [1, 1]])
    for (const { refused } of [here, there]) assert.deepStrictEqual(refused, ["goal", "effort"])
    const shown = beside(home, (db) => db.prepare("SELECT id, goal, steps, effort, open, mood FROM plans").all())
    assert.sameDeepMembers(
      shown.map((row) => ({ ...row })),
      [here, there].map(({ id, goals }) => ({
        id,
        goal: goals === here.goals ? "water" : "watch",
        steps: '["can","tap"]',
        effort: 1,
        open: "{}",
        mood: null
      }))
    )
    assert.include(
      await output(tree, ["src/main.ts", "status"], { FERAL_HOME: home }),
      "0 log entries, 2 plans, 2 deleted"
    )
  }, 60_000)
})
