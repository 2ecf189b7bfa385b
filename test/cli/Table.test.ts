import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { CliOutput } from "effect/cli"
import { ago, duration, oneLine, truncate } from "../../src/cli/Output.ts"
import * as Table from "../../src/cli/Table.ts"
import { runs } from "../support/Generators.ts"

interface Row {
  readonly id: string
  readonly a: string
  readonly b: string
}

const columns: ReadonlyArray<Table.Column<Row>> = [
  { title: "ID", text: ({ id }) => id, whole: true },
  { title: "A", text: ({ a }) => a },
  { title: "B", text: ({ b }) => b }
]

const render = (rows: ReadonlyArray<Row>, width: number) => {
  const layout = Table.layout(columns, rows, width)
  return [Table.header(layout), ...rows.map((row) => Table.row(layout, row))]
}

const Cell = Schema.Struct({
  id: Schema.Literals(["1", "22", "id-of-36-characters-or-so"]),
  a: Schema.String,
  b: Schema.String
})

describe("Table", () => {
  it("short columns stay whole, and long ones share what is left", () => {
    assert.deepStrictEqual(render([{ id: "1", a: "short", b: "a rather long text that is cut" }], 24), [
      "ID  A      B",
      "1   short  a rather lon…"
    ])
  })

  it("two long columns get the same, and something remains of each where there is no room at all", () => {
    const rows = [{ id: "1", a: "a".repeat(50), b: "b".repeat(40) }]
    assert.deepStrictEqual(Table.layout(columns, rows, 26).widths, [2, 10, 10])
    assert.deepStrictEqual(Table.layout(columns, rows, 5).widths, [2, 8, 8])
  })

  it("each cell has a line of its own where there is no room for the columns", () => {
    const rows = [
      { id: "an id of 23 characters!", a: "a".repeat(50), b: "" },
      { id: "2", a: "", b: "\u7528\u6237\u559c\u6b22" }
    ]
    assert.deepStrictEqual(Table.lines(columns, rows, 24), [
      "an id of 23 characters!",
      "  A  aaaaaaaaaaaaaaaaaa\u2026",
      "2",
      "  B  \u7528\u6237\u559c\u6b22"
    ])
  })

  it("nothing is cut where there is no terminal", () => {
    const b = "x".repeat(500)
    const layout = Table.layout(columns, [{ id: "1", a: "a", b: "b" }], Infinity)
    assert.strictEqual(Table.row(layout, { id: "1", a: "longer", b }), `1   longer  ${b}`)
  })

  it("columns line up also with wide characters", () => {
    assert.deepStrictEqual(
      render(
        [
          { id: "1", a: "日本", b: "x" },
          { id: "22", a: "abcd", b: "y" }
        ],
        80
      ),
      ["ID  A     B", "1   日本  x", "22  abcd  y"]
    )
  })

  it.prop(
    "a line is one line, fits, and does not steer the terminal",
    [Schema.Array(Cell), Schema.Int.check(Schema.isBetween({ minimum: 60, maximum: 200 }))],
    ([rows, width]) => {
      for (const line of render(rows, width)) {
        assert.isAtMost(CliOutput.displayWidth(line), width)
        assert.notMatch(line, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
      }
    },
    runs(2_000)
  )

  it("text of others cannot steer the terminal", () => {
    assert.strictEqual(oneLine("a\u001b[31mred\u202e\r\nb\tc"), "a\ufffd[31mred\ufffd⏎b c")
  })

  it("a text is cut between characters, never inside of one", () => {
    assert.strictEqual(truncate("👩‍👩‍👧‍👧👩‍👩‍👧‍👧👩‍👩‍👧‍👧", 5), "👩‍👩‍👧‍👧👩‍👩‍👧‍👧…")
    assert.strictEqual(truncate("abc", 3), "abc")
    assert.strictEqual(truncate("abcd", 3), "ab…")
  })

  it("times are told as people do", () => {
    const now = 1_700_000_000_000
    for (const [seconds, expected] of [
      [0, "just now"],
      [-60, "just now"],
      [-61, "2023-11-14 22:14 UTC"],
      [-3540, "2023-11-14 23:12 UTC"],
      [59, "59 s ago"],
      [150, "2 min ago"],
      [7300, "2 h ago"],
      [3 * 86_400, "3 d ago"],
      [40 * 86_400, "2023-10-05"]
    ] as const) {
      assert.strictEqual(ago(now - seconds * 1000, now), expected)
    }
    assert.strictEqual(duration(12.4), "12 s")
  })
})
