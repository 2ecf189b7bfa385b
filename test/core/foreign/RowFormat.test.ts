/** Rows in other formats: read back they are the same rows, and give way to the rows that they were made from. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Found } from "../../../src/core/foreign/Found.ts"
import * as RowFormat from "../../../src/core/foreign/RowFormat.ts"
import { canonical } from "../../../src/core/replica/Json.ts"
import * as Kind from "../../../src/core/replica/Kind.ts"
import { merge } from "../../../src/core/replica/Merge.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Operation from "../../../src/core/replica/Operation.ts"
import { columnsFromInput, reader } from "../../../src/core/replica/Row.ts"
import { Option, Result } from "effect"

/** A row of each kind, of these texts. */
const inputOf = (kind: Kind.Definition, texts: ReadonlyArray<string>, share: number): object => {
  const [a, b, c] = [0, 1, 2].map((index) => `x${texts[index] ?? "=1"}`.toWellFormed())
  switch (kind.name) {
    case "notes":
      return { content: `${a}\n---\n"${b}`, tags: texts.map((text) => `t${text}`.toWellFormed()), importance: "high" }
    case "knowledge":
      return { subject: a, predicate: b, object: `=${c}`, confidence: share }
    case "episodes":
      return { session_id: a, event_type: b, summary: c, detail: "", importance: share }
    default:
      return {
        session_id: a,
        skill_id: b,
        endpoint_id: c,
        args: { [b ?? ""]: [a] },
        result_status: "ok",
        latency_ms: share
      }
  }
}

const operationOf = (kind: Kind.Definition, input: object, wall: number): Operation.Operation => ({
  op_id: Operation.OpId.make("op"),
  table: Operation.Kind.make(kind.name),
  op_type: "insert",
  row_id: Operation.RowId.make("row-1"),
  data: Option.getOrThrow(canonical({ id: "row-1", ...columnsFromInput(kind, input), created_at: wall / 1000 }, 32)),
  hlc: { wall, counter: 3, node: NodeId.make("node") },
  timestamp: wall / 1000
})

const operationIn = (found: Found | undefined): Operation.Operation => {
  assert.strictEqual(found?._tag, "Operation", JSON.stringify(found))
  const line = found?._tag === "Operation" ? found.line : ""
  return Result.getOrThrow(Operation.fromWire(JSON.parse(line)))
}

const content = ({ updated_at: _u, origin_node: _o, hlc: _h, ...columns }: RowFormat.Row) => columns

for (const kind of Kind.all) {
  const read: (operation: Operation.Operation) => RowFormat.Row = reader(kind)
  describe(kind.name, () => {
    const ways: Record<string, (row: RowFormat.Row) => Found | undefined> = {
      ndjson: (row) => RowFormat.fromJsonLine(RowFormat.jsonLine(kind, row), "line 1"),
      csv: (row) =>
        [...RowFormat.fromCsv(kind.name, [RowFormat.csvHeader(kind), RowFormat.csvLine(kind, row)], 1e6)][0],
      ...(kind.name === "notes" ? { markdown: (row) => RowFormat.fromMarkdown(RowFormat.markdown(row), "x.md") } : {})
    }
    for (const [format, way] of Object.entries(ways)) {
      it.prop(
        `${format}: a row that is read back is the same, and the original stays`,
        [Schema.Array(Schema.String), Schema.Natural],
        ([texts, wall]) => {
          const original = operationOf(kind, inputOf(kind, texts, (wall % 8) / 8), 1 + (wall % 1e12))
          const row = read(original)
          const back = operationIn(way(row))
          assert.deepStrictEqual(content(read(back)), content(row))
          for (const order of [
            [original, back],
            [back, original]
          ]) {
            assert.strictEqual([...merge(new Map(), order).values()][0]?.op_id, "op")
          }
        }
      )
    }
  })
}

describe("what cannot be read", () => {
  it("is refused with a reason", () => {
    const reasons = [
      RowFormat.fromJsonLine('{"kind":"notes"}', ""),
      RowFormat.fromJsonLine('{"kind":"x","id":"1"}', ""),
      RowFormat.fromMarkdown("# Hello", ""),
      ...RowFormat.fromCsv("notes", ["content\nhello\n"], 100)
    ].map((found) => (found._tag === "Refused" ? found.reason : found._tag))
    assert.deepStrictEqual(reasons, [
      "it has no id",
      '"x" is not a kind',
      "it does not begin with front matter",
      "the first line does not name the columns, id among them"
    ])
  })
})
