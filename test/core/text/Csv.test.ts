/** Tables: whatever cells hold, and however the text is cut, they are read as they were written. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Csv from "../../../src/core/text/Csv.ts"

const Cells = Schema.NonEmptyArray(
  Schema.Union([Schema.String, Schema.Literals(["", "=1+1", "'=x", '"', "a,b", "\r\n", "''@"])])
)

const readAll = (pieces: ReadonlyArray<string>) => {
  const reader = Csv.reader(1_000_000)
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
}

describe("Csv", () => {
  it.prop(
    "records are read as they were written, in pieces of any size",
    [Cells, Cells, Schema.Natural],
    ([a, b, cut]) => {
      const text = Csv.record(a) + Csv.record(b)
      const size = 1 + (cut % 7)
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
        text.slice(index * size, (index + 1) * size)
      )
      // A line without anything on it is no record.
      const expected = [a, b].filter((cells) => cells.length > 1 || cells[0] !== "")
      assert.deepStrictEqual(readAll(pieces), expected)
    }
  )

  it("reads a last record without an end, and what others write", () => {
    assert.deepStrictEqual(readAll(['a,"b ""c""",\n\nd,e\nf']), [["a", 'b "c"', ""], ["d", "e"], ["f"]])
  })

  it("of a record, keeps so much and no more, and all of the next one", () => {
    const reader = Csv.reader(5)
    assert.deepStrictEqual(reader.push("abcde\nabcdef,g\nab,cde\n"), [["abcde"], ["abcde", ""], ["ab", "cde"]])
  })

  it("writes nothing that a spreadsheet runs", () => {
    for (const text of ["=1", "+1", "-1", "@x", "\tx"]) assert.match(Csv.record([text]), /^"?'/)
    assert.strictEqual(Csv.record([-1]), "-1\r\n")
  })
})
