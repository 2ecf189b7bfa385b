import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { cutText, fit, limits, roomFor, take } from "../../src/mcp/Bounds.ts"
import { anyText, integer, runs } from "../support/Generators.ts"

const Row = Schema.Struct({
  id: Schema.String.check(Schema.isMaxLength(40)),
  content: Schema.String,
  tags: Schema.Array(Schema.String)
})

const length = (value: unknown): number => JSON.stringify(value).length

describe("the length of an answer", () => {
  it.prop(
    "is within its room, whatever the rows hold",
    [Schema.Array(Row).check(Schema.isMaxLength(20)), integer(1, 40), integer(6_000, 60_000)],
    ([some, times, room]) => {
      const rows = some.map((row, index) => ({ ...row, content: row.content.repeat(times * index * 20) }))
      const { rows: fitted, isCut } = fit(rows, room)
      assert.isAtMost(length(fitted), room + 2)
      assert.strictEqual(
        isCut,
        fitted.some((shown) => shown["cut"] === true)
      )
      assert.deepStrictEqual(
        fitted.map(({ id }) => id),
        rows.map(({ id }) => id)
      )
      if (length(rows) + rows.length < room) assert.deepStrictEqual(fitted, rows)
    },
    runs(200)
  )

  it("takes no room from short rows for a long one", () => {
    const short = { id: "1", content: "short" }
    const { rows } = fit([short, { id: "2", content: "x".repeat(100_000) }], 1_000)
    assert.deepStrictEqual(rows[0], short)
    assert.isTrue(rows[1]?.["cut"])
    assert.isAbove(length(rows[1]), 800)
  })

  it("grows with the rows that are asked for, up to a limit", () => {
    assert.strictEqual(roomFor(1) + limits.frame, 8_000)
    assert.strictEqual(roomFor(10) + limits.frame, 8_000)
    assert.strictEqual(roomFor(20) + limits.frame, 16_000)
    assert.strictEqual(roomFor(1_000) + limits.frame, 60_000)
  })

  it.prop("cuts between characters", [anyText, integer(8, 100)], ([any, most]) => {
    const whole = any.toWellFormed()
    const cut = cutText(whole, most).slice(0, -1)
    assert.isTrue(whole.startsWith(cut))
    assert.isTrue(cut.isWellFormed())
    assert.isAtMost(length(cut) - 2, most)
  })

  it("is as many whole entities as have room", () => {
    const entities = Array.from({ length: 100 }, (_, n) => ({ name: `${n}`, observations: ["x".repeat(500)] }))
    const { isCut, rows } = take(entities, 10_000)
    assert.isTrue(isCut)
    assert.deepStrictEqual(rows, entities.slice(0, rows.length))
    assert.isAtMost(length(rows), 10_000)
  })
})
